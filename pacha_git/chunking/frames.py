"""Finds the frames of a file of Zstandard frames, one behind the other, by the heads of their blocks.

The walk ends at the first place where no frame stands, and the frames before it hold. Format: RFC 8878.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pacha_git.chunking.tensors import Head

ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_MOST_BLOCKS: Final = 262_144
_RAW, _RUN, _COMPRESSED = 0, 1, 2


def zstd_parts(head: Head, size: int) -> Iterator[tuple[int, int]]:
    """Yield each frame."""
    position, blocks = 0, 0
    while position < size:
        start = head(position, 18)
        if not start.startswith(ZSTD_MAGIC) or len(start) < 6:
            return
        at = position + _head_length(start[4])
        while True:
            block = head(at, 3)
            blocks += 1
            if len(block) < 3 or blocks > _MOST_BLOCKS:
                return
            said = int.from_bytes(block, "little")
            kind = said >> 1 & 3
            if kind not in (_RAW, _RUN, _COMPRESSED):
                return
            at += 3 + (1 if kind == _RUN else said >> 3)
            if said & 1:
                break
        at += 4 if start[4] & 4 else 0
        if at > size:
            return
        yield position, at
        position = at


def _head_length(descriptor: int) -> int:
    """Mark, descriptor, window, dictionary, and the size of what is packed."""
    single = descriptor >> 5 & 1
    content = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    return 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3] + content
