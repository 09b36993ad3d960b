"""What a person told Git: name, email and the keys of ``pacha.*``, as Git itself reads its files where one stands.

It asks git once for all of them and remembers the answer for a moment: a loop of registrations asks once a second.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.system.environment import settings_given
from pacha_git.system.process import CommandFailed, run

_MOMENT_SECONDS: Final = 1.0
_PATTERN: Final = r"^((user|author)\.(name|email)|pacha\..*)$"
_UNSET: Final = 1
_remembered: dict[tuple[str, ...], tuple[float, dict[str, str]]] = {}


def value(key: str) -> str:
    """Return the last value of a key (``user.*``, ``author.*``, ``pacha.*``, in lower case); empty if there is none."""
    return _values().get(key, "")


def truth(key: str) -> bool:
    """Tell whether a key says yes, in any of Git's spellings."""
    return key in _values() and value(key).lower() in ("true", "yes", "on", "1", "")


def value_for(repository: Path, key: str) -> str:
    """The last value of a key as Git reads it in a repository, its own configuration too; empty if there is none."""
    try:
        return run(["git", f"--git-dir={repository}", "config", "--get", key]).stdout.decode("utf-8", "replace").strip()
    except CommandFailed:
        return ""


def _values() -> dict[str, str]:
    where = _where()
    now = time.monotonic()
    at, found = _remembered.get(where, (-_MOMENT_SECONDS, {}))
    if now - at >= _MOMENT_SECONDS:
        found = _asked()
        _remembered.clear()
        _remembered[where] = (now, found)
    return found


def _where() -> tuple[str, ...]:
    """Tell where we stand, and the stamps of the files that Git reads there: a change to one of them counts at once."""
    names = ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL")
    home, xdg, said = (os.environ.get(name, "") for name in names)
    files = (f"{home}/.gitconfig", f"{xdg or home + '/.config'}/git/config", said, ".git/config")
    here = os.getcwd()  # noqa: PTH109 — a loop asks here again and again
    return (here, home, xdg, said, *map(_stamp, files), *settings_given())


def _stamp(path: str) -> str:
    try:
        status = os.stat(path)  # noqa: PTH116 — as above
    except OSError:
        return ""
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def _asked() -> dict[str, str]:
    listed = asked("-z", "--get-regexp", _PATTERN) or ""
    found: dict[str, str] = {}
    for entry in listed.split("\0"):
        key, _, text = entry.partition("\n")
        if key:
            found[key] = text
    return found


def asked(*words: str) -> str | None:
    """Tell what ``git config`` answers here; None if the key is not set.

    Where the folder one stands in belongs to no repository that Git can open (a ``.git`` file that leads nowhere), the
    settings of the person count all the same.

    Raises:
        PachaError: Git can't read a file of settings, or make sense of the value.
    """
    try:
        return _config(words, {})
    except CommandFailed as error:
        if "not a git repository" not in error.stderr:
            raise _unreadable(error) from None
    try:
        return _config(words, {"GIT_DIR": os.devnull})
    except CommandFailed as error:
        raise _unreadable(error) from None


def _config(words: tuple[str, ...], env: dict[str, str]) -> str | None:
    try:
        return run(["git", "config", *words], env=env).stdout.decode("utf-8", "surrogateescape")
    except CommandFailed as error:
        if error.status == _UNSET:
            return None
        raise


def _unreadable(error: CommandFailed) -> PachaError:
    said = error.stderr.strip().splitlines() or [error.message]
    return PachaError(
        f"Git can't read its settings: {said[0].removeprefix('fatal: ').removeprefix('error: ')}",
        hint="git config --list --show-origin says where each of them stands",
    )
