"""Rows of a fixed length, found by the bytes that they begin with, in hardly more memory than the rows themselves.

A hundred thousand chunks of a large file in sets and dicts take forty MiB.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Final

_LEAST: Final = 1024
_EMPTY: Final = -1


class KeyTable:
    """Rows, each once, numbered as they come.

    Args:
        key: How many bytes a row is found by.
        value: How many come after them.
    """

    def __init__(self, key: int, value: int = 0) -> None:
        self._key = key
        self._row = key + value
        self._rows = bytearray()
        self._slots = array("i", [_EMPTY]) * _LEAST

    def __len__(self) -> int:
        return len(self._rows) // self._row

    def __contains__(self, key: bytes) -> bool:
        return self._slots[self._slot(key)] != _EMPTY

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values, in the order in which they came."""
        rows, key, row = self._rows, self._key, self._row
        return ((bytes(rows[at : at + key]), bytes(rows[at + key : at + row])) for at in range(0, len(rows), row))

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key; None if it is not here."""
        number = self._slots[self._slot(key)]
        return (
            None if number == _EMPTY else bytes(self._rows[number * self._row + self._key : (number + 1) * self._row])
        )

    def add(self, key: bytes, value: bytes = b"") -> bool:
        """Append a row unless its key is here already; whether it was not."""
        slot = self._slot(key)
        if self._slots[slot] != _EMPTY:
            return False
        self._slots[slot] = len(self)
        self._rows += key
        self._rows += value
        if 3 * len(self) > 2 * len(self._slots):
            self._grow()
        return True

    def _slot(self, key: bytes) -> int:
        """Where a key is, or else belongs. Python's hash is another in each process: nobody can choose collisions."""
        slots, rows, row = self._slots, self._rows, self._row
        last = len(slots) - 1
        slot = hash(key) & last
        while (number := slots[slot]) != _EMPTY and not rows.startswith(key, number * row):
            slot = (slot + 1) & last
        return slot

    def _grow(self) -> None:
        self._slots = array("i", [_EMPTY]) * (2 * len(self._slots))
        for number in range(len(self)):
            at = number * self._row
            self._slots[self._slot(bytes(self._rows[at : at + self._key]))] = number
