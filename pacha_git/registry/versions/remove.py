"""Removes versions: the bytes of one that others may have, everything of one that nobody has.

It knows what a tombstone is for; freeing the disk is gc's.
"""

from __future__ import annotations

from pacha_git.errors import Conflict, InvalidInput
from pacha_git.git.changes import Changes
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.removals import MADE
from pacha_git.ledger.statements import tombstone
from pacha_git.registry.reading.view import info
from pacha_git.registry.versions.attest import say
from pacha_git.session.resolve import resolve
from pacha_git.session.results import VersionInfo
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.events import ATTESTATIONS, EVENTS
from pacha_git.store.notes import note_blobs, write_notes
from pacha_git.store.payload import cache
from pacha_git.vocabulary.ids import REF_ROOT, NameId, VersionId
from pacha_git.vocabulary.kinds import Kind


def remove(
    session: Session,
    spec: str,
    *,
    kind: Kind,
    version: str | None = None,
    reason: str | None = None,
    unpushed: bool = False,
) -> VersionInfo:
    """Remove a version.

    Args:
        session: The registry.
        spec: Which; it must say a version.
        kind: The kind.
        version: What stood after ``-v``.
        reason: Why; its payload goes, a tombstone and the record stay.
        unpushed: As if it had never been registered, which only works while no remote has it.

    Returns:
        The version as it was (``unpushed``) or is now.

    Raises:
        InvalidInput: neither or both of a reason and ``unpushed``, or no version said.
        NotFound: no such version.
        Conflict: with ``unpushed``: a remote has it, or other versions come from it.
    """
    if bool(reason) == unpushed:
        raise InvalidInput(
            "say why with -m, or --unpushed",
            hint="-m REASON removes the bytes and keeps the record; --unpushed undoes what no remote has",
        )
    if unpushed:
        return _undo(session, spec, kind, version)
    author = session.author(None)
    with session.deciding(f"rm {spec}") as changes:
        found, commit = resolve(session, spec, kind=kind, version=version, exact=True)
        said = say(session, changes, found, commit, [tombstone()], author, reason)
        session.removals.note(MADE, [event.hash for event in said])
        drop_payload(session, changes, found)
        return info(session, records.read(session.repo, commit))


def drop_payload(session: Session, changes: Changes, version: VersionId) -> None:
    """Let go of the bytes of a version; their space is freed by gc."""
    payload = session.repo.ref(version.payload_ref)
    if payload is not None:
        changes.move(version.payload_ref, None, payload)
    commit = session.repo.ref(version.ref)
    content = records.read(session.repo, commit).record.content if commit is not None else None
    changes.afterwards(lambda: cache.forget(content))


def _undo(session: Session, spec: str, kind: Kind, version: str | None) -> VersionInfo:
    with session.deciding(f"rm --unpushed {spec}") as changes:
        found, commit = resolve(session, spec, kind=kind, version=version, exact=True)
        shown = info(session, records.read(session.repo, commit))
        _refuse_if_needed(session, found, commit)
        drop_payload(session, changes, found)
        changes.move(found.ref, None, commit)
        for what in (EVENTS, ATTESTATIONS):
            _drop_notes(session, changes, found, commit, what)
    return shown


def _refuse_if_needed(session: Session, version: VersionId, commit: Oid) -> None:
    suffix = "pacha/" + version.ref[len(REF_ROOT) :]
    seen = session.repo.refs_below("refs/remotes/").items()
    having = [ref.split("/")[2] for ref, oid in seen if ref.endswith("/" + suffix) and oid == commit]
    if having:
        raise Conflict(
            f"{having[0]} has {version} already",
            hint=f"git pacha {version.kind.noun} rm {version.spec} -m REASON removes its bytes",
        )
    children = session.catalogue.children(commit)
    if children:
        raise Conflict(f"{children[0]} comes from {version}", hint=f"remove {children[0]} first")
    runs = session.catalogue.child_runs(commit)
    if runs:
        raise Conflict(f"run {runs[0]} worked with {version}, and runs stay", hint="-m REASON removes its bytes")


def _drop_notes(session: Session, changes: Changes, version: VersionId, commit: Oid, what: str) -> None:
    """Take the version's events out of its name's notes: nobody else has use for them."""
    ref = NameId(version.kind, version.name).notes_ref(what)
    tip = session.repo.ref(ref)
    annotated = note_blobs(session.repo, tip) if tip is not None else {}
    if commit not in annotated:
        return
    if len(annotated) == 1:
        changes.move(ref, None, tip)
        return
    acting = session.acting()
    message = f"undo {version}\n"
    new = write_notes(
        session.repo, changes, tip, {commit: b""}, identity=acting.identity, seconds=acting.seconds, message=message
    )
    changes.move(ref, new, tip)
