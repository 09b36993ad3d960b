"""The YAML between two lines of ``---`` at the head of a Markdown document, read with the line of every key.

YAML is PyYAML's safe subset (no object is ever built), without anchors: they can make a page of text into gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pacha_git.format.documents.problem import Problem

if TYPE_CHECKING:
    import yaml

KeyPath: TypeAlias = tuple[str | int, ...]
Place: TypeAlias = tuple[int, int]

DEPTH: Final = 32
DIGITS: Final = 4096
LEAST: Final = -(2**63)
GREATEST: Final = 2**64 - 1
_FENCE: Final = re.compile(r"---[ \t]*\r?(?:\n|\Z)")
_BLANK: Final = re.compile(r"(?:[ \t]*\r?\n)*")
_END: Final = re.compile(r"^(?:---|\.\.\.)[ \t]*\r?$", re.MULTILINE)
_SIMPLE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+\Z")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The head of a document, and the text below it.

    Attributes:
        values: What the YAML says, types kept; empty if there is none or it can't be read.
        body: The Markdown below.
        body_line: The line on which it begins, from 1.
        places: Line and column, from 1, of every key and item.
        problems: Why the YAML can't be read; at most one of its grammar, and every key that stands twice.
    """

    values: Mapping[str, Any]
    body: str
    body_line: int = 1
    places: Mapping[KeyPath, Place] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def problem(self, path: KeyPath, message: str) -> Problem:
        """Say what is wrong with a key, on its line."""
        line, column = self.places.get(path, (None, None))
        return Problem(line, dotted(path), message, column)


def dotted(path: KeyPath) -> str:
    """Return a key as people write it: ``model-index.0.name``."""
    return ".".join(part if _SIMPLE_KEY.match(part) else f'"{part}"' for part in map(str, path))


def parse_front_matter(text: str) -> FrontMatter:
    """Read a document; never raises for what stands in it."""
    text = text.removeprefix("\ufeff")
    blank = _BLANK.match(text)
    begin = _FENCE.match(text, blank.end() if blank is not None else 0)
    if begin is None:
        return FrontMatter({}, text)
    above = text.count("\n", 0, begin.start())
    end = _END.search(text, begin.end())
    if end is None:
        return FrontMatter({}, text, problems=(Problem(1, "", "the front matter has no closing ---", 1),))
    head = text[begin.end() : end.start()]
    body = text[end.end() :].lstrip("\r\n")
    body_line = text.count("\n", 0, len(text) - len(body)) + 1
    return _below(_read(head, body, body_line), above)


def _below(found: FrontMatter, lines: int) -> FrontMatter:
    """Return the same, with blank lines above it."""
    if not lines:
        return found
    places = {path: (line + lines, column) for path, (line, column) in found.places.items()}
    problems = tuple(replace(each, line=each.line + lines if each.line else None) for each in found.problems)
    return replace(found, places=places, problems=problems)


def _read(head: str, body: str, body_line: int) -> FrontMatter:
    import yaml  # 17 ms to load, and most documents of a registry are only carried

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        refused = _refused(yaml, loader, head)
        if refused is not None:
            return FrontMatter({}, body, body_line, problems=(refused,))
        node = yaml.compose(head, Loader=loader)
        if node is None:
            return FrontMatter({}, body, body_line)
        if not isinstance(node, yaml.MappingNode):
            problem = _at(node.start_mark, "the front matter must be keys and values, as in license: mit")
            return FrontMatter({}, body, body_line, problems=(problem,))
        places: dict[KeyPath, Place] = {}
        problems = tuple(_walk(yaml, node, (), places))
        long = next(_long_numbers(yaml, node), None)
        if long is not None:
            return FrontMatter({}, body, body_line, problems=(long,))
        values = _with_text_keys(yaml.load(head, Loader=loader))
    except yaml.MarkedYAMLError as error:
        return FrontMatter({}, body, body_line, problems=(_unreadable(error),))
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        said = " ".join(str(error).split())
        return FrontMatter({}, body, body_line, problems=(Problem(2, "", f"not YAML: {said}", 1),))
    return FrontMatter(values, body, body_line, places, problems)


def _refused(yaml: Any, loader: Any, head: str) -> Problem | None:
    """Tell what is no error of YAML, and is not read: anchors, and nesting without end."""
    depth = 0
    for event in yaml.parse(head, Loader=loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            return _at(event.start_mark, "anchors (&) and aliases (*) are not read: write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH:
            return _at(event.start_mark, f"nested deeper than {DEPTH} levels")
    return None


def _walk(yaml: Any, node: Any, path: KeyPath, places: dict[KeyPath, Place]) -> Iterator[Problem]:
    """Note where every key and item stands; a key that stands twice is a problem."""
    if isinstance(node, yaml.SequenceNode):
        for at, item in enumerate(node.value):
            places[*path, at] = _place(item.start_mark)
            yield from _walk(yaml, item, (*path, at), places)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            if here in places:
                yield _at(key.start_mark, f"{dotted(here)} stands twice, first in line {places[here][0]}")
            places[here] = _place(key.start_mark)
            yield from _walk(yaml, value, here, places)


def _long_numbers(yaml: Any, node: Any) -> Iterator[Problem]:
    """Numbers that take long to read: in base 60 the time grows with the square of the digits."""
    if isinstance(node, yaml.ScalarNode):
        if len(node.value) > DIGITS and node.tag.rpartition(":")[2] in ("int", "float", "timestamp"):
            yield _at(node.start_mark, f"a number of over {DIGITS:,} digits")
    else:
        for item in node.value:
            for part in item if isinstance(item, tuple) else (item,):
                yield from _long_numbers(yaml, part)


def _place(mark: yaml.Mark) -> Place:
    # The opening fence is line 1, and PyYAML counts from 0.
    return mark.line + 2, mark.column + 1


def _at(mark: yaml.Mark, message: str) -> Problem:
    line, column = _place(mark)
    return Problem(line, "", message, column)


def _unreadable(error: yaml.MarkedYAMLError) -> Problem:
    said = ", ".join(part for part in (error.context, error.problem) if part)
    mark = error.problem_mark or error.context_mark
    line, column = _place(mark) if mark is not None else (2, 1)
    return Problem(line, "", f"not YAML: {said or 'it can not be read'}", column)


def _with_text_keys(value: Any) -> Any:
    if type(value) is int and not LEAST <= value <= GREATEST:
        raise ValueError("an integer beyond 64 bits")
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value
