"""The frames of a journal: length, checksum, body; and what a body is. It reads no file.

A body begins with its kind: a session begins (numbers of metrics are given anew), a metric gets its number, a note is
made (JSON), or values are logged: step, milliseconds since 1970, and number and double of each metric.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final
from zlib import crc32

FRAME: Final = Struct("<II")
POINTS: Final = Struct("<cqq")
POINT: Final = Struct("<Id")
ONE: Final = Struct("<cqqId")
SESSION, NAME, NOTE, VALUES = b"S", b"M", b"J", b"P"
NO_STEP: Final = -(2**63)

_pack = FRAME.pack


def framed(body: bytes) -> bytes:
    """Return a body with its length and checksum before it."""
    return _pack(len(body), crc32(body)) + body


def frames(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the frames of a journal file up to the first that is torn: body, and where it ends."""
    at, size = 0, len(data)
    unpack, head = FRAME.unpack_from, FRAME.size
    while at + head <= size:
        length, checksum = unpack(data, at)
        end = at + head + length
        body = data[at + head : end]
        if end > size or not length or crc32(body) != checksum:
            return
        yield body, end
        at = end


def goes_on(data: bytes, at: int) -> bool:
    """Whether something is damaged where the frames end: a torn one is the last thing in its file, nothing follows."""
    head = FRAME.size
    if not data[at:].strip(b"\0"):
        return False  # the file had grown already when the power went
    if at + head <= len(data):
        length, _ = FRAME.unpack_from(data, at)
        if at + head + length <= len(data):
            return True
    for start in range(at + 1, len(data) - head):
        length, checksum = FRAME.unpack_from(data, start)
        body = data[start + head : start + head + length]
        if 0 < length == len(body) and body[:1] in (SESSION, NAME, NOTE, VALUES) and crc32(body) == checksum:
            return True
    return False
