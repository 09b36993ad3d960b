"""Bytes on their way to a disk: written whole, and synced while more still come. It has never heard of Git."""

from __future__ import annotations

import os
from collections.abc import Sequence
from threading import Thread
from typing import Final, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

# Sizes and bytes are enough: that a file has its name is what syncing the folder is for.
sync_data: Final = getattr(os, "fdatasync", os.fsync)

_MOST_PIECES: Final = 512
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
