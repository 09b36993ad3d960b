"""Bytes on their way to a disk: all of them, and no failure is forgotten."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pacha_git.system import disk
from pacha_git.system.disk import Buffer, WriteBack, write_all


@pytest.mark.parametrize("at_once", [1, 7, 1 << 20])
@pytest.mark.parametrize("sizes", [[], [0], [0, 0], [5], [0, 3, 0, 9], [1] * 1500, [0] * 600 + [100] * 600])
def test_all_pieces_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: list[int], at_once: int
) -> None:
    """However little the system takes at once."""
    really = os.writev

    def writev(fd: int, views: list[memoryview]) -> int:
        wanted = next((view for view in views if len(view)), None)
        return 0 if wanted is None else really(fd, [*views[: views.index(wanted)], wanted[:at_once]])

    monkeypatch.setattr(os, "writev", writev)
    pieces: list[Buffer] = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    with (tmp_path / "file").open("wb", buffering=0) as file:
        write_all(file.fileno(), pieces)
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)


def test_the_disk_begins_while_bytes_come_and_its_failure_is_told_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def sync(fd: int) -> None:
        synced.append(os.fstat(fd).st_size)
        if len(synced) == 1:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(disk, "sync_data", sync)
    with (tmp_path / "file").open("wb", buffering=0) as file:
        back = WriteBack(file.fileno())
        file.write(bytes(100))
        back.reached(100)
        back.wait()
        assert synced == []
        file.truncate(70 << 20)
        back.reached(70 << 20)
        back.wait()
        assert synced == [70 << 20]
        with pytest.raises(OSError, match="Input/output"):
            back.finish()
    assert synced == [70 << 20, 70 << 20]


def written(target: Path, data: bytes, *, replace: bool = True, meanwhile: bytes | None = None) -> None:
    with disk.whole_file(target, mode=0o600, replace=replace) as descriptor:
        os.write(descriptor, data)
        assert not target.exists()
        if meanwhile is not None:
            target.write_bytes(meanwhile)


def interrupted(target: Path, *, replace: bool) -> None:
    with disk.whole_file(target, replace=replace) as descriptor:
        os.write(descriptor, b"half")
        raise KeyboardInterrupt


@pytest.mark.parametrize("replace", [True, False])
def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path, replace: bool) -> None:
    target = tmp_path / "card.md"
    with pytest.raises(KeyboardInterrupt):
        interrupted(target, replace=replace)
    assert list(tmp_path.iterdir()) == []
    written(target, b"whole", replace=replace)
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"whole", 0o600)
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_may_not_replace_leaves_what_came_meanwhile(tmp_path: Path) -> None:
    target = tmp_path / "model.bin"
    with pytest.raises(FileExistsError):
        written(target, b"ours", replace=False, meanwhile=b"theirs")
    assert target.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [target]


def filled(target: Path, *, interrupted: bool) -> None:
    with disk.whole_folder(target) as folder:
        (folder / "weights").touch()
        if interrupted:
            raise KeyboardInterrupt


def test_a_folder_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        filled(target, interrupted=True)
    assert list(tmp_path.iterdir()) == []
    target.mkdir()
    filled(target, interrupted=False)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["model", "model/weights"]
