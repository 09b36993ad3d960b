"""Looks whether a program is at work in a folder: what a killed one left there may go only if none is.

Linux tells by ``/proc`` what each process has open, where it stands, and with which words it was started.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
# Others write there from machines whose processes nobody here sees.
_REMOTE: Final = ("nfs", "cifs", "smb", "9p", "fuse", "ceph", "gluster", "lustre", "afs", "gpfs", "beegfs")


def unseen(folder: Path) -> str:
    """Tell why nobody here can tell who is at work in a folder; empty if one can."""
    if not (_PROC / "self/fd").is_dir():
        return "this system does not tell which programs are at work"
    if not (_PROC / "1").is_dir():
        return "this system hides the programs of others"
    kind = _file_system(folder)
    if kind.startswith(_REMOTE):
        return f"it lies on {kind}, and other machines may write there"
    return ""


def _file_system(folder: Path) -> str:
    """Return the type of the file system that a folder lies on."""
    best, kind = "", ""
    target = str(folder.resolve())
    with suppress(OSError):
        for line in (_PROC / "self/mounts").read_text("utf-8", "replace").splitlines():
            fields = line.split(" ")
            if len(fields) < 3:
                continue
            place = fields[1].replace("\\040", " ")
            inside = target == place or target.startswith(place.rstrip("/") + "/")
            if inside and len(place) >= len(best):
                best, kind = place, fields[2]
    return kind


def at_work_in(folder: Path) -> bool:
    """Whether a process other than this one and its children has something of a folder open, stands in it or names it.

    One of another user that can't be looked at counts, if it is a git.
    """
    own = os.getpid()
    words = os.fsencode(folder.absolute()), os.fsencode(folder.resolve())
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != own and not _is_child(entry, own) and _is_there(entry, words):
            return True
    return False


def _is_child(process: Path, of: int) -> bool:
    with suppress(OSError):
        status = (process / "stat").read_bytes()
        return int(status.rpartition(b")")[2].split()[1]) == of
    return False


def _is_there(process: Path, words: tuple[bytes, bytes]) -> bool:
    try:
        said = (process / "cmdline").read_bytes()
        name = (process / "comm").read_bytes().strip()
    except OSError:
        return False  # it ended meanwhile
    if name.startswith(b"git") and any(word in said for word in words):
        return True
    try:
        places = [os.fsencode(os.readlink(process / "cwd"))]  # noqa: PTH115 — as bytes, and a thousand of them
        for fd in os.listdir(process / "fd"):  # noqa: PTH208 — likewise
            with suppress(FileNotFoundError):
                places.append(os.fsencode(os.readlink(process / "fd" / fd)))  # noqa: PTH115 — likewise
    except FileNotFoundError:
        return False
    except OSError:
        return name.startswith(b"git")
    if not name.startswith(b"git"):
        places = places[1:]  # a shell may stand there for hours
    return any(place == word or place.startswith(word + b"/") for place in places for word in words)
