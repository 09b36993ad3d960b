"""What was removed leaves the cache, and the cache can be looked at and cleared."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import NotFound
from pacha_git.store.payload import cache
from tests.cli.conftest import Ended
from tests.making import folder, noise, put

Pacha = Callable[..., Ended]
FILES = {"a": b"1\n", "deep/b": noise(300_000), "deep/er/c": b"", "naïve": b"x"}


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    made = Registry.init(registry_path)
    made.datasets.register("d", folder(tmp_path / "d", FILES), version="1.0.0")
    return made


def folders() -> Path:
    return cache.cache_base().joinpath(*cache.FOLDERS)


def held(place: Path) -> dict[str, bytes]:
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_what_was_removed_leaves_the_cache(registry: Registry, tmp_path: Path) -> None:
    registry.datasets.register("other", put(tmp_path / "o"), version="1.0.0")
    kept, place = registry.datasets.path("other"), registry.datasets.path("d")
    registry.datasets.remove("d@1.0.0", reason="it had names in it")
    assert (place.exists(), kept.exists()) == (False, True)
    with pytest.raises(NotFound, match="names in it"):
        registry.datasets.path("d@1.0.0")
    registry.datasets.remove("other@1.0.0", unpushed=True)
    assert not kept.exists()


def test_what_another_removed_is_no_longer_handed_out(registry: Registry, tmp_path: Path) -> None:
    hub = Registry.init(tmp_path / "hub.git")
    registry.add_remote("origin", str(hub.path))
    registry.push()
    far = Registry.clone(str(hub.path), tmp_path / "far.git", payload="all")
    place = far.datasets.path("d")
    far.evict(["data:d@1.0.0"])
    assert held(far.datasets.path("d")) == FILES  # the bytes lie in the cache alone
    registry.datasets.remove("d@1.0.0", reason="wrong")
    registry.push()
    far.pull()
    with pytest.raises(NotFound, match="removed"):
        far.datasets.path("d@1.0.0")
    assert not place.exists()


def test_threads_that_ask_at_once_get_the_same_folder(registry: Registry) -> None:
    found: list[dict[str, bytes]] = []

    def ask() -> None:
        found.append(held(Registry.open(registry.path).datasets.path("d")))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [FILES] * 6


def test_list_and_clear(registry: Registry, tmp_path: Path, pacha: Pacha) -> None:
    at = ("--registry", registry.path)
    assert (pacha(*at, "cache", "list").code, pacha(*at, "cache", "list", "--json").json) == (0, [])
    registry.datasets.register("e", put(tmp_path / "e", b"12345"), version="1.0.0")
    registry.recipes.register(put(tmp_path / "r.toml", b'name = "r"\nversion = "1.0.0"\n'))
    d, e, r = registry.datasets.path("d"), registry.datasets.path("e"), registry.recipes.path("r")
    listed = {entry["path"]: entry for entry in pacha(*at, "cache", "list", "--json").json}
    assert {path: entry["specs"] for path, entry in listed.items()} == {
        str(d): ["data:d@1.0.0"], str(e): ["data:e@1.0.0"], str(r): ["recipe:r@1.0.0"],
    }  # fmt: skip
    assert (listed[str(e)]["size"], listed[str(d)]["file_count"]) == (5, 4)
    assert "data:e@1.0.0" in pacha(*at, "cache", "list").out
    put(folders() / ".pacha-left-0")
    os.utime(folders() / ".pacha-left-0", (1, 1))
    assert pacha(*at, "cache", "clear", "data:e", "--json").json == {"freed_bytes": 5, "removed": [str(e)]}
    assert (e.exists(), d.exists()) == (False, True)
    assert pacha(*at, "cache", "clear").code == 0
    assert list(folders().iterdir()) == []
    assert held(registry.datasets.path("d")) == FILES
    assert pacha(*at, "cache", "clear", "data:nothing").code == 3
