"""The columns of a dataset's tables, read from its payload: what a datasheet calls features.

It knows which files are tables and how several are put together; reading one is ``formats``'.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import partial
from typing import Any, BinaryIO, Final, cast

from pacha_git.errors import Corrupt, NotFound, PachaError, VerificationFailed
from pacha_git.format.manifest import FileLine
from pacha_git.inspectors.source import Damaged
from pacha_git.inspectors.tables.columns import Column, Table, in_order
from pacha_git.inspectors.tables.tables import LibraryMissing, read_table, table_kind
from pacha_git.progress import Progress
from pacha_git.registry.reading.content import payload_of
from pacha_git.session.results import Json
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.payload.reader import Payload, PayloadFile
from pacha_git.system.confined import Death, confined

_MOST_TABLES: Final = 64
_MEMORY: Final = 8 << 30
_PATIENCE_SECONDS: Final = 120.0
_ERRORS: Final[Mapping[str, type[PachaError]]] = {
    each.__name__: each for each in (PachaError, NotFound, Corrupt, VerificationFailed)
}
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


def features_of(session: Session, stored: records.StoredRecord, progress: Progress | None = None) -> Features:
    """Read all tables of a version, from end to end.

    Raises:
        NotFound: its payload is not here.
    """
    payload = payload_of(session, stored)
    wanted = [line for line in payload.lines if table_kind(line.path)]
    tables: list[tuple[str, Table]] = []
    notices = [f"{len(wanted) - _MOST_TABLES} more tables were not read"] if len(wanted) > _MOST_TABLES else []
    lines = wanted[:_MOST_TABLES]
    answers = confined(lines, partial(_answer, payload), memory=_MEMORY, seconds=_seconds)
    for number, (line, answer) in enumerate(zip(lines, answers, strict=True)):
        if progress is not None:
            progress("read tables", number, len(wanted), unit="files")
        if isinstance(answer, Death):
            notices.append(f"{line.path} was not read: what reads it was stopped ({answer.reason})")
        elif "error" in answer:
            raise _ERRORS[answer["error"]](answer["message"], hint=answer["hint"])
        elif "notice" in answer:
            notices.append(f"{line.path} {answer['notice']}")
        else:
            tables.append((line.path, Table(answer["rows"], tuple(Column(*each) for each in answer["columns"]))))
    if not tables:
        return Features(notices=tuple(notices))
    rows = sum(table.rows for _, table in tables)
    return Features(rows, tuple(_together(tables)), tuple(notices))


def _seconds(line: FileLine) -> float:
    """Tell how long a table may take: a slow machine reads a megabyte in a second."""
    return _PATIENCE_SECONDS + line.size / 1e6


def _answer(payload: Payload, line: FileLine) -> Json:
    """Read one table, in a child: what reads it may die of it."""
    file = cast(BinaryIO, io.BufferedReader(PayloadFile(payload, line), _BUFFER))
    try:
        table = read_table(file, line.path)
    except Damaged as damage:
        return {"notice": f"can't be read as a table: {damage}"}
    except LibraryMissing:
        return {"notice": "takes PyArrow to be read: pip install 'pacha-git[data]'"}
    except MemoryError:
        return {"notice": "takes too much memory to be read"}
    except PachaError as error:
        name = type(error).__name__
        return {"error": name if name in _ERRORS else "PachaError", "message": error.message, "hint": error.hint}
    return {"rows": table.rows, "columns": [astuple(column) for column in table.columns]}


def _together(tables: Sequence[tuple[str, Table]]) -> list[Column]:
    """Return the columns of all tables: put together where all tables have the same ones, else by table."""
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
