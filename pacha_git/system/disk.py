"""Bytes on their way to a disk: written whole or not at all, durable, synced while more still come.

Whoever writes a file that others may read goes through ``whole_file`` or ``whole_folder``: what stands under the final
name is complete, whatever was killed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    pass


Buffer: TypeAlias = bytes | bytearray | memoryview

# Sizes and bytes are enough: that a file has its name is what syncing the folder is for.
sync_data: Final = getattr(os, "fdatasync", os.fsync)

TEMPORARY: Final = ".pacha-"
_MOST_PIECES: Final = 512
_GROUP_OF_FOLDER: Final = stat.S_IRWXG | stat.S_ISGID
_GROUP_OF_FILE: Final = stat.S_IRGRP | stat.S_IWGRP
_WRITE_BACK_BYTES: Final = 64 << 20


def write_all(fd: int, pieces: Sequence[Buffer]) -> None:
    """Write all of them: a disk that is nearly full takes a part before it refuses."""
    for start in range(0, len(pieces), _MOST_PIECES):
        views = [memoryview(piece) for piece in pieces[start : start + _MOST_PIECES]]
        while views:
            count = os.writev(fd, views)
            while views and count >= len(views[0]):
                count -= len(views.pop(0))
            if count:
                views[0] = views[0][count:]


@contextmanager
def whole_file(
    target: Path, *, mode: int = 0o666, replace: bool = True, room: Path | None = None, sync: bool = True
) -> Iterator[int]:
    """Yield a file to write; it takes its name, durable, when the block ends well, and is gone when it does not.

    Args:
        target: Its name.
        mode: Less the umask.
        replace: Whether it may take the place of another.
        room: The folder that it is written in; that of ``target`` unless said otherwise.
        sync: Whether to sync it at the end; false where the block does so while it writes.

    Yields:
        Its descriptor.

    Raises:
        FileExistsError: something else has the name, and ``replace`` is false.
        OSError: it can't be written.
    """
    temporary = _beside(target, room)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.fchmod(descriptor, mode & ~umask())
            yield descriptor
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if replace:
            temporary.replace(target)
        else:
            _link(temporary, target)
        sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(target: Path, data: Buffer, *, mode: int = 0o666) -> None:
    """Write a file whole, durable, and in the place of what has its name; raises OSError."""
    with whole_file(target, mode=mode) as descriptor:
        write_all(descriptor, [data])


def _link(temporary: Path, target: Path) -> None:
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the look before is then all there is
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        temporary.replace(target)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield a new folder to fill; it takes its name when the block ends well, and is gone when it does not.

    An empty folder of that name gives way. What is in it is synced by whoever writes it.

    Raises:
        OSError: it can't be made, or another has the name.
    """
    from pacha_git.system.folders import remove  # most commands write no folder

    folder = _beside(target)
    folder.mkdir(0o700)
    try:
        folder.chmod(0o777 & ~umask())
        yield folder
        if target.is_dir() and not target.is_symlink():
            target.rmdir()
        folder.rename(target)
    finally:
        remove(folder)


def _beside(target: Path, room: Path | None = None) -> Path:
    # Not by ``tempfile``, which takes longer to load than most commands take.
    return (room or target.parent) / f"{TEMPORARY}{target.name[:80]}-{os.urandom(6).hex()}"


def umask() -> int:
    """Tell the umask of this process, unchanged where the system tells it: to set it would be seen by other threads."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_bytes().splitlines():
            if line.startswith(b"Umask:"):
                return int(line.split()[1], 8)
    current = os.umask(0o077)
    os.umask(current)
    return current


class WriteBack:
    """Lets the disk begin while bytes still come, so that the last wait is short.

    Args:
        fd: The file; it must stay open until ``wait`` or ``finish`` returns.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._asked = 0
        self._thread: Thread | None = None
        self._error: OSError | None = None

    def reached(self, written: int) -> None:
        """Say how much the file has; starts when it pays and the disk is not at it yet."""
        if written - self._asked >= _WRITE_BACK_BYTES and not (self._thread and self._thread.is_alive()):
            self.start()
            self._asked = written

    def start(self) -> None:
        """Have all that is written so far go to the disk, after what is under way.

        Raises:
            OSError: the disk could not take what was started before.
        """
        self.wait()
        if self._error is not None:
            raise self._error
        self._thread = Thread(target=self._run, name="write-back", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until nothing is under way."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def finish(self) -> None:
        """Return when all that was written is on the disk.

        Raises:
            OSError: the disk could not take it. The kernel tells of a failed write once, so an earlier one counts.
        """
        self.wait()
        sync_data(self._fd)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            sync_data(self._fd)
        except OSError as error:
            self._error = error


def share(path: Path) -> None:
    """Give a group that may write in a folder the same right to what we made in it, whatever our umask.

    Nothing changes where the folder is its owner's alone, or what lies there is somebody else's.
    """
    with suppress(OSError):
        if not os.stat(path.parent).st_mode & stat.S_IWGRP:  # noqa: PTH116 — each new file in a registry asks
            return
        mode = path.stat().st_mode
        wanted = mode | (_GROUP_OF_FOLDER if stat.S_ISDIR(mode) else _GROUP_OF_FILE)
        if wanted != mode:
            path.chmod(stat.S_IMODE(wanted))


def make_folders(folder: Path) -> list[Path]:
    """Make a folder and what is missing above it, each shared as the one that it lies in.

    Returns:
        Those that are new, the highest first.
    """
    missing: list[Path] = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        share(new)
    return missing[::-1]


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that sync no folders
            raise
    finally:
        os.close(fd)


def sync_file_system(path: Path) -> None:
    """Make everything that was written to the file system of ``path`` durable."""
    import ctypes

    descriptor = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) == 0:
            return
    except AttributeError:
        pass  # a system without syncfs
    finally:
        os.close(descriptor)
    os.sync()
