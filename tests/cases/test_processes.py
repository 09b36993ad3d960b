"""A registry crosses processes: pickled to a spawned worker, carried along by a fork."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Registry
from tests.conftest import REPOSITORY
from tests.making import noise, put

_PATIENCE_SECONDS = 60
SPAWNED = """
import pickle, sys
registry, models, runs = pickle.load(sys.stdin.buffer)
print(registry.path, models.get("m").version, registry.stats().models, len(runs.list()))
registry.models.register("n", sys.argv[1], version="1.0.0")
"""


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    made = Registry.init(registry_path)
    made.models.register("m", put(tmp_path / "m.bin", noise(300_000)), version="1.0.0")
    return made


def test_a_registry_is_pickled_as_its_path(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(registry.path.parent)
    relative = Registry.open(registry.path.name)
    data = pickle.dumps((relative, relative.models, relative.runs))
    assert len(data) < 1000
    words = [sys.executable, "-c", SPAWNED, str(tmp_path / "m.bin")]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(words, input=data, capture_output=True, check=True, cwd="/", env=env)
    assert done.stdout.decode().split() == [str(registry.path), "1.0.0", "1", "0"]
    assert registry.models.get("n").version == "1.0.0"


def forked(work: Callable[[], object]) -> None:
    """Run something in a forked process, which must end well."""

    def watched() -> None:
        faulthandler.dump_traceback_later(_PATIENCE_SECONDS, exit=True, file=sys.__stderr__)
        work()

    child = multiprocessing.get_context("fork").Process(target=watched)
    child.start()
    child.join()
    assert child.exitcode == 0


def test_a_fork_hashes_though_the_parent_did_so_with_threads(registry: Registry, tmp_path: Path) -> None:
    for version in ("1.0.0", "1.0.1"):  # the second time its hash is taken first, by all cores
        registry.models.register("large", put(tmp_path / f"{version}.bin", noise(4 << 20)), version=version)
    forked(lambda: registry.models.register("large", put(tmp_path / "same.bin", noise(4 << 20)), version="2.0.0"))
    assert registry.models.get("large").version == "2.0.0"


def test_a_fork_reads_and_writes(registry: Registry, tmp_path: Path) -> None:
    registry.search("m")  # connections, packs and a git that waits: all of the parent's
    registry.models.stage("m@1.0.0", "staging")

    def work() -> None:
        assert registry.models.get("m@staging").version == "1.0.0"
        assert b"".join(registry.models.cat("m")) == noise(300_000)
        assert [found.name for found in registry.search("m").items] == ["m"]
        registry.models.register(f"of-{os.getpid()}", tmp_path / "m.bin", version="1.0.0")

    for _ in range(2):
        forked(work)
    assert len(registry.models.list()) == 3
    registry.models.register("m", tmp_path / "m.bin", version="2.0.0")
    assert registry.fsck().problems == ()
    index = sqlite3.connect(registry.path / "pacha/index.sqlite")
    assert index.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    index.close()


def test_a_fork_beside_a_thread_that_reads_goes_on(registry: Registry, tmp_path: Path) -> None:
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            registry.models.list()
            b"".join(registry.models.cat("m"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(5):
            forked(lambda: registry.models.download("m", tmp_path / f"out-{os.getpid()}"))
    finally:
        over.set()
        reader.join()
    assert len(list(tmp_path.glob("out-*"))) == 5
