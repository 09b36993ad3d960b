"""Verifies versions: every byte hashed anew, the record rebuilt, the signature and its signer checked.

It knows what must hold for one version; what must hold for a registry as a whole is fsck's.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pacha_git.errors import InvalidInput, PachaError, VerificationFailed
from pacha_git.format.event import Event, signed_part
from pacha_git.format.settings import REQUIRE_SIGNATURES
from pacha_git.git.partial import LeftOut
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.statements import ADDING_TYPES
from pacha_git.progress import Progress
from pacha_git.registry.reading.view import endorses
from pacha_git.session.resolve import resolve
from pacha_git.session.results import Verification
from pacha_git.session.session import Session
from pacha_git.session.signing import COMMIT_NAMESPACE, EVENT_NAMESPACE
from pacha_git.session.whereabouts import HINT, NOWHERE, nowhere
from pacha_git.store import records
from pacha_git.store.events import read_attestations, read_ledger
from pacha_git.store.payload.check import FileKey, check_payload
from pacha_git.store.payload.check_many import sound_files
from pacha_git.store.payload.reader import Payload
from pacha_git.store.targets import target_problem
from pacha_git.vocabulary.ids import VersionId

if TYPE_CHECKING:
    from pacha_git.trust.verdict import SignedBy


def verify(
    session: Session, specs: Sequence[str], *, every: bool = False, progress: Progress | None = None
) -> list[Verification]:
    """Verify versions; what is found is in the results, nothing is raised for it.

    Raises:
        InvalidInput: neither SPECs nor ``every``.
        NotFound: no such version.
    """
    if bool(specs) == every:
        raise InvalidInput("say which versions to verify, or --all", hint="as in git pacha verify NAME@1.0.0")
    wanted = list(records.all_versions(session.repo)) if every else [resolve(session, spec) for spec in specs]
    sound = _sound_files(session, wanted, progress) if len(wanted) > 1 else frozenset()
    return [verify_one(session, version, commit, progress, sound) for version, commit in wanted]


def _sound_files(
    session: Session, wanted: Sequence[tuple[VersionId, Oid]], progress: Progress | None
) -> Container[FileKey]:
    """Yield the files of versions that are right, each chunk read once however many versions share it."""

    def here() -> Iterator[Payload]:
        for version, commit in wanted:
            with suppress(PachaError):
                content = records.read(session.repo, commit).record.content
                if content is not None and session.payloads.has(version.payload_ref):
                    yield session.payloads.read(content)

    return sound_files(session.repo, here(), None if progress is None else lambda n: progress("verify", n, None))


def verify_one(
    session: Session,
    version: VersionId,
    commit: Oid,
    progress: Progress | None = None,
    sound: Container[FileKey] = frozenset(),
) -> Verification:
    """Verify one version; the files in ``sound`` were hashed a moment ago."""
    problems: list[str] = []
    signer: str | None = None
    payload_ok: bool | None = None
    warnings: list[str] = []
    try:
        stored = records.read_checked(session.repo, commit, version.ref)
    except PachaError as error:
        problems.append(error.message)
    else:
        problems += _lineage_problems(session, stored)
        words = _Words(session, stored, problems)
        signer = _signer(session, stored, words)
        warnings = words.warnings
        payload_ok = _payload(session, stored, problems, progress, sound)
    return Verification(
        version.kind, version.name, str(version.version), not problems, signer, payload_ok, tuple(problems),
        tuple(warnings),
    )  # fmt: skip


def _lineage_problems(session: Session, stored: records.StoredRecord) -> list[str]:
    problems: list[str] = []
    for edge in stored.record.lineage:
        try:
            problem = target_problem(session.repo, edge.target, session.repo.tips)
        except PachaError as error:
            problem = f"{edge.target}: {error.message}"
        problems += [problem] if problem else []
    return problems


@dataclass(slots=True)
class _Words:
    """What was found of the signatures of one version: ``problems`` fail it, ``warnings`` are worth knowing."""

    session: Session
    stored: records.StoredRecord
    problems: list[str]
    warnings: list[str] = field(default_factory=list)

    def record(self) -> list[str]:
        """Return the principal who signed the record, if a trusted one did."""
        stored = self.stored
        if stored.signature is None:
            return []
        by = self._by(stored.signature, stored.unsigned, COMMIT_NAMESPACE, stored.record.created_at, "record")
        if by is not None and by.principal is None:
            self.problems.append(f"the record is signed by {by.fingerprint}, whom this registry does not trust")
        return [by.principal] if by is not None and by.principal is not None else []

    def endorsements(self, events: Sequence[Event]) -> list[str]:
        """Return the trusted principals who vouch for this very record; anybody else who does is a warning."""
        found: list[str] = []
        for event in events:
            by = self._event(event, "endorsement")
            if by is None:
                continue
            if not endorses(event, self.stored):
                self.warnings.append(f"the endorsement {event.id} is of another record, version or scope")
            elif by.principal is None:
                self.warnings.append(f"{by.fingerprint}, whom this registry does not trust, vouches for it")
            else:
                found.append(by.principal)
        return found

    def in_force(self, said: Mapping[str, Event], *, trusted: bool) -> None:
        """Check the signature on each word that is in force; over a trusted record, a stranger's word is a problem."""
        for word, event in said.items():
            by = self._event(event, word)
            if by is not None and by.principal is None:
                place = self.problems if trusted else self.warnings
                whose = f"{by.fingerprint}, whom this registry does not trust"
                place.append(f"the {word} is signed by {whose}; {_how_to_end(word, event)}")

    def _event(self, event: Event, what: str) -> SignedBy | None:
        if event.sig is None:
            return None
        return self._by(event.sig, signed_part(event.line), EVENT_NAMESPACE, event.at, what, _how_to_end(what, event))

    def _by(self, signature: str, message: bytes, namespace: str, at: str, what: str, end: str = "") -> SignedBy | None:
        try:
            return self.session.signing.signed_by(signature, message, namespace, at)
        except (VerificationFailed, InvalidInput) as error:
            self.problems.append(f"the signature of the {what} is bad: {error.message}" + (f"; {end}" if end else ""))
            return None


def _how_to_end(word: str, event: Event) -> str:
    if event.type in ADDING_TYPES:
        return f"git pacha attestation refuse {event.id} sets it aside here"
    return f"writing the {word} again ends it"


def _signer(session: Session, stored: records.StoredRecord, words: _Words) -> str | None:
    """Tell who signed the record, else who endorsed it; every word in force is looked at."""
    version = stored.id
    attestations = read_attestations(session.repo, version.kind, version.name)
    attested = attestations.about(stored.commit)
    refused = session.removals.standing().is_refused
    signers = words.record()
    trusted = bool(signers)
    signers += words.endorsements([event for event in attested.endorsements if not refused(event)])
    ledger = read_ledger(session.repo, version.kind, version.name)
    words.in_force({**attested.words, **ledger.words_of(stored.commit)}, trusted=trusted)
    adding = {f"evaluation {event.id}": event for event in attested.evaluations if not refused(event)}
    removals = session.removals.of(version.kind, version.name, attestations)
    adding |= {f"tombstone {event.id}": event for event in removals.counting.get(stored.commit, ())}
    words.in_force(adding, trusted=trusted)
    if not signers and session.settings.settings.rule(REQUIRE_SIGNATURES):
        words.problems.append("it is not signed, and the policy of this registry wants it to be")
    return signers[0] if signers else None


def _payload(
    session: Session,
    stored: records.StoredRecord,
    problems: list[str],
    progress: Progress | None,
    sound: Container[FileKey],
) -> bool | None:
    """Tell whether the payload's bytes are right; None if they are not here."""
    content = stored.record.content
    if content is None:
        return True
    commit = session.repo.ref(stored.id.payload_ref)
    if commit is None:
        problems += [f"{NOWHERE} ({HINT})" for _ in nowhere(session, {stored.id.ref: stored.commit})]
        return None
    what = f"verify {stored.id.spec}"
    try:
        check_payload(
            session.repo,
            commit,
            content,
            sound=sound,
            progress=None if progress is None else lambda n: progress(what, n, content.size),
        )
    except LeftOut:
        return None  # bytes that are elsewhere are not altered
    except PachaError as error:
        problems.append(f"payload: {error.message}")
        return False
    return True
