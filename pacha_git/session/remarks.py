"""Finds the lines of a notes ref that set nothing, or that call their version something else than its record does.

Such lines are kept, sent on and shown; a checker remarks on them, and a hub's hook refuses a push that adds one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.format.event import Event
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.registers import EventStatus
from pacha_git.store import records
from pacha_git.store.events import ATTESTATIONS, attestations_at, ledger_at
from pacha_git.store.notes import note_blobs
from pacha_git.vocabulary.ids import parse_notes_ref
from pacha_git.vocabulary.kinds import Kind

VOID: Final = "void"
ILLEGAL: Final = "illegal"
UNKNOWN: Final = "of a type that this release does not know"
ASTRAY: Final = "astray"

_EVENT_TYPES: Final = ("stage", "alias")
_ATTESTATION_TYPES: Final = ("tag", "describe", "card", "datasheet", "endorse", "evaluate", "tombstone", "revoke")


@dataclass(frozen=True, slots=True)
class Remark:
    """One line that is worth a remark: ``what`` is one of the words above, ``text`` says it to a person."""

    event: Event
    what: str
    text: str


def remarks_on(repo: GitRepository, ref: str, tip: Oid) -> Iterator[Remark]:
    """Yield every remark on the lines in a commit of a notes ref.

    Raises:
        InvalidInput, Corrupt: it is no notes ref, or can't be read or folded.
    """
    parsed = parse_notes_ref(ref)
    if parsed is None:
        return
    kind, name, what = parsed
    if what == ATTESTATIONS:
        attested = attestations_at(repo, tip, kind, name)
        lines = [(c, e, EventStatus.VOID) for c, e in attested.void] + [(c, e, None) for c, e in attested.effective]
        known: tuple[str, ...] = _ATTESTATION_TYPES
    else:
        history = ledger_at(repo, tip, kind, name).history
        lines = [(entry.commit, entry.event, entry.status) for entry in history]
        known = _EVENT_TYPES
    for commit, event, status in lines:
        if status is EventStatus.ILLEGAL:
            yield Remark(event, ILLEGAL, f"event {event.id} sets nothing: its move was not open to it (illegal)")
        elif status is EventStatus.VOID and _is_addressed(event, commit, kind, name) and event.type not in known:
            yield Remark(event, UNKNOWN, f"event {event.id} is {UNKNOWN}: {event.type[:60]!r}")
        elif status is EventStatus.VOID:
            yield Remark(event, VOID, f"event {event.id} sets nothing: it is void")
        elif told := _astray(repo, commit, event):
            yield Remark(event, ASTRAY, told)


def _is_addressed(event: Event, commit: Oid, kind: Kind, name: str) -> bool:
    return (event.commit, event.kind, event.name) == (commit, kind.value, name) and event.own_id


def _astray(repo: GitRepository, commit: Oid, event: Event) -> str:
    """Tell what to say of a line whose version or record is not that of the record that it annotates."""
    try:
        target = records.read(repo, commit).target
    except PachaError:
        return ""  # the record is not here, or can't be read: that is said elsewhere
    if event.version != target.version:
        return f"event {event.id} calls version {target.version} {event.version[:60]!r}"
    return "" if event.record == target.record else f"event {event.id} names another record of {target.version}"


def spelled_twice(repo: GitRepository, tip: Oid) -> list[Oid]:
    """Return the oids that a notes tree spells by more than one path."""
    return [annotated for annotated, blobs in note_blobs(repo, tip).items() if len(blobs) > 1]
