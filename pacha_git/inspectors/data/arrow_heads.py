"""Reads the schema of an Arrow file or stream, and counts its rows by the heads of its batches.

Format: https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc. It knows as
much of FlatBuffers as it needs. Types have the names that Arrow itself gives them.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from pacha_git.inspectors.facts import Facts
from pacha_git.inspectors.source import Cursor, Damaged, Source

FILE_MAGIC: Final = b"ARROW1\0\0"
CONTINUED: Final = b"\xff\xff\xff\xff"
_LARGEST_HEAD: Final = 16 << 20
_MOST_BATCHES: Final = 20_000
_MOST_FIELDS: Final = 50_000
_SCHEMA, _BATCH = 1, 3
_UNITS: Final = ("s", "ms", "us", "ns")
_PLAIN: Final = {
    1: "null", 4: "binary", 5: "string", 6: "bool", 11: "interval", 12: "list", 13: "struct", 14: "union", 16: "list",
    17: "map", 19: "large_binary", 20: "large_string", 21: "large_list", 22: "run_end_encoded", 23: "binary_view",
    24: "string_view", 25: "list_view", 26: "large_list_view",
}  # fmt: skip


def read_arrow(source: Source) -> Facts | None:
    """Read columns and rows; None if it begins like a stream and is none.

    Raises:
        Damaged: it is cut short, or its schema can't be read.
    """
    if source.some(0, 8) == FILE_MAGIC:
        return _read_file(source)
    cursor = Cursor(source)
    columns: dict[str, str] | None = None
    rows = batches = 0
    while batches < _MOST_BATCHES:
        head = _next_head(cursor)
        if head is None:
            break
        kind, body, table = head
        if kind == _SCHEMA:
            columns = _columns(table)
        elif columns is None:
            return None
        elif kind == _BATCH:
            rows += table.number(0, "<q", 0)
            batches += 1
        cursor.skip(body)
    return _facts("stream", columns, rows, batches) if columns is not None else None


def read_feather_1(_: Source) -> Facts:
    """Tell a file of Feather's first version, which nobody writes any more."""
    return Facts("arrow", metadata={"layout": "feather 1"})


def _read_file(source: Source) -> Facts:
    """Read the foot of a file: its schema, and where its batches lie."""
    if source.some(source.size - 6, 6) != FILE_MAGIC[:6]:
        raise Damaged("cut short: its foot is not there")
    size = int.from_bytes(source.at(source.size - 10, 4), "little")
    if not 0 < size <= min(source.size - 18, _LARGEST_HEAD):
        raise Damaged("its foot can't be read")
    foot = _root(source.at(source.size - 10 - size, size))
    blocks = foot.structs(3, 24)
    rows = 0
    for block in blocks[:_MOST_BATCHES]:
        offset, length, body = struct.unpack("<qi4xq", block)
        if offset < 8 or not 0 < length <= _LARGEST_HEAD or not 0 <= body <= source.size - offset - length:
            raise Damaged("cut short: one of its batches lies behind its end")
        head = _next_head(Cursor(source, offset))
        rows += head[2].number(0, "<q", 0) if head is not None else 0
    return _facts("file", _columns(foot.table(1)), rows, len(blocks))


def _facts(layout: str, columns: dict[str, str], rows: int, batches: int) -> Facts:
    word = "rows" if batches < _MOST_BATCHES else "rows_at_least"
    return Facts("arrow", metadata={"layout": layout, word: rows, "columns": columns, "batches": batches})


def _next_head(cursor: Cursor) -> tuple[int, int, _FlatTable] | None:
    """Tell what the next message is, how long its body is, and its head; None at the end."""
    if cursor.end - cursor.position < 8:
        return None
    mark, size = cursor.take(4), cursor.unpack("<i")[0]
    if mark != CONTINUED:
        # Before Arrow 0.15 the length came first.
        cursor.position -= 4
        size = int.from_bytes(mark, "little", signed=True)
    if size == 0:
        return None
    if not 0 < size <= _LARGEST_HEAD:
        raise Damaged("a message of it has a head of no sensible length")
    message = _root(cursor.take(size))
    body = message.number(3, "<q", 0)
    if body < 0:
        raise Damaged("a message of it has a body of no sensible length")
    return message.number(1, "<B", 0), body, message.table(2)


def _columns(schema: _FlatTable) -> dict[str, str]:
    fields = schema.tables(1)
    if len(fields) > _MOST_FIELDS:
        raise Damaged(f"it has {len(fields)} columns")
    return {field.text(0) or "": _type(field) for field in fields}


def _type(field: _FlatTable) -> str:
    extension = {pair.text(0): pair.text(1) for pair in field.tables(6)}.get("ARROW:extension:name")
    kind, table = field.number(2, "<B", 0), field.table(3)
    name = _type_name(kind, table)
    if field.table(4).is_there:
        name = f"dictionary<{name}>"
    return f"extension<{extension}>" if extension else name


def _type_name(kind: int, table: _FlatTable) -> str:
    if kind == 2:
        return ("int" if table.number(1, "<?", False) else "uint") + str(table.number(0, "<i", 0))
    if kind == 3:
        return ("halffloat", "float", "double")[min(table.number(0, "<h", 0), 2)]
    if kind == 7:
        return f"decimal{table.number(2, '<i', 128)}({table.number(0, '<i', 0)}, {table.number(1, '<i', 0)})"
    if kind == 8:
        return "date64[ms]" if table.number(0, "<h", 1) else "date32[day]"
    if kind == 9:
        return f"time{table.number(1, '<i', 32)}[{_unit(table.number(0, '<h', 1))}]"
    if kind == 10:
        zone = table.text(1)
        return f"timestamp[{_unit(table.number(0, '<h', 0))}{', tz=' + zone if zone else ''}]"
    if kind == 15:
        return f"fixed_size_binary[{table.number(0, '<i', 0)}]"
    if kind == 18:
        return f"duration[{_unit(table.number(0, '<h', 1))}]"
    return _PLAIN.get(kind, f"type {kind}")


def _unit(number: int) -> str:
    return _UNITS[number] if 0 <= number < len(_UNITS) else "?"


def _root(data: bytes) -> _FlatTable:
    return _FlatTable(data, _unpack("<I", data, 0))


def _unpack(form: str, data: bytes, at: int) -> Any:
    if at < 0 or at + struct.calcsize(form) > len(data):
        raise Damaged("a head in it is cut short")
    return struct.unpack_from(form, data, at)[0]


class _FlatTable:
    """A table of FlatBuffers: fields by number, each with a default. One at 0 is not there and has none."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        self.is_there = at != 0

    def _field(self, number: int) -> int:
        """Tell where a field lies; 0 if it is not there."""
        if not self.is_there:
            return 0
        fields = self._at - _unpack("<i", self._data, self._at)
        if 4 + 2 * number >= _unpack("<H", self._data, fields):
            return 0
        offset = _unpack("<H", self._data, fields + 4 + 2 * number)
        return self._at + offset if offset else 0

    def number(self, field: int, form: str, default: int) -> int:
        """Return a number."""
        at = self._field(field)
        return int(_unpack(form, self._data, at)) if at else default

    def table(self, field: int) -> _FlatTable:
        """Return a table."""
        at = self._field(field)
        return _FlatTable(self._data, at + _unpack("<I", self._data, at) if at else 0)

    def tables(self, field: int) -> list[_FlatTable]:
        """Tables."""
        at = self._field(field)
        if not at:
            return []
        start = at + _unpack("<I", self._data, at)
        count = _unpack("<I", self._data, start)
        if count > len(self._data) // 4:
            raise Damaged("a head in it is cut short")
        places = (start + 4 + 4 * each for each in range(count))
        return [_FlatTable(self._data, place + _unpack("<I", self._data, place)) for place in places]

    def structs(self, field: int, size: int) -> list[bytes]:
        """Structs of a fixed size, as bytes."""
        at = self._field(field)
        if not at:
            return []
        start = at + _unpack("<I", self._data, at)
        count = _unpack("<I", self._data, start)
        if start + 4 + count * size > len(self._data):
            raise Damaged("a head in it is cut short")
        return [self._data[start + 4 + each * size : start + 4 + (each + 1) * size] for each in range(count)]

    def text(self, field: int) -> str | None:
        """Return a text."""
        at = self._field(field)
        if not at:
            return None
        start = at + _unpack("<I", self._data, at)
        return self._data[start + 4 : start + 4 + _unpack("<I", self._data, start)].decode("utf-8", "replace")
