"""The events and attestations of a name as they lie in its two notes refs: read and folded, or added to.

It knows refs and lines; which event may be made, and what it says, is decided by its callers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pacha_git.errors import Corrupt
from pacha_git.format.event import Envelope, Event, Statement, compose, signed_part, with_signature
from pacha_git.format.kinds import KINDS
from pacha_git.format.record import Target
from pacha_git.git.refs.refs import RefUpdate
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.attestations import Attestations, Attested, attestations_of, fold_attestations
from pacha_git.ledger.attestations import go_on as attested_after
from pacha_git.ledger.events import Ledger, fold, ledger_of
from pacha_git.ledger.events import go_on as events_after
from pacha_git.ledger.notes import encode_note, parse_note
from pacha_git.store import standings
from pacha_git.store.notes import merge_tips, read_note, read_notes, write_notes
from pacha_git.store.records import StoredRecord
from pacha_git.vocabulary.ids import NOTES_ROOT, NameId
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Name

if TYPE_CHECKING:
    from pacha_git.git.changes import Changes

EVENTS: Final = "_events"
ATTESTATIONS: Final = "_attestations"
_MANY: Final = 4
_NOTE_LIMIT: Final = 256 << 20
_LINES: Final = 200_000


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes an event: where, who, when, and with which key (None: unsigned)."""

    registry: str
    identity: str
    seconds: int
    at: str
    sign: Callable[[bytes], str] | None = None


def read_ledger(repo: GitRepository, kind: Kind, name: str, *, keeps: bool = True) -> Ledger:
    """The stages, aliases and history of a name; ``keeps`` unless very many names are read, whose files take long."""
    ref = NameId(kind, Name(name)).notes_ref(EVENTS)
    tip = repo.ref(ref)
    if tip is not None and (kept := standings.recall(repo.path, ref, tip)) is not None:
        with suppress(ValueError):
            return ledger_of(kept, lambda: ledger_at(repo, tip, kind, name).history)
    notes = _lines(repo, tip)
    found = fold(notes, kind=kind, name=name)
    if keeps and tip is not None and _are_many(notes):
        standings.keep(repo.path, ref, tip, found.standing)
    return found


def ledger_at(repo: GitRepository, tip: Oid | None, kind: Kind, name: str) -> Ledger:
    """Return the stages, aliases and history that a notes commit comes to."""
    return fold(_lines(repo, tip), kind=kind, name=name)


def crossing(ledger: Ledger) -> list[str]:
    """Decisions made apart about the same thing, of which one holds."""
    return [said for _, said in ledger.standing.crossing]


def read_attestations(repo: GitRepository, kind: Kind, name: str, *, keeps: bool = True) -> Attestations:
    """Tell what is attested of the versions of a name; ``keeps`` as ``read_ledger``."""
    ref = NameId(kind, Name(name)).notes_ref(ATTESTATIONS)
    tip = repo.ref(ref)
    if tip is not None and (kept := standings.recall(repo.path, ref, tip)) is not None:
        with suppress(ValueError):
            return attestations_of(kept)
    notes = _lines(repo, tip)
    found = fold_attestations(notes, kind=kind, name=name)
    if keeps and tip is not None and _are_many(notes):
        standings.keep(repo.path, ref, tip, found.standing)
    return found


def attestations_at(repo: GitRepository, tip: Oid | None, kind: Kind, name: str) -> Attestations:
    """Tell what the attestations in a notes commit come to."""
    return fold_attestations(_lines(repo, tip), kind=kind, name=name)


def _are_many(notes: Mapping[Oid, list[bytes]]) -> bool:
    """Tell whether to fold so many lines each time takes longer than to keep what they come to."""
    return sum(map(len, notes.values())) >= _MANY


def _lines(repo: GitRepository, tip: Oid | None) -> dict[Oid, list[bytes]]:
    notes = read_notes(repo, tip)
    if sum(map(len, notes.values())) > _NOTE_LIMIT:
        raise Corrupt(f"the notes at {tip} are over {_NOTE_LIMIT >> 20} MiB")
    if sum(note.count(b"\n") for note in notes.values()) > _LINES:
        raise Corrupt(f"the notes at {tip} have over {_LINES} lines")
    return {annotated: parse_note(note) for annotated, note in notes.items()}


def append(
    repo: GitRepository,
    changes: Changes,
    what: str,
    statements: Sequence[tuple[Target, Statement]],
    tips: Sequence[str],
    author: Author,
    reason: str | None,
) -> list[Event]:
    """Add events of one name to one of its notes refs, each after the one before.

    Args:
        repo: Where.
        changes: What they become durable with.
        what: ``EVENTS`` or ``ATTESTATIONS``.
        statements: What each says, and of which version; all of one name.
        tips: The newest lines known (``Ledger.tips``, ``Attestations.tips``).
        author: Who says it.
        reason: Why.
    """
    first = statements[0][0]
    ref = NameId(Kind(first.kind), Name(first.name)).notes_ref(what)
    tip = repo.ref(ref)
    added: dict[Oid, list[bytes]] = {}
    events: list[Event] = []
    after = tips
    for target, statement in statements:
        envelope = Envelope(author.registry, target, after, author.at, author.identity, reason or "")
        event = _signed(compose(statement, envelope), author)
        events.append(event)
        added.setdefault(Oid(target.commit), []).append(event.line)
        after = (event.hash,)
    changed = {
        annotated: encode_note([*parse_note(read_note(repo, tip, annotated)), *lines])
        for annotated, lines in added.items()
    }
    message = f"{what.strip('_')} of {first.kind} {first.name}\n"
    new = write_notes(repo, changes, tip, changed, identity=author.identity, seconds=author.seconds, message=message)
    changes.move(ref, new, tip)
    changes.resolve_with(NOTES_ROOT, _united(repo))
    _keep_up(repo, changes, ref, tip, new, [(Oid(event.commit), event) for event in events])
    return events


def _keep_up(
    repo: GitRepository, changes: Changes, ref: str, tip: Oid | None, new: Oid, events: Sequence[tuple[Oid, Event]]
) -> None:
    """Let what is kept of a name go on with events, if anything is: to fold all lines anew takes ever longer."""
    before = standings.recall(repo.path, ref, tip) if tip is not None else None
    with suppress(ValueError):
        after = None if before is None else (events_after if ref.endswith(EVENTS) else attested_after)(before, events)
        if after is not None:
            changes.afterwards(lambda: standings.keep(repo.path, ref, new, after))


def _signed(event: Event, author: Author) -> Event:
    return event if author.sign is None else with_signature(event, author.sign(signed_part(event.line)))


def _united(repo: GitRepository) -> Callable[[Changes, RefUpdate, Oid | None], Oid | None]:
    """Notes that somebody else moved meanwhile are united with ours; no line is lost."""

    def resolve(changes: Changes, update: RefUpdate, now: Oid | None) -> Oid | None:
        if update.new is None or now is None:
            return update.new
        return merge_tips(repo, changes, now, update.new)

    return resolve


def newest_document(repo: GitRepository, stored: StoredRecord) -> tuple[str | None, str | None]:
    """Find the card or datasheet that holds now.

    Returns:
        Its text, and ``attestation`` or ``record`` for where it stands; (None, None) if there is none.
    """
    version = stored.id
    return document_of(stored, read_attestations(repo, version.kind, version.name).about(stored.commit))


def document_of(stored: StoredRecord, about: Attested) -> tuple[str | None, str | None]:
    """Find the same where what was attested of the version is at hand."""
    documents = KINDS[stored.id.kind].documents
    if not documents:
        return None, None
    file = documents[0]
    newest = about.document(file)
    if newest is not None:
        return newest, "attestation"
    data = stored.documents.get(file)
    return (None, None) if data is None else (data.decode("utf-8", "replace"), "record")
