"""Each server of the tests takes a real push and gives it back to a real clone."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.servers import Served

pytestmark = pytest.mark.server


def git(*arguments: str | Path, cwd: Path, succeeds: bool = True) -> str:
    run = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True)
    assert (run.returncode == 0) is succeeds, run.stderr
    return run.stdout.strip() if succeeds else run.stderr


@pytest.mark.parametrize("name", ["git_daemon", "ssh_server", "http_server", "http_auth_server"])
def test_a_push_comes_back_by_a_clone(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    served: Served = request.getfixturevalue(name)
    work = tmp_path / "work"
    git("init", "-q", work, cwd=tmp_path)
    (work / "weights.bin").write_bytes(bytes(range(256)) * 20_000)
    git("add", "weights.bin", cwd=work)
    git("commit", "-q", "-m", "weights", cwd=work)

    git("push", "-q", served.url, "HEAD:refs/heads/main", cwd=work)

    tip = git("rev-parse", "HEAD", cwd=work)
    assert git("rev-parse", "refs/heads/main", cwd=served.path) == tip
    git("clone", "-q", served.url, tmp_path / "clone", cwd=tmp_path)
    assert git("rev-parse", "HEAD", cwd=tmp_path / "clone") == tip
    assert (tmp_path / "clone/weights.bin").read_bytes() == (work / "weights.bin").read_bytes()


def test_the_password_is_asked_for(http_auth_server: Served, tmp_path: Path) -> None:
    scheme, rest = http_auth_server.url.split("://", 1)
    without_login = f"{scheme}://{rest.split('@', 1)[1]}"

    complaint = git("ls-remote", without_login, cwd=tmp_path, succeeds=False)

    assert "could not read Username" in complaint


def test_it_settles_when_a_push_was_left(git_daemon: Served) -> None:
    parts = urlsplit(git_daemon.url)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=10) as connection:
        request = f"git-receive-pack {parts.path}\0host={parts.hostname}\0".encode()
        connection.sendall(b"%04x%b" % (len(request) + 4, request))
        assert connection.recv(4)
        assert git_daemon.is_at_work()
    git_daemon.settle()
    assert not git_daemon.is_at_work()
