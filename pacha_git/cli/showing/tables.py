"""Lays out tables and sheets as text for people: to the width of a terminal, or whole, value by value, for a pipe."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import repeat
from typing import Final, TypeAlias

from pacha_git.cli.showing import output

Row: TypeAlias = Sequence[object]
_Column: TypeAlias = tuple[str, list[str]]

EMPTY_TEXT: Final = '""'
"""How a value that is an empty text is shown, for what shows nothing looks as if it were not there."""

# What draws for a terminal takes a second for a thousand rows.
_DRAWN: Final = 2_000


def table(headings: Sequence[str], rows: Sequence[Row], *, right: Sequence[str] = ()) -> str:
    """Lay out a table; columns with nothing in them are left out.

    Args:
        headings: One per column.
        rows: Values in the order of the headings; None is empty.
        right: The headings of columns that hold numbers.
    """
    values = list(zip(*rows, strict=True)) or [()] * len(headings)
    columns = [(heading, _cells(column)) for heading, column in zip(headings, values, strict=True)]
    used = [(heading, column) for heading, column in columns if any(column)]
    if output.to_terminal() and len(rows) <= _DRAWN:
        return _for_terminal(used, right)
    return _whole(used, right)


def _cells(column: Sequence[object]) -> list[str]:
    """Return the values of a column as text; column by column, for a list may have a hundred thousand rows."""
    texts = ["" if value is None else str(value) for value in column]
    return texts if "".join(texts).isprintable() else list(map(output.one_line, texts))


def _whole(columns: Sequence[_Column], right: Sequence[str]) -> str:
    padded = []
    for heading, column in columns:
        cells = [heading, *column]
        width = max(map(len, cells))
        padded.append(map(str.rjust if heading in right else str.ljust, cells, repeat(width)))
    return "\n".join(map(str.rstrip, map("  ".join, zip(*padded, strict=True))))


def _for_terminal(columns: Sequence[_Column], right: Sequence[str]) -> str:
    # Loaded only when a table is really drawn: a pipe and --json never pay for it.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading, _ in columns:
        drawn.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in zip(*(column for _, column in columns), strict=True):
        drawn.add_row(*(Text(cell) for cell in row))
    console = Console(highlight=False)
    with console.capture() as caught:
        console.print(drawn)
    return output.styled(caught.get().rstrip("\n"))


def sheet(pairs: Sequence[tuple[str, object]], *, indent: str = "") -> str:
    """Lay out names and values, one pair a line; what is None or empty is left out."""
    told = [(name, value) for name, value in pairs if value is not None and value != ""]
    said = [(output.one_line(name), output.clean(str(value))) for name, value in told]
    width = max((len(name) for name, _ in said), default=0)
    margin = "\n" + indent + " " * (width + 2)
    return "\n".join(f"{indent}{name.ljust(width)}  {value.replace(chr(10), margin)}" for name, value in said)


def strong(text: str) -> str:
    """Make text bold, if it goes to a terminal that wants it."""
    if output.to_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
        return output.styled(f"\x1b[1m{output.clean(text)}\x1b[0m")
    return text
