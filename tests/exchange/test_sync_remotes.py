"""Several remotes: a pull takes from the first that has it, goes on with the next, and leaves a failing one alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pacha_git import NotFound, Registry, RemoteError
from tests.exchange.syncing import bare, clone, model, registry


@pytest.fixture
def here(tmp_path: Path) -> Registry:
    """A registry with m 1.0.0, pushed to a hub without its bytes and to a backup with them."""
    made = registry(tmp_path, "here", bare(tmp_path / "hub.git"))
    made.add_remote("backup", str(bare(tmp_path / "backup.git")))
    model(made, "m", "1.0.0")
    made.push("origin", payload="none")
    made.push("backup")
    return made


@pytest.fixture
def there(here: Registry, tmp_path: Path) -> Registry:
    made = clone(tmp_path, "there", tmp_path / "hub.git")
    made.add_remote("backup", str(tmp_path / "backup.git"))
    return made


def test_bytes_come_from_whoever_has_them(there: Registry) -> None:
    with pytest.raises(NotFound, match="not its bytes"):
        there.pull("origin", ["m@1.0.0"])
    pulled = there.pull(specs=["m@1.0.0"])
    assert (pulled.payloads, pulled.warnings) == (1, ())
    assert there.models.get("m").payload == "here"


def test_a_remote_that_fails_is_left_alone_for_a_while(there: Registry, here: Registry, tmp_path: Path) -> None:
    model(here, "m", "2.0.0")
    here.push("backup")
    (tmp_path / "hub.git").rename(tmp_path / "away.git")
    pulled = there.pull(specs=["m@2.0.0"])
    assert (pulled.payloads, pulled.remote) == (1, "backup")
    assert "going on without it" in pulled.warnings[0]
    assert there.pull().warnings == ()  # it was not even asked
    (tmp_path / "away.git").rename(tmp_path / "hub.git")
    assert there.pull().remote == "backup"
    memory = there.path / "pacha/failing.json"
    memory.write_text(json.dumps({"origin": [1, time.time() - 61]}))
    assert there.pull().remote == "origin"
    assert json.loads(memory.read_text()) == {}


def test_a_remote_that_is_named_is_asked_whatever_it_did(there: Registry, tmp_path: Path) -> None:
    (tmp_path / "hub.git").rename(tmp_path / "away.git")
    there.pull()
    for _ in range(2):
        with pytest.raises(RemoteError, match="hub"):
            there.pull("origin")
    (tmp_path / "away.git").rename(tmp_path / "hub.git")
    assert there.pull("origin").remote == "origin"


@pytest.mark.parametrize("memory", ["", "[]", '{"origin": 1}', '{"origin": [1e9, "x"]}', "\0"])
def test_a_memory_that_can_not_be_read_is_none(there: Registry, memory: str) -> None:
    (there.path / "pacha/failing.json").write_text(memory)
    assert there.pull().remote == "origin"


def test_a_pull_that_nobody_answers_names_the_first_remote(there: Registry, tmp_path: Path) -> None:
    (tmp_path / "hub.git").rename(tmp_path / "away.git")
    (tmp_path / "backup.git").rename(tmp_path / "gone.git")
    for _ in range(2):
        with pytest.raises(RemoteError, match=r"origin: .*hub"):
            there.pull()


@pytest.mark.damaged
def test_a_damaged_payload_there_is_taken_from_elsewhere(there: Registry, here: Registry, tmp_path: Path) -> None:
    """The hub says that it has the bytes, and has lost them."""
    here.push("origin")
    for pack in (tmp_path / "hub.git/objects").rglob("*"):
        if pack.is_file():
            pack.chmod(0o644)
            pack.write_bytes(b"")
    pulled = there.pull(specs=["m@1.0.0"])
    assert pulled.payloads == 1
    assert "origin" in pulled.warnings[0]


def test_several_who_look_at_once_in_one_registry(there: Registry, here: Registry, tmp_path: Path) -> None:
    for number in range(2, 6):
        model(here, "m", f"{number}.0.0")
        here.models.stage(f"m@{number}.0.0", "staging")
    here.push("origin")
    model(there, "own", "1.0.0")
    words = [("pull", "origin"), ("fetch", "origin"), ("push", "origin"), ("pull", "origin", "m@1.0.0")]
    command = [sys.executable, "-m", "pacha_git", "--registry", str(there.path)]
    running = [subprocess.Popen([*command, *each], stderr=subprocess.PIPE, text=True) for each in words]
    for process in running:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert len(there.models.list("m")) == 5
    assert there.status().remotes[1].behind == ()
