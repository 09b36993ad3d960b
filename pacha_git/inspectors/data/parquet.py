"""Reads the foot of a Parquet file, and passes the rows by.

Format: https://parquet.apache.org/docs/file-format/metadata/. It knows as much of Thrift as it needs to find its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pacha_git.inspectors.facts import Facts
from pacha_git.inspectors.source import Cursor, Damaged, Source, Unseen

MAGIC: Final = b"PAR1"
_MOST_VALUES: Final = 500_000
_DEPTH: Final = 16
_STRUCT, _LIST, _SET, _MAP, _BINARY, _DOUBLE, _UUID = 12, 9, 10, 11, 8, 7, 13
_PHYSICAL: Final = ("bool", "int32", "int64", "timestamp[ns]", "float", "double", "binary", "fixed_size_binary")
_NESTED: Final = {1: "map", 2: "map", 3: "list"}
_CONVERTED: Final = {
    0: "string", 4: "enum", 6: "date32[day]", 7: "time32[ms]", 8: "time64[us]", 9: "timestamp[ms, tz=UTC]",
    10: "timestamp[us, tz=UTC]", 11: "uint8", 12: "uint16", 13: "uint32", 14: "uint64", 15: "int8", 16: "int16",
    17: "int32", 18: "int64", 19: "json", 20: "bson", 21: "interval",
}  # fmt: skip
# Of the union LogicalType by field: those that take no more than their name.
_LOGICAL: Final = {
    1: "string", 4: "enum", 6: "date32[day]", 11: "null", 12: "json", 13: "bson", 14: "uuid", 15: "halffloat",
    16: "variant", 17: "geometry", 18: "geography",
}  # fmt: skip
_UNITS: Final = {1: "ms", 2: "us", 3: "ns"}
_REPEATED: Final = 2
_MOST_PAGES: Final = 64


def read_parquet(source: Source) -> Facts:
    """Read its columns, how many rows it has, and who wrote it.

    Raises:
        Damaged: it is cut short, or its foot can't be read.
    """
    foot = _foot(source)
    columns = {_name(element): _type(element) for element in _columns(_list_at(foot, 2))}
    groups = foot.get(4)
    said: dict[str, Any] = {"rows": foot.get(3), "columns": columns}
    if isinstance(groups, list):
        said["row_groups"] = len(groups)
    if isinstance(foot.get(6), bytes):
        said["created_by"] = foot[6]
    return Facts("parquet", metadata=said)


def _foot(source: Source) -> dict[int, Any]:
    end = source.at(source.size - 8, 8)
    length = int.from_bytes(end[:4], "little")
    if end[4:] != MAGIC or not 0 < length <= source.size - 12:
        raise Damaged("cut short: its foot is not there")
    return _Thrift(Cursor(source, source.size - 8 - length, source.size - 8)).struct(0)


def values_by_page(source: Source) -> list[int]:
    """Tell how many values each page of the largest column has, in the first group of rows.

    Raises:
        Damaged: it can't be read.
    """
    foot = _foot(source)
    groups = foot.get(4)
    columns = groups[0].get(1) if isinstance(groups, list) and groups and isinstance(groups[0], dict) else None
    said = [each.get(3) for each in columns if isinstance(each, dict)] if isinstance(columns, list) else []
    sized = [each for each in said if isinstance(each, dict) and isinstance(each.get(7), int)]
    if not sized:
        return []
    largest = max(sized, key=lambda each: each[7])
    starts = [each for each in (largest.get(11), largest.get(9)) if isinstance(each, int) and each > 0]
    cursor = Cursor(source, min(starts, default=4), min(starts, default=4) + largest[7])
    counts: list[int] = []
    while cursor.position < cursor.end and len(counts) < _MOST_PAGES:
        head = _Thrift(cursor).struct(0)
        data = head.get(5) or head.get(8)
        if isinstance(data, dict) and isinstance(data.get(1), int):
            counts.append(data[1])
        packed = head.get(3)
        cursor.skip(packed if isinstance(packed, int) else -1)
    return counts


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


def _number(element: dict[int, Any], field: int) -> int:
    value = element.get(field)
    return value if isinstance(value, int) else -1


def _name(element: dict[int, Any]) -> str:
    name = element.get(4)
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else "?"


def _type(element: dict[int, Any]) -> str:
    """Return the type of a column by the name that Arrow gives it."""
    logical = element.get(10)
    if _children(element):
        nested = {2: "map", 3: "list"}.get(next(iter(logical), 0)) if isinstance(logical, dict) else None
        variant = isinstance(logical, dict) and 16 in logical
        return "variant" if variant else nested or _NESTED.get(_number(element, 6), "struct")
    name = _logical_type(logical) if isinstance(logical, dict) else None
    name = name or _CONVERTED.get(_number(element, 6))
    if name is None and element.get(6) == 5:
        name = _decimal(element.get(8), element.get(7))
    if name is None:
        kind = element.get(1)
        name = _PHYSICAL[kind] if isinstance(kind, int) and 0 <= kind < len(_PHYSICAL) else "?"
        if name == "fixed_size_binary":
            name += f"[{element.get(2, '?')}]"
    return "list" if element.get(3) == _REPEATED else name


def _logical_type(logical: dict[int, Any]) -> str | None:
    kind, said = next(iter(logical.items()), (0, None))
    if kind in _LOGICAL:
        return _LOGICAL[kind]
    if not isinstance(said, dict):
        return None
    if kind == 5:
        return _decimal(said.get(2), said.get(1))
    if kind == 10:
        return ("int" if said.get(2) else "uint") + str(said.get(1))
    if kind in (7, 8):
        unit = _UNITS.get(next(iter(said.get(2) or {}), 0), "?") if isinstance(said.get(2), dict) else "?"
        if kind == 7:
            return f"time{32 if unit == 'ms' else 64}[{unit}]"
        return f"timestamp[{unit}{', tz=UTC' if said.get(1) else ''}]"
    return None


def _decimal(precision: Any, scale: Any) -> str:
    wide = isinstance(precision, int) and precision > 38
    return f"decimal{256 if wide else 128}({precision}, {scale or 0})"


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
        if self._values > _MOST_VALUES:
            raise Unseen("its foot is larger than is looked at")
        if depth > _DEPTH:
            raise Damaged("its foot is deeper than any tool writes it")
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
        if kind == _MAP:
            return self._map(depth + 1)
        if kind == _UUID:
            return self._cursor.take(16)
        raise Damaged("its foot can't be read")

    def _map(self, depth: int) -> None:
        """Passed by: no field that is looked at is one."""
        count = self._cursor.varint()
        kinds = self._cursor.take(1)[0] if count else 0
        for _ in range(min(count, _MOST_VALUES + 1)):
            self._value(kinds >> 4, depth, inside=True)
            self._value(kinds & 15, depth, inside=True)

    def _list(self, depth: int) -> list[Any]:
        head = self._cursor.take(1)[0]
        count = head >> 4 if head >> 4 < 15 else self._cursor.varint()
        return [self._value(head & 15, depth, inside=True) for _ in range(min(count, _MOST_VALUES + 1))]
