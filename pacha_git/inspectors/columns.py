"""What is found out of a table: its columns, and the words and limits that every reader of tables goes by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

NULLS: Final = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
"""What a CSV writes where there is no value."""
MOST_COLUMNS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: As the file has it.
        dtype: int64, float64, bool, string, date32, timestamp, … as PyArrow and NumPy name types.
        nulls: How many values are missing.
        minimum: The least number or date; of texts, the least length.
        maximum: The greatest, likewise.
    """

    name: str
    dtype: str
    nulls: int
    minimum: Any = None
    maximum: Any = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table: how many rows it has, and its columns in order."""

    rows: int
    columns: tuple[Column, ...]


def delimiter_of(first_line: str, path: str) -> str:
    """What separates the fields of a CSV, by its heading."""
    if ".tsv" in path.lower():
        return "\t"
    return max(",;\t|", key=lambda mark: (first_line.count(mark), mark == ","))
