"""Where a registry can be made, and where not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pacha_git import PachaError, Registry


def git(*words: str | Path) -> str:
    return subprocess.run(["git", *map(str, words)], check=True, capture_output=True, text=True).stdout


def test_twice_is_once(registry_path: Path) -> None:
    assert Registry.init(registry_path).created
    before = git("-C", registry_path, "for-each-ref")
    assert not Registry.init(registry_path).created
    assert git("-C", registry_path, "for-each-ref") == before


def test_in_an_empty_bare_repository(registry_path: Path) -> None:
    git("init", "-q", "--bare", registry_path)
    assert Registry.init(registry_path).created


def test_the_git_folder_of_a_work_tree_stays_one(tmp_path: Path) -> None:
    git("init", "-q", tmp_path / "code")
    config = (tmp_path / "code/.git/config").read_bytes()
    for folder in (tmp_path / "code", tmp_path / "code/.git"):
        with pytest.raises(PachaError) as caught:
            Registry.init(folder)
        assert str(folder) in caught.value.message
        assert caught.value.hint
    assert (tmp_path / "code/.git/config").read_bytes() == config
    assert git("-C", tmp_path / "code", "status", "--short") == ""


def test_sha256_is_said_plainly(tmp_path: Path) -> None:
    git("init", "-q", "--bare", "--object-format=sha256", tmp_path / "other.git")
    with pytest.raises(PachaError, match="uses SHA-256 object names; registries use SHA-1"):
        Registry.init(tmp_path / "other.git")


def test_a_relative_registry_in_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("init", "-q", tmp_path / "code")
    git("-C", tmp_path / "code", "config", "pacha.registry", "../registry.git")
    (tmp_path / "code/deep").mkdir()
    monkeypatch.chdir(tmp_path / "code/deep")
    assert Registry.init().path == tmp_path / "registry.git"
    assert Registry.open().path == tmp_path / "registry.git"
