"""One object as an entry of a pack: hashed, compressed or stored, and read back. It has never heard of files.

Layout: https://git-scm.com/docs/gitformat-pack, "Pack file entry".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from isal import isal_zlib

from pacha_git.errors import Corrupt
from pacha_git.gitobjects.oid import object_hash
from pacha_git.system.disk import Buffer

ObjectKind: TypeAlias = Literal["commit", "tree", "blob", "tag"]

KINDS: Final[dict[int, ObjectKind]] = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
OFFSET_DELTA: Final = 6
OID_DELTA: Final = 7

_NUMBER: Final = {kind: number for number, kind in KINDS.items()}
# What shrinks less takes as long to compress and to inflate as what shrinks more, and longer than all else that is done
# to a chunk (ADR 9).
_WORTHWHILE: Final = 7 / 8
_SAMPLED: Final = 16 << 10
_SAMPLES: Final = 8
_SAMPLE: Final = 256
_STORED_BLOCK: Final = 65_535
_LONGEST_HEAD: Final = 10


class PreparedEntry(NamedTuple):
    """An object ready to be appended to a pack.

    Attributes:
        oid: Raw Git id.
        size: Bytes of the object.
        pieces: Type and size as a pack has them, then the zlib stream, which may refer to the object's own bytes.
        stored: Bytes of all pieces.
        crc: CRC-32 of all pieces.
    """

    oid: bytes
    size: int
    pieces: tuple[Buffer, ...]
    stored: int
    crc: int


def prepare(kind: ObjectKind, body: Buffer) -> PreparedEntry:
    """Hash an object, and compress it if that pays. ``body`` must stay as it is until the pieces are written.

    May run in any thread; the costly parts run without the interpreter lock.
    """
    size = len(body)
    hashed = object_hash(b"%s %d\x00" % (kind.encode(), size))
    hashed.update(body)
    pieces = (_entry_head(_NUMBER[kind], size), *_stream(body))
    crc = 0
    for piece in pieces:
        crc = isal_zlib.crc32(piece, crc)
    return PreparedEntry(hashed.digest(), size, pieces, sum(map(len, pieces)), crc)


def _stream(body: Buffer) -> Sequence[Buffer]:
    """Return the zlib stream of an object."""
    if len(body) >= _SAMPLED:
        step = len(body) // _SAMPLES
        sample = b"".join([body[at : at + _SAMPLE] for at in range(step // 2, len(body), step)])
        if len(isal_zlib.compress(sample, 1)) > len(sample) * _WORTHWHILE:
            return _stored(body)
    deflated = isal_zlib.compress(body, 1)
    return (deflated,) if len(deflated) <= len(body) * _WORTHWHILE else _stored(body)


def _entry_head(number: int, size: int) -> bytes:
    """Type and size of an entry: 4 bits of the size, then 7 at a time, least first."""
    byte, size = number << 4 | size & 15, size >> 4
    head = bytearray()
    while size:
        head.append(byte | 128)
        byte, size = size & 127, size >> 7
    head.append(byte)
    return bytes(head)


def _stored(body: Buffer) -> Sequence[Buffer]:
    """Return a zlib stream that holds the bytes as they are (RFC 1951, blocks of type 0), and refers to them."""
    view = memoryview(body)
    pieces: list[Buffer] = [b"\x78\x01"]
    for start in range(0, len(view) or 1, _STORED_BLOCK):
        block = view[start : start + _STORED_BLOCK]
        last = start + len(block) == len(view)
        pieces += (struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block)
    pieces.append(isal_zlib.adler32(view).to_bytes(4, "big"))
    return pieces


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
