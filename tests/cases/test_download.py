"""What was registered comes back as it was, wherever it is put, and what is left of another version is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import Conflict
from tests.cli.conftest import Ended
from tests.making import folder, git, put

Pacha = Callable[..., Ended]


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


def test_a_folder_with_one_file_comes_back_as_that_folder(registry: Registry, tmp_path: Path) -> None:
    bare = registry.models.register("m", put(tmp_path / "w.bin"), version="1.0.0")
    whole = registry.models.register("m", folder(tmp_path / "f", {"w.bin": b"hello world"}), version="2.0.0")
    deep = registry.models.register("m", folder(tmp_path / "g", {"sub/w.bin": b"hello world"}), version="3.0.0")
    assert bare.address == whole.address == deep.address
    assert whole.new_bytes == 0
    registry.models.download("m@1.0.0", tmp_path / "1")
    registry.models.download("m@2.0.0", tmp_path / "2")
    registry.models.download("m@3.0.0", tmp_path / "3")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2/w.bin").read_bytes() == b"hello world"
    assert (tmp_path / "3/sub/w.bin").is_file()
    record = json.loads(git(registry.path, "cat-file", "blob", "refs/pacha/models/m/2.0.0:record.json"))
    assert record["content"]["folder"] is True
    bare_record = json.loads(git(registry.path, "cat-file", "blob", "refs/pacha/models/m/1.0.0:record.json"))
    assert "folder" not in bare_record["content"]
    with pytest.raises(Conflict):
        registry.models.download("m@2.0.0", tmp_path / "2")
    assert all(result.ok for result in registry.verify(all=True))


def test_of_several_paths_with_one_file_between_them_a_folder_comes_back(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    registry.datasets.register("d", [folder(tmp_path / "f", {"x": b"1"}), tmp_path / "empty"], version="1.0.0")
    registry.datasets.download("d", tmp_path / "out")
    assert (tmp_path / "out/f/x").read_bytes() == b"1"


def test_it_stays_a_folder_on_other_machines(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("m", folder(tmp_path / "f", {"w.bin": b"1"}), version="1.0.0")
    hub = Registry.init(tmp_path / "hub.git")
    registry.add_remote("origin", str(hub.path))
    registry.push()
    far = Registry.clone(str(hub.path), tmp_path / "far.git", payload="all")
    far.models.download("m", tmp_path / "out")
    assert (tmp_path / "out/w.bin").is_file()


@pytest.mark.parametrize("full", [False, True])
def test_a_link_to_a_folder_is_like_the_folder(registry: Registry, tmp_path: Path, full: bool) -> None:
    registry.datasets.register("d", folder(tmp_path / "d", {"a": b"1", "b": b"2"}), version="1.0.0")
    folder(tmp_path / "real", {"own": b"x"} if full else {})
    (tmp_path / "real").mkdir(exist_ok=True)
    (tmp_path / "link").symlink_to("real")
    if full:
        with pytest.raises(Conflict):
            registry.datasets.download("d", tmp_path / "link")
    registry.datasets.download("d", tmp_path / "link", force=full)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/a").read_bytes() == b"1"
    assert (tmp_path / "real/own").exists() == full


def test_an_empty_folder_that_can_t_be_replaced_is_filled(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.datasets.register("d", folder(tmp_path / "d", {"a": b"1", "s/b": b"2"}), version="1.0.0")
    (tmp_path / "mount").mkdir()
    inode = (tmp_path / "mount").stat().st_ino
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "mount")
    registry.datasets.download("d", tmp_path / "mount")
    assert ((tmp_path / "mount").stat().st_ino, (tmp_path / "mount/s/b").read_bytes()) == (inode, b"2")


def test_what_is_left_of_another_version_is_said(registry: Registry, tmp_path: Path, pacha: Pacha) -> None:
    for version, files in (("1.0.0", {"x": b"1", "old.bin": b"1", "s/old": b"1"}), ("2.0.0", {"x": b"2", "new": b"2"})):
        registry.models.register("m", folder(tmp_path / version, files), version=version)
    at = ("--registry", registry.path, "model", "download")
    out = tmp_path / "out"
    first = pacha(*at, "m@1.0.0", "-o", out)
    assert (first.code, first.err) == (0, "")
    (out / "link").symlink_to("x")
    second = pacha(*at, "m@2.0.0", "-o", out, "--force")
    assert (second.code, "link, old.bin, s/old" in second.err) == (0, True)
    again = pacha(*at, "m@2.0.0", "-o", out, "--force", "--json")
    assert again.json == {"path": str(out), "left": ["link", "old.bin", "s/old"]}
    assert (out / "x").read_bytes() == b"2"


def test_a_file_in_the_place_of_a_folder_is_named_as_that(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("m", folder(tmp_path / "f", {"w.bin": b"1", "x": b"2"}), version="1.0.0")
    for force in (False, True):
        with pytest.raises(Conflict, match="no folder"):
            registry.models.download("m", put(tmp_path / "out"), force=force)
