"""Entries of packs: any object goes in and comes out, and damage is never taken for an object."""

from __future__ import annotations

import hashlib
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.errors import Corrupt
from pacha_git.git.packs.entry import KINDS, inflate, parse_head, prepare
from pacha_git.system.disk import Buffer
from tests.chunking.samples import bytes_of

EDGES = [0, 1, 15, 16, 2047, 2048, 65_534, 65_535, 65_536, 131_070, 131_071, 262_144]


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("make", [bytes, lambda size: bytes_of("entry", size), lambda size: twentieth(size)])
def test_any_object_comes_back(size: int, make: object) -> None:
    assert callable(make)
    body = make(size)
    prepared = prepare("blob", memoryview(body))
    assert prepared.oid == hashlib.sha1(b"blob %d\0" % size + body).digest()
    entry = b"".join(prepared.pieces)
    assert (prepared.crc, prepared.stored) == (zlib.crc32(entry), len(entry))
    number, found, at = parse_head(entry)
    assert (KINDS[number], found) == ("blob", size)
    assert zlib.decompress(entry[at:]) == body
    assert inflate(entry[at:], size) == body


def stream_of(body: Buffer) -> bytes:
    return b"".join(prepare("blob", body).pieces[1:])


def twentieth(size: int) -> bytes:
    """Bytes of which a twentieth can be saved: too little to be worth the time."""
    return bytes_of("entry", size - size // 20) + bytes(size // 20)


def weights(size: int, *, half: bool = False) -> bytes:
    """Normally distributed float32 as they are, or the upper halves of them: bfloat16."""
    values = np.random.default_rng(1).standard_normal(size // 2 if half else size // 4, dtype=np.float32)
    return values.view(np.uint16)[1::2].tobytes() if half else values.tobytes()


@pytest.mark.parametrize("size", [12_000, 100_000])
def test_what_hardly_shrinks_is_stored(size: int) -> None:
    for body in (bytes_of("x", size), twentieth(size), weights(size)):
        assert size <= prepare("blob", body).stored <= size + 32


@pytest.mark.parametrize("size", [12_000, 100_000])
def test_what_shrinks_is_compressed(size: int) -> None:
    assert prepare("blob", bytes(size)).stored < 1000
    quarter = size // 4
    for at in range(0, 3 * quarter, size // 100):
        noise = bytearray(bytes_of("x", size))
        noise[at : at + quarter] = bytes(quarter)
        assert prepare("blob", noise).stored < 0.77 * size
    assert prepare("blob", weights(size, half=True)).stored < 0.82 * size
    assert prepare("blob", b"".join(b"%d,%.3f\n" % (i, i / 7) for i in range(size // 12))).stored < 0.7 * size


def test_bytes_that_are_stored_are_not_copied() -> None:
    body = bytearray(bytes_of("x", 100_000))
    assert any(isinstance(piece, memoryview) and piece.obj is body for piece in prepare("blob", body).pieces)


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
    stream = bytearray(stream_of(body))
    stream[where % len(stream)] ^= flip
    try:
        found = inflate(bytes(stream), size)
    except Corrupt:
        return
    # Some bits of a deflate stream mean nothing: what comes is then still the object.
    assert found in (None, body)


@given(st.integers(1, 5000), st.integers(0, 10**6))
def test_a_stream_cut_short_is_not_an_object(size: int, where: int) -> None:
    stream = stream_of(bytes_of("cut", size))
    try:
        assert inflate(stream[: where % len(stream)], size) is None
    except Corrupt:
        assert where % len(stream) < 2


def test_a_stream_of_another_size_is_refused() -> None:
    stream = stream_of(bytes(1000))
    for size in (0, 999, 1001):
        with pytest.raises(Corrupt, match="bytes"):
            inflate(stream, size)
    assert inflate(stream + b"the next entry", 1000) == bytes(1000)
