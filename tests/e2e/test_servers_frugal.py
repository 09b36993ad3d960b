"""Only what the other side lacks crosses the wire: counted by a proxy before git daemon, sshd and nginx."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacha_git import Registry
from tests import servers
from tests.wire import Wire, watched

MIB = 1 << 20
FIXTURES = {"git": "git_daemon", "ssh": "ssh_server", "http": "http_server", "our own": "own_server"}


@pytest.fixture(params=FIXTURES)
def wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    served: servers.Served = request.getfixturevalue(FIXTURES[request.param])
    with watched(served.url) as wire:
        command = served.environment.get("GIT_SSH_COMMAND")
        if command is not None:
            monkeypatch.setenv(
                "GIT_SSH_COMMAND", command.replace("StrictHostKeyChecking yes", "StrictHostKeyChecking no")
            )
        yield wire


def weights(folder: Path, seed: int, size: int = 12 * MIB, changed: int = 0) -> Path:
    """A file of random bytes of which ``changed`` in the middle are others."""
    data = bytearray(random.Random(seed).randbytes(size))
    if changed:
        data[5 * MIB + 12_345 : 5 * MIB + 12_345 + changed] = random.Random(seed + 1).randbytes(changed)
    file = folder / "weights.bin"
    file.write_bytes(data)
    return file


def test_a_change_of_one_mebibyte_moves_little_more(wire: Wire, tmp_path: Path) -> None:
    here = Registry.init(tmp_path / "here.git")
    here.add_remote("origin", wire.url)
    here.models.register("m", [weights(tmp_path, 1)], version="1.0.0")
    here.push()
    assert wire.sent > 11 * MIB
    there = Registry.clone(wire.url, tmp_path / "there.git", payload="all")
    here.models.register("m", [weights(tmp_path, 1, changed=MIB)], version="2.0.0")

    wire.reset()
    pushed = here.push()
    assert wire.total <= 1.3 * MIB
    assert abs(pushed.bytes - wire.sent) < 0.1 * MIB
    wire.reset()
    pulled = there.pull(specs=["m@2.0.0"])
    assert wire.total <= 1.3 * MIB
    assert abs(pulled.bytes - wire.received) < 0.1 * MIB
    out = there.models.download("m@2.0.0", tmp_path / "out.bin")
    assert out.read_bytes() == (tmp_path / "weights.bin").read_bytes()

    wire.reset()
    assert there.pull(specs=["m@2.0.0"]).bytes == here.push().bytes == 0
    assert wire.total < 32_768


def test_bytes_of_another_name_are_shared_too(git_daemon: servers.Served, tmp_path: Path) -> None:
    with watched(git_daemon.url) as wire:
        here = Registry.init(tmp_path / "here.git")
        here.add_remote("origin", wire.url)
        here.models.register("m", [weights(tmp_path, 1)], version="1.0.0")
        here.push()
        there = Registry.clone(wire.url, tmp_path / "there.git", payload="all")
        here.models.register("copy", [weights(tmp_path, 1, changed=1000)], version="1.0.0")
        wire.reset()
        here.push()
        there.pull(specs=["copy@1.0.0"])
        assert wire.total < 2 * MIB


def test_through_a_folder(tmp_path: Path) -> None:
    hub = tmp_path / "hub.git"
    subprocess.run(["git", "init", "-q", "--bare", hub], check=True)
    here = Registry.init(tmp_path / "here.git")
    here.add_remote("origin", f"file://{hub}")
    here.models.register("m", [weights(tmp_path, 1)], version="1.0.0")
    here.push()
    there = Registry.clone(str(hub), tmp_path / "there.git", payload="all")
    here.models.register("m", [weights(tmp_path, 1, changed=MIB)], version="2.0.0")
    before = size_of(hub)
    here.push()
    assert size_of(hub) - before <= 1.3 * MIB
    before = size_of(there.path)
    there.pull(specs=["m@2.0.0"])
    assert size_of(there.path) - before <= 1.3 * MIB


def size_of(path: Path) -> int:
    return sum(file.stat().st_size for file in (path / "objects").rglob("*") if file.is_file())


def objects_of(path: Path) -> set[str]:
    command = ["git", "-C", str(path), "cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_a_selection_carries_nothing_of_others(git_daemon: servers.Served, tmp_path: Path) -> None:
    here = Registry.init(tmp_path / "here.git")
    here.add_remote("origin", git_daemon.url)
    for name in ("mine", "other"):
        here.models.register(name, [weights(tmp_path, len(name), MIB)], version="1.0.0")
        here.models.register(name, [weights(tmp_path, len(name) + 7, MIB)], version="2.0.0")
        here.models.stage(f"{name}@1.0.0", "production")
        here.models.tag(f"{name}@1.0.0", ["team=x"])
    here.push(specs=["mine@1.0.0"])
    refs = [
        "refs/pacha/models/mine/1.0.0",
        "refs/pacha/payload/models/mine/1.0.0",
        "refs/notes/pacha/models/mine/_events",
    ]
    refs += ["refs/notes/pacha/models/mine/_attestations", "refs/pacha/registry", "refs/pacha/root", "refs/heads/main"]
    listed = ["git", "-C", str(here.path), "rev-list", "--objects", "--no-object-names", *refs]
    mine = set(subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split())
    assert objects_of(git_daemon.path) == mine


@pytest.mark.soak
def test_many_records_and_payloads_cost_nothing(git_daemon: servers.Served, tmp_path: Path) -> None:
    with watched(git_daemon.url) as wire:
        here = Registry.init(tmp_path / "here.git")
        here.add_remote("origin", wire.url)
        with here.batch():
            for number in range(500):
                here.models.register(f"m{number}", [weights(tmp_path, number, 40_000)], version="1.0.0")
                (tmp_path / "r.toml").write_text(f'name = "r{number}"\nversion = "1.0.0"\n')
                here.recipes.register(tmp_path / "r.toml")
            here.models.register("big", [weights(tmp_path, 1)], version="1.0.0")
        here.push()
        there = Registry.clone(wire.url, tmp_path / "there.git", payload="all")
        here.models.register(
            "big", [weights(tmp_path, 1, changed=MIB)], version="2.0.0", lineage=["derived-from=m7@1.0.0"]
        )
        wire.reset()
        here.push()
        assert wire.sent <= 1.3 * MIB
        wire.reset()
        there.pull(specs=["big@2.0.0"])
        assert wire.total <= 1.3 * MIB + 600_000  # and the list of refs, three times
