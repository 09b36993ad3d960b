"""Finds the members of zip and tar files, by their directory or their headers; it trusts nothing it reads.

A zip directory that makes no sense gives no parts; a walk through a tar ends at the first block that is no header, and
the parts before it hold. Formats: PKWARE's APPNOTE.TXT; POSIX.1-2017, pax Interchange Format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from pacha_git.chunking.tensors import Head

TAR_BLOCK: Final = 512
_LARGEST_PAX: Final = 65_536
_LARGEST_DIRECTORY: Final = 16 << 20
_LONGEST_TAIL: Final = 22 + 65_535
_END, _END64, _LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_NARROW: Final = 0xFFFFFFFF


def zip_parts(head: Head, size: int) -> Iterator[tuple[int, int]]:
    """Yield the packed bytes of each member, in order of their places."""
    directory = _directory(head, size)
    if directory is None:
        return
    places = _places(*directory)
    for packed, offset in sorted(places, key=lambda place: place[1]):
        local = head(offset, _LOCAL.size)
        if len(local) < _LOCAL.size or not local.startswith(b"PK\x03\x04"):
            return
        fields = _LOCAL.unpack(local)
        start = offset + _LOCAL.size + fields[9] + fields[10]
        if start + packed > size:
            return
        yield start, start + packed


def _directory(head: Head, size: int) -> tuple[bytes, int] | None:
    """The central directory, and how many bytes stand before the archive; None if there is none that makes sense."""
    tail_at = max(0, size - _LONGEST_TAIL)
    tail = head(tail_at, size - tail_at)
    found = tail.rfind(_END, 0, max(0, len(tail) - 18))
    if found < 0:
        return None
    length, offset = struct.unpack_from("<2L", tail, found + 12)
    end = tail_at + found
    locator = head(end - 20, 20) if end >= 20 else b""
    if locator.startswith(_LOCATOR):
        end = struct.unpack_from("<Q", locator, 8)[0]
        wide = head(end, 56) if end + 56 <= size else b""
        if not wide.startswith(_END64) or len(wide) < 56:
            return None
        length, offset = struct.unpack_from("<2Q", wide, 40)
    before = end - length - offset
    if before < 0 or length > _LARGEST_DIRECTORY:
        return None
    return head(end - length, length), before


def _places(directory: bytes, before: int) -> list[tuple[int, int]]:
    """Of each member its packed size and where its local header stands; none if an entry makes no sense."""
    places = []
    at = 0
    while at < len(directory):
        if at + _ENTRY.size > len(directory):
            return []
        fields = _ENTRY.unpack_from(directory, at)
        if fields[0] != b"PK\x01\x02":
            return []
        extra_at = at + _ENTRY.size + fields[10]
        at = extra_at + fields[11] + fields[12]
        packed, offset = _wide(directory[extra_at : extra_at + fields[11]], fields[9], fields[8], fields[16])
        places.append((packed, before + offset))
    return places


def _wide(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int]:
    """Packed size and offset, from the extra field of zip64 where the narrow ones are all ones."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        at += 4
        if kind == 1:
            values = [int.from_bytes(extra[place : place + 8], "little") for place in range(at, at + length - 7, 8)]
            if size == _NARROW and values:
                values.pop(0)
            if packed == _NARROW and values:
                packed = values.pop(0)
            if offset == _NARROW and values:
                offset = values.pop(0)
            return packed, offset
        at += length
    return packed, offset


def is_tar_header(block: bytes) -> bool:
    """Tell whether a block is a header of a tar file: its check sum is the sum of its bytes."""
    if len(block) < TAR_BLOCK or not block[0]:
        return False
    said = _octal(block[148:156])
    return said is not None and said == sum(block) - sum(block[148:156]) + 8 * 0x20


def _octal(field: bytes) -> int | None:
    digits = field.strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        return None
    return int(digits, 8)


def tar_parts(head: Head, size: int) -> Iterator[tuple[int, int]]:
    """Yield the bytes of each member with the zeros that fill its last block."""
    position = 0
    wide: int | None = None
    while position + TAR_BLOCK <= size:
        block = head(position, TAR_BLOCK)
        length = _tar_size(block) if is_tar_header(block) else None
        kind = block[156:157]
        if length is None:
            return
        if wide is not None and kind not in b"xgLK":
            length = wide
        start = position + TAR_BLOCK
        end = start + -(-length // TAR_BLOCK) * TAR_BLOCK
        if end > size:
            return
        if kind == b"x":
            wide = _pax_size(head(start, min(length, _LARGEST_PAX)))
        elif kind not in b"gLK":
            wide = None
        yield start, end
        position = end


def _tar_size(block: bytes) -> int | None:
    field = block[124:136]
    return int.from_bytes(field[1:], "big") if field[0] == 0x80 else _octal(field)


def _pax_size(records: bytes) -> int | None:
    """Return the size that an extended header says, as ``<length> size=<digits>`` and LF; None if it says none."""
    at = 0
    while at < len(records):
        digits = records[at : at + 20].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        if not length or at + length > len(records):
            return None
        key, _, value = records[at + len(digits) + 1 : at + length - 1].partition(b"=")
        if key == b"size":
            return int(value) if value.isdigit() and len(value) <= 18 else None
        at += length
    return None
