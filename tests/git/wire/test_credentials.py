"""Whom Git may ask, and what of a URL is said."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pacha_git.errors import RemoteError
from pacha_git.git.repo import GitRepository
from pacha_git.git.wire import transport
from pacha_git.git.wire.credentials import nobody_to_ask
from pacha_git.system.secrets import mask_urls
from tests import servers


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://ada:secret@example.org/x", "https://ada:***@example.org/x"),
        ("https://ada:se@cr:et@example.org/x", "https://ada:***@example.org/x"),
        ("https://ghp_token@example.org/x", "https://***@example.org/x"),
        ("https://:secret@example.org/x", "https://:***@example.org/x"),
        ("ssh://git@example.org/x", "ssh://git@example.org/x"),
        ("ssh://git:secret@example.org/x", "ssh://git:***@example.org/x"),
        ("git@example.org:x.git", "git@example.org:x.git"),
        ("a https://a:b@c/ and 'HTTP://d:e@f/'", "a https://a:***@c/ and 'HTTP://d:***@f/'"),
        ("https://example.org/a@b", "https://example.org/a@b"),
        ("/folder/a:b@c", "/folder/a:b@c"),
    ],
)
def test_what_is_said_of_a_url(text: str, said: str) -> None:
    assert mask_urls(text) == said


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def repo(tmp_path: Path) -> GitRepository:
    return GitRepository.create(tmp_path / "r.git")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is there, and nothing was said."""
    for name in ("GIT_TERMINAL_PROMPT", "GIT_SSH_COMMAND", "GIT_SSH", "SSH_ASKPASS"):
        monkeypatch.delenv(name, raising=False)
    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(sys, stream, io.StringIO())


@pytest.mark.usefixtures("alone")
def test_nobody_is_asked_where_nobody_is(repo: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nobody_to_ask(repo.path) == {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"}
    monkeypatch.setattr(sys, "stderr", None)
    assert nobody_to_ask(repo.path)["GIT_TERMINAL_PROMPT"] == "0"
    monkeypatch.setattr(sys, "stdin", Terminal())
    assert nobody_to_ask(repo.path) == {}


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("name", ["GIT_SSH_COMMAND", "GIT_SSH", "SSH_ASKPASS"])
def test_whoever_said_how_to_call_ssh_is_left_alone(
    repo: GitRepository, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "mine")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "1")
    assert nobody_to_ask(repo.path) == {}


@pytest.mark.usefixtures("alone")
def test_and_so_is_who_configured_it(repo: GitRepository) -> None:
    subprocess.run(["git", "-C", repo.path, "config", "core.sshCommand", "mine"], check=True)
    assert "GIT_SSH_COMMAND" not in nobody_to_ask(repo.path)


@pytest.mark.server
def test_a_password_that_nobody_can_give_is_an_error_at_once(
    repo: GitRepository, http_auth_server: servers.Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_TERMINAL_PROMPT", raising=False)
    begun = time.monotonic()
    anonymous = http_auth_server.url.replace("ada:open%20sesame@", "")
    with pytest.raises(RemoteError, match="could not read Username"):
        transport.list_refs(repo, anonymous)
    wrong = http_auth_server.url.replace("open%20sesame", "wrong-password")
    with pytest.raises(RemoteError) as refused:
        transport.list_refs(repo, wrong)
    assert "wrong-password" not in refused.value.message + refused.value.hint
    assert time.monotonic() - begun < 10
    assert transport.list_refs(repo, http_auth_server.url) == {}


@pytest.mark.server
def test_git_s_own_helpers_are_asked(
    repo: GitRepository, http_auth_server: servers.Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anonymous = http_auth_server.url.replace("ada:open%20sesame@", "")
    answer = "printf 'username=ada\\npassword=open sesame\\n'"
    subprocess.run(["git", "config", "--global", "credential.helper", f"!f() {{ {answer}; }}; f"], check=True)
    assert transport.list_refs(repo, anonymous) == {}
    subprocess.run(["git", "config", "--global", "--unset", "credential.helper"], check=True)
    askpass = tmp_path / "askpass"
    askpass.write_text('#!/bin/sh\ncase "$1" in User*) echo ada;; *) echo "open sesame";; esac\n')
    askpass.chmod(0o755)
    monkeypatch.setenv("GIT_ASKPASS", str(askpass))
    assert transport.list_refs(repo, anonymous) == {}
    assert "sesame" not in (repo.path / "config").read_text()
