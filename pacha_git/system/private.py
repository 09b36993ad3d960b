"""Files and folders that are one person's alone: made so, and refused where somebody else could have written them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError

_FOLDER: Final = 0o700
_WRITE: Final = 0o022
_ANY: Final = 0o077


def make_private_folder(base: Path, *names: str) -> Path:
    """Make folders, one within the other, below one that is somebody else's concern; readable by their owner alone.

    Raises:
        PachaError: one is there and is another's, or others can write in it.
        OSError: it can't be made.
    """
    base.mkdir(parents=True, exist_ok=True)
    folder = base
    for name in names:
        folder /= name
        folder.mkdir(mode=_FOLDER, exist_ok=True)
        check_private(folder, folder.lstat())
    return folder


def check_private(path: Path, status: os.stat_result, *, secret: bool = False, ours: bool = True) -> None:
    """Refuse what somebody else owns or can write; of a secret, what others can read.

    Args:
        path: What it is called.
        status: Its stat, of the open file where it is read next.
        secret: Whether nobody else may read it.
        ours: Whether it may not be the system's (root's) either.

    Raises:
        PachaError: with what to do.
    """
    if stat.S_ISLNK(status.st_mode):
        raise PachaError(f"{path} is a link", hint=f"remove it: rm {path}")
    if status.st_uid not in ((os.geteuid(),) if ours else (os.geteuid(), 0)):
        raise PachaError(
            f"{path} has another owner (uid {status.st_uid}), who could change what is in it",
            hint="move it out of the way, or name another place",
        )
    if status.st_mode & (_ANY if secret else _WRITE):
        what, change = ("read", "600") if secret else ("write", "go-w")
        raise PachaError(
            f"others can {what} {path} (its mode is {stat.S_IMODE(status.st_mode):04o})",
            hint=f"chmod {change} {path}" + ("" if secret else ", if all in it is as you left it"),
        )
