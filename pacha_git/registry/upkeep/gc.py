"""Frees what nothing holds: it knows which objects may go and when; how Git packs the rest is Git's."""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from pacha_git.errors import InvalidInput, PachaError
from pacha_git.exchange.push_payloads import pushed_at
from pacha_git.git import leftovers
from pacha_git.git.changes import GC_LOCK
from pacha_git.git.packs.ages import last_used
from pacha_git.git.packs.files import sweep
from pacha_git.git.refs.refs import RefUpdate
from pacha_git.git.repo import GitRepository
from pacha_git.git.side import sweep_sides
from pacha_git.progress import Progress
from pacha_git.registry.reading.listing import stored_bytes
from pacha_git.session.results import GcReport
from pacha_git.session.session import Session
from pacha_git.store import standings
from pacha_git.store.payload.soundness import repacking
from pacha_git.store.upkeep import forget_failures
from pacha_git.system import locks
from pacha_git.system.process import CommandFailed
from pacha_git.vocabulary.ids import TMP_ROOT

GRACE_DAYS: Final = 14.0
_DAY: Final = 86400
_USAGE: Final = 129


def gc(
    session: Session, *, dry_run: bool = False, grace_days: float | None = None, progress: Progress | None = None
) -> GcReport:
    """Free what no ref holds and was neither written nor found again within the grace period.

    Args:
        session: The registry.
        dry_run: Say what would go, and change nothing.
        grace_days: Days that objects are kept after they were last of use; None for 14.
        progress: Is told of the steps: Git's own work can't be measured.

    Raises:
        InvalidInput: a negative grace period.
        PachaError: within a batch, which relies on what gc may free; or Git failed.
    """
    days = GRACE_DAYS if grace_days is None else grace_days
    if not days >= 0:
        raise InvalidInput(f"a grace period of {days} days", hint="0 or more")
    before = time.time() - days * _DAY
    if dry_run:
        return _foreseen(session, before)
    if session.repo.overlay is not None:
        raise PachaError("a batch is open, and may rely on what gc would free", hint="call gc after the batch")
    # Writers hold this lock shared while they rely on what they found here.
    with locks.exclusive(session.path / GC_LOCK) as lock:
        return _free(session, before, lock, progress)


def _free(session: Session, before: float, lock: int | None, progress: Progress | None) -> GcReport:
    repo = session.repo
    size = stored_bytes(session)
    swept = [f"{path.name}: left by a process that died" for path in sweep(repo.objects)]
    swept += [f"{name}: a pull that was never finished" for name in sweep_sides(repo, (time.time() - before) / _DAY)]
    swept += [f"{name}: left by a git that died" for name in leftovers.clear(repo.path, alone=True).removed]
    standings.forget(repo.path)
    stale = _drop_stale_parts(session, before)
    count = len(_objects(repo))
    repo.refs.pack()
    with repacking(repo, session.index):
        _repack(repo, before, lock)
    forget_failures(repo.path)
    if progress is not None:
        progress("gc", 1, 1, "steps")
    kept = len(_objects(repo))
    return GcReport(
        freed_bytes=max(0, size - stored_bytes(session)), kept=kept, removed=(*swept, *stale, *_told(count - kept))
    )


def _repack(repo: GitRepository, before: float, lock: int | None) -> None:
    # If we are killed, the git that goes on must be in no writer's way either: it holds the lock with us.
    until = min(int(before), int(time.time()))
    # What was last used in this very second is older than "now", and no older than the clock says.
    expiration = "now" if time.time() - before < 1 else str(until)
    options = ("--quiet", "--write-midx", "--write-bitmap-index")
    try:
        repo.git("repack", "-d", "--cruft", f"--cruft-expiration={expiration}", *options, keeps=lock)
    except CommandFailed as error:
        if error.status == _USAGE:
            raise PachaError(
                f"{repo.git_text('version')} knows no cruft packs", hint="install git 2.37 or newer"
            ) from None
        raise
    repo.git("prune", f"--expire={expiration}", keeps=lock)


def _drop_stale_parts(session: Session, before: float) -> list[str]:
    """Parts of pushes that nobody finished."""
    stale = {ref: oid for ref, oid in session.repo.refs_below(TMP_ROOT).items() if pushed_at(ref) <= before}
    session.repo.refs.update([RefUpdate(ref, None, oid) for ref, oid in stale.items()])
    return [f"{ref}: part of a push that was never finished" for ref in stale]


class _Object(NamedTuple):
    raw: bytes
    size: int


def _objects(repo: GitRepository) -> list[_Object]:
    """Return every object here, with its bytes on disk."""
    form = "--batch-check=%(objectname) %(objectsize:disk)"
    listed = repo.git_text("cat-file", "--batch-all-objects", form, "--unordered")
    return [_Object(bytes.fromhex(oid), int(size)) for oid, size in map(str.split, listed.splitlines())]


def _foreseen(session: Session, before: float) -> GcReport:
    """Tell what gc would free: what is reachable from no ref, and was last used before that time."""
    repo = session.repo
    reachable = {
        bytes.fromhex(oid) for oid in repo.git_text("rev-list", "--objects", "--all", "--no-object-names").splitlines()
    }
    objects = _objects(repo)
    loose = {each.raw: each.size for each in objects if each.raw not in reachable}
    used = last_used(repo.objects, loose)
    gone = [raw for raw in loose if used.get(raw, 0) <= before]
    return GcReport(
        freed_bytes=sum(loose[raw] for raw in gone),
        kept=len(objects) - len(gone),
        removed=tuple(_told(len(gone))),
        dry_run=True,
    )


def _told(count: int) -> list[str]:
    return [f"{count} objects that no version, event or setting holds"] if count > 0 else []
