"""What a client's hooks never see is seen where it is pushed: cherry-picks, rebases, fast-forwards, links, renames."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import InvalidInput
from pacha_git.hooks.install import install_server
from tests.cli.conftest import run_inside
from tests.hooks.test_plain import BAD, GOOD, git, project

__all__ = ["project"]
Push = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def push(project: Path, tmp_path: Path) -> Push:
    """A work tree with one commit, and a bare repository behind it that has the hook; pushes to it."""
    hub = tmp_path / "hub.git"
    git("init", "-q", "--bare", hub)
    git("pacha", "hook", "install", "--server", hub)
    git("remote", "add", "origin", hub)
    git("checkout", "-q", "-b", "main")
    commit({"README.md": "# Hello\n"})
    git("push", "-q", "origin", "main")
    return lambda *words: git("push", "origin", *(words or ("main",)), check=False)


def commit(files: dict[str, str | None]) -> None:
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if text is not None and text.startswith("-> "):
            path.symlink_to(text[3:])
        elif text is not None:
            path.write_text(text)
    git("add", "-A")
    git("commit", "-qnm", "x")


def test_a_bad_one_is_refused_however_its_commit_was_made(push: Push) -> None:
    git("checkout", "-qb", "side")
    commit({"bert.recipe.toml": BAD})
    git("checkout", "-q", "main")
    git("cherry-pick", "side")
    refused = push()
    assert refused.returncode == 1
    assert "bert.recipe.toml:4: hyperparameters.learning_rate" in refused.stderr
    assert push("side:other").returncode == 1
    commit({"bert.recipe.toml": GOOD})
    assert push().returncode == 0


def test_what_was_there_is_nobody_s_fault_and_a_rename_is_looked_at(push: Push, tmp_path: Path) -> None:
    hook = tmp_path / "hub.git/hooks/pre-receive"
    hook.chmod(0o644)
    commit({"old.recipe.toml": BAD, "notes.txt": BAD})
    assert push().returncode == 0
    hook.chmod(0o755)
    commit({"new.txt": "x"})
    assert push().returncode == 0
    assert push("main:branch", "main:refs/tags/v1").returncode == 0
    git("mv", "notes.txt", "notes.recipe.toml")
    git("commit", "-qnm", "renamed")
    assert push().returncode == 1


@pytest.mark.parametrize(
    "files",
    [
        {"train.txt": BAD, "recipe.toml": "-> train.txt"}, {"a/train.txt": BAD, "b/train.toml": "-> ../a/train.txt"},
        {"card.md": "\n\n---\nlicense: [\n---\n"}, {"README.md": "\n---\nbase_model: [\n---\n"},
    ],
)  # fmt: skip
def test_links_and_blank_lines_hide_nothing(push: Push, files: dict[str, str | None]) -> None:
    commit(files)
    assert push().returncode == 1


def test_a_change_behind_a_link_is_looked_at(push: Push) -> None:
    commit(
        {
            "train.txt": GOOD,
            "recipe.toml": "-> train.txt",
            "outside.toml": "-> /etc/hostname",
            "round.toml": "-> round.toml",
        }
    )
    assert push().returncode == 0
    commit({"train.txt": BAD})
    assert push().returncode == 1
    git("pacha", "hook", "install")
    Path("train.txt").write_text(BAD.replace("0", "-1"))
    git("add", ".")
    assert git("commit", "-m", "x", check=False).returncode == 1


def test_deletions_and_other_things_pass(push: Push) -> None:
    git("tag", "blob", git("hash-object", "-w", "README.md").stdout.strip())
    assert push("main:gone", "blob").returncode == 0
    assert push(":gone").returncode == 0


def test_what_the_folder_is_decides(push: Push, project: Path, tmp_path: Path) -> None:
    registry = tmp_path / "registry.git"
    Registry.init(registry)
    assert b"hook run pre-receive |" in install_server(registry).path.read_bytes().replace(b"||", b"|")
    with pytest.raises(InvalidInput, match="no bare repository"):
        install_server(project)
    theirs = tmp_path / "theirs.git"
    git("init", "-q", "--bare", theirs)
    hook = theirs / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho theirs; exit 1\n")
    hook.chmod(0o755)
    said = run_inside("hook", "install", "--server", theirs)
    assert said.code == 0
    assert "pre-receive.chained" in said.err
    refused = git("push", theirs, "main", check=False)
    assert refused.returncode == 1
    assert "theirs" in refused.stderr
    assert os.access(theirs / "hooks/pre-receive.chained", os.X_OK)
