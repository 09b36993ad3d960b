"""The index of a pack, version 2: written from entries, and read in place. It has never heard of what the objects mean.

Layout: https://git-scm.com/docs/gitformat-pack, "Version 2 pack-*.idx files".
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pacha_git.errors import Corrupt

_MAGIC: Final = b"\xfftOc\x00\x00\x00\x02"
_FANOUT: Final = 8
_OIDS: Final = _FANOUT + 256 * 4
_OID: Final = 20
_TRAILER: Final = 40
_LARGE: Final = 1 << 31
# Below this many candidates, looking for the bytes beats halving the range.
_NEAR: Final = 64


def encode_index(oids: Sequence[bytes], crcs: Sequence[int], offsets: Sequence[int], pack_checksum: bytes) -> bytes:
    """Build an index.

    Args:
        oids: Raw ids, each once, in any order.
        crcs: CRC-32 of each entry as it stands in the pack.
        offsets: Where in the pack each begins.
        pack_checksum: The 20 bytes that end the pack.
    """
    order = sorted(range(len(oids)), key=oids.__getitem__)
    counts = [0] * 256
    for oid in oids:
        counts[oid[0]] += 1
    fanout, total = [], 0
    for count in counts:
        total += count
        fanout.append(total)
    small: list[int] = []
    large: list[int] = []
    for offset in (offsets[i] for i in order):
        if offset < _LARGE:
            small.append(offset)
        else:
            small.append(_LARGE | len(large))
            large.append(offset)
    number = len(oids)
    body = b"".join(
        [
            _MAGIC,
            struct.pack(">256I", *fanout),
            *(oids[i] for i in order),
            struct.pack(f">{number}I", *(crcs[i] for i in order)),
            struct.pack(f">{number}I", *small),
            struct.pack(f">{len(large)}Q", *large),
            pack_checksum,
        ]
    )
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


class PackIndex:
    """An index on disk, mapped. It stays readable after its file is gone.

    Raises:
        FileNotFoundError: there is no such file.
        Corrupt: it is no version 2 index, or cut short.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            try:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError:
                raise _unreadable(path) from None
        if len(self._map) < _OIDS + _TRAILER or self._map[:8] != _MAGIC:
            raise _unreadable(path)
        self._fanout = (0, *struct.unpack_from(">256I", self._map, _FANOUT))
        self.count: int = self._fanout[256]
        self._offsets = _OIDS + self.count * (_OID + 4)
        self._large = self._offsets + self.count * 4
        sane = all(a <= b for a, b in zip(self._fanout, self._fanout[1:], strict=False))
        if not sane or self._large + _TRAILER > len(self._map):
            raise _unreadable(path)

    @property
    def pack_checksum(self) -> bytes:
        """The 20 bytes that must end the pack."""
        return self._map[-_TRAILER:-_OID]

    def position(self, oid: bytes) -> int:
        """Which entry a raw id is, in the order of ids; -1 if it is not here."""
        data = self._map
        low, high = self._fanout[oid[0]], self._fanout[oid[0] + 1]
        while high - low > _NEAR:
            middle = (low + high) >> 1
            at = _OIDS + middle * _OID
            if data[at : at + _OID] <= oid:
                low = middle
            else:
                high = middle
        end = _OIDS + high * _OID
        at = data.find(oid, _OIDS + low * _OID, end)
        while at >= 0 and (at - _OIDS) % _OID:
            at = data.find(oid, at + 1, end)
        return -1 if at < 0 else (at - _OIDS) // _OID

    def offset(self, position: int) -> int:
        """Where in the pack an entry begins.

        Raises:
            Corrupt: the index points outside of itself.
        """
        (value,) = struct.unpack_from(">I", self._map, self._offsets + position * 4)
        if value < _LARGE:
            return int(value)
        at = self._large + (value - _LARGE) * 8
        if at + 8 > len(self._map) - _TRAILER:
            raise Corrupt("a pack index points outside of itself", hint="git pacha fsck says what is damaged")
        return int(struct.unpack_from(">Q", self._map, at)[0])

    def oids(self) -> Iterator[bytes]:
        """All raw ids, ascending."""
        data = self._map
        return (data[at : at + _OID] for at in range(_OIDS, _OIDS + self.count * _OID, _OID))

    def offsets(self) -> Sequence[int]:
        """Where in the pack its entries begin, ascending."""
        return array("Q", sorted(map(self.offset, range(self.count))))


def _unreadable(path: Path) -> Corrupt:
    return Corrupt(f"{path} is no readable pack index", hint="git pacha fsck says what is damaged")
