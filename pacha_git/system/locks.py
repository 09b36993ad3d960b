"""Locks between processes on one machine: they wait, and they die with their holder.

It knows ``flock`` on a file of the registry.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.system.disk import make_folders

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold the lock with others who share it; waits for an exclusive holder to leave."""
    with _held(path, fcntl.LOCK_SH):
        yield


@contextmanager
def exclusive(path: Path, *, wait: bool = True) -> Iterator[int | None]:
    """Hold the lock alone; yields the descriptor that does. With ``wait`` false, None if the lock was not free."""
    with _held(path, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB) as got:
        yield got


@contextmanager
def _held(path: Path, how: int) -> Iterator[int | None]:
    while True:
        descriptor, process = _opened(path), os.getpid()
        try:
            try:
                fcntl.flock(descriptor, how)
            except BlockingIOError:
                yield None
                return
            if _names(path, descriptor):
                yield descriptor
                return
        finally:
            if os.getpid() == process:
                # What was forked off meanwhile has a copy of the descriptor, and would keep the lock.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        make_folders(path.parent)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except PermissionError:
            # Another member of the group made it; to lock it is enough.
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        _open_to_group(path, descriptor)
        return descriptor
    except OSError as error:
        hint = "free some space, then try again" if error.errno in _FULL else "the folder must be writable for you"
        raise PachaError(f"can't lock {path}: {error.strerror}", hint=hint) from None


def _open_to_group(path: Path, descriptor: int) -> None:
    """Let whoever may look into the folder lock the file, whatever the umask of its maker: registries are shared."""
    mode = path.parent.stat().st_mode & 0o666
    status = os.fstat(descriptor)
    if mode & ~status.st_mode:
        with suppress(PermissionError):  # it is another's
            os.fchmod(descriptor, (status.st_mode | mode) & 0o777)


def _names(path: Path, descriptor: int) -> bool:
    """Tell whether the path still names the open file: its last holder may have removed it while we waited."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
