"""Copies a SQLite file that another program may have open, and never writes to it."""

from __future__ import annotations

import sqlite3
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
