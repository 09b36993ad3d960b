"""Deltas as packs hold them: applied to their base, in memory. It has never heard of packs.

Layout: https://git-scm.com/docs/gitformat-pack, "Deltified representation".
"""

from __future__ import annotations

from pacha_git.errors import Corrupt


def apply_delta(base: bytes, delta: bytes) -> bytes:
    """Make an object from its base and a delta.

    Raises:
        Corrupt: the delta is for another base, or says what can't be.
    """
    base_size, at = _size(delta, 0)
    size, at = _size(delta, at)
    pieces: list[bytes] = []
    try:
        while at < len(delta):
            command = delta[at]
            at += 1
            if command & 128:
                start, count, at = _copy(delta, at, command)
                pieces.append(base[start : start + count])
            else:
                pieces.append(delta[at : at + command])
                at += command
    except IndexError:
        raise Corrupt("a delta is cut short") from None
    body = b"".join(pieces)
    # A copy from beyond the base, or a command 0, leaves the sum short.
    if len(base) != base_size or len(body) != size:
        raise Corrupt("a delta does not fit its base")
    return body


def offset_distance(data: bytes, at: int) -> tuple[int, int]:
    """How far before an entry its base begins, and where what follows starts.

    Raises:
        Corrupt: the data ends before the number does.
    """
    try:
        byte = data[at]
        distance = byte & 127
        while byte & 128:
            at += 1
            byte = data[at]
            distance = (distance + 1) << 7 | byte & 127
    except IndexError:
        raise Corrupt("a delta does not say where its base is") from None
    return distance, at + 1


def _size(delta: bytes, at: int) -> tuple[int, int]:
    size = shift = 0
    while True:
        if at >= len(delta):
            raise Corrupt("a delta has no readable head")
        byte = delta[at]
        at += 1
        size |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return size, at


def _copy(delta: bytes, at: int, command: int) -> tuple[int, int, int]:
    """Read a copy command: four bits say which bytes of the offset follow, three which of the count."""
    value = 0
    for bit in range(7):
        if command >> bit & 1:
            value |= delta[at] << (8 * bit)
            at += 1
    return value & 0xFFFFFFFF, value >> 32 or 0x10000, at
