"""Writes new objects as one pack with its index, durable before anybody can see it. It has never heard of a model.

Layout: https://git-scm.com/docs/gitformat-pack. How many objects come is not known at the start, so their number is
put in at the end and the checksum taken then, from the page cache, while the disk is still busy with the bytes.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from array import array
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Final

from pacha_git.git.packentry import Buffer, ObjectKind, Prepared, prepare
from pacha_git.git.packfiles import LockedFile, keep, storing, sync_folder, temporary
from pacha_git.git.packindex import encode_index
from pacha_git.names import Oid

_HEADER: Final = b"PACK\x00\x00\x00\x02\x00\x00\x00\x00"
_COUNT_AT: Final = 8
_WRITE_BYTES: Final = 1 << 20
_MOST_PIECES: Final = 512
_WRITE_BACK_BYTES: Final = 64 << 20


class PackWriter:
    """A pack being written; a context that removes it again unless ``finish`` was called.

    Any thread may add. Objects become visible all at once, in ``finish``.

    Args:
        objects: The ``objects`` folder of a repository.
        reason: Written into the ``.keep`` that protects the pack until ``release``.

    Attributes:
        bytes_stored: Bytes that the objects take in the pack so far.
        pack: The finished pack; None before, and if nothing was added.

    Raises:
        PachaError: from every method, when the disk is full or refuses.
    """

    def __init__(self, objects: Path, *, reason: str) -> None:
        self._folder = objects / "pack"
        self._reason = reason
        with storing(self._folder):
            self._folder.mkdir(exist_ok=True)
            self._file = temporary(self._folder, ".pack")
        self._lock = Lock()
        self._entries = _Entries()
        self._queue: list[bytes] = [_HEADER]
        self._queued = len(_HEADER)
        self._written = 0
        self._write_back = _WriteBack(self._file.fd)
        self._index: LockedFile | None = None
        self._keep: LockedFile | None = None
        self.bytes_stored = 0
        self.pack: Path | None = None

    def __enter__(self) -> PackWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort() if self.pack is None else self.release()

    def __contains__(self, oid: bytes) -> bool:
        """Whether the object of this raw id was added."""
        return oid in self._entries

    def __len__(self) -> int:
        """How many objects were added."""
        return len(self._entries)

    def add(self, kind: ObjectKind, body: Buffer) -> Oid:
        """Append an object, once; returns its id."""
        prepared = prepare(kind, body)
        self.add_prepared(prepared)
        return Oid.of_raw(prepared.oid)

    def add_prepared(self, *objects: Prepared) -> None:
        """Append objects in order, leaving out those that this pack has already."""
        with self._lock, storing(self._folder):
            for prepared in objects:
                if self._entries.add(prepared.oid, prepared.crc, len(_HEADER) + self.bytes_stored):
                    self._queue += (prepared.head, prepared.deflated)
                    self._queued += prepared.stored
                    self.bytes_stored += prepared.stored
            if self._queued >= _WRITE_BYTES:
                self._flush()

    def finish(self) -> Path | None:
        """Make the pack durable and visible, under a ``.keep``.

        Returns:
            The ``.pack``; None if nothing was added, and then nothing is left.
        """
        with self._lock:
            if not self._entries:
                self.abort()
                return None
            with storing(self._folder):
                checksum = self._seal()
                self._publish(checksum)
            return self.pack

    def release(self) -> None:
        """Lift the protection, now that refs hold the objects (or that none will)."""
        if self._keep is not None:
            self._keep.discard()
            self._keep = None

    def abort(self) -> None:
        """Remove what was written. After ``finish`` only the protection goes: others may rely on the pack by now."""
        self._write_back.wait()
        if self.pack is None:
            for file in (self._index, self._file):
                if file is not None:
                    file.discard()
        self.release()

    def _flush(self) -> None:
        """Hand the queue to the operating system."""
        for start in range(0, len(self._queue), _MOST_PIECES):
            pieces = [memoryview(piece) for piece in self._queue[start : start + _MOST_PIECES]]
            while pieces:
                count = os.writev(self._file.fd, pieces)
                self._written += count
                while pieces and count >= len(pieces[0]):
                    count -= len(pieces.pop(0))
                if count:
                    pieces[0] = pieces[0][count:]
        self._queue, self._queued = [], 0
        self._write_back.reached(self._written)

    def _seal(self) -> bytes:
        """Put in count and checksum, write the index, and wait until both files are on the disk."""
        count = len(self._entries).to_bytes(4, "big")
        if self._written:
            self._flush()
            os.pwrite(self._file.fd, count, _COUNT_AT)
            self._write_back.start()
            checksum = _checksum_of_file(self._file.fd)
        else:
            self._queue[0] = _HEADER[:_COUNT_AT] + count
            checksum = hashlib.sha1(b"".join(self._queue), usedforsecurity=False).digest()
        self._queue.append(checksum)
        self._flush()
        self._index = temporary(self._folder, ".idx")
        _write_all(self._index.fd, self._entries.index(checksum))
        self._write_back.finish()
        _sync_data(self._index.fd)
        return checksum

    def _publish(self, checksum: bytes) -> None:
        """Rename in the order in which Git looks: whoever sees the index finds the pack, protected."""
        assert self._index is not None
        # Named by more than the checksum: two writers of equal packs must not share a .keep, nor may a repack that
        # began before us delete ours because it goes by the name of one that it has copied.
        name = hashlib.sha1(checksum + secrets.token_bytes(16), usedforsecurity=False).hexdigest()
        pack = self._folder / f"pack-{name}.pack"
        self._keep = keep(pack, self._reason)
        self._file.rename(pack)
        self._index.rename(pack.with_suffix(".idx"))
        sync_folder(self._folder)
        self.pack = pack
        self._file.close()
        self._index.close()


class _Entries:
    """What the index will say: ids in the order of the pack, with CRC and offset of each."""

    def __init__(self) -> None:
        self._oids: dict[bytes, None] = {}
        self._crcs = array("I")
        self._offsets = array("Q")

    def __len__(self) -> int:
        return len(self._oids)

    def __contains__(self, oid: bytes) -> bool:
        return oid in self._oids

    def add(self, oid: bytes, crc: int, offset: int) -> bool:
        """Take an entry; False if the id is there already."""
        if oid in self._oids:
            return False
        self._oids[oid] = None
        self._crcs.append(crc)
        self._offsets.append(offset)
        return True

    def index(self, checksum: bytes) -> bytes:
        """The bytes of the index."""
        return encode_index(list(self._oids), self._crcs, self._offsets, checksum)


class _WriteBack:
    """Lets the disk begin while bytes still come, so that the last wait is short."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._asked = 0
        self._thread: Thread | None = None
        self._error: OSError | None = None

    def reached(self, written: int) -> None:
        """Say how much the file has; starts when it pays and the disk is not at it yet."""
        if written - self._asked >= _WRITE_BACK_BYTES and not (self._thread and self._thread.is_alive()):
            self.start()
            self._asked = written

    def start(self) -> None:
        """Have all that is written so far go to the disk.

        Raises:
            OSError: the disk could not take what was started before.
        """
        self.wait()
        if self._error is not None:
            raise self._error
        self._thread = Thread(target=self._run, name="pack-sync")
        self._thread.start()

    def wait(self) -> None:
        """Wait until nothing is under way."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        try:
            _sync_data(self._fd)
        except OSError as error:
            self._error = error

    def finish(self) -> None:
        """Return when all that was written is on the disk.

        Raises:
            OSError: the disk could not take it. The kernel tells of a failed write once, so an earlier one counts.
        """
        self.wait()
        _sync_data(self._fd)
        if self._error is not None:
            raise self._error


# Sizes and times are enough: that a file has its name is what syncing the folder is for.
_sync_data: Final = getattr(os, "fdatasync", os.fsync)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _checksum_of_file(fd: int) -> bytes:
    hashed = hashlib.sha1(usedforsecurity=False)
    view = memoryview(bytearray(_WRITE_BYTES))
    offset = 0
    while count := os.preadv(fd, [view], offset):
        hashed.update(view[:count])
        offset += count
    return hashed.digest()
