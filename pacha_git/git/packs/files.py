"""The files that packs consist of while they come to be: temporaries and ``.keep``, each locked by the living process.

It knows names, locks and what must reach the disk. A lock dies with its process, so whatever is found unlocked was
left behind, on whichever machine shares the folder.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.gitobjects.oid import OID_BYTES
from pacha_git.system.disk import sync_folder

TEMPORARY: Final = "tmp_pacha_"
_KEEP_MARK: Final = b"pacha writes: "


class LockedFile:
    """A file made by us, locked as long as it is open.

    Args:
        path: Where; nothing may be there.
        mode: Permissions, before the umask.

    Raises:
        FileExistsError: something is there.
    """

    def __init__(self, path: Path, mode: int) -> None:
        self.path = path
        self.fd = -1
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with suppress(OSError):  # some network file systems have no locks; then nobody sweeps there
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Give up the lock; the file stays."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def discard(self) -> None:
        """Remove the file."""
        with suppress(FileNotFoundError):
            self.path.unlink()
        self.close()

    def rename(self, path: Path) -> None:
        """Give the file another name, replacing what has it."""
        self.path.rename(path)
        self.path = path

    def __del__(self) -> None:
        self.close()


def temporary(folder: Path, suffix: str) -> LockedFile:
    """Make a temporary that whoever may read the folder may read, whatever the umask: registries are shared."""
    mode = folder.stat().st_mode & 0o444
    while True:
        file = LockedFile(folder / f"{TEMPORARY}{secrets.token_hex(8)}{suffix}", 0o444)
        # A sweep may have come between making and locking it.
        if os.fstat(file.fd).st_nlink:
            os.fchmod(file.fd, mode)
            return file
        file.close()


def keep(pack: Path, reason: str) -> LockedFile:
    """Protect a pack from every gc and repack, as long as the file is there."""
    file = LockedFile(pack.with_suffix(".keep"), 0o644)
    os.write(file.fd, _KEEP_MARK + reason.encode() + b"\n")
    return file


def adopt(pack: Path, objects: Path, reason: str) -> LockedFile:
    """Move a pack that was checked into a repository, durable and protected before it is seen.

    Returns:
        The ``.keep``, to be discarded when refs hold what is in the pack.
    """
    folder = objects / "pack"
    folder.mkdir(exist_ok=True)
    # A name of its own: a repack that began before must not take ours for one that it has copied.
    target = folder / f"pack-{secrets.token_hex(OID_BYTES)}.pack"
    mode = folder.stat().st_mode & 0o444
    kept = keep(target, reason)
    for source in (pack, pack.with_suffix(".idx")):
        source.chmod(mode)
        with source.open("rb") as file:
            os.fsync(file.fileno())
        source.rename(target.with_suffix(source.suffix))
    sync_folder(folder)
    return kept


def sweep(objects: Path) -> list[Path]:
    """Remove what writers that died left in a repository's ``objects/pack``; those alive lose nothing.

    That is: temporaries, the ``.keep`` of packs that no ref came to hold (gc judges those packs from now on), and packs
    that never got their index.
    """
    removed = []
    for path in sorted((objects / "pack").glob(TEMPORARY + "*")):
        with _if_dead(path) as dead:
            if dead:
                path.unlink()
                removed.append(path)
    for path in sorted((objects / "pack").glob("pack-*.keep")):
        with _if_dead(path) as dead:
            if dead and path.read_bytes().startswith(_KEEP_MARK):
                pack = path.with_suffix(".pack")
                if not path.with_suffix(".idx").exists() and pack.exists():
                    pack.unlink()
                    removed.append(pack)
                path.unlink()
                removed.append(path)
    return removed


@contextmanager
def _if_dead(path: Path) -> Iterator[bool]:
    """Hold the lock of a file; yields whether nobody else had it and the file is still there."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield bool(os.fstat(fd).st_nlink)
    finally:
        os.close(fd)


@contextmanager
def storing(folder: Path) -> Iterator[None]:
    """Turn what the file system refuses into an error for people.

    Raises:
        PachaError: a full disk, no permission, a file that another program removed.
    """
    try:
        yield
    except OSError as error:
        hint = {
            errno.ENOSPC: "free some space, then try again; nothing was changed",
            errno.EDQUOT: "your quota is used up: free some space, then try again; nothing was changed",
            errno.ENOENT: "another program removed it (git gc --prune=now?): try again",
        }.get(error.errno or 0, "nothing was changed")
        raise PachaError(f"can't store in {folder}: {error.strerror or error}", hint=hint) from error
