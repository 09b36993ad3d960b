"""Hashes the files of many payloads together, so that a chunk which several of them have is read once.

It decides the order of reading from trees alone and in bounded memory; what is wrong with a file that is not sound, it
refuses to know.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple, TypeAlias

import blake3

from pacha_git.errors import PachaError
from pacha_git.git.repo import GitRepository
from pacha_git.names import Oid
from pacha_git.store.payload_check import FileKey, key_of, pieces_of
from pacha_git.store.payload_reader import Payload

Piece: TypeAlias = tuple[Oid, int]

_MOST_PIECES: Final = 1_000_000


def sound_files(
    repo: GitRepository, payloads: Iterable[Payload], progress: Callable[[int], None] | None = None
) -> set[FileKey]:
    """Read and hash all files of payloads.

    Args:
        repo: Where they lie.
        payloads: Which.
        progress: Is told how many bytes were read so far.

    Returns:
        The files that are what their manifests say. Why another is not, checking it by itself will tell.
    """
    sound: set[FileKey] = set()
    files: dict[FileKey, list[Piece]] = {}
    count = 0
    for payload in payloads:
        for key, pieces in _pieces(repo, payload, sound):
            if key not in files:
                files[key] = pieces
                count += len(pieces)
        if count >= _MOST_PIECES:
            sound |= _hashed(repo, files, progress)
            files, count = {}, 0
    return sound | _hashed(repo, files, progress)


def _pieces(repo: GitRepository, payload: Payload, sound: set[FileKey]) -> Iterator[tuple[FileKey, list[Piece]]]:
    try:
        for line in payload.lines:
            if key_of(line) not in sound:
                yield key_of(line), pieces_of(repo, line)
    except PachaError:
        return  # whoever checks it by itself will meet this again


def _hashed(
    repo: GitRepository, files: dict[FileKey, list[Piece]], progress: Callable[[int], None] | None
) -> set[FileKey]:
    keys, pieces = list(files), list(files.values())
    digests = [blake3.blake3() for _ in keys]
    left = [len(each) for each in pieces]
    wrong: set[int] = set()
    sound: set[FileKey] = set()
    steps: deque[Step] = deque()
    done = 0
    try:
        for block in repo.read_blobs(_read_in_order(reading_order(pieces), steps)):
            done += len(block)
            for take in steps.popleft().takes:
                left[take.file] -= take.times
                if take.size != len(block):
                    wrong.add(take.file)
                for _ in range(take.times):
                    digests[take.file].update(block)
                if not left[take.file] and digests[take.file].hexdigest() == keys[take.file][0]:
                    sound.add(keys[take.file])
            if progress is not None:
                progress(done)
    except PachaError:
        pass  # a chunk is damaged or missing: files that have it, and those not finished, are not said to be sound
    return sound - {keys[file] for file in wrong}


class Take(NamedTuple):
    """A file that takes a chunk: which, of what size it must be, and how many times in a row."""

    file: int
    size: int
    times: int


class Step(NamedTuple):
    """A chunk to read, and who takes it."""

    oid: Oid
    takes: list[Take]


def _read_in_order(order: Iterable[Step], steps: deque[Step]) -> Iterator[Oid]:
    for step in order:
        steps.append(step)
        yield step.oid


def reading_order(files: Sequence[Sequence[Piece]]) -> Iterator[Step]:
    """In which order to read the chunks of files so that each file gets its own in order, and few are read twice.

    A chunk is read when all files that have it still before them wait for it. Versions of which one is the other with
    insertions, deletions or changes never wait for one another in a ring, so each chunk is read once. Where there is
    such a ring (the same chunks in another order), the file that is furthest behind goes on.
    """
    runs = [[(piece, len(list(same))) for piece, same in groupby(pieces)] for pieces in files]
    ahead = Counter(oid for each in runs for (oid, _), _ in each)
    at = [0] * len(runs)
    waiting: dict[Oid, list[int]] = {}
    behind = [(0, file) for file, each in enumerate(runs) if each]
    ready: list[Oid] = []

    def wait(file: int) -> None:
        if at[file] < len(runs[file]):
            oid = runs[file][at[file]][0][0]
            waiting.setdefault(oid, []).append(file)
            if len(waiting[oid]) >= ahead[oid]:
                ready.append(oid)

    for file in reversed(range(len(runs))):
        wait(file)
    while waiting:
        oid = ready.pop() if ready else _furthest_behind(behind, at, runs)
        takers = waiting.pop(oid, [])
        if not takers:
            continue
        ahead[oid] -= len(takers)
        takes = []
        for file in takers:
            (_, size), times = runs[file][at[file]]
            takes.append(Take(file, size, times))
            at[file] += 1
            heapq.heappush(behind, (at[file], file))
        yield Step(oid, takes)
        for file in takers:
            wait(file)


def _furthest_behind(behind: list[tuple[int, int]], at: list[int], runs: list[list[tuple[Piece, int]]]) -> Oid:
    """The chunk that the file with the fewest behind it waits for; ``behind`` has old entries, which are dropped."""
    while True:
        count, file = behind[0]
        if count == at[file] and count < len(runs[file]):
            return runs[file][count][0][0]
        heapq.heappop(behind)
