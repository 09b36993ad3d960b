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
