"""The most memory that any program took that we started, and any that those started: polled, as Linux tells it.

What getrusage says of children is no use: between fork and exec a child has the memory of its parent.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 0.01
_RESIDENT = re.compile(r"^Rss(?:Anon|File):\s+(\d+) kB", re.MULTILINE)


@dataclass(slots=True)
class Peak:
    """Bytes that the largest one took, pages of mapped files too, and what it was."""

    bytes: int = 0
    command: str = ""


@contextmanager
def watched() -> Iterator[Peak]:
    """Look at all programs below this one while the block lasts."""
    peak = Peak()
    over = threading.Event()

    def watch() -> None:
        own = Path("/proc/self/cmdline").read_bytes()
        while not over.wait(_SECONDS):
            for pid in _below(os.getpid()):
                with suppress(OSError):
                    command = Path(f"/proc/{pid}/cmdline").read_bytes()
                    size = sum(map(int, _RESIDENT.findall(Path(f"/proc/{pid}/status").read_text()))) << 10
                    if size > peak.bytes and command != own:
                        peak.bytes, peak.command = size, command.replace(b"\0", b" ").decode("utf-8", "replace")

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def _below(top: int) -> list[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found = {top}
    while more := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= more
    return sorted(found - {top})
