"""What the files of a version say of themselves: read before they are stored, kept in the record, shown by ``get``.

It knows which files are looked at and how much of it a record holds; formats are read elsewhere, and nothing of what
they say is believed. Every file's first bytes are looked at, since a pickle may have any name.
"""

from __future__ import annotations

import os
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from pacha_git.errors import PachaError
from pacha_git.inspectors.marks import may_run_code, may_say_something, may_share_more
from pacha_git.session.results import Json
from pacha_git.store.payload.sources import FoundFile

if TYPE_CHECKING:
    from pacha_git.inspectors.facts import Facts
    from pacha_git.inspectors.source import Source

_MOST_READ: Final = 2_000
_ROOM: Final = 96 << 10
_MOST_NOTICES: Final = 16
_MOST_MISSING: Final = 4
_START: Final = 512
_LEAST_TOLD: Final = 1 << 20
_SHARING: Final = "pacha.notices.sharing"
_MOST_ADVICE: Final = 4
_NOT_WHOLE: Final = "is not whole"
_PART: Final = re.compile(r"(?P<stem>.+)-\d{5}-of-(?P<count>\d{5})(?P<suffix>\.(?:gguf|safetensors|bin|pt|pth))\Z")
_T = TypeVar("_T")
_BUGS: Final = (
    ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError, struct.error,
)  # fmt: skip
_KEPT_WHERE_ROOM_IS_SHORT: Final[tuple[str, ...]] = (
    "path", "format", "parameters", "tensors", "dtypes", "runs_code", "warnings",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was found out.

    Attributes:
        files: What the record keeps of each file, by path.
        more: What it keeps of those for which it has no room, all together; None if there are none.
        notices: What a person should be told: damage, code that runs on loading, files that are missing.
        missing: Those of the notices that say that something lies elsewhere.
    """

    files: list[Json]
    more: Json | None
    notices: tuple[str, ...]
    missing: tuple[str, ...] = ()


class _Candidate(NamedTuple):
    file: FoundFile
    start: bytes


def inspect_files(files: Sequence[FoundFile]) -> Inspected:
    """Look at the heads of files to be stored, the largest first.

    Args:
        files: All of them.
    """
    candidates = sorted(_candidates(files), key=lambda each: -each.file.size)
    found: list[tuple[FoundFile, Facts]] = []
    passed_by = 0
    sizes: Mapping[str, int] | None = None
    for number, (file, start) in enumerate(candidates):
        if number >= _MOST_READ and not may_run_code(start, file.path):
            passed_by += 1
            continue
        facts = _facts_of(file, start)
        if facts is None:
            continue
        if facts.needs:
            sizes = sizes or {each.path: each.size for each in files}
            facts = replace(facts, warnings=(*facts.warnings, *_missing(file.path, facts.needs, sizes)))
        found.append((file, facts))
    kept, more = _kept(found, passed_by)
    lacking = tuple(_lacking_parts(files))
    said = (*_notices(found), *lacking)
    missing = tuple(line for line in said if _NOT_WHOLE in line)
    return Inspected(kept, more, (*said, *_sharing_notices(candidates)), missing)


def _lacking_parts(files: Sequence[FoundFile]) -> Iterator[str]:
    """Files that are numbered as parts of weights, of which others are missing, whether an index names them or not."""
    parts: dict[tuple[str, str, str], list[str]] = {}
    for file in files:
        match = _PART.match(file.path)
        if match is not None:
            parts.setdefault((match["stem"], match["count"], match["suffix"]), []).append(file.path)
    for (_, count, _), paths in sorted(parts.items()):
        lacking = int(count) - len(paths)
        if lacking > 0:
            said = f"{lacking} of its {int(count)} parts {'are' if lacking > 1 else 'is'} not registered with it"
            yield f"Warning: {min(paths)} {_NOT_WHOLE}: {said}"


def refuse_missing(inspected: Inspected) -> None:
    """Refuse a version of which something lies elsewhere.

    Raises:
        PachaError: with the first of them.
    """
    if inspected.missing:
        first = inspected.missing[0].removeprefix("Warning: ")
        more = f" (and {len(inspected.missing) - 1} more)" if inspected.missing[1:] else ""
        raise PachaError(f"{first}{more}", hint="register it with what it needs, or leave out --strict")


def _candidates(files: Sequence[FoundFile]) -> Iterator[_Candidate]:
    for file in files:
        try:
            descriptor = os.open(file.location, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue  # whoever stores it says so
        try:
            start = os.pread(descriptor, _START, 0)
        except OSError:
            continue
        finally:
            os.close(descriptor)
        if may_say_something(start, file.path):
            yield _Candidate(file, start)


def _facts_of(file: FoundFile, start: bytes) -> Facts | None:
    from pacha_git.inspectors.sniff import inspect_source  # most files are of no format, and then none is loaded

    try:
        return _read_by(file, inspect_source)
    except _BUGS as error:
        # A bug in a reader is no reason not to store a file; that it may run code is said all the same.
        from pacha_git.inspectors.facts import Facts

        said = f"it can't be looked at ({type(error).__name__})"
        return Facts("unknown", runs_code=may_run_code(start, file.path), warnings=(said,))


def _read_by(file: FoundFile, reader: Callable[[Source], _T | None]) -> _T | None:
    try:
        descriptor = os.open(file.location, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    from pacha_git.inspectors.source import Source

    try:
        return reader(Source(lambda offset, length: os.pread(descriptor, length, offset), file.size, file.path))
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _missing(path: str, needs: Mapping[str, int], sizes: Mapping[str, int]) -> list[str]:
    """Tell which files that this one is nothing without are not registered with it, or too short."""
    folder = path.rpartition("/")[0]
    said = []
    for name, least in needs.items():
        # A name from a file: no path is made of it beyond a look into what is registered.
        here = sizes.get(f"{folder}/{name}" if folder else name)
        if here is None:
            said.append(f"{name[:200]} is not registered with it")
        elif here < least:
            said.append(f"{name[:200]} has {here} bytes, and {least} are needed")
    more = [f"{len(said) - _MOST_MISSING} more files are missing"] if len(said) > _MOST_MISSING else []
    return said[:_MOST_MISSING] + more


# What a record keeps --------------------------------------------------------------------------------------------------


def _kept(found: Sequence[tuple[FoundFile, Facts]], passed_by: int) -> tuple[list[Json], Json | None]:
    """As much of each file as there is room for: first those that run code, then by size."""
    kept: list[Json] = []
    left_out: list[Json] = []
    room = _ROOM
    for file, facts in sorted(found, key=lambda each: not each[1].runs_code):
        value = {"path": file.path, **facts.to_json()}
        short = {key: value[key] for key in _KEPT_WHERE_ROOM_IS_SHORT if key in value}
        for candidate in (value, short):
            size = len(repr(candidate))
            # The last part of the room is for short entries.
            if size <= (room - _ROOM // 2 if candidate is value else room):
                room -= size
                kept.append(candidate)
                break
        else:
            left_out.append(short)
    more = _together(left_out, passed_by) if left_out or passed_by else None
    return sorted(kept, key=lambda value: str(value["path"])), more


def _together(left_out: Sequence[Json], passed_by: int) -> Json:
    """Tell what those say together of which each can't be kept."""
    formats = Counter(str(value["format"]) for value in left_out)
    more: dict[str, Any] = {"files": len(left_out) + passed_by, "formats": dict(sorted(formats.items()))}
    parameters = sum(value["parameters"] for value in left_out if isinstance(value.get("parameters"), int))
    if parameters:
        more["parameters"] = parameters if parameters < 2**53 else str(parameters)
    runs_code = sum(bool(value.get("runs_code")) for value in left_out)
    if runs_code:
        more["runs_code"] = runs_code
    return more


# What a person is told ------------------------------------------------------------------------------------------------


def _notices(found: Sequence[tuple[FoundFile, Facts]]) -> Iterator[str]:
    damaged = [(file.path, facts, warning) for file, facts in found for warning in facts.warnings]
    for path, facts, warning in damaged[:_MOST_NOTICES]:
        whole = "not registered" in warning or "are missing" in warning or "are needed" in warning
        yield f"Warning: {path} {_NOT_WHOLE if whole else f'is no sound {facts.format} file'}: {warning}"
    if len(damaged) > _MOST_NOTICES:
        yield f"Warning: {len(damaged) - _MOST_NOTICES} more files are not sound"
    running = [(file.path, facts) for file, facts in found if facts.runs_code]
    for path, facts in running[:_MOST_NOTICES]:
        yield _runs_code(path, facts)
    if len(running) > _MOST_NOTICES:
        yield f"Warning: {len(running) - _MOST_NOTICES} more files are pickles: loading them runs the code in them"


def _sharing_notices(candidates: Sequence[_Candidate]) -> Iterator[str]:
    """Where storing a file otherwise would share more between versions, unless a person does not want to be told."""
    worth = [each.file for each in candidates if each.file.size >= _LEAST_TOLD and may_share_more(each.start)]
    if not worth:
        return
    from pacha_git.inspectors.sharing import advice
    from pacha_git.session import gitconfig

    if gitconfig.value(_SHARING).lower() in ("false", "no", "off", "0"):
        return
    for file in worth[:_MOST_ADVICE]:
        found = _read_by(file, advice)
        if found is not None:
            cost = f", about {max(1, found.bytes >> 20)} MiB then" if found.bytes is not None else ""
            yield f"{file.path}: {found.what}; to share more, {found.instead}{cost} ({_SHARING}=false silences this)"


def _runs_code(path: str, facts: Facts) -> str:
    if facts.format in ("zip", "tar", "pt2"):
        holds = ", ".join(str(name) for name in list(facts.metadata.get("pickles", ()))[:3])
        return f"Warning: {path} holds pickles ({holds or facts.format}): loading them runs the code in them"
    if facts.format == "keras":
        return f"Warning: {path} carries code ({facts.metadata.get('code')}): loading it may run it"
    within = "" if facts.format == "pickle" else f" ({facts.format})"
    return f"Warning: {path} is a pickle{within}: loading it runs the code in it"
