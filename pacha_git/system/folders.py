"""Walks, makes and removes folders of any depth: what the standard library does by recursion fails at a thousand."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def entries(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Tell what lies below a folder, at any depth, with its path there and its own stat; in one order, folders first.

    Raises:
        OSError: a folder can't be read.
    """
    below = [""]
    while below:
        prefix = below.pop()
        with os.scandir(f"{folder}/{prefix}") as scanned:
            found = sorted(scanned, key=lambda entry: entry.name)
        for entry in found:
            status = entry.stat(follow_symlinks=False)
            yield prefix + entry.name, status
            if stat.S_ISDIR(status.st_mode):
                below.append(f"{prefix}{entry.name}/")


def make_above(root: str, path: str, made: set[str]) -> None:
    """Make the folders that a path below a root lies in; ``made`` has those that are there, and gains these."""
    at = path.rfind("/")
    missing = []
    while at > 0 and path[:at] not in made:
        missing.append(path[:at])
        at = path.rfind("/", 0, at)
    for folder in reversed(missing):
        os.makedirs(root + folder, exist_ok=True)  # noqa: PTH103 — one level each time, and it may be there
        made.add(folder)


def remove(folder: Path) -> None:
    """Remove a folder of ours and all that is in it, as far as it can be; read-only folders too."""
    if not folder.is_dir() or folder.is_symlink():
        return
    folders = [str(folder)]
    for at in folders:  # grows while it is walked
        with suppress(OSError):
            os.chmod(at, 0o700)  # noqa: PTH101 — paths as text: there may be very many
            with os.scandir(at) as scanned:
                for entry in scanned:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        os.unlink(entry.path)  # noqa: PTH108
    for at in reversed(folders):
        with suppress(OSError):
            os.rmdir(at)  # noqa: PTH106
