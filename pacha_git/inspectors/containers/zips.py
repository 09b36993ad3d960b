"""Reads the directory of a zip file, and the beginning of a member: stored or deflated, within a bound.

Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT. Unlike ``zipfile`` it reads a directory of
100,000 entries in a tenth of a second, and never unpacks more than it is asked for.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pacha_git.inspectors.source import Damaged, Source, Unseen
from pacha_git.inspectors.streams import SourceStream, Stream, UnpackedStream

MAGIC: Final = b"PK\x03\x04"
EMPTY_MAGIC: Final = b"PK\x05\x06"
MOST_ENTRIES: Final = 120_000
_LARGEST_DIRECTORY: Final = 14 << 20
_END: Final = struct.Struct("<4s4H2LH")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64: Final = struct.Struct("<4sLQL")
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_STORED, _DEFLATED = 0, 8
_ALL_ONES: Final = 0xFFFFFFFF
_BLOCK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Member:
    """An entry of a zip file's directory.

    Attributes:
        name: Its path.
        method: How it is packed; 0 if it is stored as it is.
        packed: Its bytes as packed.
        size: Its bytes.
        offset: Where its local header begins in the file.
        encrypted: Whether it takes a password.
    """

    name: str
    method: int
    packed: int
    size: int
    offset: int
    encrypted: bool = False


def read_directory(source: Source) -> list[Member]:
    """Read all entries, in the order of the directory.

    Raises:
        Damaged: there is no directory, or it makes no sense.
    """
    tail_at = max(0, source.size - _END.size - 0xFFFF)
    for start in (max(tail_at, source.size - 4096), tail_at):
        tail = source.at(start, source.size - start)
        found = tail.rfind(b"PK\x05\x06", 0, len(tail) - _END.size + 4)
        if found >= 0:
            return _entries(source, start + found, tail[found : found + _END.size])
    raise Damaged("cut short: its zip directory is not there")


def _entries(source: Source, end_at: int, end: bytes) -> list[Member]:
    _, _, _, _, count, size, offset, _ = _END.unpack(end)
    directory_end = end_at
    locator = source.some(end_at - _LOCATOR64.size, _LOCATOR64.size)
    # Writers put the end of zip64 there even where the narrow one would do.
    if len(locator) == _LOCATOR64.size and locator[:4] == b"PK\x06\x07":
        directory_end = _LOCATOR64.unpack(locator)[2]
        fields = _END64.unpack(source.at(directory_end, _END64.size))
        if fields[0] != b"PK\x06\x06":
            raise Damaged("its zip directory can't be read")
        count, size, offset = fields[7], fields[8], fields[9]
    if size > source.size or count * _ENTRY.size > size:
        raise Damaged(f"a zip directory of {count} entries and {size} bytes, which are not there")
    if count > MOST_ENTRIES or size > _LARGEST_DIRECTORY:
        raise Unseen(f"its zip directory has {count} entries and {size} bytes")
    # What stands before the zip (an installer, say) moves all offsets.
    before = directory_end - size - offset
    if before < 0:
        raise Damaged("its zip directory lies behind its end")
    return list(_walk(source.at(before + offset, size), count, before))


def _walk(directory: bytes, count: int, before: int) -> list[Member]:
    members, at = [], 0
    try:
        for _ in range(count):
            fields = _ENTRY.unpack_from(directory, at)
            if fields[0] != b"PK\x01\x02":
                raise Damaged("its zip directory can't be read")
            name_at = at + _ENTRY.size
            extra_at = name_at + fields[10]
            at = extra_at + fields[11] + fields[12]
            packed, size, offset = fields[8], fields[9], fields[16]
            if _ALL_ONES in (packed, size, offset):
                size, packed, offset = _wide(directory[extra_at : extra_at + fields[11]], size, packed, offset)
            name = directory[name_at:extra_at].decode("utf-8" if fields[3] & 0x800 else "cp437", "replace")
            members.append(Member(name, fields[4], packed, size, before + offset, bool(fields[3] & 1)))
    except struct.error:
        raise Damaged("its zip directory is cut short") from None
    return members


def _wide(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and offset of an entry that has them in the extra field of zip64, in this order."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            wide = iter(struct.unpack_from(f"<{length // 8}Q", extra, at + 4))
            return tuple(next(wide, value) if value == _ALL_ONES else value for value in (size, packed, offset))  # type: ignore[return-value]
        at += 4 + length
    return size, packed, offset


def data_of(source: Source, member: Member) -> int:
    """Tell where the bytes of a member begin in the file.

    Raises:
        Damaged: they are not there.
    """
    fields = _LOCAL.unpack(source.at(member.offset, _LOCAL.size))
    start = member.offset + _LOCAL.size + fields[9] + fields[10]
    if fields[0] != MAGIC or start + member.packed > source.size:
        raise Damaged(f"its entry {member.name[:80]!r} is not there")
    return int(start)


def open_member(source: Source, member: Member) -> Stream:
    """Return the bytes of a member, unpacked, in order.

    Raises:
        Damaged: they are not there, or packed or encrypted in a way that can't be read here.
    """
    start = data_of(source, member)
    if member.encrypted:
        raise Damaged(f"its entry {member.name[:80]!r} is encrypted")
    if member.method == _STORED:
        return SourceStream(source, start, start + member.packed)
    if member.method == _DEFLATED:
        return UnpackedStream(_inflated(SourceStream(source, start, start + member.packed)))
    raise Damaged(f"its entry {member.name[:80]!r} has a compression that is not known here")


def read_member(source: Source, member: Member, most: int) -> bytes:
    """Return a member as a whole, if it is not larger than ``most``.

    Raises:
        Unseen: it is larger.
        Damaged: it can't be read.
    """
    if member.size > most:
        raise Unseen(f"its entry {member.name[:80]!r} has {member.size} bytes")
    return open_member(source, member).read(member.size)


def _inflated(stream: Stream) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-15)
    packed = stream.read(_BLOCK)
    while packed:
        try:
            piece = inflater.decompress(packed, _BLOCK)
        except zlib.error as error:
            raise Damaged(f"it can't be unpacked: {error}") from None
        if piece:
            yield piece
        packed = inflater.unconsumed_tail or (b"" if inflater.eof else stream.read(_BLOCK))
