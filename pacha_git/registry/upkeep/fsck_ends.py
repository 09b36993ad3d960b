"""Finds refs that stand without what they belong to, and refs that lead to what belongs elsewhere.

The format allows payloads, events and last-seen copies to stand alone, so most of it is told and is no problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from pacha_git.errors import PachaError
from pacha_git.exchange.remotes import TRACKING_ROOT, as_there
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.session.items import is_item
from pacha_git.store.spelling import spelled_ref
from pacha_git.vocabulary.ids import (
    NOTES_ROOT,
    PAYLOAD_ROOT,
    REF_ROOT,
    REGISTRY_REF,
    ROOT_REF,
    parse_notes_ref,
)

# Whoever works with stock git may have any refs here.
_PEOPLE_S: Final = ("refs/heads/", "refs/tags/", "refs/notes/", "refs/stash")


class LooseEnd(NamedTuple):
    """A ref, what is to be said of it, and whether that is a problem."""

    ref: str
    message: str
    is_problem: bool = False


def loose_ends(repo: GitRepository, refs: Mapping[str, Oid], lacking: Mapping[Oid, str]) -> Iterator[LooseEnd]:
    """Look at every ref of a repository, and say what stands alone or in a wrong place.

    Args:
        repo: Where.
        refs: All refs.
        lacking: The payload commits of those records that have no payload, with the refs where they belong.
    """
    names = {ref.rpartition("/")[0] for ref in refs if is_item(ref)}
    for ref, oid in refs.items():
        if ref.startswith(PAYLOAD_ROOT):
            if ref.replace(PAYLOAD_ROOT, REF_ROOT, 1) in refs:
                continue  # whether it is the record's is said where payloads are checked
            if oid in lacking:
                yield LooseEnd(ref, f"it leads to what belongs under {lacking[oid]}", True)
            else:
                yield LooseEnd(ref, "bytes without a record: a payload may come first")
        elif ref.startswith(NOTES_ROOT):
            yield from _of_notes(repo, ref, oid, names)
        elif ref.startswith(TRACKING_ROOT):
            yield from _of_copy(repo, ref, oid, refs)
        elif not ref.startswith((REF_ROOT, *_PEOPLE_S)):
            yield from _of_stray(repo, ref, oid, refs)


def _of_notes(repo: GitRepository, ref: str, oid: Oid, names: set[str]) -> Iterator[LooseEnd]:
    try:
        parsed = parse_notes_ref(ref)
        if parsed is None or f"{REF_ROOT}{parsed[0].plural}/{parsed[1]}" in names:
            return
        spelled = spelled_ref(repo, oid)
    except PachaError:
        return  # said where notes are read
    if spelled is not None and spelled != ref:
        yield LooseEnd(ref, f"it leads to what belongs under {spelled}", True)
    else:
        yield LooseEnd(ref, "events of a name that has no version here")


def _of_copy(repo: GitRepository, ref: str, oid: Oid, refs: Mapping[str, Oid]) -> Iterator[LooseEnd]:
    """Yield a last-seen copy: it must lead to what its name says, and may be of what is not taken over yet."""
    there = as_there(ref)
    if not there or refs.get(there) == oid:
        return
    try:
        spelled = spelled_ref(repo, oid)
    except PachaError as error:
        yield LooseEnd(ref, error.message, True)
        return
    if spelled is None and there.startswith(NOTES_ROOT):
        yield LooseEnd(ref, "no line there can be read, and ours stay")
    elif spelled != there:
        yield LooseEnd(ref, f"a last-seen copy that leads to what belongs under {spelled or 'no ref'}", True)
    elif there not in refs and is_item(there):
        yield LooseEnd(ref, "seen there and not here: git pacha pull takes it over")


def _of_stray(repo: GitRepository, ref: str, oid: Oid, refs: Mapping[str, Oid]) -> Iterator[LooseEnd]:
    try:
        spelled = spelled_ref(repo, oid)
    except PachaError as error:
        yield LooseEnd(ref, error.message, True)
        return
    if spelled is not None and spelled not in (ROOT_REF, REGISTRY_REF) and refs.get(spelled) != oid:
        yield LooseEnd(ref, f"it leads to what belongs under {spelled}", True)
