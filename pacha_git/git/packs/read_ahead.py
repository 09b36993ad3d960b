"""Reads a sequence of objects from packs ahead of whoever consumes it, in two threads and bounded memory.

It knows places in packs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from pacha_git.errors import Corrupt
from pacha_git.git.packs.pack import PIECE_LIMIT, Location
from pacha_git.gitobjects.oid import Oid

_THREADS: Final = 2
_JOBS_AHEAD: Final = 6
_JOB_OBJECTS: Final = 16
# Two objects wanted one after the other that begin no further apart than this are taken to be neighbours.
_LONGEST_ENTRY: Final = 512 << 10
_UNKNOWN: Final = -1

T = TypeVar("T")
Body = TypeVar("Body")


class _Wanted(NamedTuple):
    oid: Oid
    place: Location | None
    end: int


def read_ahead(
    oids: Iterable[Oid],
    locate: Callable[[Oid], Location | None],
    read: Callable[[Oid], Body],
    work: Callable[[bytes | Body], T],
) -> Iterator[T]:
    """Tell what becomes of the bodies of objects, in the order asked for.

    Args:
        oids: Which.
        locate: Where an object lies, if in a pack; called in the thread of the caller.
        read: Reads one object with all care; called from any thread, for those that can't be read the short way.
        work: Is done to each body by the thread that has read it.

    Raises:
        NotFound, Corrupt: from ``read``.
    """
    jobs: deque[Future[list[T]]] = deque()
    pool = ThreadPoolExecutor(_THREADS, "pack-read")
    try:
        for batch in _batched(_with_ends(oids, locate)):
            jobs.append(pool.submit(_worked, batch, read, work))
            if len(jobs) > _JOBS_AHEAD:
                yield from jobs.popleft().result()
        while jobs:
            yield from jobs.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _with_ends(oids: Iterable[Oid], locate: Callable[[Oid], Location | None]) -> Iterator[_Wanted]:
    """Tell where each begins, and where it ends if the next one begins soon after it."""
    last: tuple[Oid, Location | None] | None = None
    for oid in oids:
        place = locate(oid)
        if last is not None:
            yield _Wanted(*last, _end(last[1], place))
        last = (oid, place)
    if last is not None:
        yield _Wanted(*last, _UNKNOWN)


def _end(place: Location | None, following: Location | None) -> int:
    if place is None or following is None or place.pack is not following.pack:
        return _UNKNOWN
    return following.offset if 0 < following.offset - place.offset <= _LONGEST_ENTRY else _UNKNOWN


def _batched(wanted: Iterator[_Wanted]) -> Iterator[list[_Wanted]]:
    while batch := list(islice(wanted, _JOB_OBJECTS)):
        yield batch


def _worked(batch: list[_Wanted], read: Callable[[Oid], Body], work: Callable[[bytes | Body], T]) -> list[T]:
    return [work(body) for body in _read_batch(batch, read)]


def _read_batch(batch: list[_Wanted], read: Callable[[Oid], Body]) -> list[bytes | Body]:
    bodies: list[bytes | Body] = []
    while len(bodies) < len(batch):
        run = _run(batch, len(bodies))
        found = _read_run(run)
        bodies += (body if body is not None else read(item.oid) for item, body in zip(run, found, strict=True))
    return bodies


def _run(batch: list[_Wanted], start: int) -> list[_Wanted]:
    """From ``start`` on, those that lie side by side."""
    stop = start + 1
    while stop < len(batch) and batch[stop - 1].end != _UNKNOWN:
        stop += 1
    return batch[start:stop]


def _read_run(run: list[_Wanted]) -> list[bytes | None]:
    first, last = run[0].place, run[-1].place
    if first is None or last is None:
        return [None] * len(run)
    pack = first.pack
    known = run if run[-1].end != _UNKNOWN else run[:-1]
    try:
        bodies = pack.read_run(first.offset, [item.end for item in known]) if known else []
        return bodies if known is run else [*bodies, pack.read(last.offset, PIECE_LIMIT)[1]]
    except (OSError, Corrupt):
        return [None] * len(run)
