"""A pull or push that was cut off goes on where it stopped; what the dead leave behind is swept."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pacha_git import Registry, RemoteError
from pacha_git.exchange import pull_payloads, push_payloads
from pacha_git.git.side import sweep_sides
from tests.exchange.syncing import bare, clone, names, refs, registry
from tests.servers import Served
from tests.wire import Wire, watched

MIB = 1 << 20
SIZE = 8 * MIB
PART = MIB
SLACK = 7 * MIB // 2  # the parts that were under way, and the groups that close them


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull_payloads, "PART_BYTES", PART)
    monkeypatch.setattr(push_payloads, "PART_BYTES", PART)


def large(folder: Path, seed: int = 1) -> Path:
    file = folder / "large.bin"
    file.write_bytes(random.Random(seed).randbytes(SIZE))
    return file


@pytest.fixture
def here(tmp_path: Path, git_daemon: Served) -> Registry:
    made = registry(tmp_path, "here")
    made.add_remote("origin", git_daemon.url)
    made.models.register("m", [large(tmp_path)], version="1.0.0")
    return made


def cut(wire: Wire, registry: Registry, verb: str) -> None:
    """Let a transfer break off half-way."""
    wire.reset(cut_after=SIZE // 2)
    with pytest.raises(RemoteError):
        registry.push() if verb == "push" else registry.pull(specs=["m@1.0.0"])
    wire.reset()


def test_a_pull_goes_on_where_it_was_cut(here: Registry, git_daemon: Served, tmp_path: Path) -> None:
    here.push()
    with watched(git_daemon.url) as wire:
        there = Registry.clone(wire.url, tmp_path / "there.git")
        cut(wire, there, "pull")
        assert there.models.get("m").payload == "thin"
        there.gc(grace_days=14)
        there.pull(specs=["m@1.0.0"])
        assert wire.total < SIZE // 2 + SLACK
    assert there.models.download("m", tmp_path / "out").read_bytes() == (tmp_path / "large.bin").read_bytes()
    assert list((there.path / "pacha/side").glob("*/objects")) == []


def test_a_push_goes_on_where_it_was_cut(here: Registry, git_daemon: Served, tmp_path: Path) -> None:
    with watched(git_daemon.url) as wire:
        here.add_remote("wire", wire.url)
        wire.reset(cut_after=SIZE // 2)
        with pytest.raises(RemoteError):
            here.push("wire")
        git_daemon.settle()
        assert not any(
            ref.startswith("payload") or ref.startswith("models") for ref in names(git_daemon.path, "refs/pacha")
        )
        assert any(ref.startswith("tmp/") for ref in names(git_daemon.path, "refs/pacha"))
        wire.reset()
        here.push("wire")
        assert wire.total < SIZE // 2 + SLACK
    assert not any(ref.startswith("tmp/") for ref in names(git_daemon.path, "refs/pacha"))
    there = Registry.clone(git_daemon.url, tmp_path / "there.git", payload="all")
    assert all(result.payload_ok for result in there.verify(all=True))


def test_parts_share_what_is_known_on_both_sides(here: Registry, git_daemon: Served, tmp_path: Path) -> None:
    """A large version of which a little changed everywhere moves that little, part by part or not."""
    here.push()
    there = Registry.clone(git_daemon.url, tmp_path / "there.git", payload="all")
    data = bytearray((tmp_path / "large.bin").read_bytes())
    for start in range(0, SIZE, MIB):
        data[start : start + 100] = random.Random(start).randbytes(100)
    (tmp_path / "large.bin").write_bytes(data)
    here.models.register("m", [tmp_path / "large.bin"], version="2.0.0")
    assert here.push().bytes < SIZE // 5
    assert there.pull(specs=["m@2.0.0"]).bytes < SIZE // 5


KILLED = """
import sys
from pathlib import Path
from pacha_git import Registry
from pacha_git.exchange import pull_payloads, push_payloads
pull_payloads.PART_BYTES = push_payloads.PART_BYTES = int(sys.argv[3])
registry = Registry.open(Path(sys.argv[1]))
print("begun", flush=True)
registry.push() if sys.argv[2] == "push" else registry.pull(specs=["m@1.0.0"])
"""


def kill_half_way(path: Path, verb: str, half_way: Path, size: int) -> None:
    """Run a verb in a process of its own, and kill that and its children when so much has arrived."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, path, verb, str(PART)], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None and size_of(half_way) < size:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def size_of(folder: Path) -> int:
    """Bytes of all files; some may go while we look."""
    total = 0
    for below, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                total += Path(below, name).stat().st_size
    return total


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_killed_and_repeated(here: Registry, git_daemon: Served, tmp_path: Path, verb: str) -> None:
    if verb == "pull":
        here.push()
        other = Registry.clone(git_daemon.url, tmp_path / "there.git")
        kill_half_way(other.path, verb, other.path / "pacha/side", SIZE // 2)
    else:
        other = here
        kill_half_way(other.path, verb, git_daemon.path / "objects", SIZE // 2)
    git_daemon.settle()
    again = Registry.open(other.path)
    moved = again.push() if verb == "push" else again.pull(specs=["m@1.0.0"])
    assert moved.bytes < SIZE // 2 + SLACK
    assert again.fsck().problems == ()
    there = Registry.clone(git_daemon.url, tmp_path / "after.git", payload="all")
    assert all(result.payload_ok for result in there.verify(all=True))


def test_a_server_that_gives_nothing_by_id_is_said(
    ssh_server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stock sshd drops GIT_PROTOCOL, so this is protocol v0: the whole comes at once, and a person is told."""
    for module in (pull_payloads, push_payloads):
        monkeypatch.setattr(module, "PART_BYTES", SIZE - MIB)
    here = registry(tmp_path, "here")
    here.add_remote("origin", ssh_server.url)
    here.models.register("m", [large(tmp_path)], version="1.0.0")
    here.push()
    there = Registry.clone(ssh_server.url, tmp_path / "there.git")
    pulled = there.pull(specs=["m@1.0.0"])
    assert pulled.payloads == 1
    [warning] = pulled.warnings
    assert "allowAnySHA1InWant" in warning
    subprocess.run(["git", "-C", ssh_server.path, "config", "uploadpack.allowAnySHA1InWant", "true"], check=True)
    after = Registry.clone(ssh_server.url, tmp_path / "after.git")
    assert after.pull(specs=["m@1.0.0"]).warnings == ()


def test_what_the_dead_leave_is_swept(here: Registry, git_daemon: Served, tmp_path: Path) -> None:
    with watched(git_daemon.url) as wire:
        here.add_remote("wire", wire.url)
        wire.reset(cut_after=SIZE // 2)
        with pytest.raises(RemoteError):
            here.push("wire")
        git_daemon.settle()
    left = {ref: oid for ref, oid in refs(git_daemon.path).items() if "/tmp/" in ref}
    assert left
    for ref, oid in left.items():
        old = "0187a5c0" + ref.removeprefix("refs/pacha/tmp/")[8:]  # April 2023
        subprocess.run(["git", "-C", git_daemon.path, "update-ref", f"refs/pacha/tmp/{old}", oid], check=True)
        subprocess.run(["git", "-C", git_daemon.path, "update-ref", "-d", ref], check=True)
    other = registry(tmp_path, "other")
    other.add_remote("origin", git_daemon.url)
    other.push()
    assert not any("/tmp/" in ref for ref in refs(git_daemon.path))


def test_side_repositories_of_the_dead_go(tmp_path: Path) -> None:
    hub = bare(tmp_path / "hub.git")
    registry(tmp_path, "here", hub).push()
    there = clone(tmp_path, "there", hub)
    side = there.path / "pacha/side"
    for name in ("passing-0123456789abcdef", "0" * 40, "1" * 40):
        (side / name / "objects/pack").mkdir(parents=True)
        (side / f"{name}.lock").touch()
    os.utime(side / ("1" * 40) / "objects/pack", (0, 0))
    repo = there._session.repo
    assert sweep_sides(repo, 14) == ["1" * 40, "passing-0123456789abcdef"]
    assert {path.name for path in side.iterdir()} == {"0" * 40, "0" * 40 + ".lock"}


def test_a_server_that_takes_no_parts_takes_the_whole(here: Registry, git_daemon: Served) -> None:
    hook = git_daemon.path / "hooks/update"
    hook.write_text('#!/bin/sh\ncase $1 in refs/pacha/tmp/*) echo "no such refs here" >&2; exit 1;; esac\n')
    hook.chmod(0o755)
    assert here.push().payloads == 1


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_one_gibibyte_cut_and_repeated(git_daemon: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pull_payloads, push_payloads):
        monkeypatch.setattr(module, "PART_BYTES", 64 * MIB)
    size = 1024 * MIB
    with (tmp_path / "huge.bin").open("wb") as file:
        for seed in range(1024):
            file.write(random.Random(seed).randbytes(MIB))
    here = registry(tmp_path, "here")
    here.models.register("m", [tmp_path / "huge.bin"], version="1.0.0")
    with watched(git_daemon.url) as wire:
        here.add_remote("origin", wire.url)
        wire.reset(cut_after=size // 2)
        with pytest.raises(RemoteError):
            here.push()
        git_daemon.settle()
        wire.reset()
        here.push()
        assert wire.total <= size // 2 + 64 * MIB + 2 * MIB
        there = Registry.clone(wire.url, tmp_path / "there.git")
        wire.reset(cut_after=size // 2)
        with pytest.raises(RemoteError):
            there.pull(specs=["m@1.0.0"])
        wire.reset()
        there.pull(specs=["m@1.0.0"])
        assert wire.total <= size // 2 + 64 * MIB + 2 * MIB
