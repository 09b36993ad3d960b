"""The journal of a live run: points and notes in append-only files beside the registry, until the run is sealed.

It knows files, frames and locks. What a call has written survives the death of the process at once (it is in the
kernel's hands) and a power cut half a second later (a thread calls fsync). Every writer has a file of its own, so
nothing ever interleaves, and a torn tail is the last thing in its file.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pacha_git.errors import Conflict, PachaError
from pacha_git.format.params import metric_name, metric_value, step_value
from pacha_git.store.runs.frames import NAME, NO_STEP, NOTE, ONE, POINT, POINTS, SESSION, VALUES, framed, frames
from pacha_git.system import locks
from pacha_git.system.disk import share, sync_folder

OPEN: Final = "open"
LOCK: Final = "lock"
OWNER: Final = "owner.json"
STAGED: Final = "files"
COPIED: Final = "copied"
FILE_SUFFIX: Final = ".journal"
_SYNC_SECONDS: Final = 0.5
_REUSE_BELOW: Final = 256 << 10
_YES, _NO = b"1", b"0"
_write = os.write
_born = 0  # how many forks lie between the first process and this one


def _forked() -> None:
    global _born
    _born += 1


os.register_at_fork(after_in_child=_forked)


def prepare(folder: Path) -> None:
    """Make a journal's folder if need be, and open it for writers.

    Raises:
        Conflict: somebody is sealing it.
        PachaError: it can't be made.
    """
    try:
        with locks.exclusive(folder / LOCK, wait=False) as free:
            if not free:
                raise _closed(folder)
            _mark(folder, _YES)
        sync_folder(folder.parent)  # what is in the folder is brought to the disk with the first file of a writer
    except FileNotFoundError:
        raise _closed(folder) from None
    except OSError as error:
        raise _unwritable(folder, error) from None


def _unwritable(path: Path, error: OSError) -> PachaError:
    return PachaError(
        f"can't write to {path}: {error.strerror or error}", hint="free some space, or look who may write there"
    )


@contextmanager
def closing(folder: Path) -> Iterator[None]:
    """Keep every writer out while a journal is sealed: what ``write`` acknowledged is in its files, nothing is added.

    If the block raises, writers may go on.
    """
    with locks.exclusive(folder / LOCK):
        _mark(folder, _NO)
        try:
            yield
        except BaseException:
            if folder.is_dir():
                _mark(folder, _YES)
            raise


def _mark(folder: Path, mark: bytes) -> None:
    """Say whether a journal is open, in the one byte that all its writers have mapped."""
    fd = os.open(folder / OPEN, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        share(folder / OPEN)
        os.pwrite(fd, mark, 0)
    finally:
        os.close(fd)


def _mapped(folder: Path) -> mmap.mmap:
    with (folder / OPEN).open("rb") as file:
        return mmap.mmap(file.fileno(), 1, access=mmap.ACCESS_READ)


class JournalWriter:
    """One writer, for all threads of a process; after a fork the child writes to a file of its own.

    Args:
        folder: The journal's, prepared.
        background: Whether a thread takes care of fsync; else every call does.
    """

    def __init__(self, folder: Path, *, background: bool = True) -> None:
        self._folder = folder
        self._background = background
        self._be_born()

    def _be_born(self) -> None:
        # A lock that another thread held when the process forked would never be let go here.
        self._lock = threading.Lock()
        with self._lock:
            self._open()

    def _open(self) -> None:
        self._generation = _born
        self._names: dict[str, int] = {}
        try:
            self._marker = _mapped(self._folder)
            self._fd, self._size = _take_file(self._folder)
        except (FileNotFoundError, ValueError):
            raise _closed(self._folder) from None
        except OSError as error:
            raise _unwritable(self._folder, error) from None
        self._sync = _Sync(self._fd, self._background)
        self._finalizer = weakref.finalize(self, self._sync.end)
        self._append(framed(SESSION))

    def points(self, metrics: Mapping[str, Any], step: Any = None) -> None:
        """Append one value for each metric; all of them, or none if it raises.

        Args:
            metrics: Numbers by name.
            step: A whole number; None is one more than the highest of the metric.

        Raises:
            InvalidInput: a value is no number, or the step no whole number.
            Conflict: the run was sealed.
            PachaError: the disk is full.
        """
        if type(step) is not int or not -(1 << 53) < step < 1 << 53:
            step = NO_STEP if step is None else step_value(step)
        now = time.time_ns() // 1_000_000
        if self._generation != _born:
            self._be_born()
        with self._lock:
            names = self._names
            pairs = []
            for name, value in metrics.items():
                if type(value) is not float:
                    value = metric_value(name, value)
                number = names.get(name)
                pairs.append((self._name(name) if number is None else number, value))
            if len(pairs) == 1:
                body = ONE.pack(VALUES, step, now, *pairs[0])
            else:
                body = POINTS.pack(VALUES, step, now) + b"".join([POINT.pack(*pair) for pair in pairs])
            self._append(framed(body))

    def _name(self, name: str) -> int:
        """Give a metric its number in this file."""
        number = len(self._names)
        self._append(framed(NAME + number.to_bytes(4, "little") + metric_name(name).encode("utf-8")))
        self._names[name] = number
        return number

    def note(self, value: Mapping[str, Any]) -> None:
        """Append a JSON object; errors as ``points``."""
        body = NOTE + json.dumps({"at": time.time_ns() // 1_000_000, **value}, allow_nan=True).encode("utf-8")
        if self._generation != _born:
            self._be_born()
        with self._lock:
            self._append(framed(body))

    def _append(self, data: bytes) -> None:
        try:
            written = _write(self._fd, data)
        except OSError as error:
            if self._fd < 0:
                raise _let_go(self._folder) from None
            raise _unwritable(self._folder, error) from None
        if written != len(data):
            os.ftruncate(self._fd, self._size)
            raise PachaError(f"can't write to {self._folder}: the disk is full", hint="free some space")
        self._size += written
        # Whoever seals clears the marker first and reads then: while it stands, what we wrote will be read.
        if self._marker[:1] != _YES:
            raise _closed(self._folder)
        if self._background:
            self._sync.dirty = True
        else:
            os.fsync(self._fd)

    def sync(self) -> None:
        """Bring to the disk what was written so far."""
        self._sync.bring()

    def close(self) -> None:
        """Make all of it durable and leave the file to others."""
        with self._lock:
            self._fd = -1  # the number may soon be that of another file
            if self._generation == _born:
                self._finalizer()


def _closed(folder: Path) -> Conflict:
    return Conflict(
        f"run {folder.name} is sealed: nothing can be logged to it any more",
        hint="start another: git pacha run start",
    )


def _let_go(folder: Path) -> Conflict:
    return Conflict(
        f"run {folder.name} was ended or let go of here: nothing is logged to it any more",
        hint="if it has not ended, go on with it: registry.run(resume=ID)",
    )


def _take_file(folder: Path) -> tuple[int, int]:
    """Return a file that no other writer has, and its size; what a dead one left torn is cut off."""
    number = 0
    while True:
        number += 1
        path = folder / f"{number:06}{FILE_SUFFIX}"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except PermissionError:
            if not path.exists():
                raise
            continue  # of another member of the group, from a time when it was theirs alone
        share(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            size = os.fstat(fd).st_size
            if size < _REUSE_BELOW:
                sound = _sound_length(os.pread(fd, size, 0))
                if sound < size:
                    os.ftruncate(fd, sound)
                sync_folder(folder)
                return fd, sound
        except BlockingIOError:
            pass  # another writer has it
        os.close(fd)


def _sound_length(data: bytes) -> int:
    return max((end for _, end in frames(data)), default=0)


class _Sync:
    """Brings a file to the disk, twice a second while something is new."""

    def __init__(self, fd: int, background: bool) -> None:
        self.dirty = False
        self._fd = fd
        self._generation = _born
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        if background:
            self._thread = threading.Thread(target=self._work, name="pacha journal", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while not self._ended.wait(_SYNC_SECONDS):
            self.bring()

    def bring(self) -> None:
        """Bring the file to the disk, if anything is new."""
        if self.dirty:
            self.dirty = False
            try:
                os.fsync(self._fd)
            except OSError:
                self.dirty = True  # said by the next write, which fails too

    def end(self) -> None:
        """Bring the last of it, and close the file."""
        if self._generation != _born:
            return  # a child of fork: the file is the parent's
        self._ended.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self.bring()
        os.close(self._fd)
