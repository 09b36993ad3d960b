from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from pacha_git import InvalidInput, NotFound, Registry
from pacha_git.git.changes import GC_LOCK
from pacha_git.system import locks
from tests.making import all_verify, fsck, git, noise, put, python

DAY = 86400


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


def on_disk(registry: Registry) -> int:
    return sum(file.stat().st_size for file in (registry.path / "objects").rglob("*") if file.is_file())


def grow_older(registry: Registry, days: float) -> None:
    """Let every pack be as old as if nothing had happened for days."""
    for file in (registry.path / "objects" / "pack").glob("pack-*"):
        at = time.time() - days * DAY
        os.utime(file, (at, at))


def two_versions(registry: Registry, tmp_path: Path) -> None:
    """Two versions that share their first 2 MB; the second has 2 MB of its own."""
    registry.models.register("m", put(tmp_path / "m", noise(2_000_000)), version="1.0.0")
    registry.models.register("m", put(tmp_path / "m", noise(2_000_000) + noise(2_000_000, 1)), version="2.0.0")


def test_gc_frees_what_only_a_removed_version_has_and_keeps_what_others_share(
    registry: Registry, tmp_path: Path
) -> None:
    two_versions(registry, tmp_path)
    before = on_disk(registry)
    registry.models.remove("m@2.0.0", reason="leaked")
    report = registry.gc(grace_days=0)
    assert 1_800_000 < report.freed_bytes < 2_200_000
    assert before - on_disk(registry) == pytest.approx(report.freed_bytes, abs=20_000)
    assert b"".join(registry.models.cat("m@1.0.0")) == noise(2_000_000)
    with pytest.raises(NotFound, match="were removed by Ada"):
        registry.models.cat("m@2.0.0")
    assert registry.models.get("m@2.0.0").payload == "removed"
    assert registry.models.get("m").version == "1.0.0"
    all_verify(registry)
    fsck(registry.path)


def test_no_deltas_are_looked_for_among_chunks_that_nothing_reaches(registry: Registry, tmp_path: Path) -> None:
    first = noise(1_000_000)
    second = bytearray(first)
    second[::1000] = bytes(1000)  # each chunk is another, and very like the one before
    for number, data in enumerate((first, bytes(second))):
        registry.models.register("m", put(tmp_path / "m", data), version=f"{number}.0.0")
        registry.models.remove(f"m@{number}.0.0", reason="too large")
    registry.gc()
    assert list((registry.path / "objects" / "pack").glob("*.mtimes"))
    listed = git(registry.path, "cat-file", "--batch-all-objects", "--batch-check=%(objectsize) %(deltabase)")
    bases = [line.split()[1] for line in listed.splitlines() if int(line.split()[0]) > 16_000]
    assert len(bases) > 10
    assert set(bases) == {"0" * 40}


def test_a_dry_run_foresees_what_gc_does_and_changes_nothing(registry: Registry, tmp_path: Path) -> None:
    two_versions(registry, tmp_path)
    registry.models.remove("m@2.0.0", reason="leaked")
    files = sorted(path.name for path in registry.path.rglob("*") if "pacha" not in path.parts)
    foreseen = registry.gc(dry_run=True, grace_days=0)
    assert sorted(path.name for path in registry.path.rglob("*") if "pacha" not in path.parts) == files
    done = registry.gc(grace_days=0)
    assert foreseen.removed == done.removed
    assert foreseen.kept == done.kept
    assert foreseen.freed_bytes == pytest.approx(done.freed_bytes, rel=0.02)
    assert registry.gc(dry_run=True, grace_days=0).removed == ()


def test_gc_honours_the_grace_period(registry: Registry, tmp_path: Path) -> None:
    two_versions(registry, tmp_path)
    registry.models.remove("m@2.0.0", reason="leaked")
    assert registry.gc(dry_run=True).removed == ()
    assert registry.gc().freed_bytes < 100_000
    assert list((registry.path / "objects" / "pack").glob("*.mtimes"))
    assert registry.gc(dry_run=True).removed == ()
    assert registry.gc(dry_run=True, grace_days=0).removed
    assert registry.gc(grace_days=0).freed_bytes > 1_800_000
    all_verify(registry)


def test_what_is_older_than_the_grace_period_goes(registry: Registry, tmp_path: Path) -> None:
    two_versions(registry, tmp_path)
    registry.models.remove("m@2.0.0", reason="leaked")
    grow_older(registry, 15)
    assert registry.gc(dry_run=True).removed
    assert registry.gc().freed_bytes > 1_800_000
    all_verify(registry)


def test_what_is_found_again_begins_its_grace_anew(registry: Registry, tmp_path: Path) -> None:
    two_versions(registry, tmp_path)
    registry.models.remove("m@2.0.0", reason="a mistake")
    grow_older(registry, 15)
    again = registry.models.register("m", tmp_path / "m", version="2.0.1")
    assert again.new_bytes == 0
    registry.gc()
    assert b"".join(registry.models.cat("m@2.0.1")) == noise(2_000_000) + noise(2_000_000, 1)
    all_verify(registry)


def test_what_lies_in_cruft_is_written_again_and_not_relied_on(registry: Registry, tmp_path: Path) -> None:
    two_versions(registry, tmp_path)
    registry.models.remove("m@2.0.0", reason="a mistake")
    registry.gc()
    again = registry.models.register("m", tmp_path / "m", version="2.0.1")
    assert 1_800_000 < again.new_bytes < 2_200_000
    registry.gc(grace_days=0)
    all_verify(registry)


def test_gc_after_gc_finds_nothing(registry: Registry, tmp_path: Path) -> None:
    two_versions(registry, tmp_path)
    registry.gc(grace_days=0)
    second = registry.gc(grace_days=0)
    assert (second.freed_bytes, second.removed) == (0, ())
    assert registry.models.register("m", tmp_path / "m", version="3.0.0").new_bytes == 0


@pytest.mark.parametrize("days", [-1, -0.5, float("nan")])
def test_a_grace_period_that_cant_be(registry: Registry, days: float) -> None:
    with pytest.raises(InvalidInput, match="grace period"):
        registry.gc(grace_days=days)


def test_undoing_a_registration_that_nobody_has_leaves_nothing_of_it(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("m", put(tmp_path / "m", noise(500_000)), version="1.0.0")
    registry.models.stage("m@1.0.0", "staging")
    registry.models.tag("m@1.0.0", ["a=b"])
    registry.models.remove("m@1.0.0", unpushed=True)
    assert git(registry.path, "for-each-ref", "refs/pacha/models", "refs/pacha/payload", "refs/notes") == ""
    assert registry.models.list() == []
    registry.gc(grace_days=0)
    assert on_disk(registry) < 20_000
    assert registry.models.register("m", tmp_path / "m", version="1.0.0").stage == "development"
    all_verify(registry)


SLOW_GIT = """#!/bin/sh
case " $* " in *" repack "*) echo $$ > "$SLOW/began"; while [ ! -e "$SLOW/go" ]; do sleep 0.02; done;; esac
exec "$REAL_GIT" "$@"
"""


@pytest.mark.parametrize("call", ["registry.gc()", "upkeep.MOST_PACKS = 0; registry.models.tag('m@1.0.0', ['a=b'])"])
def test_git_that_outlives_a_killed_gc_keeps_writers_waiting(registry: Registry, tmp_path: Path, call: str) -> None:
    two_versions(registry, tmp_path)
    put(tmp_path / "bin" / "git", SLOW_GIT.encode()).chmod(0o755)
    begin = "import sys; from pacha_git import Registry; from pacha_git.store import upkeep"
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    program = python(
        f"{begin}; registry = Registry.open(sys.argv[1]); {call}",
        registry.path,
        env={"SLOW": str(tmp_path), "REAL_GIT": shutil.which("git") or "", "PATH": path},
    )
    began = tmp_path / "began"
    while not (began.exists() and began.read_text().endswith("\n")):
        assert program.poll() is None
        time.sleep(0.01)
    program.kill()
    program.wait()
    with locks.exclusive(registry.path / GC_LOCK, wait=False) as free:
        assert free is None
    (tmp_path / "go").touch()
    with locks.exclusive(registry.path / GC_LOCK):
        pass  # it is free in the end
    fsck(registry.path)
    all_verify(Registry.open(registry.path))
