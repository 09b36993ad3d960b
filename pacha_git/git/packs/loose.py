"""Reads what lies in no pack that our own reader can read: loose objects first, then whatever libgit2 finds.

A loose object is one zlib file, named by what is in it.
"""

from __future__ import annotations

import threading
import zlib
from pathlib import Path
from typing import Any, Final

from pacha_git.errors import REPAIR, Corrupt
from pacha_git.git.partial import not_here
from pacha_git.gitobjects.oid import OID_DIGITS, Oid, git_oid

_TYPES: Final = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}


class OtherObjects:
    """What our own reader of packs leaves to others. It holds no file, so readers may outlive their repository.

    Args:
        git_dir: The repository.
    """

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir
        self._local = threading.local()

    def __call__(self, oid: Oid) -> tuple[str, bytes]:
        """Type and body of an object.

        Raises:
            NotFound: it is not here.
            Corrupt: it is here and can't be read.
        """
        loose = read_loose(self._git_dir / "objects", oid)
        if loose is not None:
            return loose
        import pygit2  # 50 ms to load, and seldom needed

        try:
            number, body = self._library().read(oid)
        except KeyError:
            raise not_here(self._git_dir, oid, REPAIR) from None
        except (pygit2.GitError, ValueError, OSError) as error:
            raise Corrupt(f"object {oid} can't be read: {error}", hint=REPAIR) from None
        return _TYPES[int(number)], body

    def _library(self) -> Any:
        # Opened anew each time: libgit2 keeps its own list of packs, and a stale one lies after a repack.
        import pygit2

        if not getattr(self._local, "windowed", False):
            pygit2.option(pygit2.enums.Option.SET_MWINDOW_SIZE, 16 << 20)
            pygit2.option(pygit2.enums.Option.SET_MWINDOW_MAPPED_LIMIT, 64 << 20)
            self._local.windowed = True
        # Not the repository, which it refuses for extensions that are Git's.
        return pygit2.Odb(str(self._git_dir / "objects"))


def loose_path(objects: Path, oid: Oid) -> Path:
    """Tell where a loose object lies."""
    return objects / oid[:2] / oid[2:]


def read_loose(objects: Path, oid: Oid) -> tuple[str, bytes] | None:
    """Type and body of a loose object; None if there is none of this id.

    Raises:
        Corrupt: it can't be read.
    """
    path = loose_path(objects, oid)
    try:
        packed = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Corrupt(f"object {oid} can't be read: {path}: {error.strerror}", hint=REPAIR) from None
    try:
        head, _, body = zlib.decompress(packed).partition(b"\0")
        kind, size = head.decode("ascii").split(" ")
        if len(body) != int(size):
            raise ValueError("its size is not what its header says")
    except (zlib.error, ValueError) as error:
        raise Corrupt(f"object {oid} is damaged: {error}", hint=REPAIR) from None
    return kind, body


def damaged_loose(objects: Path) -> list[Path]:
    """Return the loose objects whose bytes are not what their names say."""
    bad: list[Path] = []
    for fan in sorted(objects.glob("[0-9a-f][0-9a-f]")):
        for path in sorted(fan.iterdir()):
            if len(path.name) == OID_DIGITS - 2 and not _is_sound(objects, Oid(fan.name + path.name)):
                bad.append(path)
    return bad


def _is_sound(objects: Path, oid: Oid) -> bool:
    try:
        found = read_loose(objects, oid)
    except Corrupt:
        return False
    return found is None or git_oid(*found) == oid
