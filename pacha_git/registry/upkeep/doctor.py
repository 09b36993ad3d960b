"""Looks for what is unhealthy about a registry's folder, and mends what can be mended without a loss.

It knows what killed programs and strange hands leave there; whether the registry's content is right is fsck's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pacha_git.errors import NotFound, PachaError
from pacha_git.git import leftovers
from pacha_git.git.ownership import check_owner
from pacha_git.git.packs.files import sweep
from pacha_git.git.partial import LeftOut
from pacha_git.git.refs.locks import free_left
from pacha_git.git.repo import GitRepository
from pacha_git.git.shape import is_ours, keep_config
from pacha_git.git.side import sweep_sides
from pacha_git.ledger.removals import ORIGIN_TOO
from pacha_git.progress import Progress
from pacha_git.registry.upkeep.checks.promises import shared_promises, whole
from pacha_git.registry.upkeep.old_credentials import old_credentials
from pacha_git.registry.upkeep.reindex import reindex
from pacha_git.registry.upkeep.repair import Repair
from pacha_git.session.caller import Caller
from pacha_git.session.results import Finding
from pacha_git.session.session import Session
from pacha_git.store.upkeep import failures

_LEAST_GIT: Final = (2, 37)
_NAMED: Final = 5
_SIDE_DAYS: Final = 14.0


def doctor(path: Path, caller: Caller, *, repair: bool = False, progress: Progress | None = None) -> list[Finding]:
    """Look at a registry's folder, which need not be one that can be opened, and mend what can be without a loss.

    Args:
        path: The folder.
        caller: Who works on it.
        repair: Judge every object and ref, and bring back from the remotes what is damaged or gone.
        progress: Is told how far a repair is.

    Raises:
        NotFound: the folder is no registry, nor what is left of one.
    """
    if not is_ours(path):
        raise NotFound(f"{path} is no registry", hint=f"make one with: git pacha init {path}")
    check_owner(path)
    first = [_shallow(path), *_leftovers(path), _upkeep(path)]
    mending = Repair(path, thorough=repair, progress=progress)
    mending.mend_here()
    if repair:
        mending.bring_back(caller)
    return [*first, *mending.findings, *_of_registry(path, caller)]


def _of_registry(path: Path, caller: Caller) -> list[Finding]:
    try:
        session = Session(path, caller)
    except PachaError as error:
        hint = error.hint if isinstance(error, LeftOut) else "git pacha doctor --repair"
        return [Finding("registry", "problem", error.message, hint)]
    keep_config(path)
    return [
        _git_version(session),
        _temporaries(session),
        _settings(session),
        _index(session),
        _removals(session),
        old_credentials(session),
        whole(session.repo),
        *shared_promises(session.repo),
    ]


def _removals(session: Session) -> Finding:
    """Tell whose removals count here, where that is anybody's who may push to origin."""
    try:
        standing = session.removals.standing()
    except PachaError as error:
        return Finding("removals", "problem", error.message, error.hint)
    if standing.trusts_keys or standing.wanted != ORIGIN_TOO:
        return Finding("removals", "ok", "only removals made, accepted or signed by a trusted key count")
    said = "no key is trusted: whoever may push here or to origin can remove versions"
    return Finding("removals", "ok", said, "git pacha key trust PUBKEY --as NAME; or git config pacha.removals ask")


def _git_version(session: Session) -> Finding:
    version = session.repo.git_text("version").removeprefix("git version ")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < _LEAST_GIT:
        least = ".".join(map(str, _LEAST_GIT))
        return Finding("git", "problem", f"git {version} is too old", f"install git {least} or newer")
    return Finding("git", "ok", f"git {version}")


def _shallow(path: Path) -> Finding:
    stray = path / "shallow"
    if stray.exists():
        stray.unlink()
        return Finding("shallow", "fixed", "removed a stray shallow file, which made Git leave payloads out")
    return Finding("shallow", "ok", "no shallow file")


def _leftovers(path: Path) -> list[Finding]:
    """Locks and half-written files of programs that were killed."""
    freed = free_left(path)
    cleared = leftovers.clear(path)
    left = "removed, or given its index: a killed program left it"
    found = [Finding("locks", "fixed", f"{name}: {left}") for name in cleared.removed]
    if freed:
        found.append(Finding("locks", "fixed", f"removed {freed} locks that a killed program left behind"))
    if cleared.kept:
        told = f"{', '.join(cleared.kept[:_NAMED])}: left by a killed program, it seems; but {cleared.why}"
        hint = f"if no program works there: {leftovers.how_to_remove(path, cleared)}"
        found.append(Finding("locks", "problem", told, hint))
    return found or [Finding("locks", "ok", "no stale locks")]


def _upkeep(path: Path) -> Finding:
    count, message = failures(path)
    if not count:
        return Finding("upkeep", "ok", "packs and refs are gathered as they should be")
    return Finding("upkeep", "problem", f"it failed {count} times running: {message}", "git pacha gc")


def _temporaries(session: Session) -> Finding:
    swept = [*sweep(session.repo.objects), *sweep_sides(session.repo, _SIDE_DAYS)]
    if swept:
        return Finding("temporaries", "fixed", f"removed {len(swept)} files that dead processes left behind")
    return Finding("temporaries", "ok", "none left behind")


def _settings(session: Session) -> Finding:
    try:
        GitRepository.create(session.path)
    except PachaError as error:
        return Finding("settings", "problem", error.message, error.hint)
    return Finding("settings", "ok", "Git is set up as a registry needs it")


def _index(session: Session) -> Finding:
    try:
        session.catalogue.refresh()
        fault = session.database.fault()
    except PachaError as error:
        fault = str(error)
    if fault:
        count = reindex(session)
        return Finding("index", "fixed", f"the side index was damaged and was built anew ({count} chunks)")
    return Finding("index", "ok", "the side index can be read")
