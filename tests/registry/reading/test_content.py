from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pacha_git import Conflict, InvalidInput, NotFound, PachaError, Registry
from pacha_git.registry.reading.content import parse_range
from pacha_git.system.folders import entries, remove
from tests.making import contents, folder, noise, put, recipe

FILES = {"w.bin": noise(700_000), "sub/config.json": b"{}", "sub/deeper/empty": b""}


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    registry = Registry.init(registry_path)
    registry.models.register("one", put(tmp_path / "in" / "w.bin", noise(700_000)), version="1.0.0")
    registry.models.register("many", folder(tmp_path / "in" / "f", FILES), version="1.0.0")
    registry.recipes.register(recipe(tmp_path / "in" / "r.toml"))
    return registry


# Download -------------------------------------------------------------------------------------------------------------


def test_one_file_becomes_the_file_that_is_named_or_lies_in_the_folder(registry: Registry, tmp_path: Path) -> None:
    assert registry.models.download("one", tmp_path / "out.bin") == tmp_path / "out.bin"
    (tmp_path / "dir").mkdir()
    assert registry.models.download("one", tmp_path / "dir") == tmp_path / "dir" / "w.bin"
    assert (tmp_path / "dir" / "w.bin").read_bytes() == noise(700_000)


def test_several_files_become_the_folder_that_is_named(registry: Registry, tmp_path: Path) -> None:
    assert contents(registry.models.download("many", tmp_path / "new")) == FILES
    (tmp_path / "empty").mkdir()
    assert contents(registry.models.download("many", tmp_path / "empty")) == FILES


def test_nothing_is_overwritten_unless_forced(registry: Registry, tmp_path: Path) -> None:
    mine = put(tmp_path / "mine", b"mine")
    full = folder(tmp_path / "full", {"w.bin": b"mine", "other": b"mine"})
    for act in (
        lambda: registry.models.download("one", mine),
        lambda: registry.models.download("one", full),
        lambda: registry.models.download("many", full),
        lambda: registry.models.download("many", mine),
        lambda: registry.recipes.download("train", mine),
    ):
        with pytest.raises(Conflict, match="exists already") as caught:
            act()
        # Nothing makes a folder of a file, so that is not promised.
        assert ("--force" in caught.value.hint) != ("no folder" in caught.value.message)
    assert mine.read_bytes() == b"mine"
    assert contents(full) == {"w.bin": b"mine", "other": b"mine"}
    registry.models.download("one", mine, force=True)
    registry.models.download("many", full, force=True)
    assert mine.read_bytes() == noise(700_000)
    assert contents(full) == {**FILES, "other": b"mine"}


def test_a_link_in_the_way_is_replaced_and_not_written_through(registry: Registry, tmp_path: Path) -> None:
    precious = put(tmp_path / "precious", b"precious")
    (tmp_path / "out").symlink_to(precious)
    with pytest.raises(Conflict):
        registry.models.download("one", tmp_path / "out")
    registry.models.download("one", tmp_path / "out", force=True)
    assert precious.read_bytes() == b"precious"
    assert (tmp_path / "out").read_bytes() == noise(700_000)


def test_a_link_to_a_folder_in_the_way_is_replaced_too(registry: Registry, tmp_path: Path) -> None:
    """As ``git checkout --force`` does: what the link leads to is nobody's to write in."""
    nested = next(path for path in FILES if "/" in path).split("/")[0]
    precious = folder(tmp_path / "precious", {"mine": b"mine"})
    full = folder(tmp_path / "full", {"other": b"mine"})
    (full / nested).symlink_to(precious)
    registry.models.download("many", full, force=True)
    assert contents(precious) == {"mine": b"mine"}
    assert not (full / nested).is_symlink()
    assert contents(full) == {**FILES, "other": b"mine"}
    shutil.rmtree(full / nested)
    put(full / nested, b"a file")
    (tmp_path / "link").symlink_to(full)
    registry.models.download("many", tmp_path / "link", force=True)  # the place that was named may be one
    assert contents(full) == {**FILES, "other": b"mine"}


def test_where_there_is_no_folder_to_write_in(registry: Registry, tmp_path: Path) -> None:
    for spec in ("one", "many"):
        with pytest.raises(NotFound, match="no such folder") as caught:
            registry.models.download(spec, tmp_path / "no" / "where")
        assert "mkdir" in caught.value.hint
        with pytest.raises(PachaError):
            registry.models.download(spec, tmp_path / "in" / "w.bin" / "below")
    assert not (tmp_path / "no").exists()


def test_downloads_leave_no_temporaries_and_take_the_umask(registry: Registry, tmp_path: Path) -> None:
    kept = os.umask(0o027)
    try:
        (tmp_path / "o").mkdir()
        registry.models.download("one", tmp_path / "o")
        registry.models.download("many", tmp_path / "m")
    finally:
        os.umask(kept)
    assert (tmp_path / "o" / "w.bin").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "m" / "w.bin").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "m", "o", "registry.git"]


def test_a_disk_that_takes_a_part_at_a_time_gets_all(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.write
    with monkeypatch.context() as patched:
        patched.setattr(
            "pacha_git.registry.reading.download.os.write", lambda file, data: really(file, bytes(data[:60_000]))
        )
        registry.models.download("many", tmp_path / "new")
    assert contents(tmp_path / "new") == FILES


def test_progress_ends_at_the_whole(registry: Registry, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    registry.models.download(
        "many", tmp_path / "m", progress=lambda what, done, total, unit="bytes": seen.append((done, total))
    )
    assert seen[-1] == (700_002, 700_002)
    assert seen == sorted(seen)


def test_the_bytes_are_not_here(registry: Registry, tmp_path: Path) -> None:
    registry._session.repo.git("update-ref", "-d", "refs/pacha/payload/models/one/1.0.0")
    with pytest.raises(NotFound, match="not here") as caught:
        registry.models.download("one", tmp_path / "out")
    assert "git pacha pull" in caught.value.hint
    assert registry.models.get("one").payload == "thin"
    assert not (tmp_path / "out").exists()


# The cache ------------------------------------------------------------------------------------------------------------


def test_the_cache_is_one_read_only_folder_for_all_that_have_the_bytes(registry: Registry, tmp_path: Path) -> None:
    first = registry.models.path("many")
    assert contents(first) == FILES
    assert not any(path.stat().st_mode & 0o222 for path in [first, *first.rglob("*")])
    registry.datasets.register("same", tmp_path / "in" / "f", version="1.0.0")
    assert registry.datasets.path("same") == first
    assert registry.models.path("one") != first
    other = Registry.init(tmp_path / "other.git")
    other.models.register("x", tmp_path / "in" / "f", version="1.0.0")
    assert other.models.path("x") == first
    assert [path.name for path in first.parent.iterdir() if path.name.startswith(".")] == []
    assert (registry.recipes.path("train") / "recipe.toml").read_bytes() == (tmp_path / "in" / "r.toml").read_bytes()


# Streams --------------------------------------------------------------------------------------------------------------


def test_a_file_is_named_after_the_version(registry: Registry) -> None:
    assert b"".join(registry.models.cat("many@1.0.0:sub/config.json")) == b"{}"
    assert b"".join(registry.cat("model:many@latest:w.bin", byte_range="10-19")) == FILES["w.bin"][10:20]
    with registry.models.open("many", "sub/config.json") as file:
        assert file.read() == b"{}"
    with pytest.raises(InvalidInput, match="3 files, and none named"):
        registry.models.cat("many@1.0.0")
    with pytest.raises(NotFound, match=r"no file 'config\.json'") as caught:
        registry.models.cat("many@1.0.0:config.json")
    assert "sub/config.json" in caught.value.hint
    with pytest.raises(InvalidInput, match="two different files"):
        registry.models.open("many@1.0.0:w.bin", "sub/config.json")
    assert b"".join(registry.recipes.cat("train", byte_range="0-3")) == b"name"


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [("0-0", 10, (0, 1)), ("0-9", 10, (0, 10)), ("5-", 10, (5, 10)), ("-3", 10, (7, 10)), ("-30", 10, (0, 10)),
     ("9-100", 10, (9, 10)), (None, 10, (0, 10)), (None, 0, (0, 0))],
)  # fmt: skip
def test_ranges_are_those_of_http(text: str | None, size: int, expected: tuple[int, int]) -> None:
    assert parse_range(text, size) == expected


@pytest.mark.parametrize("text", ["10-", "-0", "3-2", "a-b", "1-2,4-5", "--1", "+1-2", "\u0661-2", " 1-2", "1-2\n"])
def test_ranges_that_cant_be(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_range(text, 10)


def test_an_open_file_is_read_line_by_line_and_by_two_at_once(registry: Registry) -> None:
    with registry.models.open("one") as one, registry.models.open("one") as two:
        one.seek(300_000)
        assert two.read(5) == noise(700_000)[:5]
        assert one.read(5) == noise(700_000)[300_000:300_005]
        assert b"".join(two) == noise(700_000)[5:]
        assert not one.writable()
    assert one.closed


@pytest.mark.damaged  # what looks at everything after a test walks by recursion
def test_a_path_of_many_folders_is_written_and_cached(registry: Registry, tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.mkdir()
    here = os.open(deep, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("a", dir_fd=here)
        here, above = os.open("a", os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    registry.models.register("deep", deep, version="1.0.0")
    for place in (registry.models.download("deep", tmp_path / "out"), registry.models.path("deep")):
        (path, _), *_ = [(path, status) for path, status in entries(place) if path.endswith("f")]
        assert path.count("/") == 1500
    for place in (deep, tmp_path / "out", registry.models.path("deep")):
        remove(place)
        assert not place.exists()
