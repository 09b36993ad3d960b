"""One object as an entry of a pack: hashed, compressed or stored, and read back. It has never heard of files.

Layout: https://git-scm.com/docs/gitformat-pack, "Pack file entry".
"""

from __future__ import annotations

import hashlib
import struct
from typing import Final, Literal, NamedTuple, TypeAlias

from isal import isal_zlib

from pacha_git.errors import Corrupt

ObjectKind: TypeAlias = Literal["commit", "tree", "blob", "tag"]
Buffer: TypeAlias = bytes | bytearray | memoryview

KINDS: Final[dict[int, ObjectKind]] = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
OFFSET_DELTA: Final = 6
OID_DELTA: Final = 7

_NUMBER: Final = {kind: number for number, kind in KINDS.items()}
# In sixteenths. What hardly shrinks takes as long to inflate as what does, and twenty times as long as stored bytes.
# A test beforehand would save nothing: on bytes that don't shrink the compressor is as fast as a sample is.
_WORTHWHILE: Final = 15
_STORED_BLOCK: Final = 65_535
_LONGEST_HEAD: Final = 10


class Prepared(NamedTuple):
    """An object ready to be appended to a pack.

    Attributes:
        oid: Raw Git id.
        size: Bytes of the object.
        head: Type and size as a pack has them.
        deflated: The zlib stream.
        crc: CRC-32 of both.
    """

    oid: bytes
    size: int
    head: bytes
    deflated: bytes
    crc: int

    @property
    def stored(self) -> int:
        """Bytes it takes in a pack."""
        return len(self.head) + len(self.deflated)


def prepare(kind: ObjectKind, body: Buffer) -> Prepared:
    """Hash and compress an object. May run in any thread; the costly parts run without the interpreter lock."""
    size = len(body)
    hashed = hashlib.sha1(b"%s %d\x00" % (kind.encode(), size), usedforsecurity=False)
    hashed.update(body)
    deflated = isal_zlib.compress(body, 1)
    if len(deflated) * 16 > size * _WORTHWHILE:
        deflated = _stored(body)
    head = _entry_head(_NUMBER[kind], size)
    return Prepared(hashed.digest(), size, head, deflated, isal_zlib.crc32(deflated, isal_zlib.crc32(head)))


def _entry_head(number: int, size: int) -> bytes:
    """Type and size of an entry: 4 bits of the size, then 7 at a time, least first."""
    byte, size = number << 4 | size & 15, size >> 4
    head = bytearray()
    while size:
        head.append(byte | 128)
        byte, size = size & 127, size >> 7
    head.append(byte)
    return bytes(head)


def _stored(body: Buffer) -> bytes:
    """A zlib stream that holds the bytes as they are (RFC 1951, blocks of type 0)."""
    view = memoryview(body)
    pieces: list[Buffer] = [b"\x78\x01"]
    for start in range(0, len(view) or 1, _STORED_BLOCK):
        block = view[start : start + _STORED_BLOCK]
        last = start + len(block) == len(view)
        pieces += (struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block)
    pieces.append(isal_zlib.adler32(view).to_bytes(4, "big"))
    return b"".join(pieces)


def parse_head(data: Buffer) -> tuple[int, int, int]:
    """Read the head of an entry: its type number, the size of what inflates from it, and where the rest begins.

    Raises:
        Corrupt: the data ends within the head, or the size is absurd.
    """
    byte = data[0] if data else 128
    number, size, at = byte >> 4 & 7, byte & 15, 1
    while byte & 128:
        if at >= min(len(data), _LONGEST_HEAD):
            raise Corrupt("an entry of a pack has no readable head")
        byte = data[at]
        size |= (byte & 127) << (7 * at - 3)
        at += 1
    return number, size, at


def inflate(data: Buffer, size: int) -> bytes | None:
    """Inflate the zlib stream at the start of ``data``; None if it goes on after its end.

    Raises:
        Corrupt: it is damaged, or does not give exactly ``size`` bytes.
    """
    stream = isal_zlib.decompressobj()
    try:
        # One byte more than it may have: only then is the end of the stream reached, and its checksum compared.
        body = stream.decompress(data, size + 1)
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub declares an instance
        raise Corrupt(f"an entry of a pack does not inflate: {error}") from None
    if len(body) > size or (stream.eof and len(body) < size):
        raise Corrupt(f"an entry of a pack does not have its {size} bytes")
    return body if stream.eof else None
