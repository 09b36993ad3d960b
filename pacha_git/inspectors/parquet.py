"""Reads the foot of a Parquet file, and passes the rows by.

Format: https://parquet.apache.org/docs/file-format/metadata/. It knows as much of Thrift as it needs to find its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pacha_git.inspectors.facts import Facts
from pacha_git.inspectors.source import Cursor, Damaged, Source

MAGIC: Final = b"PAR1"
_MOST_VALUES: Final = 500_000
_DEPTH: Final = 16
_STRUCT, _LIST, _SET, _MAP, _BINARY, _DOUBLE = 12, 9, 10, 11, 8, 7
_PHYSICAL: Final = ("bool", "int32", "int64", "int96", "float", "double", "binary", "fixed")
_NESTED: Final = {1: "map", 2: "map", 3: "list"}
_CONVERTED: Final = {0: "string", 4: "enum", 5: "decimal", 6: "date", 7: "time", 8: "time", 9: "timestamp",
                     10: "timestamp", 19: "json"}  # fmt: skip


def read_parquet(source: Source) -> Facts:
    """Read its columns, how many rows it has, and who wrote it.

    Raises:
        Damaged: it is cut short, or its foot can't be read.
    """
    end = source.at(source.size - 8, 8)
    length = int.from_bytes(end[:4], "little")
    if end[4:] != MAGIC or not 0 < length <= source.size - 12:
        raise Damaged("cut short: its foot is not there")
    cursor = _Thrift(Cursor(source, source.size - 8 - length, source.size - 8))
    foot = cursor.struct(0)
    columns = {_name(element): _type(element) for element in _columns(_list_at(foot, 2))}
    groups = foot.get(4)
    said: dict[str, Any] = {"rows": foot.get(3), "columns": columns}
    if isinstance(groups, list):
        said["row_groups"] = len(groups)
    if isinstance(foot.get(6), bytes):
        said["created_by"] = foot[6]
    return Facts("parquet", metadata=said)


def _list_at(foot: dict[int, Any], number: int) -> list[Any]:
    value = foot.get(number)
    if not isinstance(value, list):
        raise Damaged("its foot has no schema")
    return value


def _columns(schema: Iterable[Any]) -> Iterator[dict[int, Any]]:
    """The outermost elements: the schema is a tree, root first, each element saying how many lie right below it."""
    below = 0
    for at, element in enumerate(schema):
        if not isinstance(element, dict):
            raise Damaged("its schema can't be read")
        if at == 0:
            continue
        if below == 0:
            yield element
        else:
            below -= 1
        below += _children(element)


def _children(element: dict[int, Any]) -> int:
    count = element.get(5, 0)
    return count if isinstance(count, int) and count > 0 else 0


def _name(element: dict[int, Any]) -> str:
    name = element.get(4)
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else "?"


def _type(element: dict[int, Any]) -> str:
    if _children(element):
        return _NESTED.get(element.get(6, -1), "struct")
    converted = _CONVERTED.get(element.get(6, -1))
    if converted is not None:
        return converted
    kind = element.get(1)
    return _PHYSICAL[kind] if isinstance(kind, int) and 0 <= kind < len(_PHYSICAL) else "?"


class _Thrift:
    """Values of the compact protocol: structs by field number, lists, numbers, bytes."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._values = 0

    def struct(self, depth: int) -> dict[int, Any]:
        found: dict[int, Any] = {}
        number = 0
        while (head := self._cursor.take(1)[0]) != 0:
            step, kind = head >> 4, head & 15
            number = number + step if step else self._zigzag()
            found[number] = self._value(kind, depth)
        return found

    def _zigzag(self) -> int:
        value = self._cursor.varint()
        return (value >> 1) ^ -(value & 1)

    def _value(self, kind: int, depth: int, *, inside: bool = False) -> Any:
        self._values += 1
        if self._values > _MOST_VALUES or depth > _DEPTH:
            raise Damaged("its foot is larger or deeper than is looked at")
        if kind in (1, 2):
            return self._cursor.take(1)[0] == 1 if inside else kind == 1
        if kind == 3:
            return self._cursor.take(1)[0]
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind == _DOUBLE:
            return self._cursor.take(8)
        if kind == _BINARY:
            return self._cursor.take(self._cursor.varint())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_LIST, _SET):
            return self._list(depth + 1)
        raise Damaged("its foot can't be read")

    def _list(self, depth: int) -> list[Any]:
        head = self._cursor.take(1)[0]
        count = head >> 4 if head >> 4 < 15 else self._cursor.varint()
        return [self._value(head & 15, depth, inside=True) for _ in range(min(count, _MOST_VALUES + 1))]
