"""Snapshots of the Hugging Face Hub: as its cache lays them out, with links into its blobs and nowhere else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import Conflict, InvalidInput, NotFound, PachaError
from tests.making import contents, put

REVISION = "fa97f6e7cb1a59073dff9e6b13e2715cf7475ac9"
CARD = """---
license: apache-2.0
library_name: sentence-transformers
pipeline_tag: sentence-similarity
base_model:
- nreimers/MiniLM-L6-H384-uncased
---
# Model Details
Maps sentences to vectors. <script>alert(1)</script>
"""
CONFIG = {"architectures": ["BertModel"], "model_type": "bert", "torch_dtype": "float32", "hidden_size": 384}


def cache(folder: Path, files: dict[str, bytes], repository: str = "models--acme--tiny") -> Path:
    """A repository in the Hub's cache: blobs named by hash, and a snapshot of links to them."""
    root = folder / repository
    for at, (name, data) in enumerate(files.items()):
        blob = put(root / "blobs" / f"{at:064x}", data)
        link = root / "snapshots" / REVISION / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path(*[".."] * (2 + name.count("/")), "blobs", blob.name))
    put(root / "refs/main", REVISION.encode())
    return root


FILES = {
    "README.md": CARD.encode(),
    "config.json": json.dumps(CONFIG).encode(),
    "model.safetensors": (8).to_bytes(8, "little") + b"{}      " + b"",
    "1_Pooling/config.json": b"{}",
}


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


def test_a_snapshot_becomes_a_model(registry: Registry, tmp_path: Path) -> None:
    root = cache(tmp_path, FILES)
    for folder, version in ((root, "1.0.0"), (root / "snapshots" / REVISION, "1.1.0")):
        done = registry.models.import_hf(folder, version=version, tags={"team": "search"})
        assert (done.name, done.version, done.file_count) == ("acme/tiny", version, 4)
        assert done.tags == {
            "hf.repo": "acme/tiny", "hf.revision": REVISION, "architecture": "BertModel", "model_type": "bert",
            "dtype": "float32", "license": "apache-2.0", "library_name": "sentence-transformers",
            "pipeline_tag": "sentence-similarity", "base_model": "nreimers/MiniLM-L6-H384-uncased", "team": "search",
        }  # fmt: skip
        assert done.description == "acme/tiny of the Hugging Face Hub: BertModel, sentence-similarity"
    found = registry.models.get("acme/tiny@1.0.0")
    assert found.document == CARD
    out = registry.models.download("acme/tiny", tmp_path / "out")
    assert contents(out) == FILES
    assert not any(path.is_symlink() for path in out.rglob("*"))
    assert next(hit.name for hit in registry.search("vectors", where="tags.model_type = bert")) == "acme/tiny"  # type: ignore[union-attr]
    with pytest.raises(Conflict):
        registry.models.import_hf(root)


def test_the_real_model(registry: Registry, minilm_folder: Path, tmp_path: Path) -> None:
    files = {path.relative_to(minilm_folder).as_posix(): path for path in minilm_folder.rglob("*") if path.is_file()}
    root = tmp_path / "models--sentence-transformers--all-MiniLM-L6-v2"
    for at, (name, path) in enumerate(files.items()):
        link = root / "snapshots" / REVISION / name
        link.parent.mkdir(parents=True, exist_ok=True)
        (root / "blobs").mkdir(exist_ok=True)
        (root / "blobs" / str(at)).hardlink_to(path) if _linkable(path, root) else shutil.copy(
            path, root / "blobs" / str(at)
        )
        link.symlink_to((root / "blobs" / str(at)).resolve())
    done = registry.models.import_hf(root)
    assert done.name == "sentence-transformers/all-MiniLM-L6-v2"
    assert done.tags["architecture"] == "BertModel"
    assert done.size == sum(path.stat().st_size for path in files.values())


def _linkable(path: Path, root: Path) -> bool:
    return path.stat().st_dev == root.parent.stat().st_dev


def test_a_folder_it_was_downloaded_to(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    put(folder / "model.bin", b"weights")
    put(folder / ".cache/huggingface/download/model.bin.metadata", b"x")
    put(folder / "config.json", b"[1]")
    done = registry.models.import_hf(folder, "mine", version="2.0.0")
    assert (done.name, done.version, done.file_count, done.tags) == ("mine", "2.0.0", 2, {})
    assert any("no JSON object" in notice for notice in done.notices)


def test_pickles_and_code_of_its_own_are_flagged(registry: Registry, tmp_path: Path) -> None:
    import pickle

    config = json.dumps({**CONFIG, "auto_map": {"AutoModel": "modeling_tiny.Tiny"}}).encode()
    root = cache(tmp_path, {"pytorch_model.bin": pickle.dumps({"w": [1, 2]}, 2), "config.json": config})
    notices = registry.models.import_hf(root).notices
    assert any("pytorch_model.bin is a pickle" in notice for notice in notices)
    assert any("auto_map" in notice for notice in notices)


def outside(root: Path) -> None:
    put(root.parent / "secret", b"secret")
    (root / "snapshots" / REVISION / "stolen").symlink_to("../../../secret")


def absolute(root: Path) -> None:
    (root / "snapshots" / REVISION / "stolen").symlink_to("/etc/passwd")


def to_a_folder(root: Path) -> None:
    (root / "snapshots" / REVISION / "all").symlink_to("../../blobs")


def nowhere(root: Path) -> None:
    (root / "snapshots" / REVISION / "gone").symlink_to("../../blobs/gone")


def around(root: Path) -> None:
    (root / "snapshots" / REVISION / "loop").symlink_to("loop")


def by_way_of_a_blob(root: Path) -> None:
    (root / "blobs/way").symlink_to("/etc/passwd")
    (root / "snapshots" / REVISION / "stolen").symlink_to("../../blobs/way")


def all_blobs(root: Path) -> None:
    (root / "blobs").rename(root.parent / "elsewhere")
    (root / "blobs").symlink_to("../elsewhere")


def the_snapshot(root: Path) -> None:
    private = put(root.parent / "private/secret.txt", b"secret").parent
    for blob in (root / "snapshots" / REVISION).rglob("*"):
        if blob.is_symlink():
            blob.unlink()
    (root / "snapshots" / REVISION / "1_Pooling").rmdir()
    (root / "snapshots" / REVISION).rmdir()
    (root / "snapshots" / REVISION).symlink_to(private)


@pytest.mark.parametrize("add", [outside, absolute, to_a_folder, around, by_way_of_a_blob, all_blobs, the_snapshot])
def test_links_that_lead_elsewhere_are_refused(add, registry: Registry, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    root = cache(tmp_path, FILES)
    add(root)
    with pytest.raises(PachaError, match="leads"):
        registry.models.import_hf(root)
    assert registry.models.list() == []


def test_a_file_that_the_download_lacks_is_named_and_leaves_the_others(registry: Registry, tmp_path: Path) -> None:
    root = cache(tmp_path, FILES)
    nowhere(root)
    (root / "snapshots" / REVISION / "shard [1]*.bin").symlink_to("../../blobs/lost")
    with pytest.raises(PachaError, match="leads nowhere"):
        registry.models.import_hf(root, strict=True)
    done = registry.models.import_hf(root)
    assert done.file_count == len(FILES)
    assert [line for line in done.notices if "left out gone" in line or "left out shard [1]*.bin" in line] == list(
        done.notices[:2]
    )


def test_what_is_no_snapshot(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        registry.models.import_hf(tmp_path / "gone")
    with pytest.raises(InvalidInput, match="no model"):
        registry.models.import_hf(cache(tmp_path, FILES, "datasets--acme--tiny"))
    two = cache(tmp_path, FILES, "models--acme--two")
    shutil.copytree(two / "snapshots" / REVISION, two / "snapshots/other", symlinks=True)
    (two / "refs/main").unlink()
    with pytest.raises(InvalidInput, match="2 snapshots") as caught:
        registry.models.import_hf(two)
    assert "other" in caught.value.hint


def test_a_card_that_can_not_be_one_stays_a_file(registry: Registry, tmp_path: Path) -> None:
    done = registry.models.import_hf(cache(tmp_path, {"README.md": b"\xff\xfe", "w": b"1", "config.json": b"{"}))
    assert done.file_count == 3
    assert any("README.md" in notice for notice in done.notices)
    assert any("config.json can't be read" in notice for notice in done.notices)
    assert registry.models.get("acme/tiny").document is None


@pytest.mark.parametrize("named", ["hub", ".", "hub/models--acme--tiny/blobs", "hub/models--acme--tiny/snapshots"])
def test_the_cache_as_a_whole_is_refused(registry_path: Path, tmp_path: Path, named: str) -> None:
    repository = tmp_path / "hf" / "hub" / "models--acme--tiny"
    (repository / "snapshots" / ("b" * 40)).mkdir(parents=True)
    (repository / "blobs").mkdir()
    (repository / "snapshots" / ("b" * 40) / "config.json").write_text("{}")
    registry = Registry.init(registry_path)
    with pytest.raises(InvalidInput) as refused:
        registry.models.import_hf(tmp_path / "hf" / named, "all")
    assert "models--acme--tiny" in (refused.value.hint or "")
    assert registry.models.import_hf(repository, "one").file_count == 1
