"""Deltas: what git wrote is applied as git applies it, and a delta that lies is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.errors import Corrupt
from pacha_git.git.packs.delta import apply_delta, offset_distance


def number(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def copy(start: int, count: int) -> bytes:
    """A copy command that leaves out the bytes that are zero; a count of 65,536 is written as none."""
    command, parts = 128, b""
    for bit, byte in enumerate((start | (count & 0xFFFFFF if count != 0x10000 else 0) << 32).to_bytes(7, "little")):
        if byte:
            command |= 1 << bit
            parts += bytes([byte])
    return bytes([command]) + parts


@given(st.binary(min_size=1, max_size=70_000), st.data())
def test_copies_and_insertions(base: bytes, data: st.DataObject) -> None:
    wanted, delta = b"", b""
    for _ in range(data.draw(st.integers(1, 6))):
        if data.draw(st.booleans()):
            start = data.draw(st.integers(0, len(base) - 1))
            count = data.draw(st.integers(1, len(base) - start))
            wanted += base[start : start + count]
            delta += copy(start, count)
        else:
            text = data.draw(st.binary(min_size=1, max_size=127))
            wanted += text
            delta += bytes([len(text)]) + text
    assert apply_delta(base, number(len(base)) + number(len(wanted)) + delta) == wanted


def test_a_copy_without_a_count_is_64_kib() -> None:
    base = bytes(range(256)) * 300
    assert apply_delta(base, number(len(base)) + number(65_536) + b"\x81\x05") == base[5 : 5 + 65_536]


@pytest.mark.parametrize(
    "delta",
    [
        b"",
        b"\x80",
        number(3),
        number(4) + number(3) + b"\x03abc",
        number(3) + number(4) + b"\x03abc",
        number(3) + number(3) + b"\x03ab",
        number(3) + number(3) + b"\x00",
        number(3) + number(3) + copy(1, 3),
        number(3) + number(3) + b"\x91",
    ],
)
def test_a_delta_that_lies_is_refused(delta: bytes) -> None:
    with pytest.raises(Corrupt):
        apply_delta(b"abc", delta)


def test_distances() -> None:
    assert offset_distance(b"\x7f", 0) == (127, 1)
    assert offset_distance(b"x\x80\x00rest", 1) == (128, 3)
    assert offset_distance(b"\x80\x80\x00", 0) == (16_512, 3)
    with pytest.raises(Corrupt):
        offset_distance(b"\x80\x80", 0)
