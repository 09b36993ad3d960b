"""The sections of a Markdown document: their headings, and whether anything stands below them.

It refuses to know which sections there should be. CommonMark is read by markdown-it-py, so a ``#`` in a block of code
is no heading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it, up to the next heading of its level or above.

    Attributes:
        level: 1 to 6.
        title: As written, without marks.
        line: From 1, in the text that was read.
        text: What stands below it, comments and lower headings left out; "" if nothing does.
    """

    level: int
    title: str
    line: int
    text: str


def sections(text: str) -> list[Section]:
    """Every section, in order."""
    lines = text.splitlines()
    heads = _headings(text)
    found = []
    for at, (level, title, begin, after) in enumerate(heads):
        below = next((start for other, _, start, _ in heads[at + 1 :] if other <= level), len(lines))
        inner = {line for _, _, start, end in heads[at + 1 :] if start < below for line in range(start, end)}
        said = "\n".join(line for number, line in enumerate(lines[after:below], after) if number not in inner)
        found.append(Section(level, title, begin + 1, _COMMENT.sub("", said).strip()))
    return found


def _headings(text: str) -> list[tuple[int, str, int, int]]:
    """Level, title, first line and the line after, from 0."""
    tokens = _parser().parse(text)
    found = []
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.map and token.level == 0:
            title = "".join(child.content for child in inline.children or ()).strip()
            found.append((int(token.tag[1]), title, token.map[0], token.map[1]))
    return found


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # 30 ms to load

    return MarkdownIt("commonmark", {"maxNesting": 32})
