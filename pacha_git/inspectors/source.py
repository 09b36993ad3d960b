"""Reads the bytes of a file that nobody vouches for: within its size, within a budget, in order or at an offset."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

Read = Callable[[int, int], bytes]
"""Reads (offset, length); fewer bytes only at the end."""

BUDGET: Final = 32 << 20
_BLOCK: Final = 1 << 12


class Damaged(Exception):
    """The file is not what its format says; the message is what a person is told."""


class Unseen(Damaged):
    """The file goes on for longer than is looked at, which says nothing against it; the message is what is told."""


class LimitReached(Exception):
    """As much was unpacked as is looked at; that says nothing of what lies behind."""


class Source:
    """A file by its size and a way to read it.

    Args:
        read: Reads from it.
        size: Its bytes.
        name: What it is called, for formats that have no other mark.
    """

    def __init__(self, read: Read, size: int, name: str = "") -> None:
        self._read = read
        self._left = BUDGET
        self.size = size
        self.name = name.lower()

    def at(self, offset: int, length: int) -> bytes:
        """Exactly these bytes.

        Raises:
            Damaged: the file has no such bytes, or too much of it was read already.
        """
        data = self.some(offset, length)
        if len(data) < length:
            raise Damaged("cut short")
        return data

    def some(self, offset: int, length: int) -> bytes:
        """These bytes, as far as there are any.

        Raises:
            Damaged: too much of it was read already.
        """
        if offset < 0 or offset >= self.size:
            return b""
        length = min(length, self.size - offset)
        self._left -= length
        if self._left < 0:
            raise Unseen(f"its head goes on for over {BUDGET >> 20} MiB")
        return self._read(offset, length)


class Cursor:
    """Goes through a file in order, reading a block at a time."""

    def __init__(self, source: Source, start: int = 0, end: int | None = None) -> None:
        self._source = source
        self._block = b""
        self._from = start
        self.position = start
        self.end = source.size if end is None else min(end, source.size)

    def skip(self, count: int) -> None:
        """Pass bytes by.

        Raises:
            Damaged: there are not as many.
        """
        if count < 0 or self.position + count > self.end:
            raise Damaged("cut short")
        self.position += count

    def take(self, count: int) -> bytes:
        """Return the next bytes.

        Raises:
            Damaged: there are not as many.
        """
        start = self.position
        self.skip(count)
        at = start - self._from
        if not 0 <= at <= len(self._block) - count:
            self._from, at = start, 0
            self._block = self._source.at(start, min(max(count, _BLOCK), self.end - start))
        return self._block[at : at + count]

    def within(self, start: int, end: int) -> Cursor:
        """Another cursor, over a part of the file that was passed by; it shares the block that is read already."""
        inner = Cursor(self._source, start, end)
        inner._block, inner._from = self._block, self._from
        return inner

    def unpack(self, form: str) -> tuple[int, ...]:
        """Numbers, as ``struct`` spells them."""
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def skip_texts(self, count: int) -> None:
        """Pass texts by, each after its length in 8 bytes; vocabularies have hundreds of thousands of them.

        Raises:
            Damaged: there are not as many.
        """
        while count:
            self.take(8)
            self.position -= 8
            block, start, at = self._block, self._from, self.position - self._from
            last = len(block) - 8
            while count and 0 <= at <= last:
                at += 8 + int.from_bytes(block[at : at + 8], "little")
                count -= 1
            self.skip(start + at - self.position)

    def varint(self) -> int:
        """Return an unsigned integer of 7 bits a byte, lowest first, at most 64 bits."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (2**64 - 1)
        raise Damaged("a number without an end")
