"""Files that share little as they are packed are told, with what they would take otherwise; others are not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import tarfile
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from pacha_git import Registry
from pacha_git.inspectors.sharing import Advice, advice
from pacha_git.inspectors.source import Source


def advise(data: bytes, name: str = "x") -> Advice | None:
    return advice(Source(lambda offset, length: data[offset : offset + length], len(data), name))


@cache
def rows() -> bytes:
    chance = random.Random(1)
    return b"".join(b"%d,%d,some words here\n" % (n, chance.getrandbits(40)) for n in range(200_000))


@pytest.mark.parametrize(
    "pack",
    [
        lambda data: gzip.compress(data, 1),
        lambda data: bz2.compress(data, 1),
        lambda data: lzma.compress(data, preset=0),
    ],
)
def test_packed_text_is_told_with_what_it_takes_unpacked(pack: object) -> None:
    data = pack(rows())  # type: ignore[operator]
    found = advise(data)
    assert found is not None
    assert "packed as a whole" in found.what
    assert found.bytes is not None
    assert len(data) / 2 < found.bytes < 3 * len(data)


def test_what_is_no_text_or_small_is_not_told() -> None:
    assert advise(gzip.compress(bytes(8 << 20) + os.urandom(2 << 20))) is None
    assert advise(gzip.compress(rows()[:100_000])) is None
    assert advise(b"\x28\xb5\x2f\xfd" + bytes(2 << 20), "t.csv.zst") == Advice(
        "it is packed as a whole (zstd): a change makes all behind it new", "store it unpacked"
    )
    assert advise(b"\x28\xb5\x2f\xfd" + bytes(2 << 20), "array.bin") is None


def test_parquet_is_told_unless_its_pages_are_cut_by_content() -> None:
    chance = random.Random(1)
    table = pa.table({"n": [chance.getrandbits(62) for _ in range(300_000)]})
    for by_content in (False, True):
        out = io.BytesIO()
        pa.parquet.write_table(table, out, use_content_defined_chunking=by_content, use_dictionary=False)
        assert (advise(out.getvalue()) is None) is by_content


def test_a_tar_of_small_files_with_times_is_told() -> None:
    for times, size, told in ((True, 3000, True), (False, 3000, False), (True, 60_000, False)):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for number in range(400):
                info = tarfile.TarInfo(f"{number}.txt")
                info.size, info.mtime = size, number if times else 0
                archive.addfile(info, io.BytesIO(bytes(size)))
        assert (advise(out.getvalue()) is not None) is told


def test_it_is_said_once_and_can_be_silenced(
    registry_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry.init(registry_path)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(rows(), 1))
    [said] = registry.datasets.register("d", tmp_path / "t.csv.gz", version="1.0.0").notices
    assert "t.csv.gz: it is packed as a whole" in said
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "pacha.notices.sharing")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "false")
    assert registry.datasets.register("d", tmp_path / "t.csv.gz", version="1.0.1").notices == ()
