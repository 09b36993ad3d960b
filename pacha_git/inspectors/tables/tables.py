"""The columns of a table in a file: names, types, nulls, counts and ranges, read from end to end in bounded memory.

Parquet and Arrow files take PyArrow (the extra ``data``). A CSV is read faster with it, and what is found is the same
without; JSON lines are always read with the standard library.
"""

from __future__ import annotations

import gzip
import importlib.util
import io
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import BinaryIO, Final

from pacha_git.inspectors.source import Damaged
from pacha_git.inspectors.tables.columns import Table

_TEXT_SUFFIXES: Final = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_ARROW_SUFFIXES: Final = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}


class LibraryMissing(Exception):
    """The file can be read with PyArrow alone, and it is not installed."""


def table_kind(path: str) -> str | None:
    """Tell whether a file is called like a table: csv, jsonl, parquet or arrow; None if not."""
    name = PurePosixPath(path.lower())
    suffix = PurePosixPath(name.stem).suffix if name.suffix == ".gz" else name.suffix
    known = _TEXT_SUFFIXES if name.suffix == ".gz" else {**_TEXT_SUFFIXES, **_ARROW_SUFFIXES}
    return known.get(suffix)


def read_table(file: BinaryIO, path: str) -> Table:
    """Read a table from end to end.

    Args:
        file: Its bytes, seekable.
        path: What it is called; ``.gz`` at its end is unpacked.

    Raises:
        Damaged: it can't be read as what it is called.
        LibraryMissing: it takes PyArrow.
    """
    kind = table_kind(path)
    opened = _opened(file, path)
    if kind in ("parquet", "arrow") and not has_arrow():
        raise LibraryMissing
    if kind is None:
        raise Damaged("it is called like no table")
    readers: list[Callable[[BinaryIO, str, str], Table]] = []
    # Of JSON lines PyArrow would tell other types than are told without it: of texts that look like times, say.
    if has_arrow() and kind != "jsonl":
        from pacha_git.inspectors.tables.arrow import read_with_arrow

        readers.append(read_with_arrow)
    if kind in ("csv", "jsonl"):
        from pacha_git.inspectors.tables.text_tables import read_text_table

        readers.append(read_text_table)
    return _first_that_can(readers, opened, path, kind)


def _first_that_can(
    readers: Iterable[Callable[[BinaryIO, str, str], Table]], file: BinaryIO, path: str, kind: str
) -> Table:
    """PyArrow decides on types by the first rows and gives up on what does not fit them; the slower reader does not."""
    damage: Damaged | None = None
    for reader in readers:
        file.seek(0)
        try:
            return reader(file, path, kind)
        except Damaged as error:
            damage = error
        except (EOFError, OSError, gzip.BadGzipFile) as error:
            damage = Damaged(str(error))
    assert damage is not None
    raise damage


def has_arrow() -> bool:
    """Tell whether PyArrow is installed."""
    return importlib.util.find_spec("pyarrow") is not None


def _opened(file: BinaryIO, path: str) -> BinaryIO:
    if not path.lower().endswith(".gz"):
        return file
    return io.BufferedReader(gzip.GzipFile(fileobj=file))
