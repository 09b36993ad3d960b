"""How a registry stands: what is thin, unsigned or crossing in it, and what it and its remotes don't share.

It knows what was last fetched, and refuses to ask a remote anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pacha_git.exchange import remotes
from pacha_git.format.kinds import grows
from pacha_git.git.wire import transport
from pacha_git.gitobjects.oid import Oid
from pacha_git.session.items import Item, differing, refs_here
from pacha_git.session.results import RemoteStatus, Status
from pacha_git.session.session import Session
from pacha_git.session.whereabouts import nowhere
from pacha_git.store.catalogue.versions import NameFolds, VersionLine
from pacha_git.store.events import EVENTS, crossing, read_ledger
from pacha_git.store.notes import descends
from pacha_git.store.runs import commits as run_commits
from pacha_git.vocabulary.ids import NOTES_ROOT, REGISTRY_REF, RUNS_ROOT, VersionId, parse_notes_ref
from pacha_git.vocabulary.kinds import VERSIONED_KINDS, Kind


def status(session: Session) -> Status:
    """Tell how this registry stands; see ``Registry.status``."""
    folds, signless, payloadless = session.catalogue.unsettled()
    away = [row for row in payloadless if row[3] not in folds[row[0], row[1]]["removed"]]
    refs = {VersionId.parse(Kind(kind), name, version).ref: Oid(oid) for kind, name, version, oid in away}
    lost = nowhere(session, refs | session.repo.refs_below(RUNS_ROOT))
    gone = {item.commit for item in lost}
    thin = _labels(row for row in away if row[3] not in gone)
    unsigned = _labels(row for row in signless if not folds[row[0], row[1]]["endorsed"].get(row[3]))
    ours = refs_here(session.repo)
    found = tuple(_remote_status(session, name, url, ours) for name, url in remotes.list_remotes(session))
    return Status(str(session.path), thin, unsigned, tuple(_crossing(session, folds)), found, tuple(map(_label, lost)))


def _labels(rows: Iterable[VersionLine]) -> tuple[str, ...]:
    """Tell how people name versions, in the order of kinds."""
    kinds = [kind.value for kind in VERSIONED_KINDS]
    nouns = {kind.value: kind.noun for kind in VERSIONED_KINDS}
    listed = sorted(rows, key=lambda row: kinds.index(row[0]))
    return tuple(f"{nouns[kind]}:{name}@{version}" for kind, name, version, _ in listed)


def _label(item: Item) -> str:
    version = item.version
    return item.label if version is None else f"{version.kind.noun}:{version.spec}"


def _crossing(session: Session, folds: NameFolds) -> Iterator[str]:
    """Decisions made apart about the same thing, of which one holds."""
    for ref in session.repo.refs_below(NOTES_ROOT):
        parsed = parse_notes_ref(ref)
        if parsed is not None and parsed[2] == EVENTS:
            kind, name, _ = parsed
            known = folds.get((kind.value, name), {}).get("crossing")
            for said in crossing(read_ledger(session.repo, kind, name)) if known is None else known:
                yield f"{kind.noun}:{name} {said}"


def _remote_status(session: Session, name: str, url: str, ours: dict[str, Oid]) -> RemoteStatus:
    theirs = remotes.seen(session, name)
    settings = theirs.pop(REGISTRY_REF, None)
    ahead = [ref for ref in ours if ref not in theirs]
    behind = [ref for ref in theirs if ref not in ours]
    diverged = []
    for ref, there in differing(theirs, ours).items():
        if ref not in ours:
            continue
        here = ours[ref]
        if _leads(session, ref, here, there):
            ahead.append(ref)
        elif _leads(session, ref, there, here):
            behind.append(ref)
        elif ref.startswith(NOTES_ROOT):
            ahead.append(ref)  # both sides added lines: a pull unites them, a push sends them
            behind.append(ref)
        else:
            diverged.append(ref)
    return RemoteStatus(
        remote=name,
        url=url,
        ahead=tuple(sorted(ahead)),
        behind=tuple(sorted(behind)),
        diverged=tuple(sorted(diverged)),
        settings_differ=remotes.settings_stand(session, settings) != "equal",
        settings_older=remotes.settings_stand(session, settings) == "older",
        fetched=bool(theirs) or settings is not None or transport.was_empty(session.repo, name),
    )


def _leads(session: Session, ref: str, tip: Oid, older: Oid) -> bool:
    """Tell whether one state of a ref that may move comes after another."""
    if ref.startswith(NOTES_ROOT):
        return descends(session.repo, tip, older)
    return grows(ref) and older in run_commits.history(session.repo, tip)
