"""A registry writes one layout, moves on to a newer one once, and uses what lies here under another."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from safetensors.numpy import save_file

from pacha_git import InvalidInput, Registry
from tests.chunking.parts import tar_file, zip_file


@pytest.fixture
def older(registry_path: Path) -> Registry:
    """A registry that writes the first layout, as those of the release before."""
    registry = Registry.init(registry_path)
    repo = registry._session.repo
    repo.git("update-ref", "-d", "refs/pacha/registry")
    said = b'format = 1\nregistry = "00000000-0000-4000-8000-000000000000"\n[policy]\n'
    blob = repo.git("hash-object", "-w", "--stdin", stdin=said).decode().strip()
    tree = repo.git("mktree", stdin=f"100644 blob {blob}\tregistry.toml\n".encode()).decode().strip()
    repo.git("update-ref", "refs/pacha/registry", repo.git("commit-tree", "-m", "init", tree).decode().strip())
    return Registry.open(registry_path)


def shard(path: Path, time: int) -> Path:
    chance = random.Random(1)
    images = [(f"{n:03}.jpg", chance.randbytes(60_000)) for n in range(40)]
    path.write_bytes(tar_file(images, pax=True, time=time)[0])
    return path


def layout_of(registry: Registry, name: str, version: str) -> str:
    from pacha_git.store import records
    from pacha_git.vocabulary.ids import VersionId
    from pacha_git.vocabulary.kinds import Kind

    content = records.read_version(registry._session.repo, VersionId.parse(Kind.DATASET, name, version)).record.content
    assert content is not None
    return content.layout


def test_a_new_registry_writes_the_newest(registry_path: Path, tmp_path: Path) -> None:
    registry = Registry.init(registry_path)
    assert registry.layout().to_json() == {
        "layout": "pacha-cdc-2", "newest": "pacha-cdc-2", "known": ["pacha-cdc-1", "pacha-cdc-2"],
    }  # fmt: skip
    registry.datasets.register("d", shard(tmp_path / "a.tar", 1_790_000_000), version="1.0.0")
    again = registry.datasets.register("d", shard(tmp_path / "b.tar", 1_790_000_060), version="1.0.1")
    assert again.new_bytes < again.size / 12
    assert layout_of(registry, "d", "1.0.0") == "pacha-cdc-2"


def test_weights_under_another_name_and_rows_in_the_middle_share(registry_path: Path, tmp_path: Path) -> None:
    registry = Registry.init(registry_path)
    chance = random.Random(1)
    weights = [(f"data/{n}", chance.randbytes(size)) for n, size in enumerate([300_000, 1000, 120_000, 4000] * 4)]
    for version, name in enumerate(("first", "second-name")):
        (tmp_path / f"{name}.pt").write_bytes(zip_file([(f"{name}/{path}", data) for path, data in weights])[0])
        done = registry.models.register("m", tmp_path / f"{name}.pt", version=f"1.0.{version}")
    assert done.new_bytes < done.size / 30
    table = pa.table({"n": [chance.getrandbits(60) for _ in range(150_000)]})
    more = pa.concat_tables([table.slice(0, 75_000), table.slice(0, 20), table.slice(75_000)]).combine_chunks()
    for version, rows in enumerate((table, more)):
        file = tmp_path / f"{version}.parquet"
        pa.parquet.write_table(
            rows, file, use_content_defined_chunking={"min_chunk_size": 32768, "max_chunk_size": 65536}
        )
        done = registry.datasets.register("t", file, version=f"1.0.{version}")
    assert done.new_bytes < done.size / 4
    assert all(each.ok for each in registry.verify(all=True))


def test_one_that_says_nothing_writes_the_first_and_moves_on_once(older: Registry, tmp_path: Path) -> None:
    older.datasets.register("d", shard(tmp_path / "a.tar", 1_790_000_000), version="1.0.0")
    again = older.datasets.register("d", shard(tmp_path / "b.tar", 1_790_000_060), version="1.0.1")
    assert again.new_bytes > again.size / 2
    assert layout_of(older, "d", "1.0.1") == "pacha-cdc-1"
    size = (tmp_path / "b.tar").stat().st_size
    assert older.layout("pacha-cdc-2", dry_run=True).to_json() == {
        **older.layout().to_json(), "files": 1, "bytes": size, "dry_run": True,
    }  # fmt: skip
    moved = older.layout("pacha-cdc-2")
    assert (moved.was, moved.layout, moved.bytes) == ("pacha-cdc-1", "pacha-cdc-2", size)
    assert older.settings().values["layout"] == "pacha-cdc-2"
    text = older._session.settings.toml.decode()
    assert tomllib.loads(text)["policy"] == {}
    older.datasets.register("d", shard(tmp_path / "c.tar", 1_790_000_120), version="1.0.2")
    last = older.datasets.register("d", shard(tmp_path / "e.tar", 1_790_000_180), version="1.0.3")
    assert last.new_bytes < last.size / 12
    assert all(each.ok for each in older.verify(["d@1.0.0", "d@1.0.3"]))
    with pytest.raises(InvalidInput, match="newer"):
        older.layout("pacha-cdc-1")
    with pytest.raises(InvalidInput, match="no layout"):
        older.layout("pacha-cdc-7")


def test_bytes_that_lie_under_the_other_layout_cost_nothing(older: Registry, tmp_path: Path) -> None:
    one = shard(tmp_path / "a.tar", 1_790_000_000)
    weights = tmp_path / "w.safetensors"
    save_file({"w": np.random.default_rng(0).normal(size=(500, 500)).astype("f4")}, weights)
    older.datasets.register("d", one, version="1.0.0")
    older.datasets.register("w", weights, version="1.0.0")
    older.layout("pacha-cdc-2")
    again = older.datasets.register("d", one, version="1.0.1")
    assert (again.new_bytes, layout_of(older, "d", "1.0.1")) == (0, "pacha-cdc-1")
    folder = tmp_path / "folder"
    folder.mkdir()
    shard(folder / "b.tar", 1_790_000_060)
    (folder / "w.safetensors").write_bytes(weights.read_bytes())
    both = older.datasets.register("both", folder, version="1.0.0")
    assert layout_of(older, "both", "1.0.0") == "pacha-cdc-2"
    assert both.shared_bytes >= weights.stat().st_size


def test_bytes_come_back_as_their_record_cut_them(older: Registry, tmp_path: Path) -> None:
    one = shard(tmp_path / "a.tar", 1_790_000_000)
    older.datasets.register("d", one, version="1.0.0")
    older.layout("pacha-cdc-2")
    older._session.repo.git("update-ref", "-d", "refs/pacha/payload/datasets/d/1.0.0")
    back = Registry.open(older.path)
    back.datasets.register("d", one, version="1.0.0")
    assert back.verify(["d"])[0].payload_ok is True
