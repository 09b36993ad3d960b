"""A folder of the cache is handed out only while it is what it was, and only where nobody else could have put it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import PachaError
from pacha_git.registry.reading import cache
from pacha_git.store.payload.cache import cache_base
from tests.making import contents, folder, put, recipe

FILES = {"a/b.bin": b"x" * 5000, "c.txt": b"c", "run.sh": b"#!/bin/sh\n"}


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


@pytest.fixture
def many(registry: Registry, tmp_path: Path) -> Path:
    source = folder(tmp_path / "in", FILES)
    (source / "run.sh").chmod(0o755)
    registry.models.register("m", source, version="1.0.0")
    return registry.models.path("m")


def loosen(place: Path) -> None:
    for path in (place, *place.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def alter(place: Path) -> None:
    status = (place / "c.txt").stat()
    (place / "c.txt").write_bytes(b"d")
    os.utime(place / "c.txt", ns=(status.st_atime_ns, status.st_mtime_ns))


ALTERATIONS = {
    "other bytes of the same size and time": alter,
    "cut": lambda place: put(place / "a/b.bin", b"x"),
    "gone": lambda place: (place / "c.txt").unlink(),
    "more": lambda place: put(place / "a/more", b""),
    "a link to the same bytes": lambda place: (
        (place / "c.txt").rename(place.parent / "c.txt"), (place / "c.txt").symlink_to(place.parent / "c.txt")
    ),
    "not executable": lambda place: (place / "run.sh").chmod(0o644),
    "renamed": lambda place: (place / "c.txt").rename(place / "d.txt"),
    "a folder in its place": lambda place: ((place / "c.txt").unlink(), (place / "c.txt").mkdir()),
}  # fmt: skip


@pytest.mark.parametrize("how", ALTERATIONS)
def test_what_was_altered_is_written_anew(registry: Registry, many: Path, how: str) -> None:
    loosen(many)
    (many / "run.sh").chmod(0o755)
    ALTERATIONS[how](many)
    again = registry.models.path("m")
    assert again == many
    assert contents(again) == FILES
    assert os.access(again / "run.sh", os.X_OK)
    assert not (again / "c.txt").is_symlink()


def test_what_was_only_touched_is_kept(registry: Registry, many: Path) -> None:
    inode = (many / "c.txt").stat().st_ino
    (many / "c.txt").touch()
    assert (registry.models.path("m") / "c.txt").stat().st_ino == inode


def test_nothing_is_read_while_the_seal_fits(registry: Registry, many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise AssertionError("read")

    monkeypatch.setattr(cache, "_has_the_bytes", refuse)
    assert registry.models.path("m") == many


def test_a_seal_of_other_bytes_is_worth_nothing(registry: Registry, many: Path, home: Path) -> None:
    seal = cache_base() / "pacha" / "seals" / many.name
    seal.write_text("0" * 64)
    (many / "c.txt").chmod(0o644)
    (many / "c.txt").write_bytes(b"evil")
    assert contents(registry.models.path("m")) == FILES


def test_what_others_can_write_in_is_written_anew(registry: Registry, many: Path) -> None:
    inode = (many / "c.txt").stat().st_ino
    many.chmod(0o777)
    assert (registry.models.path("m") / "c.txt").stat().st_ino != inode
    assert not many.stat().st_mode & 0o022


@pytest.mark.parametrize("which", ["pacha", "pacha/payloads", "pacha/seals"])
def test_a_cache_that_others_can_write_in_is_refused(registry: Registry, many: Path, which: str) -> None:
    (cache_base() / which).chmod(0o770)
    with pytest.raises(PachaError, match="others can write") as caught:
        registry.models.path("m")
    assert caught.value.hint.startswith("chmod go-w ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("which", ["pacha/payloads", "pacha/payloads/FOLDER"])
def test_a_cache_of_somebody_else_is_refused(registry: Registry, many: Path, which: str) -> None:
    place = cache_base() / which.replace("FOLDER", many.name)
    os.chown(place, 12345, -1)
    with pytest.raises(PachaError, match="another owner"):
        registry.models.path("m")


def test_a_cache_is_private(registry: Registry, many: Path) -> None:
    for name in ("pacha", "pacha/payloads", "pacha/seals"):
        assert (cache_base() / name).stat().st_mode & 0o777 == 0o700


def test_many_at_once_have_one_folder(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("m", folder(tmp_path / "in", {f"{at}": bytes([at]) for at in range(200)}), version="1.0.0")
    found: list[dict[str, bytes]] = []

    def take() -> None:
        found.append(contents(Registry.open(registry.path).models.path("m")))

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(len(each) == 200 for each in found)


def test_a_recipe_too(registry: Registry, tmp_path: Path) -> None:
    registry.recipes.register(recipe(tmp_path / "r.toml"))
    place = registry.recipes.path("train")
    before = (place / "recipe.toml").read_bytes()
    (place / "recipe.toml").chmod(0o644)
    (place / "recipe.toml").write_bytes(b"name = 'evil'")
    assert (registry.recipes.path("train") / "recipe.toml").read_bytes() == before
