"""In which order to read the chunks of many files so that each file gets its own in order, and few are read twice.

It knows files as sequences of numbers.
"""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

Numbers = Sequence[int]

_NEVER_SEEN: Final = -2
_SEVERAL: Final = -1


def joined(files: Sequence[Numbers], sizes: Numbers, most: int) -> tuple[list[Numbers], list[Numbers]]:
    """Join chunks that follow one another wherever they are into runs, which are then as good as single chunks.

    Args:
        files: Each the numbers of its chunks.
        sizes: The bytes of each chunk, by number.
        most: How many bytes a run may have; a chunk by itself may have more.

    Returns:
        The runs, each the numbers of its chunks; and the files, each the numbers of its runs.
    """
    before, after = _neighbours(files, len(sizes))
    runs: list[Numbers] = []
    begins = array("q", [_NEVER_SEEN]) * len(sizes)
    for chunk, previous in enumerate(before):
        if previous == _NEVER_SEEN or (previous >= 0 and after[previous] == chunk):
            continue  # in no file, or within a run
        for run in _cut_up(chunk, before, after, sizes, most):
            begins[run[0]] = len(runs)
            runs.append(run)
    return runs, [_in_runs(file, begins, runs) for file in files]


def _neighbours(files: Sequence[Numbers], count: int) -> tuple[array[int], array[int]]:
    """Tell what comes before each chunk and after it, if that is the same chunk wherever it is."""
    before = array("q", [_NEVER_SEEN]) * count
    after = array("q", [_NEVER_SEEN]) * count
    for file in files:
        previous = _SEVERAL
        for chunk in file:
            if before[chunk] != previous:
                before[chunk] = previous if before[chunk] == _NEVER_SEEN else _SEVERAL
            if previous >= 0 and after[previous] != chunk:
                after[previous] = chunk if after[previous] == _NEVER_SEEN else _SEVERAL
            previous = chunk
        if previous >= 0:
            after[previous] = _SEVERAL
    return before, after


def _cut_up(chunk: int, before: array[int], after: array[int], sizes: Numbers, most: int) -> Iterator[Numbers]:
    """Yield the chunks that always follow one another from this one on, as runs of at most so many bytes."""
    run, size = array("q", [chunk]), sizes[chunk]
    while (following := after[chunk]) >= 0 and before[following] == chunk:
        chunk = following
        if size + sizes[chunk] > most:
            yield run
            run, size = array("q"), 0
        run.append(chunk)
        size += sizes[chunk]
    yield run


def _in_runs(file: Numbers, begins: Numbers, runs: Sequence[Numbers]) -> Numbers:
    found = array("q")
    at = 0
    while at < len(file):
        run = begins[file[at]]
        found.append(run)
        at += len(runs[run])
    return found


class Take(NamedTuple):
    """A file that takes a run, so many times in a row."""

    file: int
    times: int


class Step(NamedTuple):
    """A run to read, and who takes it."""

    run: int
    takes: list[Take]


class _Waiting:
    """How far each file is, and what it waits for."""

    def __init__(self, files: Sequence[Numbers]) -> None:
        repeated = [[(run, sum(1 for _ in same)) for run, same in groupby(file)] for file in files]
        self.runs = [array("q", [run for run, _ in each]) for each in repeated]
        self.times = [array("q", [times for _, times in each]) for each in repeated]
        self.ahead = Counter(run for each in self.runs for run in each)
        self.at = [0] * len(files)
        self.by_run: dict[int, list[int]] = {}
        self.ready: list[int] = []
        self._behind: list[tuple[int, int]] = []

    def wait(self, file: int) -> None:
        """Let a file wait for its next run, if it has one."""
        if self.at[file] < len(self.runs[file]):
            run = self.runs[file][self.at[file]]
            waiting = self.by_run.setdefault(run, [])
            waiting.append(file)
            if len(waiting) >= self.ahead[run]:
                self.ready.append(run)

    def take(self, run: int) -> list[Take]:
        """Let all that wait for a run have it."""
        takers = self.by_run.pop(run, [])
        self.ahead[run] -= len(takers)
        takes = [Take(file, self.times[file][self.at[file]]) for file in takers]
        for file in takers:
            self.at[file] += 1
        return takes

    def furthest_behind(self) -> int:
        """Return the run that the file with the fewest behind it waits for."""
        while self._behind:
            count, file = self._behind[0]
            if count == self.at[file] and count < len(self.runs[file]):
                return self.runs[file][count]
            if count < self.at[file] < len(self.runs[file]):
                heapq.heapreplace(self._behind, (self.at[file], file))
            else:
                heapq.heappop(self._behind)
        self._behind = [(at, file) for file, at in enumerate(self.at) if at < len(self.runs[file])]
        heapq.heapify(self._behind)
        return self.furthest_behind()


def reading_order(files: Sequence[Numbers]) -> Iterator[Step]:
    """In which order to read the runs of files.

    A run is read when all files that have it still before them wait for it. Versions of which one is the other with
    insertions, deletions or changes never wait for one another in a ring, so each run is read once. Where there is
    such a ring (the same runs in another order), the file that is furthest behind goes on.
    """
    waiting = _Waiting(files)
    for file in reversed(range(len(files))):
        waiting.wait(file)
    while waiting.by_run:
        run = waiting.ready.pop() if waiting.ready else waiting.furthest_behind()
        takes = waiting.take(run)
        if takes:
            yield Step(run, takes)
        for take in takes:
            waiting.wait(take.file)
