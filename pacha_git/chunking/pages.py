"""Finds the pages of a Parquet file by walking from header to header; it trusts nothing it reads.

The walk ends at the first place where no header stands, and the pages before it hold. Format:
https://parquet.apache.org/docs/file-format/data-pages/; headers are structs of Thrift's compact protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pacha_git.chunking.tensors import Head

_LONGEST_HEADER: Final = 65_536
_BLOCK: Final = 512
_DEPTH: Final = 8
_FOOT: Final = 8
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12


class _NoHeader(Exception):
    """What stands here is no header of a page."""


def parquet_parts(head: Head, size: int) -> Iterator[tuple[int, int]]:
    """Yield each page with its header."""
    position = 4
    while position < size - _FOOT:
        try:
            length, packed = _header(head, position)
        except _NoHeader:
            return
        end = position + length + packed
        if end > size - _FOOT:
            return
        yield position, end
        position = end


def _header(head: Head, position: int) -> tuple[int, int]:
    """Tell how long the header of a page is, and how many bytes follow it."""
    for wanted in (_BLOCK, _LONGEST_HEADER):
        data = head(position, wanted)
        try:
            return _read_header(data)
        except IndexError:
            if len(data) < wanted:
                break
    raise _NoHeader


def _read_header(data: bytes) -> tuple[int, int]:
    numbers: dict[int, int] = {}
    at, field = 0, 0
    while data[at]:
        step, kind = data[at] >> 4, data[at] & 15
        at += 1
        if not step:
            raise _NoHeader  # no field of a page header is so far from the one before
        field += step
        if kind == _I32:
            value, at = _varint(data, at)
            numbers[field] = value >> 1 ^ -(value & 1)
        elif field <= 3:
            raise _NoHeader
        else:
            at = _skip(data, at, kind, 0)
    if not 0 <= numbers.get(1, -1) <= 3 or numbers.get(2, -1) < 0 or numbers.get(3, -1) < 0:
        raise _NoHeader
    return at + 1, numbers[3]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise _NoHeader


def _skip(data: bytes, at: int, kind: int, depth: int) -> int:
    """Tell where the next value begins."""
    if depth > _DEPTH:
        raise _NoHeader
    if kind in (_TRUE, _FALSE):
        return at
    if kind in (_I16, _I32, _I64):
        return _varint(data, at)[1]
    if kind in (_BYTE, _DOUBLE):
        return _within(data, at + (1 if kind == _BYTE else 8))
    if kind == _BINARY:
        length, at = _varint(data, at)
        return _within(data, at + length)
    if kind in (_LIST, _SET):
        return _skip_list(data, at, depth)
    if kind == _STRUCT:
        while data[at]:
            inner = data[at] & 15
            at = at + 1 if data[at] >> 4 else _varint(data, at + 1)[1]
            at = _skip(data, at, inner, depth + 1)
        return at + 1
    raise _NoHeader


def _skip_list(data: bytes, at: int, depth: int) -> int:
    count, kind = data[at] >> 4, data[at] & 15
    at += 1
    if count == 15:
        count, at = _varint(data, at)
    if count > _LONGEST_HEADER:
        raise _NoHeader
    for _ in range(count):
        # Within a list a truth value takes a byte.
        at = _within(data, at + 1) if kind in (_TRUE, _FALSE) else _skip(data, at, kind, depth + 1)
    return at


def _within(data: bytes, at: int) -> int:
    if at > len(data):
        raise IndexError
    return at
