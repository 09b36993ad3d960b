"""Puts many new refs straight into ``packed-refs``, in one step, while their locks are held.

It keeps git's protocol: whoever has ``packed-refs.lock`` alone may put another file in the place of ``packed-refs``. It
knows when git would do more than write a value, or would refuse; then it does nothing, and git is to be asked. What the
refs are, it refuses to know.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.git.packedrefs import Snapshot
from pacha_git.git.packfiles import LockedFile, storing, sync_folder
from pacha_git.git.reflocks import PACKED
from pacha_git.names import Oid
from pacha_git.process import CommandFailed, run

_HEADER: Final = b"# pack-refs with: peeled fully-peeled sorted \n"
# What lets git run a hook, give rights to a group, or keep refs elsewhere.
_MORE: Final = r"^(core\.(hookspath|sharedrepository)|hook\..*|extensions\.refstorage)$"
_HOOK: Final = "hooks/reference-transaction"


def add(git_dir: Path, new: Mapping[str, Oid], *, wait_seconds: float) -> bool:
    """Create refs, all at once and durable; their locks are held, and none of them exists.

    Args:
        git_dir: The repository.
        new: Where they stand.
        wait_seconds: How long others may hold the lock of the packed file.

    Returns:
        Whether that was done. Nothing was if git would do more than that, or refuse it.

    Raises:
        PachaError: the disk is full, or the lock was not free in time.
    """
    if not _plain(git_dir, new):
        return False
    lines = sorted((ref.encode("ascii"), oid.encode("ascii")) for ref, oid in new.items())
    until = time.monotonic() + wait_seconds
    with storing(git_dir):
        while True:
            before = _Before(git_dir / "packed-refs")
            try:
                merged = before.merged(lines)
                if merged is None:
                    return False
                done = _replace(git_dir, before, merged, new)
            finally:
                before.close()
            if done is not None:
                return done
            if time.monotonic() > until:
                hint = "if no other program is at work here: git pacha doctor"
                raise PachaError(f"{git_dir / 'packed-refs.lock'} was not free for {wait_seconds:.0f} s", hint=hint)
            time.sleep(random.uniform(0.001, 0.05))


def _plain(git_dir: Path, new: Mapping[str, Oid]) -> bool:
    """Whether all that git does to create these refs is to write down where they stand."""
    folders = {ref.rpartition("/")[0] for ref in new}
    if (git_dir / _HOOK).exists() or any((git_dir / "logs" / folder).exists() for folder in folders):
        return False
    if (git_dir / "packed-refs").is_symlink():
        return False  # the lock of the file that it leads to is another
    git = ["git", f"--git-dir={git_dir}"]
    with suppress(CommandFailed):  # as it ends when there is none of them
        run([*git, "config", "--get-regexp", _MORE])
        return False
    # An object that is not here gets no ref; and of a tag, git writes down what it stands for too.
    asked = b"".join(oid.encode("ascii") + b"\n" for oid in set(new.values()))
    kinds = run([*git, "cat-file", "--batch-check=%(objecttype)"], stdin=asked).stdout
    return set(kinds.splitlines()) == {b"commit"}


class _Before:
    """The file as it stands; as long as it is open, no other file can have its inode."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._data = _HEADER
        with suppress(FileNotFoundError):
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            with os.fdopen(os.dup(self._fd), "rb") as file:
                self._data = file.read()
        self.mode = os.fstat(self._fd).st_mode & 0o777 if self._fd >= 0 else None

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    @property
    def still_there(self) -> bool:
        """Whether it is the file that it was."""
        try:
            now = self._path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return self._fd < 0
        if self._fd < 0:
            return False
        then = os.fstat(self._fd)
        return (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) == (
            then.st_dev, then.st_ino, then.st_size, then.st_mtime_ns,
        )  # fmt: skip

    def merged(self, lines: Collection[tuple[bytes, bytes]]) -> list[bytes] | None:
        """The pieces of the file with lines (ref, oid) put in where they belong; None if that is for git to do."""
        if not (self._data.startswith(_HEADER) and self._data.endswith(b"\n")):
            return None
        old = Snapshot("", self._data)
        if _clash(old, {ref for ref, _ in lines}):
            return None
        pieces: list[bytes] = []
        at = 0
        for start, ref, oid in _places(old, lines):
            if old.ref_at(start) == ref:
                return None
            pieces += (self._data[at:start], oid, b" ", ref, b"\n")
            at = start
        return [*pieces, self._data[at:]]


def _places(old: Snapshot, lines: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[int, bytes, bytes]]:
    """Where each line belongs: the offset of the first one after it. Most stand side by side, so one look will do."""
    start, following = -1, b""
    for ref, oid in lines:
        if start < 0 or (following and following <= ref):
            start = old.first_at_or_after(ref)
            following = old.ref_at(start)
        yield start, ref, oid


def _clash(old: Snapshot, new: Collection[bytes]) -> bool:
    """Whether one would be both a ref and a folder of refs."""
    folders = {ref.rpartition(b"/")[0] for ref in new}
    above = set(folders)
    for folder in folders:
        while folder.count(b"/") > 1:
            folder = folder.rpartition(b"/")[0]
            above.add(folder)
    if above & set(new) or any(old.get(folder.decode("ascii")) is not None for folder in above):
        return True
    for folder in folders:
        block = old.block(folder.decode("ascii") + "/")
        below = re.findall(rb"^[0-9a-f]{40} (" + re.escape(folder) + rb"/[^/\n]+)/", block, re.MULTILINE)
        if not set(below).isdisjoint(new):
            return True
    return False


def _replace(git_dir: Path, before: _Before, pieces: list[bytes], new: Iterable[str]) -> bool | None:
    """Put a file in the place of the one before: whether it could be done; None: not now, somebody else was at it."""
    (git_dir / PACKED).parent.mkdir(exist_ok=True)
    file = LockedFile(git_dir / PACKED, 0o666)
    try:
        if before.mode is not None:
            os.fchmod(file.fd, before.mode)
        with os.fdopen(os.dup(file.fd), "wb") as out:
            out.writelines(pieces)
        os.fsync(file.fd)
        if any(os.path.lexists(f"{git_dir}/{ref}") for ref in new):
            return False  # a folder of refs, or of none
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
