"""One pack on disk with its index: entries are read by position, whole objects by resolving deltas.

It knows a single pack.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from pacha_git.errors import Corrupt
from pacha_git.git.packs.delta import apply_delta, delta_result_size, offset_distance
from pacha_git.git.packs.entry import KINDS, OFFSET_DELTA, OID_DELTA, ObjectKind, inflate, parse_head
from pacha_git.git.packs.index import PackIndex
from pacha_git.gitobjects.oid import OID_BYTES

_FIRST_READ: Final = 4096
_LONGEST_CHAIN: Final = 4096


class Descriptor:
    """An open file, closed when the last reader lets go of it: another thread may be in the middle of a read."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)


class OpenFiles:
    """The files of the packs read last, kept open; threads may share it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._files: OrderedDict[tuple[Path, int], Descriptor] = OrderedDict()

    def begin_anew(self) -> None:
        """In a process that was forked off: a lock that another thread held is never let go here."""
        self._lock = Lock()

    def get(self, pack: Pack) -> Descriptor:
        """Return the file of a pack, as ``Pack.open`` opens it, in place of one not used for longer."""
        with self._lock:
            key = (pack.index_path, pack.inode)
            file = self._files.get(key) or pack.open()
            self._files[key] = file
            self._files.move_to_end(key)
            if len(self._files) > self._most:
                self._files.popitem(last=False)
            return file


PIECE_LIMIT: Final = 16 << 20
"""The most that one of a stream of blobs may have: a pack of a few kilobytes can announce gigabytes."""


class TooLarge(Corrupt):
    """An object of more bytes than it may have where it stands; nothing of it was unpacked."""


class Location(NamedTuple):
    """Where an object lies: the pack and where in it the entry begins."""

    pack: Pack
    offset: int


class Pack:
    """A pack and its index. May be used by several threads, and after another program has removed the files.

    Args:
        index_path: The ``.idx``.
        inode: Its inode: another one by the same name is another pack.
        cruft: Whether it holds what nothing reaches, each object with a time of its own (it has a ``.mtimes``).
        files: Keeps its file open.

    Raises:
        OSError, Corrupt: the index can't be read.
    """

    def __init__(self, index_path: Path, *, inode: int, cruft: bool, files: OpenFiles) -> None:
        self.inode = inode
        self.index_path = index_path
        self.path = index_path.with_suffix(".pack")
        self.cruft = cruft
        self.index = PackIndex(index_path)
        self._files = files

    def find(self, oid: bytes) -> int:
        """Tell where the entry of a raw id begins; -1 if it is not here, or the index is damaged in that place."""
        try:
            return self.index.find(oid)
        except Corrupt:
            return -1

    def open(self) -> Descriptor:
        """Open the pack.

        Raises:
            FileNotFoundError: it is gone.
            Corrupt: it is not the pack that the index is about.
        """
        file = Descriptor(self.path)
        size = os.fstat(file.fd).st_size
        sound = size > OID_BYTES and os.pread(file.fd, 4, 0) == b"PACK"
        if not sound or os.pread(file.fd, OID_BYTES, size - OID_BYTES) != self.index.pack_checksum:
            raise Corrupt(f"{self.path} is not the pack that its index is about")
        return file

    def read(self, offset: int, most: int | None = None) -> tuple[ObjectKind, bytes]:
        """Read the object whose entry begins at ``offset``.

        Args:
            offset: Where.
            most: Bytes that it may have; None for any number.

        Raises:
            FileNotFoundError: the pack is gone.
            Corrupt: the entry, or the base of a delta, is damaged.
            TooLarge: it has more than ``most``.
        """
        file = self._files.get(self)
        deltas: list[bytes] = []
        for _ in range(_LONGEST_CHAIN):
            number, rest, body = _read_entry(file.fd, offset, most)
            if number in KINDS:
                for delta in reversed(deltas):
                    _check_size(delta_result_size(delta), most)
                    body = apply_delta(body, delta)
                return KINDS[number], body
            deltas.append(body)
            offset = self._base(number, rest, offset)
        raise Corrupt(f"a chain of deltas in {self.path} has no end")

    def read_run(self, start: int, ends: Sequence[int]) -> list[bytes | None]:
        """Read entries that lie side by side, in one go.

        Args:
            start: Where the first begins.
            ends: Where each ends, ascending.

        Returns:
            The bodies; None in place of a delta, of what is over ``PIECE_LIMIT``, of what can't be read: ``read`` says
            what is the matter.

        Raises:
            FileNotFoundError: the pack is gone.
            Corrupt: it is not the pack of the index.
        """
        file = self._files.get(self)  # held while it is read: others may close it at any time
        run = memoryview(os.pread(file.fd, ends[-1] - start, start))
        bodies: list[bytes | None] = []
        begin = 0
        for end in ends:
            entry = run[begin : end - start]
            begin = end - start
            try:
                number, size, at = parse_head(entry)
                fits = number in KINDS and size <= PIECE_LIMIT
                bodies.append(inflate(entry[at:], size) if fits else None)
            except Corrupt:
                bodies.append(None)
        return bodies

    def _base(self, number: int, rest: bytes, offset: int) -> int:
        base = self.index.find(rest) if number == OID_DELTA else offset - offset_distance(rest, 0)[0]
        if not 0 < base != offset:
            raise Corrupt(f"a delta in {self.path} has no base")
        return base


def _check_size(size: int, most: int | None) -> None:
    if most is not None and size > most:
        raise TooLarge(f"an object has {size:,} bytes where it may have {most:,}")


def _read_entry(fd: int, offset: int, most: int | None) -> tuple[int, bytes, bytes]:
    """Read one entry: its type number, what says where the base of a delta is, and what inflates."""
    data = os.pread(fd, _FIRST_READ, offset)
    number, size, at = parse_head(data)
    _check_size(size, most)
    after = at
    if number == OFFSET_DELTA:
        _, after = offset_distance(data, at)
    elif number == OID_DELTA:
        after = at + OID_BYTES
    elif number not in KINDS:
        raise Corrupt(f"an entry of a pack has the unknown type {number}")
    wanted = after + size + (size >> 6) + 64
    if wanted > len(data):
        data += os.pread(fd, wanted - len(data), offset + len(data))
    body = inflate(memoryview(data)[after:], size)
    while body is None:
        # It grew by compression: nobody says by how much.
        more = os.pread(fd, len(data), offset + len(data))
        if not more:
            raise Corrupt("a pack ends in the middle of an entry")
        data += more
        body = inflate(memoryview(data)[after:], size)
    return number, data[at:after], body
