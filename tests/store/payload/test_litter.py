"""What programs leave behind in folders is left out and told, unless somebody says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.store.payload.sources import find


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    for path in (
        "config.json", ".DS_Store", "deep/.DS_Store", "code/__pycache__/a.pyc", "code/a.py",
        ".ipynb_checkpoints/n.ipynb",
        ".cache/huggingface/download/config.json.metadata", ".cache/mine.txt", "data/state.json", "data/data.arrow",
        "data/cache-0123456789abcdef.arrow", "data/cache-0123456789abcdef_00000_of_00002.arrow",
        "elsewhere/cache-0123456789abcdef.arrow", "notes/cache-plan.txt", "huggingface/x.txt",
    ):  # fmt: skip
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


KEPT = [
    ".cache/mine.txt", "code/a.py", "config.json", "data/data.arrow", "data/state.json",
    "elsewhere/cache-0123456789abcdef.arrow", "huggingface/x.txt", "notes/cache-plan.txt",
]  # fmt: skip


def paths(folder: Path, **words: object) -> list[str]:
    return [file.path for file in find([folder], **words).files]  # type: ignore[arg-type]


def test_it_is_left_out_and_told(folder: Path) -> None:
    found = find([folder])
    assert [file.path for file in found.files] == KEPT
    told = "\n".join(found.notices)
    assert "left out .DS_Store and 1 more" in told
    assert all(word in told for word in ("__pycache__", ".ipynb_checkpoints", ".cache/huggingface", "cache-01234"))
    assert len(found.notices) == 5


def test_words_of_a_person_win(folder: Path) -> None:
    assert ".DS_Store" in paths(folder, include=[".DS_Store"])
    assert ".cache/huggingface/download/config.json.metadata" in paths(folder, include=["huggingface"])
    assert "code/__pycache__/a.pyc" not in paths(folder, include=[".DS_Store"])
    (folder / ".pachaignore").write_text("!__pycache__/\nconfig.json\n")
    assert "code/__pycache__/a.pyc" in paths(folder)
    assert "config.json" not in paths(folder)
    assert "config.json" in paths(folder, include=["config.json"], exclude=["*.json"])
    assert "data/state.json" not in paths(folder, include=["config.json"], exclude=["*.json"])


def test_a_registry_within_is_left_out(folder: Path) -> None:
    Registry.init(folder / "here.git")
    found = find([folder])
    assert [file.path for file in found.files] == KEPT
    assert any("here.git: a registry" in notice for notice in found.notices)


def test_two_downloads_of_one_model_are_one(tmp_path: Path, registry_path: Path) -> None:
    registry = Registry.init(registry_path)
    addresses = set()
    for number in (1, 2):
        root = tmp_path / f"d{number}"
        (root / ".cache/huggingface/download").mkdir(parents=True)
        (root / ".cache/huggingface/download/config.json.metadata").write_text(f"commit\netag\n{number}\n")
        (root / "config.json").write_text("{}")
        done = registry.models.register(f"m{number}", root, version="1.0.0")
        addresses.add(done.address)
        assert any(".cache/huggingface" in notice for notice in done.notices)
    assert len(addresses) == 1


def test_bytes_come_back_by_the_records_own_list(folder: Path, registry_path: Path) -> None:
    registry = Registry.init(registry_path)
    before = registry.models.register("m", folder, version="1.0.0", include=["*"])
    assert before.file_count == 15
    registry._session.repo.git("update-ref", "-d", "refs/pacha/payload/models/m/1.0.0")
    again = Registry.open(registry_path)
    again.models.register("m", folder, version="1.0.0")
    assert again.verify(["m"])[0].payload_ok is True
