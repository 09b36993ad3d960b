"""Where the seconds of one registration go: ``python -m benchmarks.register_parts FILE``.

Of each part the seconds of the cores that its thread took, system included, and by the clock: what a part waits for the
interpreter's lock, for a core or for another part is the difference.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import environment
from pacha_git.chunking.cutter import Window
from pacha_git.git.packs import part as packpart
from pacha_git.git.packs import stream as packstream
from pacha_git.store.payload import writer as payload_writer


class Parts:
    """Adds up what functions take, whichever thread calls them."""

    def __init__(self) -> None:
        self.spent: dict[str, tuple[float, float]] = {}

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, its seconds counted under a name."""

        def counted(*args: Any, **named: Any) -> Any:
            clock, cores = time.perf_counter(), time.thread_time()
            try:
                return call(*args, **named)
            finally:
                wall, cpu = self.spent.get(name, (0.0, 0.0))
                self.spent[name] = wall + time.perf_counter() - clock, cpu + time.thread_time() - cores

        return counted

    def watch(self, name: str, place: object, attribute: str) -> None:
        """Count what an attribute of a module or class is called for."""
        setattr(place, attribute, self.timed(name, getattr(place, attribute)))


def main() -> None:
    """Register the file in an empty registry, and tell."""
    file = Path(sys.argv[1])
    parts = Parts()
    cut = payload_writer.chunks

    def chunks(*args: Any) -> Iterator[Window]:
        windows = cut(*args)
        step = parts.timed("read and cut", lambda: next(windows, None))
        while (window := step()) is not None:
            yield window

    payload_writer.chunks = chunks  # type: ignore[attr-defined]
    store = packstream.PackStream.store

    def stored(stream: packstream.PackStream, windows: Any, tap: Any = None) -> Any:
        return store(stream, windows, tap and parts.timed("BLAKE3 of the file", tap))

    packstream.PackStream.store = stored  # type: ignore[method-assign]
    parts.watch("BLAKE3 of chunks", packstream, "_digests")
    parts.watch("SHA-1 of objects, compress or store, CRC-32", packstream, "_prepared")
    parts.watch("write to the page cache", packpart, "write_all")
    parts.watch("SHA-1 of the pack", packpart.WriteBehind, "_hash")
    from pacha_git import Registry

    with tempfile.TemporaryDirectory(prefix="pacha-bench-") as folder:
        os.environ.update(environment(Path(folder)))
        registry = Registry.init(Path(folder) / "registry.git")
        clock, cores = time.perf_counter(), time.process_time()
        registry.models.register("m", file, version="1.0.0")
        wall, cpu = time.perf_counter() - clock, time.process_time() - cores
    parts.spent["all else: Python, waking threads, refs"] = 0.0, cpu - sum(cores for _, cores in parts.spent.values())
    print(f"{'':<44}{'cores':>8}{'clock':>8}")
    for name, (clock, cores) in {**parts.spent, "all": (wall, cpu)}.items():
        print(f"{name:<44}{cores:>6.2f} s{f'{clock:>6.2f} s' if clock else ''}")


if __name__ == "__main__":
    main()
