"""What is found out of a table: its columns, and the words and limits that every reader of tables goes by."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
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
    """Tell what separates the fields of a CSV, by its heading."""
    if ".tsv" in path.lower():
        return "\t"
    return max(",;\t|", key=lambda mark: (first_line.count(mark), mark == ","))


_PARTS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def day_text(days: int) -> str:
    """Return a day by its number since 1970, as ISO 8601 has it; years beyond 9999 with their sign.

    Python's own dates end in the year 9999. "Infinity" in a database lies far behind it.
    """
    # Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": days_to_civil.
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + 400 * era + (month <= 2)
    shown = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+05d}"
    return f"{shown}-{month:02d}-{day_of_year - (153 * shifted + 2) // 5 + 1:02d}"


def instant_text(count: int, unit: str) -> str:
    """Return a moment by its number of s, ms, us or ns since 1970, in UTC, to the nanosecond if it has any."""
    seconds, part = divmod(count, _PARTS[unit])
    days, second = divmod(seconds, 86_400)
    nanoseconds = part * (_PARTS["ns"] // _PARTS[unit])
    text = f"{day_text(days)}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    if not nanoseconds:
        return text
    return f"{text}.{nanoseconds // 1000:06d}" if nanoseconds % 1000 == 0 else f"{text}.{nanoseconds:09d}"


def in_order(value: Any) -> Any:
    """Tell what the ranges of columns are compared by, when those of several tables are put together."""
    if not isinstance(value, str):
        return value
    try:
        return (0, Decimal(value), "")
    except InvalidOperation:
        sign = {"+": 1, "-": -1}.get(value[:1], 0)
        year = value.lstrip("+-").partition("-")[0]
        return (1, Decimal(sign * (int(year) if sign and year.isdecimal() else 0)), value)
