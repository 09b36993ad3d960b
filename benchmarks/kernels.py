"""What no design over Git can do without, as loops in memory with two threads, each a program of its own.

``python -m benchmarks.kernels register|restore|hash FILE [OUT]``. A pack needs, of every chunk: its cut, BLAKE3, SHA-1,
zlib stream, CRC-32; and one SHA-1 over all that is written, which Git's format asks for and no peer has to pay.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import blake3

from pacha_git.chunking.cutter import chunks
from pacha_git.git.packentry import Prepared, inflate, prepare

_AHEAD = 4


def _prepared(path: Path) -> Iterator[list[Prepared]]:
    size = path.stat().st_size
    with path.open("rb", buffering=0) as file, ThreadPoolExecutor(2) as pool:
        waiting = []
        for window in chunks(file.readinto, size):
            half = len(window.spans) // 2
            for spans in (window.spans[:half], window.spans[half:]):
                waiting.append(pool.submit(_share, window.data, spans))
            while len(waiting) > _AHEAD:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()


def _share(data: memoryview, spans: list[tuple[int, int]]) -> list[Prepared]:
    done = []
    for start, end in spans:
        blake3.blake3(data[start:end]).digest()
        done.append(prepare("blob", data[start:end]))
    return done


def register(path: Path) -> None:
    """Cut, hash and compress as we do, and throw the result away."""
    whole = hashlib.sha1(usedforsecurity=False)
    with ThreadPoolExecutor(1) as pool:
        last = None
        for entries in _prepared(path):
            if last is not None:
                last.result()
            last = pool.submit(whole.update, b"".join(entry.head + entry.deflated for entry in entries))


def restore(path: Path, out: Path) -> tuple[float, float]:
    """Inflate, hash and write what lies ready in memory; returns the seconds of that alone, by clock and by cores."""
    ready = [(entry.deflated, entry.size) for entries in _prepared(path) for entry in entries]
    begin, cores = time.perf_counter(), time.process_time()
    digest = blake3.blake3()
    with out.open("wb", buffering=0) as file, ThreadPoolExecutor(2) as pool:
        for block in pool.map(lambda item: inflate(*item), ready, chunksize=1):
            assert block is not None
            digest.update(block)
            file.write(block)
        os.fsync(file.fileno())
    return time.perf_counter() - begin, time.process_time() - cores


def hash_file(path: Path) -> None:
    """BLAKE3 of the file by two threads."""
    digest = blake3.blake3(max_threads=2)
    with path.open("rb", buffering=0) as file:
        while block := file.read(16 << 20):
            digest.update(block)


def check(path: Path) -> tuple[float, float]:
    """Inflate and hash what lies ready in memory; returns the seconds of that alone, by clock and by cores."""
    ready = [(entry.deflated, entry.size) for entries in _prepared(path) for entry in entries]
    begin, cores = time.perf_counter(), time.process_time()
    digest = blake3.blake3()
    with ThreadPoolExecutor(2) as pool:
        for block in pool.map(lambda item: inflate(*item), ready):
            digest.update(block or b"")
    return time.perf_counter() - begin, time.process_time() - cores


def main() -> None:
    """Run one of them; prints its seconds where only a part of the program counts."""
    what, path, *more = sys.argv[1:]
    if what == "register":
        register(Path(path))
    elif what == "restore":
        print(*restore(Path(path), Path(more[0])))
    elif what == "check":
        print(*check(Path(path)))
    else:
        hash_file(Path(path))


if __name__ == "__main__":
    main()
