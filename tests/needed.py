"""Programs that the tests use and that pip can't install: the one place that skips a test, and says how to get them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_SERVERS = "/usr/local/sbin:/usr/sbin:/sbin"
_GIT_COMPLETION = Path("/usr/share/bash-completion/completions/git")


def program(name: str, package: str) -> str:
    """Find a program; a server may lie outside a user's PATH."""
    found = shutil.which(name) or shutil.which(name, path=_SERVERS)
    return found or _missing(name, package)


def git_completion() -> Path:
    """Find the completion of git itself, for bash."""
    return _GIT_COMPLETION if _GIT_COMPLETION.exists() else _missing("git's completion for bash", "git bash-completion")


def _missing(what: str, package: str) -> NoReturn:
    # Who tries this on a machine of his own need not have nginx; what runs for us installs all, and fails on a skip.
    pytest.skip(f"{what} is not installed: apt-get update && apt-get install {package}")
