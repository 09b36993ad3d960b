"""Files that a registry opened are closed when nobody has the registry any more, without waiting for the collector."""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pacha_git import Registry


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def open_files() -> set[tuple[int, int]]:
    """Device and inode of all regular files that this process has open."""
    found = set()
    for descriptor in range(4096):
        with suppress(OSError):
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode):
                found.add((status.st_dev, status.st_ino))
    return found


@pytest.mark.usefixtures("no_collector")
def test_a_registry_that_is_dropped_holds_no_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(os.urandom(500_000))
    before = open_files()
    registry = Registry.init(tmp_path / "r.git")
    registry.models.register("m", tmp_path / "f", version="1.0.0")
    assert registry.models.list()
    assert all(each.ok for each in registry.verify(all=True))
    weights = registry.models.open("m@1.0.0")
    assert open_files() > before
    del registry
    assert weights.read() == (tmp_path / "f").read_bytes()
    del weights
    assert open_files() == before
