"""What the tests use and pip can't install: the one place that skips a test, and says how to get it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NoReturn

import pytest

RELEASE_BEFORE = "34c05e6"
_SERVERS = "/usr/local/sbin:/usr/sbin:/sbin"
_GIT_COMPLETION = Path("/usr/share/bash-completion/completions/git")


def program(name: str, package: str) -> str:
    """Find a program; a server may lie outside a user's PATH."""
    found = shutil.which(name) or shutil.which(name, path=_SERVERS)
    return found or _missing(name, package)


def git_completion() -> Path:
    """Find the completion of git itself, for bash."""
    return _GIT_COMPLETION if _GIT_COMPLETION.exists() else _missing("git's completion for bash", "git bash-completion")


def release_before(folder: Path) -> Path:
    """Build the wheel of the release before from this repository's history; the folder to put first on PYTHONPATH."""
    repository = Path(__file__).resolve().parent.parent
    command = ["git", "-C", repository, "archive", "--format=tar", RELEASE_BEFORE]
    archived = subprocess.run(command, capture_output=True)
    if archived.returncode:
        pytest.skip(
            f"the release before is not in this clone's history: git fetch --unshallow, or fetch {RELEASE_BEFORE}"
        )
    source = folder / "source"
    source.mkdir()
    subprocess.run(["tar", "x", "-C", source], input=archived.stdout, check=True)
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*wheel, "--wheel-dir", folder, source], check=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as opened:
        opened.extractall(folder / "site")
    return folder / "site"


def _missing(what: str, package: str) -> NoReturn:
    # Who tries this on a machine of his own need not have nginx; what runs for us installs all, and fails on a skip.
    pytest.skip(f"{what} is not installed: apt-get update && apt-get install {package}")
