"""Puts new refs straight into ``packed-refs``, in one step, while git holds the locks of all of them.

It keeps git's protocol: whoever has ``packed-refs.lock`` alone may put another file in the place of ``packed-refs``. It
knows when git would do more than write a value, and then refuses. What the refs are, it refuses to know.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.git.packedrefs import Snapshot
from pacha_git.git.packfiles import TEMPORARY, LockedFile, storing, sync_folder
from pacha_git.names import Oid
from pacha_git.process import CommandFailed, run

_HEADER: Final = b"# pack-refs with: peeled fully-peeled sorted \n"
# What lets git run a hook, give rights to a group, or keep refs elsewhere.
_MORE: Final = r"^(core\.(hookspath|sharedrepository)|hook\..*|extensions\.refstorage)$"
_HOOK: Final = "hooks/reference-transaction"


def add(git_dir: Path, new: Mapping[str, Oid], *, wait_seconds: float) -> bool:
    """Create refs, all at once and durable; each is locked by git, which has seen that it can be created.

    Args:
        git_dir: The repository.
        new: Where they stand.
        wait_seconds: How long others may hold the lock.

    Returns:
        Whether that was done: nothing was if git would do more than that, or the file is not as git writes it.

    Raises:
        PachaError: the disk is full, or the lock was not free in time.
    """
    if not _plain(git_dir, new):
        return False
    lines = sorted((ref.encode("utf-8", "surrogateescape"), oid.encode("ascii")) for ref, oid in new.items())
    until = time.monotonic() + wait_seconds
    with storing(git_dir):
        while True:
            before = _Before(git_dir / "packed-refs")
            try:
                merged = before.merged(lines)
                if merged is None:
                    return False
                done = _replace(git_dir, before, merged)
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
    logs = {os.path.dirname(ref) for ref in new}  # noqa: PTH120 — no path of the file system
    if (git_dir / _HOOK).exists() or any((git_dir / "logs" / folder).exists() for folder in logs):
        return False
    if (git_dir / "packed-refs").is_symlink():
        return False  # the lock of the file that it leads to is another
    git = ["git", f"--git-dir={git_dir}"]
    with suppress(CommandFailed):  # as it ends when there is none of them
        run([*git, "config", "--get-regexp", _MORE])
        return False
    # Of a tag, git writes down what it stands for too.
    asked = b"".join(oid.encode("ascii") + b"\n" for oid in set(new.values()))
    kinds = run([*git, "cat-file", "--batch-check=%(objecttype)"], stdin=asked).stdout
    return set(kinds.split()) == {b"commit"}


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

    def merged(self, lines: Iterable[tuple[bytes, bytes]]) -> list[bytes] | None:
        """The pieces of the file with lines (ref, oid) put in where they belong; None if it can't be told where."""
        if not self._data.startswith(_HEADER):
            return None
        old = Snapshot("", self._data)
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


def _replace(git_dir: Path, before: _Before, pieces: list[bytes]) -> bool | None:
    """Put a file in the place of the one before: whether it could be done; None: not now, somebody else was at it."""
    name = f"{TEMPORARY}{secrets.token_hex(8)}.refs"
    file = LockedFile(git_dir / "objects" / "pack" / name, 0o666)
    try:
        if before.mode is not None:
            os.fchmod(file.fd, before.mode)
        with os.fdopen(os.dup(file.fd), "wb") as out:
            out.writelines(pieces)
        os.fsync(file.fd)
        lock = git_dir / "packed-refs.lock"
        try:
            # Linked, and not made and then written: who is killed leaves a lock behind only between these few lines.
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
            lock.unlink(missing_ok=True)
    finally:
        file.discard()
    sync_folder(git_dir)
    return True
