"""Looks whether what a registry promises is in force here: that of ``init --shared``, and that all objects are at hand.

It asks Git itself where it looks for hooks, as the account that runs it; another account may have other settings.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pacha_git.git.partial import complete_line, promisor
from pacha_git.git.repo import GitRepository
from pacha_git.session.results import Finding
from pacha_git.system.disk import share
from pacha_git.system.process import CommandFailed

_HOOK: Final = "pre-receive"
_OURS: Final = b"git-pacha hook run pre-receive"
_PROGRAM: Final = "git-pacha"
# What every member writes; objects are Git's, and each is written once.
_WRITTEN: Final = ("pacha", "refs", "hooks")
_FEW: Final = 3


def shared_promises(repo: GitRepository) -> list[Finding]:
    """Tell what ``init --shared`` promised, as it is now; nothing of a registry that is its owner's alone."""
    if not _is_shared(repo):
        return []
    return [_hook(repo), _rights(repo.path)]


def whole(repo: GitRepository) -> Finding:
    """Tell whether a stock clone left objects with its remote."""
    remote = promisor(repo.path)
    if remote is None:
        return Finding("clone", "ok", "no partial clone of stock git")
    said = f"a partial clone of stock git: {remote} has what is missing here"
    return Finding("clone", "problem", said, complete_line(repo.path, remote))


def _is_shared(repo: GitRepository) -> bool:
    try:
        said = repo.git_text("config", "--get", "core.sharedRepository")
    except CommandFailed:
        return False
    return said.lower() not in ("", "false", "umask", "0", "no", "off")


def _hook(repo: GitRepository) -> Finding:
    """Tell whether the hook that keeps what is pushed is the one that Git runs."""
    again = f"git pacha init --shared {repo.path}"
    place = Path(os.path.abspath(repo.path / repo.git_text("rev-parse", "--git-path", "hooks")))  # noqa: PTH100
    hook = place / _HOOK
    if place.resolve() != (repo.path / "hooks").resolve():
        return Finding(
            "hook", "problem", f"Git looks for hooks in {place}: {_HOOK} does not run", _setting(repo, again)
        )
    try:
        ours = _OURS in hook.read_bytes()
    except OSError:
        ours = False
    if not ours or not os.access(hook, os.X_OK):
        return Finding("hook", "problem", f"{hook} is missing, or is not ours: pushes are not checked", again)
    if shutil.which(_PROGRAM) is None:
        said = f"{_PROGRAM} is not on PATH here: a push to this account is not checked"
        return Finding("hook", "problem", said, f"put {_PROGRAM} on the PATH of the account that serves")
    return Finding("hook", "ok", "pushes are checked by the hook of this registry")


def _setting(repo: GitRepository, again: str) -> str:
    """Tell what to do about ``core.hooksPath``, by where it was set."""
    try:
        origin = repo.git_text("config", "--show-scope", "--get", "core.hooksPath").partition("\t")[0]
    except CommandFailed:
        return again
    return "unset core.hooksPath where it is given (git -c, GIT_CONFIG_COUNT)" if origin == "command" else again


def _rights(path: Path) -> Finding:
    """Tell whether the group may write what every member writes; what is ours and is not, is put right."""
    closed = [place for name in _WRITTEN for place in _below(path / name) if _is_closed(place)]
    for place in closed:
        share(place)
    left = [place for place in closed if _is_closed(place)]
    if left:
        few = ", ".join(str(place.relative_to(path)) for place in left[:_FEW])
        more = f" and {len(left) - _FEW} more" if len(left) > _FEW else ""
        said = f"the group can't write {few}{more}"
        return Finding("group", "problem", said, f"as their owner: chmod -R g+rwX {path}")
    if closed:
        return Finding("group", "fixed", f"let the group write {len(closed)} files and folders")
    return Finding("group", "ok", "the group may write what every member writes")


def _below(place: Path) -> Iterator[Path]:
    if place.is_symlink() or not place.exists():
        return
    yield place
    if place.is_dir():
        for inner in sorted(place.iterdir()):
            yield from _below(inner)


def _is_closed(place: Path) -> bool:
    try:
        mode = place.stat().st_mode
    except OSError:
        return False  # it went meanwhile
    wanted = stat.S_IRWXG if stat.S_ISDIR(mode) else stat.S_IRGRP | stat.S_IWGRP
    return mode & wanted != wanted
