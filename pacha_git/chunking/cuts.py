"""Says where a file must be cut: at its tensors, members, pages or frames, as its layout has it; it trusts no byte.

A part (a tensor, say) of at least ``layout.tensor_minimum`` bytes is cut where it begins and where it ends. What is cut
depends on the bytes alone. docs/format.md, 8.2 and 8.5, has the rules; a change to any of them is another layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pacha_git.chunking.layout import FIRST, Layout
from pacha_git.chunking.tensors import Head, tensor_cuts

_START: Final = 512
MOST_PARTS: Final = 131_072
MOST_SMALL_IN_A_ROW: Final = 4_096

Parts = Callable[[Head, int], Iterator[tuple[int, int]]]


def file_cuts(head: Head, size: int, layout: Layout = FIRST) -> list[int]:
    """Say where the large parts of a file begin and end.

    Args:
        head: Reads from the file.
        size: Bytes in the file.
        layout: Which parts are looked for, and how large one must be.

    Returns:
        Offsets in the file, ascending, without 0 and ``size``; none if the file is of no known format.
    """
    parts = _parts_of(head(0, _START)) if layout.cuts_at_parts else None
    return tensor_cuts(head, size, layout) if parts is None else _edges(parts(head, size), size, layout)


def has_parts(start: bytes) -> bool:
    """Tell whether a file that begins so, with 512 bytes if it has as many, is cut at more than tensors."""
    return _parts_of(start) is not None


def _parts_of(start: bytes) -> Parts | None:
    """Tell how the parts of a file are found; None if tensors are all that may be in it."""
    from pacha_git.chunking import frames, members, pages  # few files are so large that they are cut

    if start.startswith(b"PK\x03\x04"):
        return members.zip_parts
    if start.startswith(b"PAR1"):
        return pages.parquet_parts
    if start.startswith(frames.ZSTD_MAGIC):
        return frames.zstd_parts
    return members.tar_parts if members.is_tar_header(start) else None


def _edges(parts: Iterator[tuple[int, int]], size: int, layout: Layout) -> list[int]:
    edges: set[int] = set()
    small = 0
    for number, (start, end) in enumerate(parts, 1):
        if end - start >= layout.tensor_minimum:
            edges.update((start, end))
            small = 0
        else:
            small += 1
        # A file of small parts gains nothing, and walking on would take long.
        if number >= MOST_PARTS or small >= MOST_SMALL_IN_A_ROW:
            break
    return sorted(edges - {0, size})
