"""What a person told Git: name, email and the keys of ``pacha.*``, as Git itself reads its files where one stands.

It asks git once for all of them and remembers the answer for a moment: a loop of registrations asks once a second.
"""

from __future__ import annotations

import os
import time
from typing import Final

from pacha_git.system.process import CommandFailed, run

_MOMENT_SECONDS: Final = 1.0
_PATTERN: Final = r"^(user\.(name|email)|pacha\..*)$"
_remembered: dict[tuple[str, ...], tuple[float, dict[str, str]]] = {}


def value(key: str) -> str:
    """The last value of a key (``user.name``, ``user.email``, ``pacha.*``, in lower case); empty if there is none."""
    return _values().get(key, "")


def truth(key: str) -> bool:
    """Whether a key says yes, in any of Git's spellings."""
    return key in _values() and value(key).lower() in ("true", "yes", "on", "1", "")


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
    """Where we stand, and the stamps of the files that Git reads there: a change to one of them counts at once."""
    names = ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL")
    home, xdg, said = (os.environ.get(name, "") for name in names)
    files = (f"{home}/.gitconfig", f"{xdg or home + '/.config'}/git/config", said, ".git/config")
    return (os.getcwd(), home, xdg, said, *map(_stamp, files))  # noqa: PTH109 — a loop asks here again and again


def _stamp(path: str) -> str:
    try:
        status = os.stat(path)  # noqa: PTH116 — as above
    except OSError:
        return ""
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def _asked() -> dict[str, str]:
    try:
        listed = run(["git", "config", "-z", "--get-regexp", _PATTERN]).stdout.decode("utf-8", "replace")
    except CommandFailed:
        return {}
    found: dict[str, str] = {}
    for entry in listed.split("\0"):
        key, _, text = entry.partition("\n")
        if key:
            found[key] = text
    return found
