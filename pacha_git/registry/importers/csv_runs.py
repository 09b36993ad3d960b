"""Reads runs out of a CSV file: points in its rows, one run for the whole file or one for each value of a column.

It knows headings and cells (docs/import.md has the rules).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import blake3

from pacha_git.errors import InvalidInput, NotFound, PachaError
from pacha_git.format.params import MAX_STEP, metric_name
from pacha_git.registry.runs.take_in import Candidate, Elsewhere
from pacha_git.store.runs.series import Series

_PLACES: Final = {
    "run": ("run", "run_id"),
    "step": ("step", "epoch", "iteration"),
    "time": ("time", "timestamp", "wall_time"),
    "metric": ("metric", "key"),
    "value": ("value",),
}
_SIZE_LIMIT: Final = 1 << 30
# Seconds since 1970 stay below this until the year 5138; milliseconds passed it in 1973.
_MILLISECONDS_FROM: Final = 1e11


@dataclass(slots=True)
class _Run:
    """A run as its rows come in; what is said of it are its parameters and tags by their headings."""

    series: dict[str, Series] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    rows: int = 0

    def of(self, area: str) -> dict[str, str]:
        """Its ``params`` or ``tags``."""
        return {key[len(area) + 1 :]: value for key, value in self.said.items() if key.startswith(f"{area}.")}


class _Table:
    """The headings of a file, told apart, and one row of it at a time."""

    def __init__(self, path: Path, headings: Sequence[str]) -> None:
        self._path = path
        self._headings = headings
        lowered = [heading.lower() for heading in headings]
        if len(set(lowered)) < len(lowered) or "" in lowered:
            raise InvalidInput(f"{path}, line 1: a heading is empty or stands twice")
        found = {what: next((lowered.index(w) for w in words if w in lowered), None) for what, words in _PLACES.items()}
        is_long = found["metric"] is not None and found["value"] is not None
        if not is_long:
            found["metric"] = found["value"] = None
        self._at = found
        self._said = [at for at, heading in enumerate(headings) if heading.startswith(("params.", "tags."))]
        taken = {*self._said, *found.values()}
        self._metrics = [] if is_long else [at for at in range(len(headings)) if at not in taken]
        if not is_long and not self._metrics:
            raise InvalidInput(
                f"{path}, line 1: no column has a metric", hint="docs/import.md says what each heading is"
            )

    def take(self, runs: dict[str, _Run], cells: Sequence[str], line: int) -> None:
        """Take over a row, whole or not at all.

        Raises:
            InvalidInput: a cell that can't be.
        """
        if len(cells) != len(self._headings):
            raise InvalidInput(f"{self._path}, line {line}: {len(cells)} cells, and {len(self._headings)} headings")
        name = self._cell(cells, "run")
        run = runs.get(name, _Run())
        said = {self._headings[at]: cells[at] for at in self._said if cells[at]}
        for at in self._said:
            above = run.said.get(self._headings[at], cells[at])
            if cells[at] and above != cells[at]:
                raise self._wrong(line, at, f"{cells[at][:40]!r}, but {above[:40]!r} above")
        step = self._step(cells, line, run.rows)
        time = self._time(cells, line)
        points = [(metric, self._number(cells, at, line)) for at, metric in self._points(cells, line) if cells[at]]
        runs[name] = run
        run.rows += 1
        run.said.update(said)
        for metric, value in points:
            series = run.series.setdefault(metric, Series())
            series.steps.append(step)
            series.times.append(time)
            series.values.append(value)

    def _points(self, cells: Sequence[str], line: int) -> list[tuple[int, str]]:
        """Of each value in a row its place, and the metric that it is of."""
        at, value = self._at["metric"], self._at["value"]
        if at is None or value is None:
            return [(place, self._headings[place]) for place in self._metrics]
        try:
            return [(value, metric_name(cells[at]))]
        except InvalidInput as problem:
            raise self._wrong(line, at, problem.message) from None

    def _cell(self, cells: Sequence[str], what: str) -> str:
        at = self._at[what]
        return cells[at] if at is not None else ""

    def _step(self, cells: Sequence[str], line: int, row: int) -> int:
        text, at = self._cell(cells, "step"), self._at["step"]
        if not text or at is None:
            return row
        number = self._number(cells, at, line)
        if not number.is_integer() or abs(number) > MAX_STEP:
            raise self._wrong(line, at, f"{text[:40]!r} is no whole number")
        return int(number)

    def _time(self, cells: Sequence[str], line: int) -> int:
        """Milliseconds since 1970; 0 if there is no time."""
        text, at = self._cell(cells, "time"), self._at["time"]
        if not text or at is None:
            return 0
        try:
            number = float(text)
        except ValueError:
            try:
                said = datetime.fromisoformat(text)
            except ValueError:
                raise self._wrong(line, at, f"{text[:40]!r} is no time") from None
            number = (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()
        if not 0 < number < 1e15:
            raise self._wrong(line, at, f"{text[:40]!r} is no time since 1970")
        return int(number if number >= _MILLISECONDS_FROM else number * 1000)

    def _number(self, cells: Sequence[str], at: int, line: int) -> float:
        try:
            return float(cells[at])
        except ValueError:
            raise self._wrong(line, at, f"{cells[at][:40]!r} is no number") from None

    def _wrong(self, line: int, column: int, what: str) -> InvalidInput:
        where = f"{self._path}, line {line}, column {column + 1} ({self._headings[column]})"
        return InvalidInput(f"{where}: {what}", hint="docs/import.md says what each heading is")


def candidates(path: Path, tags: Mapping[str, str]) -> Iterator[Candidate]:
    """Yield the runs of a file, in the order in which they begin in it; before them, each row that is left out.

    Args:
        path: The file.
        tags: Tags for each of them.

    Raises:
        NotFound: there is none.
        InvalidInput: a heading that can't be.
        PachaError: it can't be read, or is no UTF-8.
    """
    data, written = _read(path)
    digest = blake3.blake3(data).hexdigest()
    runs, bad = _runs(path, data)
    for line, why in bad.items():
        yield Candidate(f"csv {digest} line {line}", 0, partial(_never, why), f"{path.name}, line {line}", why)
    for name, run in runs.items():
        whole = _whole(run, f"csv {digest} {name}", written, tags, {"file": path.name, "run": name or None})
        label = f"{path.name}: {name}" if name else path.name
        yield Candidate(whole.origin, whole.id_ms, lambda whole=whole: whole, label=label)  # type: ignore[misc]


def _never(why: str) -> Elsewhere:
    raise PachaError(why)


def _whole(run: _Run, origin: str, written: int, tags: Mapping[str, str], about: Mapping[str, object]) -> Elsewhere:
    times = [time for series in run.series.values() for time in series.times if time]
    for series in run.series.values():
        for at, time in enumerate(series.times):
            series.times[at] = time or (min(times) if times else written)
    return Elsewhere(
        origin=origin,
        # When the file was written tells when the run was, roughly, but not which run it is: a copy is written later.
        id_ms=min(times) if times else int(blake3.blake3(origin.encode("utf-8")).hexdigest()[:12], 16) >> 1,
        status="completed",
        started_ms=min(times, default=written),
        finished_ms=max(times, default=written),
        params={key: _typed(value) for key, value in run.of("params").items()},
        tags={**run.of("tags"), **tags},
        series=run.series,
        environment={"csv": dict(about)},
    )


def _typed(text: str) -> bool | int | float | str:
    """Return a parameter with the type that it reads as."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return value if kind is float or abs(value) < 1 << 63 else text
    return text


def _read(path: Path) -> tuple[bytes, int]:
    """Return the bytes of a file, and when it was written in milliseconds since 1970."""
    try:
        status = path.stat()
        if status.st_size > _SIZE_LIMIT:
            raise PachaError(f"{path} is over {_SIZE_LIMIT >> 30} GiB", hint="split it by run")
        return path.read_bytes(), max(0, status.st_mtime_ns // 1_000_000)
    except FileNotFoundError:
        raise NotFound(f"no such file: {path}") from None
    except OSError as error:
        raise PachaError(f"can't read {path}: {error.strerror}") from None


def _runs(path: Path, data: bytes) -> tuple[dict[str, _Run], dict[int, str]]:
    """Return the runs, and by line why a row is in none of them: one bad row leaves the others."""
    runs: dict[str, _Run] = {}
    bad: dict[int, str] = {}
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    except UnicodeDecodeError as error:
        raise PachaError(f"{path} is not UTF-8 at byte {error.start}") from None
    table: _Table | None = None
    while True:
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if table is None:
                raise PachaError(f"{path} is no CSV: line {reader.line_num}: {error}") from None
            bad[reader.line_num] = f"it is no CSV: {error}"
            continue
        cells = [cell.strip() for cell in row]
        if not row:
            continue
        if table is None:
            table = _Table(path, cells)
            continue
        try:
            table.take(runs, cells, reader.line_num)
        except InvalidInput as problem:
            bad[reader.line_num] = problem.message
    if table is None:
        raise InvalidInput(f"{path} is empty", hint="its first line has the headings")
    return runs, bad
