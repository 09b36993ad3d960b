"""Lists what others claim to be removed, accepts or refuses it, and takes removals back.

What counts is decided by the ledger (``ledger.removals``) from the list that the registry keeps (``store.removals``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pacha_git.errors import Conflict, NotFound, PachaError
from pacha_git.format.event import Event
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.notes import encode_note, parse_note
from pacha_git.ledger.removals import ACCEPTED, MADE, REFUSED
from pacha_git.ledger.statements import revoke
from pacha_git.registry.reading.view import info
from pacha_git.registry.versions.attest import say
from pacha_git.registry.versions.remove import drop_payload
from pacha_git.session.claims import removal_of, version_at
from pacha_git.session.resolve import resolve
from pacha_git.session.results import Claim, VersionInfo, plain
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.events import ATTESTATIONS
from pacha_git.store.notes import read_note, write_notes
from pacha_git.store.payload.tree import payload_commit_oid
from pacha_git.system.process import CommandFailed
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import NOTES_ROOT, NameId, VersionId, parse_notes_ref
from pacha_git.vocabulary.kinds import Kind

if TYPE_CHECKING:
    from pacha_git.git.changes import Changes

_HOW = "git pacha removal list shows them"


def claims(session: Session) -> list[Claim]:
    """Return every removal that somebody claims and that nobody decided on here, by version."""
    found: list[Claim] = []
    for kind, name in _attested_names(session):
        removals = session.removals.of(kind, name)
        for commit, events in removals.claims.items():
            version = version_at(session, kind, name, commit)
            if version is not None:
                found += [Claim(spec=str(version), **plain(removal_of(removals, event))) for event in events]
    return sorted(found, key=lambda claim: (claim.spec, claim.at))


def _attested_names(session: Session) -> Iterator[tuple[Kind, str]]:
    for ref in session.repo.refs_below(NOTES_ROOT):
        try:
            parsed = parse_notes_ref(ref)
        except PachaError:
            continue  # fsck's business
        if parsed is not None and parsed[2] == ATTESTATIONS:
            yield parsed[0], parsed[1]


def accept(session: Session, spec: str, version: str | None = None) -> VersionInfo:
    """Let what others claim of a version count here: its bytes go.

    Raises:
        NotFound: no such version, or nobody claims that it is removed.
    """
    with session.deciding(f"removal accept {spec}") as changes:
        found, commit, events = _claimed(session, spec, version)
        session.removals.note(ACCEPTED, [event.hash for event in events])
        drop_payload(session, changes, found)
    return info(session, records.read(session.repo, commit))


def refuse(session: Session, spec: str, version: str | None = None) -> VersionInfo:
    """Set aside here what others claim of a version, and say so to whoever hears of it from here.

    Raises:
        NotFound: no such version, or nobody claims that it is removed.
    """
    author = session.author(None)
    with session.deciding(f"removal refuse {spec}") as changes:
        found, commit, events = _claimed(session, spec, version)
        said = say(session, changes, found, commit, [revoke(event.hash) for event in events], author)
        session.removals.note(MADE, [event.hash for event in said])
        session.removals.note(REFUSED, [event.hash for event in events])
    return info(session, records.read(session.repo, commit))


def _claimed(session: Session, spec: str, version: str | None) -> tuple[VersionId, Oid, list[Event]]:
    found, commit = resolve(session, spec, version=version, exact=True)
    events = session.removals.of(found.kind, found.name).claims.get(commit, [])
    if not events:
        raise NotFound(f"nobody claims that {found} is removed", hint=_HOW)
    return found, commit, events


# Taking back ----------------------------------------------------------------------------------------------------------


def undo(session: Session, spec: str, *, kind: Kind, version: str | None = None) -> VersionInfo:
    """Take the removal of a version back, with its bytes as far as they are still here.

    A removal that has not left this machine is as if never made; any other gets a ``revoke``.

    Raises:
        NotFound: no such version.
        Conflict: it is not removed, and its bytes are here or gone.
        PachaError: only the key that signed the removal can take it back.
    """
    with session.deciding(f"rm --undo {spec}") as changes:
        found, commit = resolve(session, spec, kind=kind, version=version, exact=True)
        removals = session.removals.of(found.kind, found.name)
        events = removals.counting.get(commit, [])
        ref = NameId(found.kind, found.name).notes_ref(ATTESTATIONS)
        words = session.removals.words()
        own = [e for e in events if MADE in words.get(e.hash, ()) and not session.removals.has_left(ref, e, commit)]
        known = [event for event in events if event not in own]
        if own:
            _forget(session, changes, ref, commit, own, f"undo the removal of {found}\n")
        for event in known:
            _revoke(session, changes, found, commit, event)
        back = restore_payload(session, changes, found, commit)
        if not events and not back:
            raise Conflict(f"{found} is not removed", hint=f"git pacha {found.kind.noun} get {found.spec} shows it")
    return info(session, records.read(session.repo, commit))


def _forget(session: Session, changes: Changes, ref: str, commit: Oid, events: list[Event], message: str) -> None:
    """Take lines that nobody else has seen out of a note; should one come back, it does not count."""
    tip = session.repo.ref(ref)
    gone = {event.line for event in events}
    left = [line for line in parse_note(read_note(session.repo, tip, commit)) if line not in gone]
    acting = session.acting()
    new = write_notes(
        session.repo, changes, tip, {commit: encode_note(left)}, identity=acting.identity, seconds=acting.seconds,
        message=message,
    )  # fmt: skip
    changes.move(ref, new, tip)
    session.removals.note(REFUSED, [event.hash for event in events])


def _revoke(session: Session, changes: Changes, version: VersionId, commit: Oid, tombstone: Event) -> None:
    standing = session.removals.standing()
    signer = standing.signature(tombstone)
    author = session.author(True if signer.fingerprint else None)
    said = say(session, changes, version, commit, [revoke(tombstone.hash)], author)
    session.removals.note(MADE, [event.hash for event in said])
    if not all(session.removals.standing().takes_back(event, tombstone) for event in said):
        raise PachaError(
            f"{signer.shown} signed the removal of {version}, and only that key can take it back",
            hint=f"ask {tombstone.by}; or register the bytes as another version",
        )


def restore_payload(session: Session, changes: Changes, version: VersionId, commit: Oid) -> bool:
    """Let the payload ref of a version stand again, if all of its bytes are still here.

    Returns:
        Whether it stands now and did not before.
    """
    content = records.read(session.repo, commit).record.content
    if content is None or session.payloads.has(version.payload_ref):
        return False
    payload = payload_commit_oid(Oid(content.tree), Address(content.address))
    try:
        listed = session.repo.git("rev-list", "--objects", "--no-object-names", payload).decode("ascii").split()
    except CommandFailed:
        return False  # gc freed it, or a part of it
    changes.rely_on(map(Oid, listed))
    changes.move(version.payload_ref, payload, None)
    return True
