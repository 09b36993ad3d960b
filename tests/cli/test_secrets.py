"""A password in a URL is for Git alone: no command prints one."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import servers

from .conftest import Ended, run_inside

Run = Callable[..., Ended]
SECRET = "hunter2-hunter2"
URL = f"http://ada:{SECRET}@127.0.0.1:1/x.git"


@pytest.fixture
def away(at: Run, registry_path: Path) -> Run:
    added = at("remote", "add", "origin", URL, "--json")
    assert added.json == {"name": "origin", "url": "http://ada:***@127.0.0.1:1/x.git"}
    kept = subprocess.run(
        ["git", "-C", registry_path, "config", "remote.origin.url"], capture_output=True, text=True, check=True
    )
    assert kept.stdout.strip() == URL
    return at


@pytest.mark.parametrize("json", [(), ("--json",)])
@pytest.mark.parametrize(
    "words",
    [
        ("remote", "list"), ("status",), ("status", "--verbose"), ("fetch",), ("pull", "--verbose"), ("push",),
        ("remote", "add", "origin", URL), ("remote", "add", "bad", URL + "\x01"), ("remote", "add", URL, "x"),
        ("pull", URL), ("fetch", URL), ("push", URL, "--verbose"), ("model", "get", URL), ("serve", URL),
    ],
)  # fmt: skip
def test_no_command_prints_it(away: Run, words: tuple[str, ...], json: tuple[str, ...]) -> None:
    ended = away(*words, *json)
    assert SECRET not in ended.out + ended.err


def test_nor_does_clone(tmp_path: Path) -> None:
    for words in ((URL,), (URL, "a", "b"), (f"file://x:{SECRET}@{tmp_path}",)):
        ended = run_inside("--registry", tmp_path / "clone.git", "--verbose", "clone", *words)
        assert ended.code != 0
        assert SECRET not in ended.out + ended.err


@pytest.mark.server
def test_on_a_terminal_git_asks(
    at: Run, scripts: Path, registry_path: Path, http_auth_server: servers.Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_TERMINAL_PROMPT", raising=False)
    url = http_auth_server.url.replace("ada:open%20sesame@", "")
    assert at("remote", "add", "origin", url).code == 0
    program, terminal = pty.fork()
    if not program:
        os.execv(scripts / "git-pacha", ["git-pacha", "--registry", str(registry_path), "fetch"])
    said = b""
    answers = iter([(b"Username for", b"ada\n"), (b"Password for", b"open sesame\n")])
    question, answer = next(answers)
    while block := _read(terminal):
        said += block
        if question and question in said:
            os.write(terminal, answer)
            question, answer = next(answers, (b"", b""))
    _, status = os.waitpid(program, 0)
    assert os.waitstatus_to_exitcode(status) == 0, said
    assert b"open sesame" not in said
    assert b"nothing new" in said


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux: the other side is closed
        return b""
