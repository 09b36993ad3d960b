"""Reads the journal of a run back: the points of every metric, the newest of every note, the files put beside them.

It knows frames and their order. A torn tail is left out, as its call never returned.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from json import loads
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from pacha_git.errors import PachaError
from pacha_git.format.params import decode_params
from pacha_git.store.runs.frames import NAME, NO_STEP, NOTE, ONE, POINT, POINTS, SESSION, VALUES, frames, goes_on
from pacha_git.store.runs.journal import COPIED, FILE_SUFFIX, STAGED
from pacha_git.store.runs.series import Series

_ONE_LENGTH: Final = ONE.size
_S, _M, _J, _P = SESSION[0], NAME[0], NOTE[0], VALUES[0]
_Appenders = tuple[Callable[[int], None], Callable[[int], None], Callable[[float], None]]


@dataclass(slots=True)
class Journal:
    """What was logged so far.

    Attributes:
        series: The points of each metric; of several writers in the order of time.
        params: Added after the start; of one named twice the later.
        tags: Likewise.
        notes: Any other keys that were noted, the later over the earlier.
        artifacts: Paths of the files that were put beside the points.
        copied: Size and BLAKE3 of those files, as far as their writers noted them.
    """

    series: dict[str, Series] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()
    copied: dict[str, tuple[int, str]] = field(default_factory=dict)


def read_journal(folder: Path) -> Journal:
    """Read all that was logged; an empty journal if there is none.

    Raises:
        PachaError: a file of it can't be read.
    """
    notes: list[dict[str, Any]] = []
    parts = [_read_file(data, notes) for data in _files(folder)]
    journal = Journal(series=_merged(parts), artifacts=tuple(sorted(staged(folder), key=str.encode)))
    for note in sorted(notes, key=lambda note: int(note.get("at", 0))):
        journal.params.update(decode_params(note.pop("params", "").encode("utf-8")))
        journal.tags.update(note.pop("tags", {}))
        journal.copied.update({path: (size, digest) for path, (size, digest) in note.pop(COPIED, {}).items()})
        journal.notes.update(note)
    journal.notes.pop("at", None)
    return journal


def _files(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.glob(f"*{FILE_SUFFIX}")):
        try:
            yield path.read_bytes()
        except FileNotFoundError:
            continue  # the run was sealed meanwhile
        except OSError as error:
            raise PachaError(f"can't read {path}: {error.strerror}") from None


def journal_problems(folder: Path) -> list[str]:
    """What is damaged of a journal, one line each: files that don't hold together, copies that are gone or altered.

    A torn tail is none: the call that wrote it never returned.
    """
    problems: list[str] = []
    for path in sorted(folder.glob(f"*{FILE_SUFFIX}")):
        try:
            data = path.read_bytes()
        except OSError as error:
            problems.append(f"{path.name}: it can't be read: {error.strerror}")
            continue
        end = max((end for _, end in frames(data)), default=0)
        if end < len(data) and goes_on(data, end):
            problems.append(f"{path.name}: damaged at byte {end} of {len(data)}; what was logged after that is lost")
    if problems:
        return problems
    try:
        copied = read_journal(folder).copied
    except (PachaError, ValueError, KeyError, IndexError) as error:
        return [f"it makes no sense: {error}"]
    for name, (size, digest) in sorted(copied.items()):
        problem = _copy_problem(folder / STAGED / name, size, digest)
        problems += [f"{STAGED}/{name}: {problem}"] if problem else []
    return problems


def _copy_problem(path: Path, size: int, digest: str) -> str:
    hashed = blake3()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                hashed.update(block)
            length = file.tell()
    except OSError as error:
        return f"it can't be read: {error.strerror}"
    return "" if (length, hashed.hexdigest()) == (size, digest) else "it is not what was copied there"


def staged(folder: Path) -> Iterator[str]:
    """Yield the paths of the files that were put beside a journal."""
    root = folder / STAGED
    for path, _, files in os.walk(root):
        for file in files:
            yield (Path(path) / file).relative_to(root).as_posix()


def _read_file(data: bytes, notes: list[dict[str, Any]]) -> dict[str, Series]:
    found: dict[str, Series] = {}
    named: dict[int, _Appenders] = {}
    one, points, point = ONE.unpack, POINTS.unpack_from, POINT.iter_unpack
    for body, _ in frames(data):
        if len(body) == _ONE_LENGTH and body[0] == _P:
            _, step, at, number, value = one(body)
            if number in named:
                add_step, add_time, add_value = named[number]
                add_step(step)
                add_time(at)
                add_value(value)
        elif body[0] == _P:
            _, step, at = points(body)
            for number, value in point(body[POINTS.size :]):
                if number in named:
                    add_step, add_time, add_value = named[number]
                    add_step(step)
                    add_time(at)
                    add_value(value)
        elif body[0] == _M:
            series = found.setdefault(body[5:].decode("utf-8"), Series())
            named[int.from_bytes(body[1:5], "little")] = (
                series.steps.append, series.times.append, series.values.append,
            )  # fmt: skip
        elif body[0] == _J:
            notes.append(loads(body[1:]))
        elif body[0] == _S:
            named.clear()
    return found


def _merged(parts: list[dict[str, Series]]) -> dict[str, Series]:
    """One series for each metric, with a step for every point."""
    found: dict[str, Series] = {}
    for name in sorted({name for part in parts for name in part}):
        every = [part[name] for part in parts if name in part and len(part[name])]
        if every:
            found[name] = _stepped(every[0] if len(every) == 1 else _in_time(every))
    return found


def _in_time(parts: list[Series]) -> Series:
    rows = [row for part in parts for row in zip(part.times, part.steps, part.values, strict=True)]
    rows.sort(key=lambda row: row[0])  # stable: what one writer logged within a millisecond stays in order
    times, steps, values = zip(*rows, strict=True)
    return Series(array("q", steps), array("q", times), array("d", values))


def _stepped(series: Series) -> Series:
    """Give each point without a step one more than the highest before it."""
    if NO_STEP in series.steps:
        highest = -1
        for at, step in enumerate(series.steps):
            if step == NO_STEP:
                series.steps[at] = step = highest + 1
            highest = max(highest, step)
    return series
