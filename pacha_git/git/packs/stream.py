"""Stores a stream of chunks in a pack at the speed of the machine: hashed and compressed by threads, written in order.

It knows chunks by their BLAKE3, asks the caller which of them are stored already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Final, NamedTuple

from blake3 import blake3

from pacha_git.chunking.cutter import Window
from pacha_git.git.packs.entry import PreparedEntry, prepare
from pacha_git.git.packs.key_table import KeyTable
from pacha_git.git.packs.writer import PackWriter
from pacha_git.gitobjects.oid import OID_BYTES

Known = Callable[[Sequence[bytes]], Mapping[bytes, bytes]]
"""BLAKE3 digests → the raw oid of each that is stored and safe to rely on."""
Held = Callable[[Mapping[bytes, bytes]], Set[bytes]]
"""Raw oid → BLAKE3 digest of chunks that nobody knew by digest; the oids that are stored and safe all the same."""
Span = tuple[int, int]
Tap = Callable[[memoryview], object]
"""Sees the bytes of the stream in order, one window after the other, in another thread."""

THREADS: Final = 2
_HASHED_AHEAD: Final = 3
_PREPARED_AHEAD: Final = 3


class StoredChunk(NamedTuple):
    """What became of one chunk.

    Attributes:
        digest: Its BLAKE3, 32 bytes.
        oid: Its raw Git id.
        size: Its bytes.
        new: Whether it was appended to the pack, not found.
        stored: Bytes that it takes there; 0 unless new.
    """

    digest: bytes
    oid: bytes
    size: int
    new: bool
    stored: int


class _ChunkBatch:
    """A window on its way: its chunks, their digests once hashed, and those of them that are to be written."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.hashing: list[Future[list[bytes]]] = []
        self.tapped: Future[object] | None = None
        self.digests: list[bytes] = []
        self.known: Mapping[bytes, bytes] = {}
        self.fresh: list[bytes] = []
        self.preparing: list[Future[list[PreparedEntry]]] = []


class PackStream:
    """Stores streams of chunks through one pair of threads; a context.

    Args:
        writer: The pack that new chunks go to.
        known: Says what is stored already; called in the thread that iterates, once for each window.
        held: Asked about what ``known`` does not know, where that may have forgotten something; as often.
        chunks: Raw digest → raw oid of those that need not be stored, nor asked about; what is written is added.
        threads: How many hash and compress; reading, cutting and writing are done by the thread that iterates.

    Memory: at most fifteen windows, what some of them compress to, and some 120 bytes for each new chunk.
    """

    def __init__(
        self,
        writer: PackWriter,
        known: Known,
        *,
        held: Held | None = None,
        chunks: KeyTable | None = None,
        threads: int = THREADS,
    ) -> None:
        self._writer = writer
        self._known = known
        self._held = held
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "pack-prepare")
        self._chunks = KeyTable(32, OID_BYTES) if chunks is None else chunks
        # What is being prepared. Writing goes in order, so it is among the chunks in time.
        self._coming: set[bytes] = set()

    def __enter__(self) -> PackStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def store(self, windows: Iterable[Window], tap: Tap | None = None) -> Iterator[StoredChunk]:
        """Store chunks; what became of each, in order. One window may hold the bytes of many small files.

        Args:
            windows: From ``chunking.cutter.chunks``; each is released when it is done with.
            tap: Sees all bytes, for a hash over the whole.
        """
        hashing: deque[_ChunkBatch] = deque()
        preparing: deque[_ChunkBatch] = deque()
        tapped: Future[object] | None = None
        for window in windows:
            batch = self._hash(window)
            if tap is not None:
                if tapped is not None:
                    tapped.result()
                tapped = batch.tapped = self._pool.submit(tap, window.data)
            hashing.append(batch)
            if len(hashing) >= _HASHED_AHEAD:
                preparing.append(self._prepare(hashing.popleft()))
            if len(preparing) >= _PREPARED_AHEAD:
                yield from self._write(preparing.popleft())
        for batch in chain(preparing, map(self._prepare, hashing)):
            yield from self._write(batch)

    def _hash(self, window: Window) -> _ChunkBatch:
        batch = _ChunkBatch(window)
        batch.hashing = [self._pool.submit(_digests, window.data, spans) for spans in self._shares(window.spans)]
        return batch

    def _prepare(self, batch: _ChunkBatch) -> _ChunkBatch:
        """Ask what is known, and have the rest prepared, each digest once."""
        batch.digests = [digest for job in batch.hashing for digest in job.result()]
        asked = [d for d in dict.fromkeys(batch.digests) if d not in self._coming and d not in self._chunks]
        batch.known = self._known(asked) if asked else {}
        wanted = set(asked).difference(batch.known)
        spans = []
        for digest, span in zip(batch.digests, batch.window.spans, strict=True):
            if digest in wanted:
                wanted.remove(digest)
                self._coming.add(digest)
                batch.fresh.append(digest)
                spans.append(span)
        batch.preparing = [self._pool.submit(_prepared, batch.window.data, share) for share in self._shares(spans)]
        return batch

    def _write(self, batch: _ChunkBatch) -> Iterator[StoredChunk]:
        prepared = [entry for job in batch.preparing for entry in job.result()]
        written = dict(zip(batch.fresh, prepared, strict=True))
        held = self._held({entry.oid: digest for digest, entry in written.items()}) if self._held is not None else ()
        if batch.tapped is not None:
            batch.tapped.result()
        missing = (entry for entry in prepared if entry.oid not in held)
        self._writer.add_prepared(*missing, after=batch.window.release)
        for digest, entry in written.items():
            self._chunks.add(digest, entry.oid)
        self._coming.difference_update(written)
        for digest, (start, end) in zip(batch.digests, batch.window.spans, strict=True):
            fresh = written.pop(digest, None)
            if fresh is not None and fresh.oid not in held:
                yield StoredChunk(digest, fresh.oid, end - start, True, fresh.stored)
            else:
                oid = self._chunks.get(digest) or batch.known[digest]
                yield StoredChunk(digest, oid, end - start, False, 0)

    def _shares(self, spans: Sequence[Span]) -> Iterator[Sequence[Span]]:
        """Split work evenly among the threads."""
        step = -(-len(spans) // self._threads) or 1
        return (spans[start : start + step] for start in range(0, len(spans), step))


def _digests(data: memoryview, spans: Sequence[Span]) -> list[bytes]:
    return [blake3(data[start:end]).digest() for start, end in spans]


def _prepared(data: memoryview, spans: Sequence[Span]) -> list[PreparedEntry]:
    return [prepare("blob", data[start:end]) for start, end in spans]
