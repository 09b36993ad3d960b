"""What a registration reads again, and what it takes from the side index because nothing can have changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.git.changes import changing
from pacha_git.git.packs.index import PackIndex
from pacha_git.store.payload import files as store_files
from pacha_git.store.payload import index, sources
from pacha_git.store.payload.writer import PayloadWriter, _fewest_objects
from tests.making import contents, folder, noise

FILES = {"a": b"one", "deep/er/b.bin": b"two", "deep/er.x": b"", "Ünïcode": b"three", "large": noise(400_000)}


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every file had been written long ago: the time of its last change can't be set."""
    monkeypatch.setattr(index, "_RACY_NS", -(10**9))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The places of the files whose bytes were read to be stored."""
    opened: list[str] = []
    really = store_files._open

    def note(file: sources.FoundFile) -> int:
        opened.append(file.location)
        return really(file)

    monkeypatch.setattr(store_files, "_open", note)
    return opened


def of(files: Path, read: list[str]) -> list[str]:
    return sorted(path.removeprefix(f"{files}/") for path in read)


@pytest.mark.usefixtures("settled")
def test_only_what_changed_is_read_again(registry: Registry, tmp_path: Path, read: list[str]) -> None:
    files = folder(tmp_path / "f", FILES)
    registry.datasets.register("d", files, version="1.0.0")
    (files / "deep" / "er" / "b.bin").write_bytes(b"TWO")
    (files / "new").write_bytes(b"new")
    read.clear()
    done = registry.datasets.register("d", files, version="1.1.0")
    assert of(files, read) == ["deep/er/b.bin", "new"]
    assert (done.shared_bytes, done.new_bytes) == (400_008, 6)
    assert contents(registry.datasets.download("d@1.1.0", tmp_path / "out")) == contents(files)
    assert [each.ok for each in registry.verify(all=True)] == [True, True]


@pytest.mark.usefixtures("settled")
def test_what_only_a_removed_version_held_is_read_again(registry: Registry, tmp_path: Path, read: list[str]) -> None:
    files = folder(tmp_path / "f", FILES)
    registry.datasets.register("d", files, version="1.0.0")
    registry.datasets.remove("d@1.0.0", reason="no longer wanted")
    read.clear()
    registry.datasets.register("d", files, version="2.0.0")
    assert of(files, read) == sorted(FILES)
    read.clear()
    registry.datasets.register("d", files, version="2.1.0")
    assert of(files, read) == []


def test_what_was_written_a_moment_before_it_was_read_is_not_remembered(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may change again within the same tick of the clock, and then looks the same for ever."""
    monkeypatch.setattr(index, "_RACY_NS", 2 * 10**8)
    files = folder(tmp_path / "f", FILES)
    context = registry._session
    found = sources.find([files]).files

    def remembered(ref: str) -> int:
        with changing(context.repo, "test") as changes:
            written = PayloadWriter(context.repo, changes, context.index).write(found)
            changes.move(ref, written.commit, None)
        time.sleep(0.3)  # however long all the rest takes: when they were about to be read is what counts
        written.remember(context.index, ref, changes.packs)
        return len(context.index.seen({file.location: file.mark for file in found}))

    assert remembered("refs/pacha/payload/datasets/d/1.0.0") == 0
    assert remembered("refs/pacha/payload/datasets/d/1.1.0") == len(FILES)


@pytest.mark.parametrize("mib", [48, 96])
def test_nearly_all_of_a_large_file_is_hashed_while_it_is_written(registry: Registry, tmp_path: Path, mib: int) -> None:
    """As many objects as were declared go into a pack of their own; the few beyond them into another."""
    file = tmp_path / "weights"
    file.write_bytes(noise(mib << 20, seed=mib))
    registry.models.register("m", file, version="1.0.0")
    packs = sorted((registry.path / "objects" / "pack").glob("*.idx"), key=lambda path: path.stat().st_size)
    counts = [sum(1 for _ in PackIndex(path).oids()) for path in packs]
    assert counts[-1] == _fewest_objects(mib << 20) > 512
    assert sum(counts[:-1]) < 0.2 * counts[-1]


@pytest.mark.parametrize("seconds", [-(2**33), -1, 0, 2**33, 2**34 + 5])
def test_a_file_may_be_of_any_time(tmp_path: Path, seconds: int) -> None:
    (tmp_path / "f").write_bytes(b"f")
    os.utime(tmp_path / "f", ns=(0, seconds * 10**9 + 1))
    [found] = sources.find([tmp_path / "f"]).files
    assert sources.is_still(found, (tmp_path / "f").stat())
    assert sources.touched_ns(found.mark) >= time.time_ns() - 10**10  # its inode was changed just now


def test_a_mark_tells_every_difference() -> None:
    fields = [1, 2, 3, 4, 5]

    def mark(*values: int) -> bytes:
        device, inode, size, mtime, ctime = values
        status = os.stat_result(
            (0o100644, inode, device, 1, 0, 0, size, 0, 0, 0), {"st_mtime_ns": mtime, "st_ctime_ns": ctime}
        )
        return sources.source_file("f", "/f", status).mark

    marks = {mark(*fields)} | {
        mark(*[value + (at == changed) for at, value in enumerate(fields)]) for changed in range(5)
    }
    assert len(marks) == 6
