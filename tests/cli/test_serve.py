"""``serve`` as a program: what it prints, who may push, how it ends."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .conftest import Ended, run_inside

Run = Callable[..., Ended]
TOKEN = "said-by-a-person-0123"

pytestmark = pytest.mark.server


class Serving:
    """The program, serving; ``first`` is what it printed when it was ready."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self.program = program
        assert program.stdout is not None
        with selectors.DefaultSelector() as selector:  # select() knows no descriptor above 1023
            selector.register(program.stdout, selectors.EVENT_READ)
            assert selector.select(30)
        self.first: dict[str, Any] = json.loads(program.stdout.readline())

    @property
    def url(self) -> str:
        return str(self.first["url"])

    def with_token(self, token: str) -> str:
        return self.url.replace("//", f"//me:{token}@")

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.program.send_signal(number)
        out, err = self.program.communicate(timeout=30)
        return self.program.returncode, out, err


@pytest.fixture
def serving(at: Run, registry_path: Path, scripts: Path, tmp_path: Path) -> Callable[..., Any]:
    """Serves a registry that has a model."""
    (tmp_path / "m").write_bytes(b"hello world")
    assert at("model", "register", "m", tmp_path / "m", "-v", "1.0.0").code == 0

    @contextmanager
    def serve(*words: str | Path, **env: str) -> Iterator[Serving]:
        program = subprocess.Popen(
            [scripts / "git-pacha", "--registry", registry_path, "--json", "serve", "--port", "0", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | env,
        )  # fmt: skip
        try:
            yield Serving(program)
        finally:
            program.kill()
            program.communicate()

    return serve


@pytest.fixture
def there(tmp_path: Path) -> Run:
    def run(*words: str | Path) -> Ended:
        return run_inside("--registry", tmp_path / "there.git", *words)

    return run


def test_read_only_by_default(serving: Callable[..., Any], there: Run, tmp_path: Path) -> None:
    with serving() as served:
        assert set(served.first) == {"url", "writable", "private"}
        assert served.url.startswith("http://127.0.0.1:")
        assert there("clone", served.url).code == 0
        assert there("pull", "m@1.0.0").code == 0
        assert there("model", "cat", "m@1.0.0").raw == b"hello world"
        assert there("model", "register", "m", tmp_path / "m", "-v", "2.0.0").code == 0
        refused = there("push", "--json")
        assert refused.code == 1
        assert "served read-only" in refused.error["message"]
        assert "--writable" in refused.error["message"] + refused.error["hint"]
        assert served.end(signal.SIGINT) == (0, "", "")


def test_a_token_is_made_and_printed_once(serving: Callable[..., Any], there: Run, registry_path: Path) -> None:
    with serving("--writable", "--verbose") as served:
        token = served.first["token"]
        assert len(token) >= 32
        assert there("clone", served.url).code == 0
        assert there("model", "stage", "m@1.0.0", "-t", "staging").code == 0
        assert there("push").code == 1
        subprocess.run(["git", "-C", str(there("init", "--json").json["path"]), "config", "http.extraHeader",
                        f"Authorization: Bearer {token}"], check=True)  # fmt: skip
        assert there("push").code == 0
        clone = str(there("init", "--json").json["path"])
        forced = subprocess.run(
            ["git", "-C", clone, "push", "--force", "origin", ":refs/pacha/models/m/1.0.0"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "a version never changes, and never goes" in forced.stderr
        code, out, err = served.end()
        assert code == 0
        assert token not in out + err
    kept = subprocess.run(["grep", "-rF", token, str(registry_path)], capture_output=True, check=False)
    assert kept.stdout == b""
    assert run_inside("--registry", registry_path, "model", "get", "m", "--json").json["stage"] == "staging"


@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_token_that_a_person_chose(serving: Callable[..., Any], there: Run, tmp_path: Path, where: str) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    words = ["--token-file", tmp_path / "token"] if where == "file" else []
    env = {"PACHA_SERVE_TOKEN": TOKEN} if where == "environment" else {}
    with serving("--writable", "--private", *words, **env) as served:
        assert "token" not in served.first
        refused = there("clone", served.url)
        assert refused.code == 1
        assert there("clone", served.with_token("wrong-wrong-wrong-wrong")).code == 1
        assert there("clone", served.with_token(TOKEN)).code == 0
        assert there("model", "alias", "m", "best", "-v", "1.0.0").code == 0
        assert there("push").code == 0
        program = served.program.pid
        inherited = Path(f"/proc/{program}/environ")
        assert served.end()[0] == 0
        assert not inherited.exists()


def test_everybody_is_warned_of(serving: Callable[..., Any], scripts: Path, registry_path: Path) -> None:
    program = subprocess.Popen(
        [scripts / "git-pacha", "--registry", registry_path, "serve", "--port", "0", "--host", "0.0.0.0", "--writable"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert program.stderr is not None
    said = program.stderr.readline() + program.stderr.readline()
    assert "everybody who can reach port" in said
    assert "unencrypted" in said
    program.terminate()
    out, _ = program.communicate(timeout=30)
    assert program.returncode == 0
    assert "token: " in out


@pytest.mark.parametrize(
    "words", [("--port", "70000"), ("--host", "no such host"), ("--writable", "--token-file", "x")]
)
def test_what_can_not_be(at: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    Path("x").write_text("short\n")
    ended = at("serve", *words, "--json")
    assert ended.code in (1, 2)
    assert ended.error["hint"]
