"""The tests can't see or touch the machine they run on, and what they leave behind is looked at."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import conftest

ROOT = (
    "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
    "author pacha <pacha@invalid> 0 +0000\ncommitter pacha <pacha@invalid> 0 +0000\n\npacha registry\n"
)


def test_home_is_empty_but_for_an_identity(home: Path) -> None:
    assert Path.home() == home == Path.cwd()
    assert [path.name for path in home.iterdir()] == [".gitconfig"]
    assert not [name for name in os.environ if name.startswith("PACHA_") and not name.startswith("PACHA_TEST_")]
    identity = subprocess.run(["git", "var", "GIT_AUTHOR_IDENT"], capture_output=True, text=True, check=True).stdout
    assert identity.startswith("Ada Tester <ada@example.org> ")
    assert identity.endswith(" +0000\n")


def test_libgit2_reads_the_same_home(home: Path) -> None:
    import pygit2

    (home / ".gitconfig").write_text("[user]\n\tname = Someone Else\n")
    conftest._point_libgit2_at(home)
    assert pygit2.Config.get_global_config()["user.name"] == "Someone Else"


def test_the_real_home_is_out_of_reach() -> None:
    target = Path(conftest.REAL_HOME, ".pacha-git-test")
    for touch in (target.mkdir, target.touch, lambda: target.write_text("here")):
        with pytest.raises(PermissionError, match="real home"):
            touch()
    assert not target.exists()


@pytest.mark.usefixtures("no_identity")
def test_no_identity_means_that_git_refuses() -> None:
    run = subprocess.run(["git", "var", "GIT_AUTHOR_IDENT"], capture_output=True, text=True)
    assert run.returncode != 0


@pytest.mark.damaged
def test_a_broken_registry_is_noticed(registry_path: Path) -> None:
    def git(*arguments: str, stdin: str = "") -> str:
        command = ["git", "-C", str(registry_path), *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout.strip()

    subprocess.run(["git", "init", "-q", "--bare", registry_path], check=True)
    git("hash-object", "-t", "tree", "-w", "--stdin")
    commit = git("hash-object", "-t", "commit", "-w", "--stdin", stdin=ROOT)
    assert commit == "7ff3960e1416db9c357e3d60610358e4e68c69be"
    git("update-ref", "refs/pacha/root", commit)
    assert list(conftest.find_registries(registry_path.parent)) == [registry_path]
    assert not [problem for problem in conftest.check_registry(registry_path) if "fsck" in problem]

    damaged = registry_path / "objects" / commit[:2] / commit[2:]
    damaged.chmod(0o644)
    damaged.write_bytes(b"rot")
    assert [problem for problem in conftest.check_registry(registry_path) if "fsck" in problem]
