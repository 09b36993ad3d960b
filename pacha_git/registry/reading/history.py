"""Tells the history of a name: its stages and aliases, and who removed which version and took that back.

Every line is shown, also one that sets nothing; the record, not the line, says which version is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pacha_git.errors import PachaError
from pacha_git.format.event import Event, signed_part
from pacha_git.format.record import Target
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.events import LedgerEntry
from pacha_git.session.results import HistoryEntry
from pacha_git.session.session import Session
from pacha_git.session.signing import EVENT_NAMESPACE
from pacha_git.store import records
from pacha_git.store.events import read_attestations, read_ledger
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Name

_Told = tuple[Oid, HistoryEntry]


def shown(session: Session, kind: Kind, name: Name) -> list[_Told]:
    """Return everything that ever happened to the versions of a name, oldest first, with the record that each is of."""
    entries = read_ledger(session.repo, kind, name).history
    removals = _removals(session, kind, name)
    targets = _targets(session, [*(entry.commit for entry in entries), *(commit for commit, _, _ in removals)])
    moves = [(entry.commit, _move(session, entry, targets)) for entry in entries]
    return list(_by_time(moves, [(c, _removal(session, c, event, what, targets)) for c, event, what in removals]))


def _targets(session: Session, commits: Iterable[Oid]) -> dict[Oid, Target]:
    """Tell what the records themselves say; those that are not here say nothing."""
    found: dict[Oid, Target] = {}
    for commit in dict.fromkeys(commits):
        try:
            found[commit] = records.read(session.repo, commit).target
        except PachaError:
            continue
    return found


def _by_time(moves: list[_Told], removals: list[_Told]) -> Iterator[_Told]:
    """Moves in their own order, and each removal before the first move that says to be later."""
    waiting = sorted(removals, key=lambda told: told[1].at)
    for told in moves:
        while waiting and waiting[0][1].at <= told[1].at:
            yield waiting.pop(0)
        yield told
    yield from waiting


def _move(session: Session, entry: LedgerEntry, targets: Mapping[Oid, Target]) -> HistoryEntry:
    event = entry.event
    version, said = _version(event, entry.commit, targets)
    stage, alias = event.type == "stage", event.type == "alias"
    return HistoryEntry(
        at=event.at,
        by=event.by,
        version=version,
        type=event.type,
        from_=(event.text("from") or None) if stage else None,
        to=(event.text("to") or None) if stage else None,
        alias=event.text("name") if alias else None,
        op=event.text("op") if alias else None,
        reason=event.reason or None,
        overridden=entry.overridden,
        crossing=entry.crossing,
        signed_by=_signer(session, event),
        status=entry.status.value,
        said_version=said,
    )


def _version(event: Event, commit: Oid, targets: Mapping[Oid, Target]) -> tuple[str, str | None]:
    """Return the version by the record that a line annotates, and what the line calls it where that is another."""
    target = targets.get(commit)
    if target is None or target.version is None:
        return event.version, None
    same = (event.version, event.record) == (target.version, target.record)
    return target.version, None if same else event.version


def _removals(session: Session, kind: Kind, name: Name) -> list[tuple[Oid, Event, str]]:
    """Return the tombstones, and what took them back, each with what became of it."""
    attested = read_attestations(session.repo, kind, name)
    removals = session.removals.of(kind, name, attested)
    found: list[tuple[Oid, Event, str]] = []
    for commit, about in attested.of.items():
        counting, claims = removals.counting.get(commit, ()), removals.claims.get(commit, ())
        for event in about.tombstones:
            what = "effective" if event in counting else "claim" if event in claims else "taken back"
            found.append((commit, event, what))
        back = {event.hash for event in about.tombstones if event not in counting and event not in claims}
        found += [(commit, event, "effective" if event.text("of") in back else "claim") for event in about.revokes]
    return found


def _removal(session: Session, commit: Oid, event: Event, what: str, targets: Mapping[Oid, Target]) -> HistoryEntry:
    version, said = _version(event, commit, targets)
    return HistoryEntry(
        at=event.at, by=event.by, version=version, type=event.type, from_=None, to=None, alias=None, op=None,
        reason=event.reason or None, overridden=what != "effective", crossing=False,
        signed_by=_signer(session, event), status=what, said_version=said,
    )  # fmt: skip


def _signer(session: Session, event: Event) -> str | None:
    return session.signing.shown(event.sig, signed_part(event.line), EVENT_NAMESPACE, event.at) if event.sig else None
