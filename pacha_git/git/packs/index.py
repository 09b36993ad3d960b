"""The index of a pack, version 2: written from entries, and read in place. It has never heard of what the objects mean.

One of version 1, which Git still writes where ``pack.indexVersion`` says so, is turned into the other in memory.

Layout: https://git-scm.com/docs/gitformat-pack, "Version 2 pack-*.idx files".
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from typing import Final

from pacha_git.errors import REPAIR, Corrupt
from pacha_git.gitobjects.oid import OID_BYTES, object_hash

_MAGIC: Final = b"\xfftOc\x00\x00\x00\x02"
_FANOUT: Final = 8
_OIDS: Final = _FANOUT + 256 * 4
_TRAILER: Final = 2 * OID_BYTES
_LARGE: Final = 1 << 31
# Below this many candidates, looking for the bytes beats halving the range.
_NEAR: Final = 64
_MAP_FROM: Final = 64 << 10
_UINT: Final = struct.Struct(">I")


def encode_index(
    oids: bytes | bytearray, crcs: Sequence[int], offsets: Sequence[int], pack_checksum: bytes
) -> bytearray:
    """Build an index.

    Args:
        oids: Raw ids, each once, in any order, one after the other.
        crcs: CRC-32 of each entry as it stands in the pack.
        offsets: Where in the pack each begins.
        pack_checksum: The 20 bytes that end the pack.
    """
    index = bytearray(_MAGIC.ljust(_OIDS))
    fanout, sorted_crcs, small, large = array("I"), array("I"), array("I"), array("Q")
    for number, oid in _in_order(oids, fanout):
        index += oid
        sorted_crcs.append(crcs[number])
        offset = offsets[number]
        if offset < _LARGE:
            small.append(offset)
        else:
            small.append(_LARGE | len(large))
            large.append(offset)
    if sys.byteorder == "little":
        for numbers in (fanout, sorted_crcs, small, large):
            numbers.byteswap()
    index[_FANOUT:_OIDS] = fanout.tobytes()
    for part in (sorted_crcs, small, large, pack_checksum):
        index += part
    index += object_hash(index).digest()
    return index


def _in_order(oids: bytes | bytearray, fanout: array[int]) -> Iterator[tuple[int, bytes]]:
    """Position and raw id, sorted by id a 256th at a time; how many there were is appended after each of them."""
    begin_with: dict[int, array[int]] = {}
    for number, byte in enumerate(oids[::OID_BYTES]):
        if byte not in begin_with:
            begin_with[byte] = array("I")
        begin_with[byte].append(number)
    total = 0
    for byte in range(256):
        if numbers := begin_with.get(byte):
            yield from sorted(
                ((n, bytes(oids[n * OID_BYTES : (n + 1) * OID_BYTES])) for n in numbers), key=itemgetter(1)
            )
            total += len(numbers)
        fanout.append(total)


class PackIndex:
    """An index on disk, read where it lies. It stays readable after its file is gone.

    Raises:
        OSError: the file can't be opened.
        Corrupt: it is no version 2 index, or cut short.
    """

    def __init__(self, path: Path) -> None:
        self._data = _map(path)
        if self._data[:4] != _MAGIC[:4]:
            self._data = _from_version_1(self._data, path)
        if len(self._data) < _OIDS + _TRAILER or self._data[:8] != _MAGIC:
            raise Corrupt(f"{path} is no readable pack index", hint=REPAIR)
        (self.count,) = _UINT.unpack_from(self._data, _OIDS - 4)
        self._offsets = _OIDS + self.count * (OID_BYTES + 4)
        self._large = self._offsets + self.count * 4
        if self._large + _TRAILER > len(self._data):
            raise Corrupt(f"{path} is cut short", hint=REPAIR)

    @property
    def pack_checksum(self) -> bytes:
        """The 20 bytes that must end the pack."""
        return self._data[-_TRAILER:-OID_BYTES]

    def find(self, oid: bytes) -> int:
        """Tell where in the pack the entry of a raw id begins; -1 if it has none.

        Raises:
            Corrupt: the index points outside of itself.
        """
        data, first = self._data, oid[0]
        low = _UINT.unpack_from(data, _FANOUT + first * 4 - 4)[0] if first else 0
        high = min(_UINT.unpack_from(data, _FANOUT + first * 4)[0], self.count)
        while high - low > _NEAR:
            middle = (low + high) >> 1
            at = _OIDS + middle * OID_BYTES
            if data[at : at + OID_BYTES] <= oid:
                low = middle
            else:
                high = middle
        end = _OIDS + high * OID_BYTES
        at = data.find(oid, _OIDS + low * OID_BYTES, end)
        while at >= 0 and (at - _OIDS) % OID_BYTES:
            at = data.find(oid, at + 1, end)
        return -1 if at < 0 else self._offset((at - _OIDS) // OID_BYTES)

    def _offset(self, position: int) -> int:
        value: int = _UINT.unpack_from(self._data, self._offsets + position * 4)[0]
        if value < _LARGE:
            return value
        at = self._large + (value - _LARGE) * 8
        if at + 8 > len(self._data) - _TRAILER:
            raise Corrupt("a pack index points outside of itself", hint=REPAIR)
        return int.from_bytes(self._data[at : at + 8], "big")

    def oids(self) -> Iterator[bytes]:
        """Return all raw ids, ascending."""
        data = self._data
        return (data[at : at + OID_BYTES] for at in range(_OIDS, _OIDS + self.count * OID_BYTES, OID_BYTES))


def _from_version_1(data: bytes | mmap.mmap, path: Path) -> bytes:
    """Return the same index as one of version 2, without the CRCs, which nothing here reads.

    Layout: 256 counts, then an offset of 4 bytes and an id of 20 for each object, then the two checksums.
    """
    head = 256 * 4
    count = _UINT.unpack_from(data, head - 4)[0] if len(data) >= head + _TRAILER else -1
    if count < 0 or len(data) != head + count * (4 + OID_BYTES) + _TRAILER:
        raise Corrupt(f"{path} is no readable pack index", hint=REPAIR)
    entries = memoryview(data)[head : head + count * (4 + OID_BYTES)]
    oids = b"".join(entries[at + 4 : at + 4 + OID_BYTES] for at in range(0, len(entries), 4 + OID_BYTES))
    small, large = bytearray(), bytearray()
    for at in range(0, len(entries), 4 + OID_BYTES):
        offset = _UINT.unpack_from(entries, at)[0]
        small += _UINT.pack(offset if offset < _LARGE else _LARGE | len(large) // 8)
        large += offset.to_bytes(8, "big") if offset >= _LARGE else b""
    return b"".join((_MAGIC, data[:head], oids, bytes(4 * count), small, large, data[-_TRAILER:]))


def _map(path: Path) -> bytes | mmap.mmap:
    """Small files are read, since each mapping holds a descriptor and there may be a thousand packs."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > _MAP_FROM:
            with suppress(OSError):
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return file.read()
