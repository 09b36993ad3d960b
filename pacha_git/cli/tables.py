"""Lays out tables and sheets as text for people: to the width of a terminal, or whole, value by value, for a pipe.

It refuses to know what stands in them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeAlias

from pacha_git.cli import output

Row: TypeAlias = Sequence[object]


def table(headings: Sequence[str], rows: Sequence[Row], *, right: Sequence[str] = ()) -> str:
    """Lay out a table; columns with nothing in them are left out.

    Args:
        headings: One per column.
        rows: Values in the order of the headings; None is empty.
        right: The headings of columns that hold numbers.
    """
    cells = [["" if value is None else output.one_line(str(value)) for value in row] for row in rows]
    used = [at for at in range(len(headings)) if any(row[at] for row in cells)]
    shown = [[row[at] for at in used] for row in cells]
    heads = [headings[at] for at in used]
    if output.to_terminal():
        return _for_terminal(heads, shown, right)
    return _whole([heads, *shown], [head in right for head in heads])


def _whole(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _for_terminal(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> str:
    # Loaded only when a table is really drawn: a pipe and --json never pay for it.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        drawn.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console = Console(highlight=False)
    with console.capture() as caught:
        console.print(drawn)
    return caught.get().rstrip("\n")


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
        return f"\x1b[1m{text}\x1b[0m"
    return text
