"""Writes numbers and times for people: bytes as MiB, counts with their noun, instants without a T."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_UNITS: Final = ("KiB", "MiB", "GiB", "TiB", "PiB")


def size(count: float) -> str:
    """Write a number of bytes: ``512 B``, ``1.5 KiB``, ``87.3 MiB``."""
    if count < 1024:
        return f"{int(count)} B"
    for unit in _UNITS:
        count /= 1024
        if count < 1023.95 or unit == _UNITS[-1]:
            break
    return f"{count:,.1f} {unit}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Write a count with its noun: ``1 file``, ``12 files``, ``2 entries``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def share(part: float, whole: float) -> str:
    """Write a part of a whole in per cent; ``under 1 %`` and ``over 99 %`` where rounding would lie."""
    percent = 100 * part / whole if whole else 0
    if 0 < percent < 1:
        return "under 1 %"
    if 99 < percent < 100:
        return "over 99 %"
    return f"{percent:.0f} %"


def instant(text: str) -> str:
    """Write ``2026-07-29T10:12:00Z`` as ``2026-07-29 10:12 UTC``."""
    return f"{text[:10]} {text[11:16]} UTC" if len(text) == 20 and text[10] == "T" else text


def place(path: Path | str) -> str:
    """Return a path as short as it can be typed again: from here, or from home."""
    whole = Path(path)
    for root, shown in ((Path.cwd(), ""), (Path(os.path.expanduser("~")), "~/")):  # noqa: PTH111 — there may be none
        if root.is_absolute() and whole.is_relative_to(root) and whole != root:
            return shown + whole.relative_to(root).as_posix()
    return str(whole)
