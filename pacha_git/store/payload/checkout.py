"""Writes the files of a payload into a folder of ours: each checked on the way, all durable at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from pacha_git.progress import Progress
from pacha_git.store.payload.reader import Payload
from pacha_git.system.disk import WriteBack, write_all
from pacha_git.system.folders import make_above

_SYNC_EACH: Final = 64
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Report:
    """Adds up what was written."""

    def __init__(self, progress: Progress | None, what: str, total: int) -> None:
        self._progress, self._what, self._total = progress, what, total
        self._done = 0

    def add(self, count: int) -> None:
        """Tell of so many more bytes."""
        self._done += count
        if self._progress is not None:
            self._progress(self._what, self._done, self._total)


def fill(payload: Payload, folder: Path, report: Report | None = None) -> None:
    """Write all files of a payload below a folder of ours, each checked while it is written, all durable at the end."""
    made = {""}
    few = len(payload.lines) <= _SYNC_EACH
    # Paths as text: for two hundred thousand files, objects would take as long as writing.
    root = f"{folder}/"
    for line, blocks in payload.files():
        make_above(root, line.path, made)
        descriptor = os.open(root + line.path, _NEW, 0o777 if line.mode == "755" else 0o666)
        try:
            if few:
                write_durably(descriptor, blocks, report)
            else:
                _write(descriptor, blocks, report)
        finally:
            os.close(descriptor)
    if not few:
        os.sync()  # one for two hundred thousand files, where one for each would take minutes


def write_durably(descriptor: int, blocks: Iterable[bytes], report: Report | None) -> None:
    """Write a file and have it on the disk, which begins while bytes still come."""
    back = WriteBack(descriptor)
    try:
        _write(descriptor, blocks, report, back.reached)
        back.finish()
    finally:
        back.wait()


def _write(
    descriptor: int, blocks: Iterable[bytes], report: Report | None, reached: Callable[[int], None] = lambda _: None
) -> None:
    written = 0
    for block in blocks:
        write_all(descriptor, [block])
        written += len(block)
        reached(written)
        if report is not None:
            report.add(len(block))
