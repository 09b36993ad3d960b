"""Files that a registry opened are closed when nobody has the registry any more, without waiting for the collector."""

from __future__ import annotations

import gc
import os
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


def open_files_below(folder: Path) -> list[Path]:
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor of the listing itself
            found.append(descriptor.readlink())
    return [path for path in found if path.is_relative_to(folder)]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc, which Linux has")
@pytest.mark.usefixtures("no_collector")
def test_a_registry_that_is_dropped_holds_no_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(os.urandom(500_000))
    registry = Registry.init(tmp_path / "r.git")
    registry.models.register("m", tmp_path / "f", version="1.0.0")
    assert registry.models.list()
    assert all(each.ok for each in registry.verify(all=True))
    weights = registry.models.open("m@1.0.0")
    assert open_files_below(registry.path)
    del registry
    assert weights.read() == (tmp_path / "f").read_bytes()
    del weights
    assert open_files_below(tmp_path / "r.git") == []
