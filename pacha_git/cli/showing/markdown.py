"""Draws Markdown on a terminal; markup of HTML in it is shown as the text it is, and links with where they lead."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

from pacha_git.cli.showing import output
from pacha_git.cli.showing.sheets import values

# What is drawn takes time in the square of a paragraph's length; what is longer is shown as it is.
_LONGEST: Final = 128 << 10


def draw(text: str, metadata: Mapping[str, Any]) -> str:
    """Draw a document.

    Args:
        text: All of it; what a terminal would act upon is escaped already.
        metadata: What its front matter says, laid out above it; without any, the text is drawn as a whole.
    """
    from pacha_git import parse_front_matter

    if len(text) > _LONGEST:
        return text
    body = parse_front_matter(text).body if metadata else text
    head = output.clean(values(metadata)) if metadata else ""
    return f"{head}\n\n{_drawn(body)}" if head else _drawn(body)


def _drawn(body: str) -> str:
    from markdown_it import MarkdownIt
    from rich.console import Console
    from rich.markdown import Markdown

    document = Markdown(body, hyperlinks=False, code_theme="ansi_dark")
    # rich leaves out what is HTML; read without it, a tag is text like any other.
    document.parsed = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).parse(body)
    console = Console(file=io.StringIO(), force_terminal=True, highlight=False, width=_width())
    with console.capture() as caught:
        console.print(document)
    return output.styled(caught.get())


def _width() -> int:
    import shutil

    return min(shutil.get_terminal_size().columns, 120)
