"""The sections of a Markdown document: their headings, and whether anything stands below them.

CommonMark is read by markdown-it-py, so a ``#`` in a block of code is no heading.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_LONGEST_TITLE: Final = 400
_PLACEHOLDER: Final = "more information needed"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it, up to the next heading of its level or above.

    Attributes:
        level: 1 to 6.
        title: As written, without marks.
        line: From 1, in the text that was read.
        says: Whether anything but comments, placeholders and headings stands below it.
    """

    level: int
    title: str
    line: int
    says: bool


def sections(text: str) -> list[Section]:
    """Return every section, in order; time is linear in the text."""
    lines = text.splitlines()
    heads = _headings(text)
    ends = [*(start for _, _, start, _ in heads[1:]), len(lines)]
    found: list[Section] = []
    # Deeper sections speak for those above them: per level, whether anything was said since a heading of it or above.
    said = [False] * 8
    for (level, title, start, after), end in reversed(list(zip(heads, ends, strict=False))):
        own = _says_something("\n".join(lines[after:end]))
        says = own or any(said[level + 1 :])
        found.append(Section(level, title, start + 1, says))
        said[level + 1 :] = [False] * (7 - level)
        said[level] |= says
    return found[::-1]


def _says_something(text: str) -> bool:
    """Tell whether there is more than comments and what the Hub's templates put where nothing was written yet."""
    lines = without_comments(text).splitlines()
    return any(line.strip() and _PLACEHOLDER not in line.lower() for line in lines)


def without_comments(text: str) -> str:
    """Return the text less its HTML comments; one without an end is text."""
    kept: list[str] = []
    at = 0
    while (begin := text.find("<!--", at)) >= 0 and (end := text.find("-->", begin + 4)) >= 0:
        kept.append(text[at:begin])
        at = end + 3
    return "".join([*kept, text[at:]])


def _headings(text: str) -> list[tuple[int, str, int, int]]:
    """Level, title, first line and the line after, from 0."""
    found = []
    for token, inline in pairwise(_blocks().parse(text)):
        if token.type == "heading_open" and token.map and token.level == 0:
            found.append((int(token.tag[1]), _plain(inline.content), token.map[0], token.map[1]))
    return found


def _plain(title: str) -> str:
    if title.replace(" ", "").isalnum():
        return title
    [inline] = _spans().parseInline(title[:_LONGEST_TITLE])
    return "".join(child.content for child in inline.children or ()).strip()


@cache
def _blocks() -> MarkdownIt:
    """Reads blocks alone: what stands within paragraphs takes time in the square of its length."""
    from markdown_it import MarkdownIt  # 30 ms to load

    return MarkdownIt("commonmark", {"maxNesting": 32}).disable("inline")


@cache
def _spans() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")
