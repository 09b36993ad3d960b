"""A server that fails on shallow lines, as dulwich's does, is spoken to without them, and a person is told."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.exchange import pull_payloads, push_payloads
from tests import servers
from tests.exchange.syncing import refs
from tests.wire import watched

MIB = 1 << 20


@pytest.fixture
def served(scheme: str, tmp_path: Path) -> Iterator[servers.Served]:
    folder = tmp_path / "dulwich"
    folder.mkdir()
    with servers.dulwich(folder, over_http=scheme == "http") as served:
        yield served


def weights(folder: Path, size: int, seed: int) -> Path:
    """A file of random bytes of which a few in the middle are others with each seed."""
    data = bytearray(random.Random(size).randbytes(size))
    data[size // 2 : size // 2 + 100] = random.Random(seed).randbytes(100)
    file = folder / "weights.bin"
    file.write_bytes(data)
    return file


@pytest.mark.parametrize(("scheme", "size"), [("git", MIB), ("http", 5 * MIB)])  # at once, and part by part
def test_there_and_back(served: servers.Served, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pull_payloads, push_payloads):
        monkeypatch.setattr(module, "PART_BYTES", 2 * MIB)
    here = Registry.init(tmp_path / "here.git")
    here.add_remote("origin", served.url)
    for seed in (1, 2):
        here.models.register("m", [weights(tmp_path, size, seed)], version=f"{seed}.0.0")
        pushed = here.push()
        assert pushed.payloads == 1
        assert pushed.bytes > size * 0.9
        assert [warning for warning in pushed.warnings if "can't be told to compare" in warning]
    assert not here.push().refs
    assert not any("/tmp/" in ref for ref in refs(served.path))
    subprocess.run(["git", "-C", served.path, "fsck", "--full", "--strict"], check=True)

    there = Registry.clone(served.url, tmp_path / "there.git")
    for version in ("1.0.0", "2.0.0"):
        pulled = there.pull(specs=[f"m@{version}"])
        assert pulled.payloads == 1
        assert [warning for warning in pulled.warnings if "can't be told to compare" in warning]
    assert there.models.download("m@2.0.0", tmp_path / "out").read_bytes() == (tmp_path / "weights.bin").read_bytes()
    assert all(result.payload_ok for result in there.verify(all=True))


def test_a_connection_that_was_cut_is_not_taken_for_it(git_daemon: servers.Served, tmp_path: Path) -> None:
    """The server gets on with shallow lines: whoever says so once is not sent what it has."""
    here = Registry.init(tmp_path / "here.git")
    here.models.register("m", [weights(tmp_path, 4 * MIB, 1)], version="1.0.0")
    hook = git_daemon.path / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nkill -9 $PPID\n")
    hook.chmod(0o755)
    with watched(git_daemon.url) as wire:
        here.add_remote("origin", wire.url)
        with pytest.raises(Exception, match="hung up"):
            here.push()
        hook.write_text("#!/bin/sh\nread old new ref\ncase $ref in */probe) ;; *) kill -9 $PPID;; esac\n")
        wire.reset()
        with pytest.raises(Exception, match="hung up"):
            here.push()
        assert wire.sent < 5 * MIB
    assert not refs(git_daemon.path)
