"""A model card or datasheet as people write it: front matter and Markdown, checked against the declaration of its kind.

It knows how a document is read and checked; which sections and fields there are stands in ``card`` and ``datasheet``. A
document with problems is still a document: nothing of it is lost.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from pacha_git.format.documents.frontmatter import FrontMatter, parse_front_matter
from pacha_git.format.documents.markdown import Section, sections
from pacha_git.format.documents.problem import Problem

Check: TypeAlias = Callable[[Any], str]
"""Says what a value must be; "" if it is that."""

# What people may write: it must fit into one line of a note too (docs/format.md 11).
DOCUMENT_LIMIT: Final = 512 << 10
_WORDS: Final = re.compile(r"[^\W_]+")
# Words of YAML 1.1 that turn into truth values when they stand without quotes: "no" is Norwegian, "on" is a tag.
_TRUTHS: Final = {True: "yes, on or true", False: "no, off or false"}


@dataclass(frozen=True, slots=True)
class SectionRule:
    """A section that a document should have.

    Attributes:
        title: Its heading in the paper.
        headings: Other headings that say the same, in lower case, words alone.
        fields: Keys of the front matter that say the same.
        asks: What to write there, for a skeleton.
    """

    title: str
    headings: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    asks: str = ""


@dataclass(frozen=True, slots=True)
class DocumentRules:
    """What a kind of document is.

    Attributes:
        word: As people call it: ``model card``, ``datasheet``.
        sections: What it should say.
        fields: What each key of the front matter may hold; others are kept as they are.
    """

    word: str
    sections: tuple[SectionRule, ...]
    fields: Mapping[str, Check]


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it was read.

    Attributes:
        text: All of it, as it stands.
        metadata: The front matter, types kept.
        sections: Every heading with what stands below it.
        missing: Titles of the sections it should have and has not, or has with nothing in them.
        problems: What is wrong with it, in the order of lines.
    """

    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    sections: tuple[Section, ...] = ()
    missing: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def json_metadata(self) -> dict[str, Any]:
        """The front matter as JSON holds it: dates as RFC 3339, NaN and infinities as words."""
        return {key: as_json(value) for key, value in self.metadata.items()}


def parse_document(data: bytes, rules: DocumentRules) -> Document:
    """Read a document and collect all its problems; never raises for what is in it.

    Args:
        data: Its bytes, UTF-8, at most 512 KiB.
        rules: What it should be.
    """
    if len(data) > DOCUMENT_LIMIT:
        return Document("", problems=(Problem(None, "", f"over {DOCUMENT_LIMIT >> 10} KiB"),))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        return Document(data.decode("utf-8", "replace"), problems=(Problem(line, "", "not UTF-8", column),))
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        return Document(text, problems=(Problem(line, "", "a NUL character, which no text has"),))
    head = parse_front_matter(text)
    found = tuple(_moved(section, head.body_line - 1) for section in sections(head.body))
    problems = [*head.problems, *_field_problems(head, rules)]
    return Document(
        text=text,
        metadata=head.values,
        sections=found,
        missing=tuple(_missing(found, head.values, rules)),
        problems=tuple(sorted(problems, key=lambda problem: problem.line or 0)),
    )


def _moved(section: Section, lines: int) -> Section:
    return Section(section.level, section.title, section.line + lines, section.says)


def _field_problems(head: FrontMatter, rules: DocumentRules) -> Iterator[Problem]:
    for key, value in head.values.items():
        check = rules.fields.get(key)
        problem = check(value) if check is not None and value is not None else ""
        if problem:
            yield head.problem((key,), f"must be {problem}, not {_shown(value)}")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return f"{str(value).lower()} ({_TRUTHS[value]} without quotes: write it in quotes if it is a word)"
    text = repr(as_json(value))
    return text if len(text) <= 60 else text[:57] + "..."


def words_of(title: str) -> str:
    """Return a heading as it is compared: words in lower case, without the ``[optional]`` of the Hub's templates."""
    return " ".join(_WORDS.findall(title.lower())).removesuffix(" optional")


def _missing(found: Sequence[Section], values: Mapping[str, Any], rules: DocumentRules) -> Iterator[str]:
    said = {words_of(section.title) for section in found if section.says}
    for rule in rules.sections:
        named = {words_of(rule.title), *rule.headings} & said
        if not named and not any(values.get(key) for key in rule.fields):
            yield rule.title


def as_json(value: Any) -> Any:
    """Return a value of YAML as JSON holds it."""
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [as_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, datetime.date | datetime.datetime):
        return value.isoformat()
    return str(value)


# What a field may hold ---------------------------------------------------------------------------------------------


def text(value: Any) -> str:
    """Return a text."""
    return "" if isinstance(value, str) else "a text"


def texts(value: Any) -> str:
    """Return a text, or a list of texts."""
    good = isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))
    return "" if good else "a text or a list of texts"


def items(value: Any) -> str:
    """Return a list of texts or tables, or one text."""
    good = isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str | dict) for one in value))
    return "" if good else "a list"


def table(value: Any) -> str:
    """Keys and values."""
    return "" if isinstance(value, dict) else "keys and values"


def tables(value: Any) -> str:
    """Keys and values, or a list of such."""
    good = isinstance(value, dict) or (isinstance(value, list) and all(isinstance(one, dict) for one in value))
    return "" if good else "keys and values, or a list of them"


def truth(value: Any) -> str:
    """True or false."""
    return "" if isinstance(value, bool) else "true or false"


def day(value: Any) -> str:
    """Return a date, as YAML reads it or as a text."""
    return "" if isinstance(value, str | datetime.date) else "a date, as in 2026-01-31"


def amount(value: Any) -> str:
    """Return a number of at least 0."""
    good = type(value) in (int, float) and value >= 0
    return "" if good else "a number of at least 0"


def count(value: Any) -> str:
    """Return a whole number of at least 0."""
    return "" if type(value) is int and value >= 0 else "a whole number of at least 0"


def any_of(*checks: Check) -> Check:
    """Tell what passes one of several checks."""

    def check(value: Any) -> str:
        said = [one(value) for one in checks]
        return "" if "" in said else " or ".join(dict.fromkeys(said))

    return check
