"""Readers see what was or what is, whatever upkeep goes on beside them."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event as Stop
from pathlib import Path

import pytest

from pacha_git import Registry
from tests.making import git, noise, put

SECONDS = 0.8


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    registry = Registry.init(registry_path)
    with registry.batch():
        for number in range(12):
            file = put(tmp_path / "files" / str(number), noise(2000, seed=number))
            registry.models.register("m", file, version=f"1.{number}.0")
    registry.models.list("m")
    return registry


def reindexing(path: Path, stop: Stop) -> None:
    while not stop.is_set():
        Registry.open(path).reindex()


def collecting(path: Path, stop: Stop) -> None:
    while not stop.is_set():
        Registry.open(path).gc(grace_days=0)


def losing_the_index(path: Path, stop: Stop) -> None:
    while not stop.is_set():
        (path / "pacha/index.sqlite").unlink(missing_ok=True)
        time.sleep(0.02)


@contextmanager
def beside(work: Callable[[Path, Stop], None], path: Path) -> Iterator[None]:
    """Another process that works until the block ends."""
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    process = context.Process(target=work, args=(path, stop))
    process.start()
    try:
        yield
    finally:
        stop.set()
        process.join(60)
    assert process.exitcode == 0


@pytest.mark.parametrize("work", [reindexing, losing_the_index], ids=lambda work: work.__name__)
def test_a_list_is_whole_while_the_index_is_built(registry: Registry, work: Callable[[Path, Stop], None]) -> None:
    registry.close()
    answers: set[tuple[int, int]] = set()
    with beside(work, registry.path):
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            reader = Registry.open(registry.path)
            answers.add((len(reader.models.list("m")), len(reader.models.list())))
            reader.close()
    assert answers == {(12, 1)}


def test_fsck_finds_nothing_wrong_beside_a_gc(registry: Registry) -> None:
    registry.close()
    with beside(collecting, registry.path):
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            assert Registry.check(registry.path).problems == ()


def test_two_pulls_at_once_bring_what_one_would(registry: Registry, tmp_path: Path) -> None:
    git(tmp_path / "hub.git", "init", "-q", "--bare")
    registry.add_remote("origin", str(tmp_path / "hub.git"))
    registry.push()
    other = Registry.clone(str(tmp_path / "hub.git"), tmp_path / "other.git")
    other.close()
    context = multiprocessing.get_context("fork")
    pulls = [context.Process(target=pull_all, args=(other.path,)) for _ in range(2)]
    for each in pulls:
        each.start()
    for each in pulls:
        each.join(60)
    assert [each.exitcode for each in pulls] == [0, 0]
    reader = Registry.open(other.path)
    assert all(each.payload == "here" for each in reader.models.list("m"))
    assert reader.fsck().problems == ()


def pull_all(path: Path) -> None:
    Registry.open(path).pull(payload="all")
