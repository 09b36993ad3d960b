"""Reads CSV and JSON lines with the standard library, row by row; a column has the type that all its values fit."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

from pacha_git.inspectors.source import Damaged
from pacha_git.inspectors.tables.columns import MOST_COLUMNS, NULLS, Column, Table, delimiter_of, instant_text

_NULLS: Final = frozenset(NULLS)
_NUMERIC: Final = frozenset("+-.0123456789iI \t")
_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\d([ T]\d\d(:?\d\d(:?\d\d(\.\d{1,9})?)?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII
)
_TRUTHS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_EPOCH: Final = datetime.datetime(1970, 1, 1)
_LONGEST_LINE: Final = 64 << 20


def read_text_table(file: BinaryIO, path: str, kind: str) -> Table:
    """Read it; see ``tables.read_table``.

    Raises:
        Damaged: it can't be read.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        return _read_csv(text, path) if kind == "csv" else _read_jsonl(text)
    except UnicodeDecodeError:
        raise Damaged("it is not UTF-8") from None
    except csv.Error as error:
        raise Damaged(f"no CSV: {error}") from None
    finally:
        text.detach()


def _read_csv(text: io.TextIOWrapper, path: str) -> Table:
    first = text.readline(_LONGEST_LINE)
    text.seek(0)
    rows = csv.reader(text, delimiter=delimiter_of(first, path))
    names = next(rows, [])
    if not names:
        raise Damaged("it is empty")
    if len(names) > MOST_COLUMNS:
        raise Damaged(f"it has {len(names)} columns")
    columns = [_Gathered(name) for name in names]
    count = 0
    for row in rows:
        if not row:
            continue
        count += 1
        for at, column in enumerate(columns):
            column.see_word(row[at] if at < len(row) else "")
    return Table(count, tuple(column.column(count) for column in columns))


def _read_jsonl(text: Iterable[str]) -> Table:
    columns: dict[str, _Gathered] = {}
    count = 0
    for number, row in _objects(text):
        count += 1
        for name, value in row.items():
            if name not in columns:
                if len(columns) >= MOST_COLUMNS:
                    raise Damaged(f"it has over {MOST_COLUMNS} columns")
                columns[name] = _Gathered(name)
            columns[name].see_value(value)
        if number > 2**53:
            raise Damaged("it has no end")
    return Table(count, tuple(column.column(count) for column in columns.values()))


def _objects(text: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise Damaged(f"line {number} is no JSON") from None
        if not isinstance(row, dict):
            raise Damaged(f"line {number} is no JSON object")
        yield number, row


class _Range:
    """The least and the greatest of values so far."""

    __slots__ = ("least", "most")

    def __init__(self) -> None:
        self.least: Any = None
        self.most: Any = None

    def take(self, value: Any) -> None:
        if self.least is None:
            self.least = self.most = value
        elif value < self.least:
            self.least = value
        elif value > self.most:
            self.most = value


class _Gathered:
    """What the values of a column have in common so far."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._seen = 0
        self._types: set[str] = set()
        self._ranges = {kind: _Range() for kind in ("number", "length", "date32", "timestamp")}
        self._numbers, self._lengths = self._ranges["number"].take, self._ranges["length"].take

    def see_word(self, word: str) -> None:
        """Take in a field of a CSV: ``1``, ``0.5``, ``true``, ``2026-01-31``, or a text."""
        if word in _NULLS:
            return
        value: Any = _number(word)
        if value is None:
            value = _TRUTHS.get(word.strip())
        if value is None:
            value = _instant(word)
        self.see_value(word if value is None else value)
        if value is not None:
            self._lengths(len(word))  # of a column that turns out to hold texts too

    def see_value(self, value: Any) -> None:
        """Take in a value of JSON."""
        if value is None:
            return
        self._seen += 1
        kind = _type_of(value)
        self._types.add(kind)
        if kind == "string":
            self._lengths(len(value))
        elif kind in ("int64", "float64"):
            try:
                number = value if kind == "int64" else float(value)
            except OverflowError:
                return  # a number of JSON that no float holds
            if math.isfinite(number):
                self._numbers(number)
        elif kind in self._ranges:
            self._ranges[kind].take(value)

    def column(self, rows: int) -> Column:
        """Return the column, of a table with so many rows."""
        dtype = _common(self._types)
        kind = {"int64": "number", "float64": "number", "string": "length"}.get(dtype, dtype)
        found = self._ranges.get(kind, _Range())
        return Column(self._name, dtype, rows - self._seen, _plain(found.least), _plain(found.most))


class _Instant(int):
    """A moment, in nanoseconds since 1970 in UTC."""


def _number(word: str) -> int | float | None:
    if word[0] not in _NUMERIC:
        return None
    try:
        bare = word.strip()
        if bare.removeprefix("-").isdecimal():
            whole = int(bare)
            return whole if -(2**63) <= whole < 2**63 else float(whole)
        return float(bare) if bare.isascii() and "_" not in bare else None
    except (ValueError, OverflowError):
        return None


def _instant(word: str) -> datetime.date | _Instant | None:
    if not (10 <= len(word) <= 35 and word[4] == "-" and _INSTANT.fullmatch(word)):
        return None
    try:
        if len(word) == 10:
            return datetime.date.fromisoformat(word)
        moment = datetime.datetime.fromisoformat(word)
    except ValueError:
        return None
    since = moment.replace(tzinfo=None) - _EPOCH - (moment.utcoffset() or datetime.timedelta(0))
    fraction = re.search(r"\.([0-9]+)", word)  # Python's own ends with the microsecond
    finer = int(fraction[1][6:9].ljust(3, "0")) if fraction else 0
    return _Instant(since // datetime.timedelta(microseconds=1) * 1000 + finer)


def _type_of(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return "string"
    if kind is float:
        return "float64"
    if kind is int:
        return "int64" if -(2**63) <= value < 2**63 else "float64"
    if kind is bool:
        return "bool"
    if kind is _Instant:
        return "timestamp"
    if isinstance(value, datetime.date):
        return "date32"
    return "list" if isinstance(value, list) else "struct"


def _common(types: set[str]) -> str:
    if not types:
        return "null"
    if len(types) == 1:
        return next(iter(types))
    return "float64" if types == {"int64", "float64"} else "string"


def _plain(value: Any) -> Any:
    if type(value) is _Instant:
        return instant_text(value, "ns")
    return value.isoformat() if isinstance(value, datetime.date) else value
