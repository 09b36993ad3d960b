"""Pulls into a registry that may be damaged: what the pull meets of that is repaired from the remotes, once.

A pull does not look for damage, which would take as long as fsck; what it stumbles over it does not leave lying.
"""

from __future__ import annotations

from pathlib import Path

from pacha_git.errors import REPAIR, Corrupt, PachaError
from pacha_git.exchange import sync
from pacha_git.exchange.selection import TransferRequest, choose
from pacha_git.git.holes import Holes
from pacha_git.progress import Progress
from pacha_git.registry.upkeep.repair import Repair
from pacha_git.session.caller import Caller
from pacha_git.session.items import read_item
from pacha_git.session.results import Finding, Transfer
from pacha_git.session.session import Session


def pull(
    session: Session, remote: str | None, wish: TransferRequest, progress: Progress | None, caller: Caller
) -> Transfer:
    """Pull as ``sync.pull`` does; if something here is damaged, repair it and pull again.

    Raises:
        Corrupt: it can't be repaired; the hint says what is left.
        PachaError: as ``sync.pull``.
    """
    try:
        done = sync.pull(session, remote, wish, progress)
        _see_whole(session, wish)
        return done
    except Corrupt:
        left = repaired(session.path, caller, progress)
        if left:
            raise Corrupt(left[0].message, hint=left[0].hint or REPAIR) from None
    return sync.pull(Session(session.path, caller), remote, wish, progress)


def repaired(path: Path, caller: Caller, progress: Progress | None) -> list[Finding]:
    """Repair a registry from what is here and from its remotes; returns what is left.

    Raises:
        PachaError: the disk is full, or something can't be written.
    """
    mending = Repair(path, thorough=True, progress=progress)
    mending.mend_here()
    mending.bring_back(caller)
    return [finding for finding in mending.findings if finding.state == "problem"]


def _see_whole(session: Session, wish: TransferRequest) -> None:
    """See that of the versions named every object is here: a ref alone does not say so."""
    if not wish.specs or wish.payload == "none":
        return
    holes = Holes(session.repo)
    for ref, commit in choose(session, wish).items():
        item = read_item(session.repo, ref, commit)
        stands = session.repo.ref(item.payload_ref)
        if stands is not None and not holes.is_whole(stands):
            raise Corrupt(f"{item.payload_ref}: objects of it are gone", hint=REPAIR)


def open_healed(path: Path, caller: Caller, progress: Progress | None = None) -> Session:
    """Open a registry, after a repair if it can't be opened otherwise.

    Raises:
        PachaError: nor can it be then.
    """
    try:
        return Session(path, caller)
    except PachaError as error:
        try:
            repaired(path, caller, progress)
        except PachaError:
            raise error from None
    return Session(path, caller)
