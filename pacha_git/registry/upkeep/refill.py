"""Brings back from remotes what is damaged or gone here: single objects by their ids, and refs that nobody here knows.

What comes is quarantined, hashed by Git, and read with every check before a ref of ours leads to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from pacha_git.errors import PachaError, RemoteError
from pacha_git.git.changes import changing
from pacha_git.git.holes import Holes
from pacha_git.git.refs.refs import RefUpdate
from pacha_git.git.repo import GitRepository
from pacha_git.git.side import passing
from pacha_git.git.wire import fetch as fetching
from pacha_git.git.wire import transport
from pacha_git.gitobjects.oid import Oid
from pacha_git.store.notes import merge_tips
from pacha_git.store.spelling import spelled_ref
from pacha_git.vocabulary.ids import NOTES_ROOT

# A manifest may be that large, and Git adds little to it.
_MOST: Final = 4 << 30
_TURNS: Final = 64


def refill(repo: GitRepository, source: str, tips: Iterable[Oid], told: Callable[[int], None] | None = None) -> int:
    """Fetch what is missing below these tips, as far as a remote has it.

    Args:
        repo: The repository.
        source: Name or URL of the remote.
        tips: Where to look for holes.
        told: Is told how many objects are missing, each time it changes.

    Returns:
        How many objects came.

    Raises:
        RemoteError: it can't be reached, or broke off.
    """
    every = list(tips)
    refused: set[Oid] = set()
    came = 0
    for _ in range(_TURNS):
        holes = Holes(repo)
        whole = [tip for tip in every if holes.is_whole(tip)]
        wanted = [oid for oid in holes.missing if oid not in refused]
        if told is not None:
            told(len(wanted))
        if not wanted:
            break
        got, not_there = _fetch_all(repo, source, wanted, whole)
        came += got
        refused |= not_there
    return came


def _fetch_all(repo: GitRepository, source: str, wanted: Sequence[Oid], haves: Sequence[Oid]) -> tuple[int, set[Oid]]:
    """Fetch objects; a server refuses all if it lacks one, so they are halved until it says which.

    Returns:
        How many came, and those that are not there.
    """
    try:
        with passing(repo) as side:
            fetching.fetch(side, source, wanted, haves=haves[:512], most=_MOST)
            with changing(repo, f"bring back from {source}") as changes:
                changes.take_in(side.packs)
            return len(wanted), set()
    except fetching.WantRefused:
        pass
    if len(wanted) == 1:
        return 0, {wanted[0]}
    half = len(wanted) // 2
    first, second = (_fetch_all(repo, source, part, haves) for part in (wanted[:half], wanted[half:]))
    return first[0] + second[0], first[1] | second[1]


def bring_refs(repo: GitRepository, source: str, wanted: Iterable[str]) -> list[str]:
    """Let refs stand where they stand at a remote, if what is there spells them; returns those that do.

    Raises:
        RemoteError: the remote can't be reached, or broke off.
    """
    there = transport.list_refs(repo, source)
    done: list[str] = []
    for ref in sorted(set(wanted) & there.keys()):
        try:
            if _bring(repo, source, ref, there[ref]):
                done.append(ref)
        except RemoteError:
            raise
        except PachaError:
            continue  # what is there is not sound either
    return done


def _bring(repo: GitRepository, source: str, ref: str, commit: Oid) -> bool:
    with passing(repo) as side:
        if not Holes(repo).is_whole(commit):
            fetching.fetch(side, source, [commit], most=_MOST)
        if spelled_ref(side.repo, commit) != ref:
            return False
        with changing(repo, f"bring back {ref}") as changes:
            changes.take_in(side.packs)
    before = repo.ref(ref)
    new = commit
    if before is not None and ref.startswith(NOTES_ROOT) and repo.has(before):
        with changing(repo, f"bring back {ref}") as changes:
            new = merge_tips(repo, changes, before, commit)
    if new != before:
        repo.refs.update([RefUpdate(ref, new, before)])
    return True
