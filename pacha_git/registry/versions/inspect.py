"""What the files of a version say of themselves: read before they are stored, kept in the record, shown by ``get``.

It knows which files are looked at and how much of it a record holds; formats are read elsewhere, and nothing of what
they say is believed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

from pacha_git.inspectors.facts import Facts
from pacha_git.inspectors.sniff import SUFFIXES, inspect
from pacha_git.session.results import Json
from pacha_git.store.payload.sources import FoundFile

_FEW: Final = 16
_MOST_FILES: Final = 48
_ROOM: Final = 96 << 10


def inspect_files(files: Sequence[FoundFile]) -> tuple[list[Json], tuple[str, ...]]:
    """Look at the heads of files.

    Args:
        files: Those to be stored. Where there are many, those named like weights or data are looked at, largest first.

    Returns:
        What the record keeps, by path; and what a person should be told: damage, and code that runs on loading.
    """
    found: list[Json] = []
    notices: list[str] = []
    room = _ROOM
    for file in _worth_a_look(files):
        facts = _facts_of(file)
        if facts is None:
            continue
        value = {"path": file.path, **facts.to_json()}
        room -= len(repr(value))
        if room < 0:
            value = {key: value[key] for key in ("path", "format", "parameters", "runs_code") if key in value}
        found.append(value)
        notices += _notices(file.path, facts)
    return sorted(found, key=lambda value: str(value["path"])), tuple(notices)


def _worth_a_look(files: Sequence[FoundFile]) -> list[FoundFile]:
    if len(files) > _FEW:
        files = [file for file in files if "." + file.path.rpartition(".")[2].lower() in SUFFIXES]
    return sorted(files, key=lambda file: -file.size)[:_MOST_FILES]


def _facts_of(file: FoundFile) -> Facts | None:
    try:
        descriptor = os.open(file.location, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None  # whoever stores it says so
    try:
        return inspect(lambda offset, length: os.pread(descriptor, length, offset), file.size, file.path)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _notices(path: str, facts: Facts) -> Iterator[str]:
    for warning in facts.warnings:
        yield f"Warning: {path} is no sound {facts.format} file: {warning}"
    if facts.runs_code:
        within = "" if facts.format == "pickle" else f" ({facts.format})"
        yield f"Warning: {path} is a pickle{within}: loading it runs the code in it"
