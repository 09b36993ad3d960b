"""Bytes in order, from a file or out of a compressed one: read or passed by, within a bound.

It knows the wrappers gzip, zlib, bzip2, xz, lzma and LZ4 frames by their marks. Zstandard needs a library that the
core does without.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from pacha_git.inspectors.source import Damaged, LimitReached, Source

MOST_UNPACKED: Final = 16 << 20
_MOST_UNPACKED_SLOWLY: Final = 6 << 20
"""Of what takes long to unpack."""
_BLOCK: Final = 1 << 16
_LZ4_WINDOW: Final = 1 << 16


class Stream(Protocol):
    """Bytes in order."""

    def read(self, count: int) -> bytes:
        """As many bytes, fewer only at the end."""

    def skip(self, count: int) -> None:
        """Pass bytes by.

        Raises:
            Damaged: there are not as many.
        """


class SourceStream:
    """A part of a file in order; what is passed by is not read."""

    def __init__(self, source: Source, start: int = 0, end: int | None = None) -> None:
        self._source = source
        self._position = start
        self._end = source.size if end is None else min(end, source.size)

    @property
    def position(self) -> int:
        """Where in the file the next byte lies."""
        return self._position

    def read(self, count: int) -> bytes:
        """As many bytes, fewer only at the end."""
        data = self._source.some(self._position, max(0, min(count, self._end - self._position)))
        self._position += len(data)
        return data

    def skip(self, count: int) -> None:
        """Pass bytes by.

        Raises:
            Damaged: there are not as many.
        """
        if count < 0 or self._position + count > self._end:
            raise Damaged("cut short")
        self._position += count


class UnpackedStream:
    """What a compressed stream holds, up to a bound.

    Raises:
        LimitReached: more was asked for than is unpacked.
    """

    def __init__(self, pieces: Iterator[bytes], most: int = MOST_UNPACKED) -> None:
        self._pieces = pieces
        self._left = most
        self._rest = b""

    def read(self, count: int) -> bytes:
        """As many bytes, fewer only at the end."""
        held = [self._rest]
        have = len(self._rest)
        while have < count:
            piece = self._next()
            if not piece:
                break
            held.append(piece)
            have += len(piece)
        data = b"".join(held)
        self._rest = data[count:]
        return data[:count]

    def skip(self, count: int) -> None:
        """Pass bytes by; they are unpacked all the same.

        Raises:
            Damaged: there are not as many.
        """
        while count > len(self._rest):
            count -= len(self._rest)
            self._rest = self._next()
            if not self._rest:
                raise Damaged("cut short")
        self._rest = self._rest[count:]

    def _next(self) -> bytes:
        if self._left <= 0:
            raise LimitReached
        piece = next(self._pieces, b"")
        self._left -= len(piece)
        return piece


def unpacked(source: Source, wrapper: str, start: int = 0) -> UnpackedStream | None:
    """Tell what a wrapped file holds; None for a wrapper that can't be opened here (zstd)."""
    most = MOST_UNPACKED if wrapper in ("gzip", "zlib") else _MOST_UNPACKED_SLOWLY
    return unpacked_from(SourceStream(source, start), wrapper, most)


def unpacked_from(packed: Stream, wrapper: str, most: int) -> UnpackedStream | None:
    """Tell what a wrapped stream holds, up to a bound; None for a wrapper that can't be opened here."""
    pieces = _UNPACKERS.get(wrapper)
    return UnpackedStream(pieces(packed), most) if pieces is not None else None


def _inflated(bits: int) -> Callable[[Stream], Iterator[bytes]]:
    def pieces(stream: Stream) -> Iterator[bytes]:
        inflater = zlib.decompressobj(bits)
        packed = stream.read(_BLOCK)
        while packed:
            try:
                piece = inflater.decompress(packed, _BLOCK)
            except zlib.error as error:
                raise Damaged(f"it can't be unpacked: {error}") from None
            if piece:
                yield piece
            packed = inflater.unconsumed_tail or (b"" if inflater.eof else stream.read(_BLOCK))
        if not inflater.eof:
            raise Damaged("cut short: its compressed stream has no end")

    return pieces


def _from_library(
    make: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor],
) -> Callable[[Stream], Iterator[bytes]]:
    def pieces(stream: Stream) -> Iterator[bytes]:
        opened = make()
        while not opened.eof:
            packed = stream.read(_BLOCK) if opened.needs_input else b""
            if opened.needs_input and not packed:
                raise Damaged("cut short: its compressed stream has no end")
            try:
                piece = opened.decompress(packed, _BLOCK)
            except (OSError, lzma.LZMAError, ValueError, MemoryError) as error:
                raise Damaged(f"it can't be unpacked: {error}") from None
            if piece:
                yield piece

    return pieces


def _lz4_blocks(stream: Stream) -> Iterator[bytes]:
    """Yield the blocks of an LZ4 frame: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md."""
    head = stream.read(7)
    if len(head) < 7 or head[4] >> 6 != 1:
        raise Damaged("no frame of LZ4 that is known here")
    flags = head[4]
    stream.skip((8 if flags & 0x08 else 0) + (4 if flags & 0x01 else 0))
    window = b""
    while True:
        size = int.from_bytes(_whole(stream, 4), "little")
        if size == 0:
            return
        packed = _whole(stream, min(size & 0x7FFFFFFF, (4 << 20) + 1))
        piece = packed if size >> 31 else _lz4_block(packed, window)
        stream.skip(4 if flags & 0x10 else 0)
        window = (window + piece)[-_LZ4_WINDOW:] if not flags & 0x20 else b""
        yield piece


def _whole(stream: Stream, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise Damaged("cut short")
    return data


def _lz4_block(packed: bytes, window: bytes) -> bytes:
    out = bytearray(window)
    at, end = 0, len(packed)
    try:
        while at < end:
            token = packed[at]
            at, literals = _lz4_length(packed, at + 1, token >> 4)
            out += packed[at : at + literals]
            at += literals
            if at >= end:
                break
            offset = packed[at] | packed[at + 1] << 8
            at, length = _lz4_length(packed, at + 2, token & 15)
            length += 4
            if not 0 < offset <= len(out) or len(out) > len(window) + (4 << 20):
                raise Damaged("a block of LZ4 that makes no sense")
            start = len(out) - offset
            if offset >= length:
                out += out[start : start + length]
            else:
                out += (bytes(out[start:]) * (length // offset + 1))[:length]
    except IndexError:
        raise Damaged("a block of LZ4 that is cut short") from None
    return bytes(out[len(window) :])


def _lz4_length(packed: bytes, at: int, length: int) -> tuple[int, int]:
    if length == 15:
        while packed[at] == 255:
            length += 255
            at += 1
        length += packed[at]
        at += 1
    return at, length


_UNPACKERS: Final[dict[str, Callable[[Stream], Iterator[bytes]]]] = {
    "gzip": _inflated(31),
    "zlib": _inflated(15),
    "bzip2": _from_library(bz2.BZ2Decompressor),
    "xz": _from_library(lambda: lzma.LZMADecompressor(memlimit=80 << 20)),
    "lzma": _from_library(lambda: lzma.LZMADecompressor(memlimit=80 << 20)),
    "lz4": _lz4_blocks,
}
