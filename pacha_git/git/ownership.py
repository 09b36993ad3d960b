"""Git's own rule of ownership: what somebody else's repository would start, it doesn't start as us.

A git that is told where its repository lies (``--git-dir``) looks at no owner, and ours always is; so we look. The list
of exceptions, ``safe.directory``, is Git's, and is read where Git reads it: never in the repository itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.system.process import CommandFailed, run

# Git's own switch for those who test it.
_TESTED: Final = "GIT_TEST_ASSUME_DIFFERENT_OWNER"
_SCOPES: Final = (b"system", b"global", b"command")


def check_owner(path: Path) -> None:
    """Refuse a repository of somebody else, unless ``safe.directory`` names it.

    Raises:
        PachaError: whose it is, and how to trust it.
    """
    owner = path.stat().st_uid
    if _is_own(owner) or _is_safe(path):
        return
    raise PachaError(
        f"{path} has another owner ({_name(owner)}): its configuration and hooks would run as you",
        hint=f"if you trust them: git config --global --add safe.directory {path}",
    )


def _is_own(owner: int) -> bool:
    if os.environ.get(_TESTED, "").lower() in ("1", "true", "yes", "on"):
        return False
    own = os.geteuid()
    said = os.environ.get("SUDO_UID", "")
    return owner == own or (own == 0 and said.isdigit() and owner == int(said))


def _is_safe(path: Path) -> bool:
    """Tell whether Git's configuration names the folder; as there, an empty value takes back what came before."""
    try:
        argv = ["git", "config", "--show-scope", "--null", "--type=path", "--get-all", "safe.directory"]
        said = run(argv, cwd=Path("/")).stdout
    except CommandFailed:  # it is not set
        return False
    here = {os.fsencode(path.absolute()), os.fsencode(path.resolve())}
    safe = False
    fields = said.split(b"\0")
    for scope, value in zip(fields[::2], fields[1::2], strict=False):
        if scope in _SCOPES:
            safe = bool(value) and (safe or _names(value, here))
    return safe


def _names(value: bytes, here: set[bytes]) -> bool:
    if value == b"*":
        return True
    if value.endswith(b"/*"):
        return any(place.startswith(value[:-1]) for place in here)
    return not here.isdisjoint({value.rstrip(b"/"), os.path.realpath(value)})


def _name(owner: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return f"uid {owner}"
