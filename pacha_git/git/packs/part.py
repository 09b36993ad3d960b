"""One pack being written, with its index, from the first byte to a durable file.

A pack says in its first bytes how many objects it has and in its last the SHA-1 of all before. Where the number is
declared beforehand, and turns out right, the checksum runs along with the bytes. Else the number is put in at the end
and the checksum taken then, from the page cache, while the disk is still busy with the bytes.
"""

from __future__ import annotations

import os
import secrets
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Final, TypeAlias

from pacha_git.git.packs.entry import PreparedEntry
from pacha_git.git.packs.files import LockedFile, keep, temporary
from pacha_git.git.packs.index import encode_index
from pacha_git.gitobjects.oid import OID_BYTES, object_hash
from pacha_git.system.disk import Buffer, WriteBack, sync_data, write_all

_HEADER: Final = b"PACK\x00\x00\x00\x02"
_HEADER_BYTES: Final = 12
_BLOCK: Final = 1 << 20
_MOST_WAITING: Final = 2
_MOST_BEHIND: Final = 3

_Behind: TypeAlias = tuple[Sequence[Buffer], Sequence[Callable[[], object]]]


class PackPart:
    """A pack in the making, under a temporary name. One thread at a time.

    Args:
        folder: ``objects/pack``.
        declared: How many objects will come, if that is known; ``full`` says when they have.

    Raises:
        OSError: from every method, when the file system refuses.
    """

    def __init__(self, folder: Path, declared: int = 0) -> None:
        self._declared = declared
        self._file = temporary(folder, ".pack")
        self._index: LockedFile | None = None
        self._keep: LockedFile | None = None
        self._write_back = WriteBack(self._file.fd)
        self._behind = WriteBehind(self._file.fd) if declared else None
        self._queue: list[Buffer] = [_HEADER + declared.to_bytes(4, "big")]
        self._queued = 0
        self._after: list[Callable[[], object]] = []
        self._failure: BaseException | None = None
        self._end = _HEADER_BYTES
        self._written = 0
        self._oids = bytearray()
        self._crcs = array("I")
        self._offsets = array("Q")

    def __len__(self) -> int:
        return len(self._crcs)

    @property
    def full(self) -> bool:
        """Whether it has all objects that were declared."""
        return len(self) == self._declared > 0

    def add(self, prepared: PreparedEntry) -> None:
        """Append an object."""
        self._oids += prepared.oid
        self._crcs.append(prepared.crc)
        self._offsets.append(self._end)
        self._queue += prepared.pieces
        self._queued += prepared.stored
        self._end += prepared.stored

    def after(self, call: Callable[[], object]) -> None:
        """Have something called, in any thread, once what waits here is hashed and with the operating system.

        If nothing waits, it is called at once: what was handed on before is not waited for.
        """
        if self._queued:
            self._after.append(call)
        else:
            call()

    def write(self, *, everything: bool = False) -> None:
        """Hand what waits to the operating system, once it is worth it, or many wait for that."""
        if self._failure is not None:
            raise self._failure
        if self._queued < _BLOCK and len(self._after) < _MOST_WAITING and not everything:
            return
        if self._behind is not None:
            self._behind.take(self._queue, self._after)
        else:
            try:
                write_all(self._file.fd, self._queue)
            except BaseException as failure:
                self._failure = failure  # a part of it may be written: nothing can follow
                raise
            _call(self._after)
        self._written += self._queued
        self._queue, self._queued, self._after = [], 0, []
        self._write_back.reached(self._written)

    def seal(self) -> None:
        """End the pack and write its index; the disk begins to take them."""
        if self._index is not None:
            return
        if self._failure is not None:
            raise self._failure
        checksum = self._checksum()
        write_all(self._file.fd, [*self._queue, checksum])
        _call(self._after)
        self._queue, self._after = [], []
        # Not ".idx": stock gc removes every index that has no pack beside it.
        self._index = temporary(self._file.path.parent, ".index")
        write_all(self._index.fd, [encode_index(self._oids, self._crcs, self._offsets, checksum)])
        self._oids.clear()
        if self._written:
            self._write_back.start()

    def sync(self) -> None:
        """Wait until pack and index are on the disk."""
        assert self._index is not None
        self._write_back.finish()
        sync_data(self._index.fd)

    def publish(self, reason: str) -> Path:
        """Rename in the order in which Git looks: whoever sees the index finds the pack, protected.

        Returns:
            The ``.pack``. Its name is durable when the folder is synced.
        """
        assert self._index is not None
        # No checksum for a name: two writers of equal packs must not share a .keep, nor may a repack that began before
        # us delete ours because it goes by the name of one that it has copied.
        pack = self._file.path.with_name(f"pack-{secrets.token_hex(OID_BYTES)}.pack")
        self._keep = keep(pack, reason)
        self._file.rename(pack)
        self._index.rename(pack.with_suffix(".idx"))
        return pack

    def release(self) -> None:
        """Lift the protection of a published pack."""
        if self._keep is not None:
            self._keep.discard()
            self._keep = None

    def close(self) -> None:
        """Let go of the files."""
        self._end_threads()
        for file in (self._file, self._index):
            if file is not None:
                file.close()

    def discard(self) -> None:
        """Remove all that was written."""
        self._end_threads()
        for file in (self._index, self._file, self._keep):
            if file is not None:
                file.discard()

    def _end_threads(self) -> None:
        self._write_back.wait()
        if self._behind is not None:
            self._behind.end()

    def _checksum(self) -> bytes:
        """Finish the header and hash all: along the way, in memory, or from the page cache, as the case may be."""
        if self._behind is not None:
            self.write(everything=True)
            checksum = self._behind.digest()
            if self.full:
                return checksum
        count = len(self).to_bytes(4, "big")
        if not self._written:
            self._queue[0] = _HEADER + count
            return object_hash(b"".join(self._queue)).digest()
        self.write(everything=True)
        os.pwrite(self._file.fd, count, len(_HEADER))
        self._write_back.start()
        return _checksum_of_file(self._file.fd)


class WriteBehind:
    """Writes bytes and hashes them, each in a thread of its own; the cutting does not wait, unless it is far ahead."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._hashed = object_hash()
        self._failure: BaseException | None = None
        self._to_write: Queue[_Behind | None] = Queue(_MOST_BEHIND)
        self._to_hash: Queue[_Behind | None] = Queue(_MOST_BEHIND)
        self._threads = [Thread(target=run, name="pack-write", daemon=True) for run in (self._write, self._hash)]
        for thread in self._threads:
            thread.start()

    def take(self, pieces: Sequence[Buffer], after: Sequence[Callable[[], object]] = ()) -> None:
        """Take what comes next, and what is to be called when it is done with.

        Raises:
            OSError: what came before could not be written.
        """
        if self._failure is not None:
            raise self._failure
        if pieces:
            self._to_write.put((pieces, after))

    def digest(self) -> bytes:
        """Return the SHA-1 of all once it is written.

        Raises:
            OSError: it could not be.
        """
        self.end()
        if self._failure is not None:
            raise self._failure
        return self._hashed.digest()

    def end(self) -> None:
        """Wait until nothing is left to do; again, if that was so before."""
        if self._threads:
            self._to_write.put(None)
        while self._threads:
            self._threads.pop().join()

    # After a failure both go on taking: whoever waits to hand on more must not wait for ever.

    def _write(self) -> None:
        while (item := self._to_write.get()) is not None:
            if self._failure is None:
                try:
                    write_all(self._fd, item[0])
                except BaseException as failure:
                    self._failure = failure
                else:
                    self._to_hash.put(item)
        self._to_hash.put(None)

    def _hash(self) -> None:
        while (item := self._to_hash.get()) is not None:
            if self._failure is None:
                try:
                    for piece in item[0]:
                        self._hashed.update(piece)
                    _call(item[1])
                except BaseException as failure:
                    self._failure = failure


def _call(calls: Sequence[Callable[[], object]]) -> None:
    for call in calls:
        call()


def _checksum_of_file(fd: int) -> bytes:
    hashed = object_hash()
    view = memoryview(bytearray(_BLOCK))
    offset = 0
    while count := os.preadv(fd, [view], offset):
        hashed.update(view[:count])
        offset += count
    return hashed.digest()
