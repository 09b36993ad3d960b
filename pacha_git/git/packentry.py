"""One object as an entry of a pack: hashed, compressed or stored, and read back. It has never heard of files.

Layout: https://git-scm.com/docs/gitformat-pack, "Pack file entry".
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from isal import isal_zlib

ObjectKind: TypeAlias = Literal["commit", "tree", "blob", "tag"]
Buffer: TypeAlias = bytes | bytearray | memoryview

_NUMBER: Final[dict[str, int]] = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
# In sixteenths. What hardly shrinks takes as long to inflate as what does, and twenty times as long as stored bytes.
# (Where nothing shrinks at all, the compressor stores by itself, in the time that a test of the bytes would take.)
_WORTHWHILE: Final = 15
_STORED_BLOCK: Final = 65_535


@dataclass(frozen=True, slots=True)
class Prepared:
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
    if len(deflated) * 16 > size * _WORTHWHILE and len(deflated) < size:
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
    for start in range(0, len(view), _STORED_BLOCK):
        block = view[start : start + _STORED_BLOCK]
        last = start + len(block) == len(view)
        pieces += (struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block)
    pieces.append(isal_zlib.adler32(view).to_bytes(4, "big"))
    return b"".join(pieces)
