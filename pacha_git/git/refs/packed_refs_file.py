"""Puts another file in the place of ``packed-refs``, in one step and durable, by git's own protocol.

Whoever has ``packed-refs.lock`` alone may do so.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from pacha_git.errors import PachaError
from pacha_git.git import leftovers
from pacha_git.git.packs.files import LockedFile, storing
from pacha_git.git.refs.locks import PACKED
from pacha_git.system.disk import sync_folder

HEADER: Final = b"# pack-refs with: peeled fully-peeled sorted \n"

Make = Callable[[bytes], Sequence[bytes] | None]
"""What the file holds, or would if it existed → the pieces of the next one; None: it is not to be replaced.

It begins with ``HEADER`` and ends with a line end: what else there may be, is left to git.
"""


class PackedRefsBusy(PachaError):
    """Somebody else had the lock of the packed file for too long; nothing was done."""


def replace(
    git_dir: Path,
    make: Make,
    *,
    wait_seconds: float,
    still_right: Callable[[], bool] = lambda: True,
    damaged: bool = False,
) -> bool:
    """Replace the file by what is made of it.

    Args:
        git_dir: The repository.
        make: Asked again when somebody else replaced the file meanwhile.
        wait_seconds: How long others may hold the lock.
        still_right: Asked last, when all is written but nothing is changed.
        damaged: Whether a file that Git would not have written is replaced, too.

    Returns:
        Whether that was done. Nothing was if it was not to be, or can't be done here: git is to be asked then.

    Raises:
        PackedRefsBusy: the lock was not free in time.
        PachaError: the disk is full.
    """
    if (git_dir / "packed-refs").is_symlink():
        return False  # the lock of the file that it leads to is another
    until = time.monotonic() + wait_seconds
    with storing(git_dir):
        while True:
            before = _Before(git_dir)
            try:
                pieces = make(before.data) if before.is_usual or damaged else None
                done = pieces is not None and _put(git_dir, before, pieces, still_right)
            finally:
                before.close()
            if done is not None:
                return done
            leftovers.clear(git_dir, [git_dir / "packed-refs.lock"], alone=True)
            if time.monotonic() > until:
                hint = "if no other program is at work here: git pacha doctor"
                raise PackedRefsBusy(f"{git_dir / 'packed-refs.lock'} was not free for {wait_seconds:.0f} s", hint=hint)
            time.sleep(random.uniform(0.001, 0.05))


class _Before:
    """The file as it stands; as long as it is open, no other file can have its inode."""

    def __init__(self, git_dir: Path) -> None:
        self._path = git_dir / "packed-refs"
        self._file: BinaryIO | None = None
        self.data = HEADER
        with suppress(FileNotFoundError):
            self._file = self._path.open("rb")
            self.data = self._file.read()
        # A group that may read the one may read the other.
        self.mode = ((git_dir / "HEAD").stat() if self._file is None else os.fstat(self._file.fileno())).st_mode & 0o777

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def is_usual(self) -> bool:
        """Whether Git wrote it as it does today, to the end: sorted, and each tag followed by what it leads to."""
        return self.data.startswith(HEADER) and self.data.endswith(b"\n")

    def outdate(self, fd: int) -> None:
        """Let another file be younger: two that follow one another within a tick of the clock must not look alike."""
        then = 0 if self._file is None else os.fstat(self._file.fileno()).st_mtime_ns
        status = os.fstat(fd)
        if status.st_mtime_ns <= then:
            os.utime(fd, ns=(status.st_atime_ns, then + 1))

    @property
    def still_there(self) -> bool:
        """Whether it is the file that it was."""
        try:
            now = self._path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return self._file is None
        if self._file is None:
            return False
        then = os.fstat(self._file.fileno())
        return (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) == (
            then.st_dev, then.st_ino, then.st_size, then.st_mtime_ns,
        )  # fmt: skip


def _put(git_dir: Path, before: _Before, pieces: Sequence[bytes], still_right: Callable[[], bool]) -> bool | None:
    """Put a file in the place of the one before: whether it could be done; None: not now, somebody else was at it."""
    (git_dir / PACKED).parent.mkdir(exist_ok=True)
    file = LockedFile(git_dir / PACKED, 0o666)
    try:
        os.fchmod(file.fd, before.mode)
        with os.fdopen(file.fd, "wb", closefd=False) as out:
            out.writelines(pieces)
        before.outdate(file.fd)
        os.fsync(file.fd)
        if not still_right():
            return False
        lock = git_dir / "packed-refs.lock"
        try:
            # Linked, and not made and then written: others find it taken only for these few lines.
            os.link(file.path, lock)
        except FileExistsError:
            return None
        except OSError:
            return False  # a file system without links
        try:
            if not before.still_there:
                return None
            lock.rename(git_dir / "packed-refs")
        finally:
            _unlock(lock, file)
    finally:
        file.discard()
    sync_folder(git_dir)
    return True


def _unlock(lock: Path, file: LockedFile) -> None:
    """Free the lock as long as it is ours: what has its name once ours became ``packed-refs`` is somebody else's."""
    with suppress(FileNotFoundError):
        if os.path.samestat(lock.stat(follow_symlinks=False), os.fstat(file.fd)):
            lock.unlink()
