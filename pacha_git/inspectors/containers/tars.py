"""Reads the headers of a tar file: how many members, which samples of WebDataset, which pickles among them.

Format: POSIX.1-2017, pax Interchange Format. Members are passed by.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from pacha_git.inspectors.facts import Facts
from pacha_git.inspectors.marks import PICKLE_NAMES, TAR_MARK, begins_pickle, wrapper_of
from pacha_git.inspectors.source import Damaged, LimitReached, Source
from pacha_git.inspectors.streams import unpacked

_BLOCK: Final = 512
_MOST_MEMBERS: Final = 20_000
_MOST_OPENED: Final = 1_000
_LARGEST_PAX: Final = 1 << 20
_REGULAR: Final = b"\0007"
_WEIGHTS: Final = (*PICKLE_NAMES, ".pt", ".pth", ".ckpt")
_MOST_TOLD: Final = 16
_PIECE: Final = 1 << 18
_MOST_TRIED: Final = 500
_SMALL: Final = 16_384


@dataclass(slots=True)
class _Archived:
    members: int = 0
    files: int = 0
    samples: dict[str, None] = field(default_factory=dict)
    endings: Counter[str] = field(default_factory=Counter)
    pickles: list[str] = field(default_factory=list)


def is_tar(source: Source) -> bool:
    """Tell whether it begins with a header of a tar file."""
    head = source.some(0, _BLOCK)
    return (
        len(head) == _BLOCK and (head[257:262] == TAR_MARK or head[100:108].strip(b" 0123457\0") == b"") and _sums(head)
    )


def _sums(head: bytes) -> bool:
    said = _number(head[148:156])
    return said is not None and said == sum(head[:148]) + 8 * 32 + sum(head[156:]) and any(head)


def _number(digits: bytes) -> int | None:
    if digits[:1] in (b"\x80", b"\xff"):
        return int.from_bytes(digits[1:], "big")
    try:
        return int(digits.rstrip(b" \0").lstrip() or b"0", 8)
    except ValueError:
        return None


def read_tar(source: Source) -> Facts:
    """Go through its headers.

    Raises:
        Damaged: it is cut short, or a header makes no sense.
    """
    found = _Archived()
    return _facts(found, complete=_walk(source, found))


def _walk(source: Source, found: _Archived) -> bool:
    """Take note of each member; whether the end was reached.

    Raises:
        Damaged: it is cut short, or a header makes no sense.
    """
    position = 0
    wide: dict[str, Any] = {}
    while position + _BLOCK <= source.size and found.members < _MOST_MEMBERS:
        head = source.at(position, _BLOCK)
        if not any(head):
            return True
        if not _sums(head):
            raise Damaged(f"its header at {position} makes no sense")
        size = wide.get("size", _number(head[124:136]))
        if size is None or position + _BLOCK + size > source.size:
            raise Damaged(f"cut short: its member at {position} ends behind its end")
        kind = head[156:157]
        if kind in (b"x", b"g"):
            wide = _pax(source.at(position + _BLOCK, min(size, _LARGEST_PAX))) if kind == b"x" else {}
        else:
            if kind in (b"\0", b"0", b"7"):
                _take(source, found, position, size, wide.get("path") or _path(head))
            found.members += kind not in (b"L", b"K")
            wide = {}
        position += _BLOCK + -(-size // _BLOCK) * _BLOCK
    if found.members < _MOST_MEMBERS:
        raise Damaged("cut short: its end is not there")
    return False


def read_packed_tar(source: Source) -> Facts | None:
    """Look for pickles in a compressed tar, as far as it is unpacked; None if it is no tar, or has none there.

    Raises:
        Damaged, LimitReached: it can't be unpacked.
    """
    wrapper = wrapper_of(source.some(0, 64)) or "?"
    stream = unpacked(source, wrapper)
    if stream is None or not is_tar(_bytes_source(head := stream.read(_BLOCK))):
        return None
    data = bytearray(head)
    with suppress(LimitReached, Damaged):
        while piece := stream.read(_PIECE):
            data += piece
    found = _Archived()
    with suppress(Damaged):
        _walk(_bytes_source(bytes(data)), found)
    if not found.pickles:
        return None
    return Facts("tar", None, {"compression": wrapper, "pickles": found.pickles[:_MOST_TOLD]}, True)


def _bytes_source(data: bytes) -> Source:
    return Source(lambda offset, length: data[offset : offset + length], len(data))


def small_members(source: Source) -> tuple[int, int] | None:
    """How many of the first members are small files with times of their own, and the bytes of all of these members.

    None if most are large, or share one time.
    """
    position, times, small, kept, count = 0, set(), 0, 0, 0
    while position + _BLOCK <= source.size and count < _MOST_TRIED:
        head = source.at(position, _BLOCK)
        size = _number(head[124:136]) if _sums(head) else None
        if size is None:
            break
        if head[156:157] in (b"\0", b"0"):
            count += 1
            kept += size
            small += size < _SMALL
            times.add(head[136:148])
        position += _BLOCK + -(-size // _BLOCK) * _BLOCK
    if count < 16 or small * 2 < count or len(times) < 2:
        return None
    return small, kept * source.size // max(1, min(position, source.size))


def _path(head: bytes) -> str:
    prefix = head[345:500].split(b"\0", 1)[0] if head[257:263] == b"ustar\0" else b""
    name = head[:100].split(b"\0", 1)[0]
    return (prefix + b"/" + name if prefix else name).decode("utf-8", "replace")


def _pax(data: bytes) -> dict[str, Any]:
    """Return the records of an extended header that say something of the next member: its size and path."""
    said: dict[str, Any] = {}
    at = 0
    while at < len(data):
        digits, _, _ = data[at : at + 20].partition(b" ")
        if not digits.isdigit() or not 0 < int(digits) <= len(data) - at:
            break
        key, _, value = data[at + len(digits) + 1 : at + int(digits) - 1].partition(b"=")
        if key == b"size" and value.isdigit():
            said["size"] = int(value[:18])
        elif key == b"path":
            said["path"] = value.decode("utf-8", "replace")
        at += int(digits)
    return said


def _take(source: Source, found: _Archived, position: int, size: int, path: str) -> None:
    found.files += 1
    folder, _, name = path.rpartition("/")
    stem, _, ending = name.partition(".")
    if ending and not name.startswith("."):
        found.samples[f"{folder}/{stem}"] = None
        found.endings[ending.lower()] += 1
    pickled = path.lower().endswith(_WEIGHTS)
    if not pickled and found.files <= _MOST_OPENED:
        pickled = begins_pickle(source.some(position + _BLOCK, min(size, 16)))
    if pickled:
        found.pickles.append(path)


def _facts(found: _Archived, *, complete: bool) -> Facts:
    said: dict[str, Any] = {"files" if complete else "files_at_least": found.files}
    samples = len(found.samples)
    # A shard of WebDataset: samples of several files each, which differ in what follows the first dot.
    if samples and found.files >= 2 * samples and sum(found.endings.values()) == found.files:
        said["samples" if complete else "samples_at_least"] = samples
    said["endings"] = dict(found.endings.most_common(_MOST_TOLD))
    if found.pickles:
        said["pickles"] = found.pickles[:_MOST_TOLD]
    return Facts("tar", None, said, runs_code=bool(found.pickles))
