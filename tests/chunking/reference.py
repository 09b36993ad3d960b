"""The cut rule as docs/format.md states it, one byte after the other, sharing no code with the library."""

from __future__ import annotations

import hashlib

GEAR = [int.from_bytes(hashlib.md5(bytes([byte]) * 64).digest()[:8], "big") for byte in range(256)]
MINIMUM, AVERAGE, MAXIMUM = 16_384, 65_536, 262_144
BEFORE_AVERAGE, FROM_AVERAGE = 0x0000D90703537000, 0x0000D90F03530000


def chunk_length(rest: bytes) -> int:
    """How long the chunk at the start of ``rest`` is, ``rest`` being all that is left of its segment."""
    if len(rest) <= MINIMUM:
        return len(rest)
    most = min(len(rest), MAXIMUM)
    hashed = 0
    for position in range(MINIMUM, most // 2 * 2):
        hashed = ((hashed << 1) + GEAR[rest[position]]) & (2**64 - 1)
        if not hashed & (BEFORE_AVERAGE if position < AVERAGE else FROM_AVERAGE):
            return position
    return most


def chunk_ends(data: bytes, cuts: list[int] | None = None) -> list[int]:
    """Where the chunks of a file end."""
    ends, start = [], 0
    for edge in [*sorted(cuts or []), len(data)]:
        while start < edge:
            start += chunk_length(data[start : min(edge, start + MAXIMUM)])
            ends.append(start)
    return ends
