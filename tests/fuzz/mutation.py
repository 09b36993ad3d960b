"""Makes wrong bytes of right ones: flips, cuts, repeats, splices, and numbers at their limits."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

_LIMITS: Final = (
    b"0",
    b"-1",
    b"9223372036854775808",
    b"1e999",
    b"9" * 400,
    b"0x" + b"F" * 4500,
    b"NaN",
    b"null",
    b"{}",
    b"[[[[",
    b'""',
    b"\xff" * 8,
    b"\0" * 8,
    b"\x80" * 10,
    b"1:" * 300,
    b"true",
    b"\xed\xa0\x80",
    b"\r\n",
)
_LONGEST: Final = 1 << 16


def mutated(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with one to eight changes."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 8)):
        _change(chance, data, seeds)
        if len(data) > _LONGEST:
            del data[_LONGEST:]
    return bytes(data)


def _change(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    end = min(len(data), at + int(chance.expovariate(1 / 12)) + 1)
    match chance.randrange(8):
        case 0 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            del data[at:end]
        case 2:
            data[at:at] = bytes(data[at:end]) * chance.randint(1, 30)
        case 3:
            other = chance.choice(seeds)
            start = chance.randrange(len(other) + 1)
            data[at:end] = other[start : start + end - at + chance.randint(0, 40)]
        case 4:
            data[at:end] = chance.choice(_LIMITS)
        case 5:
            data[at:at] = chance.randbytes(chance.randint(1, 9))
        case 6:
            del data[at:]
        case _:
            data[at:end] = bytes(data[at:end])[::-1]
