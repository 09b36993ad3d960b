"""Knows a partial clone of stock Git, which leaves objects with its remote, and the command that completes it."""

from __future__ import annotations

import re
from pathlib import Path

from pacha_git.errors import NotFound


class LeftOut(NotFound):
    """An object that is not here because a partial clone of stock git left it with its remote."""


def promisor(path: Path) -> str | None:
    """Return the remote that a partial clone left objects with; None if the repository is no such clone."""
    try:
        config = (path / "config").read_text("utf-8", "replace")
    except OSError:
        return None
    for section in re.finditer(r'(?im)^\[remote "([^"\n]+)"\]([^\[]*)', config):
        if re.search(r"(?im)^\s*promisor\s*(=\s*(true|yes|on|1)\s*)?$", section[2]):
            return section[1]
    return None


def complete_line(path: Path, remote: str) -> str:
    """Return the command that makes a partial clone whole."""
    return f"git -C {path} fetch --refetch --no-filter {remote}"


def not_here(path: Path, oid: str, hint: str = "") -> NotFound:
    """Tell what to say of an object that a repository does not have."""
    remote = promisor(path)
    if remote is None:
        return NotFound(f"object {oid} is not here", hint=hint)
    said = f"object {oid} is not here: {path} is a partial clone, and {remote} has the rest"
    return LeftOut(said, hint=complete_line(path, remote))
