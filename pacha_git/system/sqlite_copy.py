"""Copies and reads SQLite files of other programs, which may have them open, and never writes to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from pacha_git.errors import PachaError


def copy_sqlite(source: Path, target: Path) -> set[str]:
    """Copy a database as it stands at one moment.

    Returns:
        The names of its tables.

    Raises:
        PachaError: it can't be read as SQLite.
    """
    try:
        theirs = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
        ours = sqlite3.connect(target)
        try:
            theirs.backup(ours)
            return {name for (name,) in ours.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        finally:
            theirs.close()
            ours.close()
    except sqlite3.Error as error:
        raise PachaError(f"can't read {source} as SQLite: {error}") from None


def read_column(file: Path, table: str, column: str, where: Mapping[str, str]) -> list[object]:
    """Return the values of a column in the rows whose other columns have these values.

    Raises:
        PachaError: it can't be read.
    """
    condition = " AND ".join(f'"{name}" = ?' for name in where)
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            rows = connection.execute(f'SELECT "{column}" FROM "{table}" WHERE {condition}', tuple(where.values()))
            return [value for (value,) in rows]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise PachaError(f"can't read {file} as SQLite: {error}") from None
