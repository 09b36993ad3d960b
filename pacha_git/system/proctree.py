"""Programs that a program started, and whether they are at work, as Linux tells it in ``/proc``.

Elsewhere it knows of none.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple

# Bytes that went through read and write, sockets and pipes among them, and what a disk was asked for.
_COUNTED: Final = (b"rchar:", b"wchar:", b"read_bytes:", b"write_bytes:")
_TICKS_IN_STAT: Final = slice(11, 13)


class Work(NamedTuple):
    """What some programs have done so far: bytes that they read and wrote, and ticks of a processor."""

    bytes: int = 0
    ticks: int = 0


def family(pid: int) -> list[int]:
    """Return a program and all that it started, as far as they live."""
    found = [pid]
    for one in found:
        with suppress(OSError):
            for task in os.listdir(f"/proc/{one}/task"):  # noqa: PTH208 — asked again and again
                with open(f"/proc/{one}/task/{task}/children", "rb") as file:  # noqa: PTH123
                    found += map(int, file.read().split())
    return found


def work(pids: Iterable[int], name: str) -> Work:
    """Tell what those of the programs have done whose name begins so."""
    total_bytes = total_ticks = 0
    for pid in pids:
        with suppress(OSError, ValueError, IndexError):  # it ended meanwhile
            stat = _read(f"/proc/{pid}/stat")
            called, _, rest = stat.partition(b"(")[2].rpartition(b")")
            if called.startswith(name.encode("ascii")):
                total_ticks += sum(map(int, rest.split()[_TICKS_IN_STAT]))
                lines = (line.split() for line in _read(f"/proc/{pid}/io").splitlines())
                total_bytes += sum(int(amount) for what, amount in lines if what in _COUNTED)
    return Work(total_bytes, total_ticks)


def end_family(pids: Iterable[int]) -> None:
    """End programs for good: what one started may hold the pipes of another that has ended already."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 — asked again and again
        return file.read()
