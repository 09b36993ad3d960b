"""The columns of a dataset's tables, read from its payload: what a datasheet calls features.

It knows which files are tables and how several are put together; reading one is ``formats``'.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Final, cast

from pacha_git.inspectors.source import Damaged
from pacha_git.inspectors.tables.columns import Column, Table, in_order
from pacha_git.inspectors.tables.tables import LibraryMissing, read_table, table_kind
from pacha_git.progress import Progress
from pacha_git.registry.reading.content import payload_of
from pacha_git.session.context import Context
from pacha_git.session.results import Json
from pacha_git.store import records
from pacha_git.store.payload.reader import PayloadFile

_MOST_TABLES: Final = 64
_BUFFER: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Features:
    """What was read.

    Attributes:
        rows: Of all tables together; None if there is no table.
        columns: Of all tables; where they differ, each named ``PATH: COLUMN``.
        notices: Which files were not read, and why.
    """

    rows: int | None = None
    columns: tuple[Column, ...] = ()
    notices: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """As a datasheet has them: by name ``dtype``, ``nullable`` and ``statistics``."""
        return {column.name: _feature(column, self.rows or 0) for column in self.columns}


def _feature(column: Column, rows: int) -> Json:
    low, high = ("min_length", "max_length") if column.dtype == "string" else ("min", "max")
    found: Json = {"count": rows - column.nulls, "nulls": column.nulls}
    if column.minimum is not None:
        found |= {low: column.minimum, high: column.maximum}
    return {"dtype": column.dtype, "nullable": column.nulls > 0, "statistics": found}


def features_of(context: Context, stored: records.StoredRecord, progress: Progress | None = None) -> Features:
    """Read all tables of a version, from end to end.

    Raises:
        NotFound: its payload is not here.
    """
    payload = payload_of(context, stored)
    wanted = [line for line in payload.lines if table_kind(line.path)]
    tables: list[tuple[str, Table]] = []
    notices = [f"{len(wanted) - _MOST_TABLES} more tables were not read"] if len(wanted) > _MOST_TABLES else []
    for number, line in enumerate(wanted[:_MOST_TABLES]):
        if progress is not None:
            progress("read tables", number, len(wanted), unit="files")
        file = cast(BinaryIO, io.BufferedReader(PayloadFile(payload, line), _BUFFER))
        try:
            tables.append((line.path, read_table(file, line.path)))
        except Damaged as damage:
            notices.append(f"{line.path} can't be read as a table: {damage}")
        except LibraryMissing:
            notices.append(f"{line.path} takes PyArrow to be read: pip install 'pacha-git[data]'")
    if not tables:
        return Features(notices=tuple(notices))
    rows = sum(table.rows for _, table in tables)
    return Features(rows, tuple(_together(tables)), tuple(notices))


def _together(tables: Sequence[tuple[str, Table]]) -> list[Column]:
    """The columns of all tables: put together where all tables have the same ones, else by table."""
    first = [(column.name, column.dtype) for column in tables[0][1].columns]
    if all([(column.name, column.dtype) for column in table.columns] == first for _, table in tables):
        return [_merged([table.columns[at] for _, table in tables]) for at in range(len(first))]
    return [replace(column, name=f"{path}: {column.name}") for path, table in tables for column in table.columns]


def _merged(columns: Sequence[Column]) -> Column:
    def of(values: Sequence[Any], choose: Any) -> Any:
        known = [value for value in values if value is not None]
        return choose(known, key=in_order) if known else None

    return replace(
        columns[0],
        nulls=sum(column.nulls for column in columns),
        minimum=of([column.minimum for column in columns], min),
        maximum=of([column.maximum for column in columns], max),
    )
