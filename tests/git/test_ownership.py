"""A repository of somebody else is refused as Git refuses it, and taken where Git is told to take it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import PachaError
from tests.cli.conftest import run_inside
from tests.making import put

# What looks at all registries after a test is stock git, which refuses these.
pytestmark = pytest.mark.damaged


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry that Git takes for another's, whose configuration and hooks leave a trace if they run."""
    path = tmp_path / "theirs.git"
    registry = Registry.init(path)
    registry.models.register("m", put(tmp_path / "m.bin"), version="1.0.0")
    trace = f"touch {tmp_path / 'ran'}"
    for key in (
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "gpg.program",
        "core.editor",
        "uploadpack.packObjectsHook",
    ):
        subprocess.run(["git", f"--git-dir={path}", "config", key, trace], check=True)
    for hook in ("pre-receive", "reference-transaction", "post-index-change", "pre-auto-gc"):
        put(path / "hooks" / hook, f"#!/bin/sh\n{trace}\n".encode()).chmod(0o755)
    (tmp_path / "ran").unlink(missing_ok=True)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    return path


COMMANDS = (
    ["stats"], ["model", "list"], ["gc"], ["fsck"], ["doctor"], ["push"],
    ["model", "stage", "m@1.0.0", "-t", "staging"],
    ["model", "rm", "m@1.0.0", "-m", "x"], ["run", "start"], ["init"], ["serve", "--port", "0"], ["status"],
)  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_nothing_of_it_runs_as_us(theirs: Path, tmp_path: Path, words: list[str]) -> None:
    ended = run_inside("--registry", theirs, *words)
    assert ended.code == 1
    first, hint = ended.err.splitlines()
    assert str(theirs) in first
    assert "owner" in first
    assert f"git config --global --add safe.directory {theirs}" in hint
    assert not (tmp_path / "ran").exists()


def add(value: str) -> None:
    subprocess.run(["git", "config", "--global", "--add", "safe.directory", value], check=True)


@pytest.mark.parametrize(
    ("values", "safe"),
    [
        (lambda path: [str(path)], True), (lambda path: ["*"], True), (lambda path: [f"{path.parent}/*"], True),
        (lambda path: [f"{path}/"], True), (lambda path: [str(path.parent)], False), (lambda path: [f"{path}x"], False),
        (lambda path: [str(path), ""], False), (lambda path: ["", str(path)], True), (lambda path: ["/x/*"], False),
    ],
)  # fmt: skip
def test_safe_directory_is_read_as_git_reads_it(
    theirs: Path, values: Callable[[Path], list[str]], safe: bool, home: Path
) -> None:
    for value in values(theirs):
        add(value)
    if safe:
        assert [info.name for info in Registry.open(theirs).models.list()] == ["m"]
    else:
        with pytest.raises(PachaError, match="another owner"):
            Registry.open(theirs)
    stock = subprocess.run(["git", "-C", theirs, "rev-parse", "--git-dir"], capture_output=True, check=False)
    if not any(value.endswith("/*") or value == f"{theirs}/" for value in values(theirs)):  # newer than our least Git
        assert (stock.returncode == 0) is safe


def test_what_the_repository_says_of_itself_does_not_count(theirs: Path) -> None:
    subprocess.run(["git", f"--git-dir={theirs}", "config", "safe.directory", "*"], check=True)
    with pytest.raises(PachaError, match="another owner"):
        Registry.open(theirs)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_that_was_given_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.git"
    Registry.init(path)
    os.chown(path, 12345, -1)
    with pytest.raises(PachaError, match="12345"):
        Registry.open(path)
    monkeypatch.setenv("SUDO_UID", "12345")
    assert Registry.open(path).path == path
    os.chown(path, os.geteuid(), -1)
