"""Entries of packs: any object goes in and comes out, and damage is never taken for an object."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.errors import Corrupt
from pacha_git.git.packentry import KINDS, Buffer, inflate, parse_head, prepare
from tests.chunking.samples import bytes_of

EDGES = [0, 1, 15, 16, 2047, 2048, 65_534, 65_535, 65_536, 131_070, 131_071, 262_144]


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("make", [bytes, lambda size: bytes_of("entry", size), lambda size: sixteenth(size)])
def test_any_object_comes_back(size: int, make: object) -> None:
    assert callable(make)
    body = make(size)
    prepared = prepare("blob", memoryview(body))
    assert prepared.oid == hashlib.sha1(b"blob %d\0" % size + body).digest()
    assert zlib.decompress(prepared.deflated) == body
    assert prepared.crc == zlib.crc32(prepared.head + prepared.deflated)
    number, found, at = parse_head(prepared.head + prepared.deflated)
    assert (KINDS[number], found, at) == ("blob", size, len(prepared.head))
    assert inflate(prepared.deflated, size) == body


def sixteenth(size: int) -> bytes:
    """Bytes of which a twentieth can be saved: too little to be worth the time."""
    return bytes_of("entry", size - size // 20) + bytes(size // 20)


def test_what_hardly_shrinks_is_stored() -> None:
    for body in (bytes_of("x", 100_000), sixteenth(100_000)):
        assert 100_000 <= prepare("blob", body).stored <= 100_032
    assert prepare("blob", bytes(100_000)).stored < 1000
    assert prepare("blob", bytes_of("x", 80_000) + bytes(20_000)).stored < 81_000


@given(st.sampled_from(sorted(KINDS)), st.integers(0, 2**62))
def test_heads_of_any_size_are_read_back(number: int, size: int) -> None:
    byte, rest, head = number << 4 | size & 15, size >> 4, bytearray()
    while rest:
        head.append(byte | 128)
        byte, rest = rest & 127, rest >> 7
    head.append(byte)
    assert parse_head(bytes(head) + b"more") == (number, size, len(head))
    with pytest.raises(Corrupt):
        parse_head(bytes(head[:-1]))


def test_a_head_without_end_is_refused() -> None:
    with pytest.raises(Corrupt):
        parse_head(b"\xff" * 100)


@given(st.integers(0, 5000), st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_damage_is_seen(size: int, where: int, flip: int, random: bool) -> None:
    body: Buffer = bytes_of("damage", size) if random else b"\0" * size
    stream = bytearray(prepare("blob", body).deflated)
    stream[where % len(stream)] ^= flip
    try:
        found = inflate(bytes(stream), size)
    except Corrupt:
        return
    # Some bits of a deflate stream mean nothing: what comes is then still the object.
    assert found in (None, body)


@given(st.integers(1, 5000), st.integers(0, 10**6))
def test_a_stream_cut_short_is_not_an_object(size: int, where: int) -> None:
    stream = prepare("blob", bytes_of("cut", size)).deflated
    try:
        assert inflate(stream[: where % len(stream)], size) is None
    except Corrupt:
        assert where % len(stream) < 2


def test_a_stream_of_another_size_is_refused() -> None:
    stream = prepare("blob", bytes(1000)).deflated
    for size in (0, 999, 1001):
        with pytest.raises(Corrupt, match="bytes"):
            inflate(stream, size)
    assert inflate(stream + b"the next entry", 1000) == bytes(1000)
