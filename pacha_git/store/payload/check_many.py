"""Hashes the files of many payloads together, so that a chunk which several of them have is read once.

It keeps what is shared in numbers, and so in bounded memory.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final

import blake3

from pacha_git.errors import Corrupt, PachaError
from pacha_git.format.manifest import FileLine
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.store.payload.check import FileKey, key_of, pieces_of_group
from pacha_git.store.payload.reader import Payload
from pacha_git.store.payload.reading_order import Step, Take, joined, reading_order

# What is hashed in one go, by each file that has it: long enough for BLAKE3 at full width, and no longer than what
# stays in a cache of the second level meanwhile.
_RUN_BYTES: Final = 1 << 20
_WORTH_A_THREAD: Final = 1 << 20
# Some 250 bytes of memory for a chunk, and 20 for each of its places in files.
_MOST_CHUNKS: Final = 200_000
_MOST_PLACES: Final = 2_000_000
# To look everywhere for what is missing takes a millisecond.
_MOST_DAMAGES: Final = 1000


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
    batch, done = _ReadBatch(repo), 0
    for payload in payloads:
        batch.add(payload, sound)
        if batch.full:
            found, done = batch.hashed(done, progress)
            sound |= found
            batch = _ReadBatch(repo)
    return sound | batch.hashed(done, progress)[0]


class _ReadBatch:
    """Files that are hashed together, as numbers of their chunks."""

    def __init__(self, repo: GitRepository) -> None:
        self._repo = repo
        self._files: dict[FileKey, array[int]] = {}
        self._numbers: dict[Oid, int] = {}
        self._sizes = array("q")
        self._groups: dict[tuple[Oid, int], array[int]] = {}
        self._places = 0

    @property
    def full(self) -> bool:
        """Whether it has as much as memory should hold."""
        return len(self._sizes) >= _MOST_CHUNKS or self._places >= _MOST_PLACES

    def add(self, payload: Payload, sound: set[FileKey]) -> None:
        """Add the files of a payload but for those that are known to be sound."""
        try:
            lines = payload.lines
        except PachaError:
            return  # whoever checks it by itself will meet this again, and likewise below
        for line in lines:
            key = key_of(line)
            if key in sound or key in self._files:
                continue
            try:
                self._files[key] = self._chunks(line)
            except PachaError:
                continue
            self._places += len(self._files[key])

    def _chunks(self, line: FileLine) -> array[int]:
        assert line.parts is not None
        if line.stored == "blob":
            return array("q", [self._number(line.parts[0][0], line.size)])
        chunks = array("q")
        for part in line.parts:
            if part not in self._groups:
                pieces = pieces_of_group(self._repo, *part)
                self._groups[part] = array("q", [self._number(oid, size) for oid, size in pieces])
            chunks += self._groups[part]
        return chunks

    def _number(self, oid: Oid, size: int) -> int:
        number = self._numbers.setdefault(oid, len(self._sizes))
        if number == len(self._sizes):
            self._sizes.append(size)
        elif self._sizes[number] != size:
            raise Corrupt(f"chunk {oid} is said to have {size} bytes, and elsewhere another number")
        return number

    def hashed(self, done: int, progress: Callable[[int], None] | None) -> tuple[set[FileKey], int]:
        """Read and hash all of it.

        Returns:
            The files that are sound, and how many bytes were read, ``done`` before among them.
        """
        runs, files = joined(list(self._files.values()), self._sizes, _RUN_BYTES)
        hashing = _Hashing(list(self._files), files)
        oids = list(self._numbers)
        steps: deque[Step] = deque()

        def wanted() -> Iterator[Oid]:
            for step in reading_order(files):
                steps.append(step)
                for chunk in runs[step.run]:
                    yield oids[chunk]

        damages = 0
        stream = self._repo.packs.read_sound(wanted())
        with ThreadPoolExecutor(1, "shared-hash") as hashing.pool:
            for first in stream:
                step = steps.popleft()
                run = runs[step.run]
                found = [first, *islice(stream, len(run) - 1)]
                blocks = [block for block in found if block is not None]
                done += sum(map(len, blocks))
                damages += len(found) - len(blocks)
                if damages > _MOST_DAMAGES:
                    break  # what is left is not said to be sound
                if [len(block) for block in blocks] == [self._sizes[chunk] for chunk in run]:
                    hashing.take(blocks, step.takes)
                if progress is not None:
                    progress(done)
        return hashing.sound, done


class _CheckState:
    """The hash over what several files begin with, until they differ."""

    def __init__(self, hasher: blake3.blake3, files: int) -> None:
        self.hasher = hasher
        self.files = files


class _Hashing:
    """The files of a batch while they are hashed."""

    def __init__(self, keys: Sequence[FileKey], files: Sequence[Sequence[int]]) -> None:
        self.pool: ThreadPoolExecutor
        self.sound: set[FileKey] = set()
        self._keys = keys
        self._left = [len(file) for file in files]
        everybody = _CheckState(blake3.blake3(), len(files))
        self._states = [everybody] * len(files)

    def take(self, blocks: Sequence[bytes], takes: Sequence[Take]) -> None:
        """Let files have these bytes next. A file that is passed over once never becomes sound."""
        together: dict[tuple[_CheckState, int], list[int]] = {}
        for file, times in takes:
            together.setdefault((self._states[file], times), []).append(file)
        work = [(self._apart(state, files), times) for (state, times), files in together.items()]
        self._update(blocks, work)
        for (_, times), files in together.items():
            for file in files:
                self._left[file] -= times
                if not self._left[file] and self._states[file].hasher.hexdigest() == self._keys[file][0]:
                    self.sound.add(self._keys[file])

    def _apart(self, state: _CheckState, files: Sequence[int]) -> blake3.blake3:
        """Return the hasher of these files alone, who were in a state with others perhaps."""
        if len(files) < state.files:
            state.files -= len(files)
            state = _CheckState(state.hasher.copy(), len(files))
            for file in files:
                self._states[file] = state
        return state.hasher

    def _update(self, blocks: Sequence[bytes], work: Sequence[tuple[blake3.blake3, int]]) -> None:
        if len(work) == 1:
            _hash(blocks, work)
            return
        data = [b"".join(blocks)]
        half = len(work) // 2 if len(work) * len(data[0]) >= _WORTH_A_THREAD else 0
        other = self.pool.submit(_hash, data, work[:half]) if half else None
        _hash(data, work[half:])
        if other is not None:
            other.result()


def _hash(blocks: Sequence[bytes], work: Sequence[tuple[blake3.blake3, int]]) -> None:
    for hasher, times in work:
        for _ in range(times):
            for block in blocks:
                hasher.update(block)
