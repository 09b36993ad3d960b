"""Finds where the large tensors of a safetensors or GGUF file lie, from its head alone; it trusts nothing it reads.

A head that is cut short, lies or is damaged yields no cuts, never an error; memory and time are bounded in any case.
Formats: https://huggingface.co/docs/safetensors and https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from pacha_git.chunking.layout import FIRST, Layout

Head = Callable[[int, int], bytes]
"""Reads (offset, length) of the file; fewer bytes only at its end."""

_MOST_TENSORS: Final = 131_072
_BLOCK: Final = 1 << 20

_SAFETENSORS_HEADER: Final = 100_000_000
# The longest match is 90 bytes. Within a JSON string a quote is escaped, so the key is never found inside one.
_OFFSETS: Final = re.compile(
    rb'"data_offsets"[ \t\r\n]{0,8}:[ \t\r\n]{0,8}\[[ \t\r\n]{0,8}'
    rb"([0-9]{1,16})[ \t\r\n]{0,8},[ \t\r\n]{0,8}([0-9]{1,16})[ \t\r\n]{0,8}\]"
)
_OVERLAP: Final = 128

_GGUF_HEADER: Final = 64 << 20
_GGUF_MOST_KEYS: Final = 65_536
_GGUF_MOST_STRINGS: Final = 4_000_000
_GGUF_FIXED: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_GGUF_UINT32, _GGUF_STRING, _GGUF_ARRAY = 4, 8, 9
_GGUF_MOST_DIMENSIONS: Final = 8


class _Malformed(Exception):
    """The head is not what its format says."""


def tensor_cuts(head: Head, size: int, layout: Layout = FIRST) -> list[int]:
    """Say where the large tensors of a file begin and end.

    Args:
        head: Reads from the file.
        size: Bytes in the file.
        layout: Tensors smaller than its ``tensor_minimum`` make no cut.

    Returns:
        Offsets in the file, ascending, without 0 and ``size``; none if the file is of no known format or malformed.
    """
    try:
        spans = list(_gguf(head, size)) if head(0, 4) == b"GGUF" else list(_safetensors(head, size))
    except _Malformed:
        return []
    large = ((start, end) for start, end in spans if end - start >= layout.tensor_minimum)
    return sorted({edge for span in large for edge in span} - {0, size})


def _safetensors(head: Head, size: int) -> Iterator[tuple[int, int]]:
    """Yield the tensors, if those that the header names fill the rest of the file without a gap."""
    start = head(0, 9)
    length = int.from_bytes(start[:8], "little")
    data = 8 + length
    if len(start) < 9 or start[8:] != b"{" or length > _SAFETENSORS_HEADER or data > size:
        raise _Malformed
    position = data
    for begin, end in sorted(_data_offsets(head, data)):
        if data + begin != position or end < begin:
            raise _Malformed
        position = data + end
        yield data + begin, position
    if position != size:
        raise _Malformed


def _data_offsets(head: Head, data: int) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    block = b""
    for offset in range(8, data, _BLOCK):
        block += head(offset, min(_BLOCK, data - offset))
        seen = 0
        for match in _OFFSETS.finditer(block):
            pairs.append((int(match[1]), int(match[2])))
            seen = match.end()
        if len(pairs) > _MOST_TENSORS:
            raise _Malformed
        block = block[max(seen, len(block) - _OVERLAP) :]
    return pairs


def _gguf(head: Head, size: int) -> Iterator[tuple[int, int]]:
    """Yield the tensors: each reaches to the next, since the head gives no sizes."""
    walk = _HeadWalk(head, min(size, _GGUF_HEADER))
    walk.skip(4)
    version, tensors, keys = walk.unpack("<IQQ")
    # Version 1 has narrower counts; a big-endian file shows a huge version.
    if version not in (2, 3) or tensors > _MOST_TENSORS or keys > _GGUF_MOST_KEYS:
        raise _Malformed
    alignment = _alignment(walk, keys)
    offsets = sorted({_tensor_offset(walk) for _ in range(tensors)})
    data = -(-walk.position // alignment) * alignment
    if any(offset % alignment for offset in offsets) or (offsets and data + offsets[-1] >= size):
        raise _Malformed
    yield from pairwise([data + offset for offset in offsets] + [size])


def _alignment(walk: _HeadWalk, keys: int) -> int:
    alignment = 32
    for _ in range(keys):
        key = walk.string()
        (kind,) = walk.unpack("<I")
        if key == b"general.alignment":
            if kind != _GGUF_UINT32:
                raise _Malformed
            (alignment,) = walk.unpack("<I")
        else:
            walk.skip_value(kind)
    if not 8 <= alignment <= _BLOCK or alignment % 8:
        raise _Malformed
    return alignment


def _tensor_offset(walk: _HeadWalk) -> int:
    walk.string()
    (dimensions,) = walk.unpack("<I")
    if dimensions > _GGUF_MOST_DIMENSIONS:
        raise _Malformed
    walk.skip(8 * dimensions + 4)
    (offset,) = walk.unpack("<Q")
    return int(offset)


class _HeadWalk:
    """Goes once through the head of a GGUF file, holding one block of it."""

    def __init__(self, head: Head, limit: int) -> None:
        self._head = head
        self._limit = limit
        self._block = b""
        self._start = 0
        self._strings = 0
        self.position = 0

    def skip(self, count: int) -> None:
        self.position += count
        if self.position > self._limit:
            raise _Malformed

    def _sight(self, count: int) -> int:
        """See to it that the block has the next ``count`` bytes; where in it they begin."""
        at = self.position - self._start
        if not 0 <= at <= len(self._block) - count:
            self._start, at = self.position, 0
            self._block = self._head(self._start, min(max(_BLOCK, count), self._limit - self._start))
            if len(self._block) < count:
                raise _Malformed
        return at

    def _take(self, count: int) -> bytes:
        at = self._sight(count)
        self.skip(count)
        return self._block[at : at + count]

    def unpack(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self._take(struct.calcsize(form)))

    def string(self) -> bytes:
        (length,) = self.unpack("<Q")
        if length > _BLOCK:
            raise _Malformed
        return self._take(length)

    def skip_strings(self, count: int) -> None:
        # Vocabularies have hundreds of thousands, and a hostile file millions: hence no call for each.
        self._strings += count
        if self._strings > _GGUF_MOST_STRINGS:
            raise _Malformed
        while count:
            at = self._sight(8)
            block, last = self._block, len(self._block) - 8
            while count and at <= last:
                at += 8 + int.from_bytes(block[at : at + 8], "little")
                count -= 1
            self.skip(self._start + at - self.position)

    def skip_value(self, kind: int) -> None:
        if kind in _GGUF_FIXED:
            self.skip(_GGUF_FIXED[kind])
        elif kind == _GGUF_STRING:
            self.skip_strings(1)
        elif kind == _GGUF_ARRAY:
            self._skip_array()
        else:
            raise _Malformed

    def _skip_array(self) -> None:
        kind, count = self.unpack("<IQ")
        if kind in _GGUF_FIXED:
            self.skip(_GGUF_FIXED[kind] * count)
        elif kind == _GGUF_STRING:
            self.skip_strings(count)
        else:  # arrays of arrays are in no file that tools write
            raise _Malformed
