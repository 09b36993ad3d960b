"""Indexes: byte for byte what git writes, found in any order, refused when damaged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.errors import Corrupt
from pacha_git.git.packs.index import PackIndex, encode_index
from pacha_git.git.packs.writer import PackWriter
from tests.git.stock import bare, git


def index_of(path: Path, oids: list[bytes], offsets: list[int]) -> PackIndex:
    path.write_bytes(encode_index(b"".join(oids), [7] * len(oids), offsets, b"c" * 20))
    return PackIndex(path)


def test_it_is_what_git_writes(tmp_path: Path) -> None:
    repo = bare(tmp_path / "repo")
    with PackWriter(repo / "objects", reason="test") as writer:
        for number in range(2000):
            writer.add("blob", b"%d" % number)
        (pack,) = writer.finish()
    git(repo, "index-pack", "--strict", "-o", str(tmp_path / "git.idx"), str(pack))
    assert (tmp_path / "git.idx").read_bytes() == pack.with_suffix(".idx").read_bytes()


@given(st.sets(st.binary(min_size=20, max_size=20), max_size=40), st.binary(min_size=20, max_size=20))
def test_every_id_is_found_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, oids: set[bytes], other: bytes
) -> None:
    index = index_of(tmp_path_factory.mktemp("i") / "x.idx", list(oids), list(range(12, 12 + len(oids))))
    assert {oid: index.find(oid) for oid in oids} == {oid: 12 + i for i, oid in enumerate(oids)}
    assert (index.find(other) >= 0) == (other in oids)
    assert list(index.oids()) == sorted(oids)


@pytest.mark.parametrize("count", [64, 65, 66, 129, 5000])
def test_ids_that_share_a_first_byte_are_found(tmp_path: Path, count: int) -> None:
    oids = [b"\x80" + hashlib.sha1(b"%d" % number).digest()[1:] for number in range(count)]
    index = index_of(tmp_path / "x.idx", oids, list(range(count)))
    assert [index.find(oid) for oid in oids] == list(range(count))
    assert index.find(b"\x80" + bytes(19)) == index.find(b"\x80" + b"\xff" * 19) == -1


def test_the_bytes_of_an_id_across_two_others_are_no_hit(tmp_path: Path) -> None:
    first, second = b"\x10" * 19 + b"\x20", b"\x10" * 18 + b"\x30" + b"\x10"
    index = index_of(tmp_path / "x.idx", [first, second], [100, 200])
    across = (first + second)[5:25]
    assert across[0] == 0x10
    assert index.find(across) == -1
    third = index_of(tmp_path / "y.idx", [first, second, across], [1, 2, 3])
    assert (third.find(first), third.find(second), third.find(across)) == (1, 2, 3)


def test_offsets_beyond_two_gibibytes(tmp_path: Path) -> None:
    oids = [hashlib.sha1(b"%d" % number).digest() for number in range(6)]
    offsets = [12, 2**31 - 1, 2**31, 2**31 + 1, 2**33, 2**40]
    index = index_of(tmp_path / "x.idx", oids, offsets)
    assert [index.find(oid) for oid in oids] == offsets
    with (tmp_path / "x.idx").open("rb") as file:
        shown = git(tmp_path, "show-index", stdin=file.read()).decode().splitlines()
    assert {line.split()[1]: int(line.split()[0]) for line in shown} == {
        oid.hex(): offset for oid, offset in zip(oids, offsets, strict=True)
    }


def test_a_damaged_index_is_refused(tmp_path: Path) -> None:
    data = encode_index(b"\1" * 20, [7], [2**40], b"c" * 20)
    path = tmp_path / "x.idx"
    for length in [0, 7, 8, 1031, 1032, len(data) - 9]:
        path.write_bytes(data[:length])
        with pytest.raises(Corrupt):
            PackIndex(path)
    path.write_bytes(b"\xfftOc\0\0\0\x03" + data[8:])
    with pytest.raises(Corrupt):
        PackIndex(path)


def test_an_index_that_points_outside_of_itself_is_refused(tmp_path: Path) -> None:
    data = bytearray(encode_index(b"\1" * 20, [7], [2**40], b"c" * 20))
    data[1032 + 24 : 1032 + 28] = (2**31 + 5).to_bytes(4, "big")
    (tmp_path / "x.idx").write_bytes(data)
    with pytest.raises(Corrupt, match="outside"):
        PackIndex(tmp_path / "x.idx").find(b"\1" * 20)


def test_a_wild_fanout_finds_nothing_and_fails_nowhere(tmp_path: Path) -> None:
    data = bytearray(encode_index(b"\1" * 20 + b"\2" * 20, [7, 7], [12, 40], b"c" * 20))
    for byte in range(255):
        data[8 + byte * 4 : 12 + byte * 4] = (0xFFFFFFFF - byte).to_bytes(4, "big")
    (tmp_path / "x.idx").write_bytes(data)
    index = PackIndex(tmp_path / "x.idx")
    assert all(index.find(bytes([byte]) * 20) in (-1, 12, 40) for byte in range(256))


def test_a_large_index_is_mapped_and_outlives_its_file(tmp_path: Path) -> None:
    oids = [hashlib.sha1(b"%d" % number).digest() for number in range(10_000)]
    index = index_of(tmp_path / "x.idx", oids, list(range(10_000)))
    (tmp_path / "x.idx").unlink()
    assert [index.find(oid) for oid in oids] == list(range(10_000))
