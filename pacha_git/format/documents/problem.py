"""What is wrong with a document that a person wrote, and where; it knows no document."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong.

    Attributes:
        line: From 1; None if it is in no line (a key that is missing).
        key: The dotted key, or "".
        message: What is wrong.
        column: From 1, where the text itself can't be read.
    """

    line: int | None
    key: str
    message: str
    column: int | None = None

    def __str__(self) -> str:
        place = "" if self.line is None else f"line {self.line}"
        place += "" if self.column is None else f", column {self.column}"
        return ": ".join(part for part in (place, self.key, self.message) if part)


def place(what: str, problem: Problem) -> str:
    """Return a problem as compilers say it: ``card.md:3:1: license: …``."""
    where = ":".join(str(part) for part in (what, problem.line, problem.column) if part is not None)
    return f"{where}: {problem.key + ': ' if problem.key else ''}{problem.message}"
