"""What a killed git leaves goes with the next change, gc or doctor, unless somebody may still be at work."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.store.upkeep import MOST_LARGE_PACKS, MOST_PACKS, failures
from pacha_git.system import occupants
from tests.making import git, noise, put

LEFT = [
    "objects/pack/multi-pack-index.lock", "objects/pack/tmp_pack_Ab12Cd", "objects/pack/tmp_idx_Ab12Cd",
    "objects/pack/.tmp-4711-pack-0123456789abcdef.pack", "objects/pack/tmp_rev_x", "config.lock", "packed-refs.lock",
    "packed-refs.new",
    "refs/pacha/models/m/2.0.0.lock", "objects/17/tmp_obj_x",
]  # fmt: skip


def leave(path: Path, name: str, seconds: float) -> Path:
    """A file as a git leaves it that was killed so many seconds ago."""
    file = put(path / name, b"half")
    os.utime(file, (time.time() - seconds,) * 2)
    return file


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    registry = Registry.init(registry_path)
    registry.models.register("m", put(tmp_path / "m", noise(3000)), version="1.0.0")
    return registry


def test_doctor_clears_what_is_old_and_nothing_younger(registry: Registry) -> None:
    old = [leave(registry.path, name, 90) for name in LEFT]
    young = leave(registry.path, "refs/pacha/models/m/3.0.0.lock", 5)
    registry.doctor()
    assert not [path for path in old if path.exists()]
    assert young.exists()
    young.unlink()


def test_the_next_change_is_not_held_up(registry: Registry, tmp_path: Path) -> None:
    for name in LEFT:
        leave(registry.path, name, 90)
    begun = time.monotonic()
    registry.models.register("m", put(tmp_path / "m", noise(4000)), version="2.0.0")
    registry.add_remote("origin", str(tmp_path / "hub.git"))
    assert time.monotonic() - begun < 15
    assert not [
        path for path in (registry.path / "objects/pack").iterdir() if "tmp" in path.name or "lock" in path.name
    ]
    assert registry.gc().kept


def test_a_git_at_work_keeps_its_locks(registry: Registry) -> None:
    lock = leave(registry.path, "refs/pacha/models/m/2.0.0.lock", 90)
    argv = ["git", f"--git-dir={registry.path}", "cat-file", "--batch"]
    other = subprocess.Popen(["sh", "-c", '"$@"; true', "sh", *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdin is not None
    assert other.stdout is not None
    other.stdin.write(b"refs/pacha/root\n")
    other.stdin.flush()
    assert b"commit" in other.stdout.readline()  # it is at work
    try:
        [finding] = [each for each in registry.doctor() if each.check == "locks"]
        assert lock.exists()
        assert finding.state == "problem"
        assert f"rm {lock}" in finding.hint
    finally:
        other.communicate(timeout=20)
    registry.doctor()
    assert not lock.exists()


def test_a_pack_whose_index_is_gone_gets_it_back(registry: Registry) -> None:
    pack = sorted((registry.path / "objects/pack").glob("*.pack"))[-1]
    index = pack.with_suffix(".idx")
    alone = pack.with_name(f"pack-{'0' * 40}.idx")
    alone.write_bytes(index.read_bytes())
    index.unlink()
    assert len(registry.fsck().notes) >= 2
    registry.gc(grace_days=0)
    assert not alone.exists()
    assert b"".join(Registry.open(registry.path).models.cat("m@1.0.0")) == noise(3000)
    assert registry.fsck().problems == ()


@pytest.mark.soak
def test_packs_stay_few_whatever_a_killed_git_left(registry: Registry) -> None:
    assert MOST_PACKS + MOST_LARGE_PACKS < 300
    for number in range(60):
        if number % 20 == 5:
            for name in LEFT:
                leave(registry.path, name, 90)
        registry.models.alias("m", "a", version="1.0.0", reason=str(number))
    assert len(list((registry.path / "objects/pack").glob("*.pack"))) <= MOST_PACKS + 1


def test_upkeep_that_failed_twice_is_told(registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pacha_git.errors import PachaError
    from pacha_git.store import upkeep

    def fail(*_: object) -> None:
        raise PachaError("the disk is full")

    monkeypatch.setattr(upkeep, "_too_many", lambda _: True)
    monkeypatch.setattr(upkeep, "_gather_packs", fail)
    for number in range(2):
        assert Registry.open(registry.path).notices == ()
        registry.models.alias("m", f"a{number}", version="1.0.0")
    assert "failed 2 times running: the disk is full" in Registry.open(registry.path).notices[0]
    monkeypatch.undo()
    registry.models.alias("m", "b", version="1.0.0")
    assert failures(registry.path) == (0, "")
    assert Registry.open(registry.path).notices == ()


def test_where_nobody_can_look_it_is_named(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = leave(registry.path, "packed-refs.lock", 90)
    monkeypatch.setattr(occupants, "_file_system", lambda _: "nfs4")
    [finding] = [each for each in registry.doctor() if each.check == "locks"]
    assert lock.exists()
    assert "nfs4" in finding.message
    assert f"rm {lock}" in finding.hint
    lock.unlink()
    assert git(registry.path, "rev-parse", "refs/pacha/root")
