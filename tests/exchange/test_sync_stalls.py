"""A transfer in which nothing moves ends and says what to do; one that moves, however slowly, does not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pacha_git import Registry, RemoteError
from pacha_git.git.wire.stall import Patience
from tests.exchange.syncing import bare, model, names, registry
from tests.making import git, noise, put
from tests.servers import Served
from tests.wire import watched

SECONDS = 2
STOPS = """#!/bin/sh
rm -f "$0"
echo $PPID >> {pids}
kill -STOP $PPID
exec sleep 60
"""


def patient(registry: Registry, seconds: int = SECONDS) -> Registry:
    git(registry.path, "config", "pacha.stallSeconds", str(seconds))
    return registry


def hook(hub: Path, text: str) -> None:
    path = hub / "hooks/pre-receive"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    """Where servers that are stopped write who they are; they are gone after the test."""
    path = tmp_path / "pids"
    yield path
    for pid in path.read_text().split() if path.exists() else ():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


SOAK = pytest.mark.soak


@pytest.mark.parametrize(
    "server", ["git_daemon", *(pytest.param(each, marks=SOAK) for each in ("folder", "ssh_server", "http_server"))]
)
def test_a_push_to_a_server_that_stands_still_ends(
    tmp_path: Path, server: str, pids: Path, request: pytest.FixtureRequest
) -> None:
    if server == "folder":
        served = Served(str(bare(tmp_path / "hub.git")), tmp_path / "hub.git")
    else:
        served = request.getfixturevalue(server)
    here = patient(registry(tmp_path, "here"))
    here.add_remote("origin", served.url)
    model(here, "m", "1.0.0")
    hook(served.path, STOPS.format(pids=pids))
    begin = time.monotonic()
    with pytest.raises(RemoteError, match="nothing moved for 2 seconds") as raised:
        here.push()
    assert SECONDS <= time.monotonic() - begin < 20
    assert "git pacha push origin" in raised.value.hint
    assert "pacha.stallSeconds" in raised.value.hint
    for pid in pids.read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    here.push()  # the hook stopped one push alone
    assert "models/m/1.0.0" in names(served.path, "refs/pacha")


@SOAK
def test_a_pull_from_a_server_that_stands_still_ends(tmp_path: Path, git_daemon: Served) -> None:
    here = registry(tmp_path, "here", git_daemon.path)
    put(tmp_path / "weights", noise(300_000))
    here.models.register("m", tmp_path / "weights", version="1.0.0")
    here.push()
    with watched(git_daemon.url) as wire:
        there = patient(registry(tmp_path, "there"))
        there.add_remote("origin", wire.url)
        wire.hold_after = 0
        with pytest.raises(RemoteError, match="nothing moved") as raised:
            there.pull()
        assert "git pacha fetch origin" in raised.value.hint
        wire.hold_after = None
        there.pull()
        wire.hold_after = wire.received + 100_000
        with pytest.raises(RemoteError, match="nothing moved") as raised:
            there.pull(payload="all")
        assert "git pacha pull origin" in raised.value.hint
        wire.hold_after = None
        assert there.pull(payload="all").payloads == 1


@SOAK
def test_the_keep_alive_of_a_server_that_is_busy_is_movement(tmp_path: Path, git_daemon: Served) -> None:
    here = patient(registry(tmp_path, "here"))
    here.add_remote("origin", git_daemon.url)
    model(here, "m", "1.0.0")
    git(git_daemon.path, "config", "receive.keepAlive", "1")
    hook(git_daemon.path, f'#!/bin/sh\nrm -f "$0"\nsleep {3 * SECONDS}\n')
    begin = time.monotonic()
    here.push()
    assert time.monotonic() - begin > 3 * SECONDS


@SOAK
@pytest.mark.parametrize(("does", "stalled"), [("while True: pass", False), ("import time; time.sleep(60)", True)])
def test_a_git_at_work_here_is_movement(tmp_path: Path, does: str, stalled: bool) -> None:
    repo = bare(tmp_path / "r.git")
    git(repo, "config", "pacha.stallSeconds", "1")
    shutil.copy2(Path(sys.executable).resolve(), tmp_path / "git-busy")
    env = {**os.environ, "PYTHONHOME": sys.base_prefix}
    with subprocess.Popen([tmp_path / "git-busy", "-c", does], env=env) as child:
        try:
            patience = Patience(repo, "origin", "push origin")
            until = time.monotonic() + 4
            while time.monotonic() < until:
                patience(child.pid)
                time.sleep(0.05)
            assert not stalled
        except RemoteError:
            assert stalled
        finally:
            child.kill()
