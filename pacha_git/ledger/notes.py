"""Notes as sets of lines: how one is read, written and united with another's.

Merging is ours: per record the union of both sides, without a merge base, so that no line is lost because one side
lacks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from pacha_git.errors import InvalidInput
from pacha_git.gitobjects.oid import Oid

MERGE_IDENTITY: Final = "pacha <pacha@invalid>"
MERGE_MESSAGE: Final = "merge\n"


def parse_note(data: bytes) -> list[bytes]:
    """Read a note: its lines without their LF, sorted by bytes, each once; empty ones are nothing."""
    lines = set(data.split(b"\n"))
    lines.discard(b"")
    return sorted(lines)


def encode_note(lines: Iterable[bytes]) -> bytes:
    """Write a note: each line once, sorted by bytes, each ending in LF.

    Law: ``encode_note(parse_note(x)) == union(x)``.

    Raises:
        InvalidInput: a line is empty or holds an LF.
    """
    unique = sorted(set(lines))
    for line in unique:
        if not line or b"\n" in line:
            raise InvalidInput(f"not one line of a note: {line[:80]!r}")
    return b"".join(line + b"\n" for line in unique)


def union(*notes: bytes) -> bytes:
    """Unite notes on one record; every line stays, also one that is no event.

    Laws: commutative, associative, idempotent.
    """
    return encode_note(line for note in notes for line in parse_note(note))


def merge_notes(ours: Mapping[Oid, bytes], theirs: Mapping[Oid, bytes]) -> dict[Oid, bytes]:
    """Unite two trees of notes, per record. Laws: those of ``union``; what is empty on both sides is left out."""
    merged = {oid: union(ours.get(oid, b""), theirs.get(oid, b"")) for oid in sorted({*ours, *theirs})}
    return {oid: note for oid, note in merged.items() if note}


class MergeCommit(NamedTuple):
    """What stands in the commit that merges notes; two peers who merge the same tips make the same commit.

    Attributes:
        parents: Both tips, sorted.
        identity: Author and committer.
        seconds: The later parent's date, since 1970; the offset is +0000.
        message: ``merge`` and an LF.
    """

    parents: tuple[Oid, ...]
    identity: str
    seconds: int
    message: str


def merge_commit(dates: Mapping[Oid, int]) -> MergeCommit:
    """Say what stands in the commit that merges these tips.

    Args:
        dates: The committer date of each tip, in seconds since 1970.
    """
    return MergeCommit(tuple(sorted(dates)), MERGE_IDENTITY, max(dates.values()), MERGE_MESSAGE)
