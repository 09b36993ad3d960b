"""What links among files stand for: a document that is reached by a link is looked at as if it lay there."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Final, NamedTuple

LINK: Final = b"120000"
FILES: Final = (b"100644", b"100755")
_LONGEST: Final = 8


class Entry(NamedTuple):
    """A file or link, as a tree or index has it."""

    mode: bytes
    oid: bytes


def resolved(
    entries: Mapping[str, Entry],
    changed: Set[str],
    suffixes: tuple[str, ...],
    read: Callable[[bytes], bytes],
) -> Iterator[tuple[str, bytes]]:
    """Paths with the blob that whoever opens them reads, of those that changed or that a link leads to a changed one.

    Args:
        entries: Everything there is.
        changed: What is new or different.
        suffixes: In lower case; other paths are passed by.
        read: Reads a blob; where a link leads is in one.
    """
    for path, entry in entries.items():
        if not path.lower().endswith(suffixes):
            continue
        if entry.mode in FILES:
            if path in changed:
                yield path, entry.oid
        elif entry.mode == LINK:
            target = _followed(path, entries, read)
            if target is not None and (path in changed or target in changed):
                yield path, entries[target].oid


def _followed(path: str, entries: Mapping[str, Entry], read: Callable[[bytes], bytes]) -> str | None:
    """Return the file that a link leads to; None if that is no file of these."""
    for _ in range(_LONGEST):
        entry = entries.get(path)
        if entry is None:
            return None
        if entry.mode in FILES:
            return path
        target = read(entry.oid).decode("utf-8", "surrogateescape")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return None
