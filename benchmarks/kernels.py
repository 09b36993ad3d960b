"""What no design over Git can do without, as loops in memory with two threads, each a program of its own.

``python -m benchmarks.kernels register|restore|hash|parts FILE [OUT]``, or ``packs FOLDER [TIMES]``. A pack
needs, of every chunk: its cut, BLAKE3, SHA-1, zlib stream, CRC-32; and one SHA-1 over all that is written, which Git's
format asks for and no peer has to pay. ``parts`` says what each step of that takes.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import blake3

from pacha_git.chunking.cutter import chunks
from pacha_git.git.packs.entry import PreparedEntry, inflate, parse_head, prepare
from pacha_git.git.packs.index import PackIndex

_AHEAD = 4
_AT_ONCE = 24


def _prepared(path: Path) -> Iterator[list[PreparedEntry]]:
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


def _share(data: memoryview, spans: list[tuple[int, int]]) -> list[PreparedEntry]:
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
            last = pool.submit(_hash_all, whole, entries)


def _hash_all(whole: hashlib._Hash, entries: Sequence[PreparedEntry]) -> None:
    for entry in entries:
        for piece in entry.pieces:
            whole.update(piece)


def parts(path: Path) -> dict[str, float]:
    """Seconds of one thread for each step of ``register``."""
    steps: dict[str, Callable[[memoryview], object]] = {
        "BLAKE3": lambda body: blake3.blake3(body).digest(),
        "SHA-1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
        "SHA-1, compress, CRC-32": lambda body: prepare("blob", body),
    }
    spent = dict.fromkeys(steps, 0.0)
    begin = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        for window in chunks(file.readinto, path.stat().st_size):
            for name, step in steps.items():
                started = time.perf_counter()
                for start, end in window.spans:
                    step(window.data[start:end])
                spent[name] += time.perf_counter() - started
            window.release()
    return {**spent, "reading and cutting": time.perf_counter() - begin - sum(spent.values())}


def restore(path: Path, out: Path) -> tuple[float, float]:
    """Inflate, hash and write what lies ready in memory; returns the seconds of that alone, by clock and by cores."""
    ready = _ready(path)
    begin, cores = time.perf_counter(), time.process_time()
    digest = blake3.blake3()
    with out.open("wb", buffering=0) as file:
        for blocks in _inflated(ready):
            for block in blocks:
                digest.update(block)
            os.writev(file.fileno(), blocks)
        os.fdatasync(file.fileno())
    return time.perf_counter() - begin, time.process_time() - cores


def _ready(path: Path) -> list[list[tuple[bytes, int]]]:
    """The zlib streams of a file's chunks with their sizes, a MiB or two at a time."""
    entries = [(b"".join(entry.pieces[1:]), entry.size) for found in _prepared(path) for entry in found]
    return [entries[at : at + _AT_ONCE] for at in range(0, len(entries), _AT_ONCE)]


def _inflated(ready: list[list[tuple[bytes, int]]]) -> Iterator[list[bytes]]:
    """Inflate in two threads, a little ahead."""
    with ThreadPoolExecutor(2) as pool:
        waiting: deque[Future[list[bytes]]] = deque()
        for few in ready:
            waiting.append(pool.submit(_inflate_all, few))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _inflate_all(few: list[tuple[bytes, int]]) -> list[bytes]:
    return [body for stream, size in few if (body := inflate(stream, size)) is not None]


def hash_file(path: Path) -> None:
    """BLAKE3 of the file by two threads."""
    digest = blake3.blake3(max_threads=2)
    with path.open("rb", buffering=0) as file:
        while block := file.read(16 << 20):
            digest.update(block)


def packs(folder: Path, times: float) -> tuple[float, float]:
    """Read every entry of the packs in a folder, inflate it, and hash it ``times`` times; returns seconds, as above.

    Entries are read as they lie, a MiB at a time, into the hands of two threads.
    """
    jobs = [job for index in sorted(folder.glob("*.idx")) for job in _jobs(index)]
    begin, cores = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(2) as pool:
        deque(pool.map(lambda job: _read_job(job[0], job[1], times), jobs), maxlen=0)
    return time.perf_counter() - begin, time.process_time() - cores


def _jobs(index: Path) -> Iterator[tuple[int, list[int]]]:
    """Of one pack: its open file, and the places where a MiB of entries begin, with the end of the last."""
    pack = index.with_suffix(".pack")
    found = PackIndex(index)
    places = sorted(map(found.find, found.oids()))
    places.append(pack.stat().st_size - 20)
    file = os.open(pack, os.O_RDONLY)
    start = 0
    for at in range(1, len(places)):
        if places[at] - places[start] >= 1 << 20 or at == len(places) - 1:
            yield file, places[start : at + 1]
            start = at


def _read_job(file: int, places: list[int], times: float) -> None:
    data = memoryview(os.pread(file, places[-1] - places[0], places[0]))
    for start, end in pairwise(places):
        entry = data[start - places[0] : end - places[0]]
        _, size, at = parse_head(entry)
        body = inflate(entry[at:], size)
        assert body is not None
        whole = blake3.blake3(body)
        for _ in range(int(times) - 1):
            whole = blake3.blake3(body)
        whole.update(memoryview(body)[: int((times % 1) * len(body))])
        whole.digest()


def main() -> None:
    """Run one of them; prints its seconds where only a part of the program counts."""
    what, path, *more = sys.argv[1:]
    if what == "register":
        register(Path(path))
    elif what == "restore":
        print(*restore(Path(path), Path(more[0])))
    elif what == "parts":
        for step, seconds in parts(Path(path)).items():
            print(f"{step:<28}{seconds:.2f} s")
    elif what == "packs":
        print(*packs(Path(path), float(more[0]) if more else 1.0))
    else:
        hash_file(Path(path))


if __name__ == "__main__":
    main()
