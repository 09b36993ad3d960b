"""Verifies versions: every byte hashed anew, the record rebuilt, the signature and its signer checked.

It knows what must hold for one version; what must hold for a registry as a whole is fsck's.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import suppress

from pacha_git.errors import InvalidInput, PachaError, VerificationFailed
from pacha_git.format.event import Event, signed_part
from pacha_git.format.settings import REQUIRE_SIGNATURES
from pacha_git.git.partial import LeftOut
from pacha_git.gitobjects.oid import Oid
from pacha_git.progress import Progress
from pacha_git.session.context import Context
from pacha_git.session.resolve import resolve
from pacha_git.session.results import Verification
from pacha_git.session.signing import COMMIT_NAMESPACE, EVENT_NAMESPACE
from pacha_git.session.whereabouts import HINT, NOWHERE, nowhere
from pacha_git.store import records
from pacha_git.store.events import read_attestations, read_ledger
from pacha_git.store.payload.check import FileKey, check_payload
from pacha_git.store.payload.check_many import sound_files
from pacha_git.store.payload.reader import Payload
from pacha_git.store.targets import target_problem
from pacha_git.vocabulary.ids import VersionId


def verify(
    context: Context, specs: Sequence[str], *, every: bool = False, progress: Progress | None = None
) -> list[Verification]:
    """Verify versions; what is found is in the results, nothing is raised for it.

    Raises:
        InvalidInput: neither SPECs nor ``every``.
        NotFound: no such version.
    """
    if bool(specs) == every:
        raise InvalidInput("say which versions to verify, or --all", hint="as in git pacha verify NAME@1.0.0")
    wanted = list(records.all_versions(context.repo)) if every else [resolve(context, spec) for spec in specs]
    sound = _sound_files(context, wanted, progress) if len(wanted) > 1 else frozenset()
    return [verify_one(context, version, commit, progress, sound) for version, commit in wanted]


def _sound_files(
    context: Context, wanted: Sequence[tuple[VersionId, Oid]], progress: Progress | None
) -> Container[FileKey]:
    """The files of versions that are right, each chunk read once however many versions share it."""

    def here() -> Iterator[Payload]:
        for version, commit in wanted:
            with suppress(PachaError):
                content = records.read(context.repo, commit).record.content
                if content is not None and context.payloads.has(version.payload_ref):
                    yield context.payloads.read(content)

    return sound_files(context.repo, here(), None if progress is None else lambda n: progress("verify", n, None))


def verify_one(
    context: Context,
    version: VersionId,
    commit: Oid,
    progress: Progress | None = None,
    sound: Container[FileKey] = frozenset(),
) -> Verification:
    """Verify one version; the files in ``sound`` were hashed a moment ago."""
    problems: list[str] = []
    signer: str | None = None
    payload_ok: bool | None = None
    try:
        stored = records.read_checked(context.repo, commit, version.ref)
    except PachaError as error:
        problems.append(error.message)
    else:
        problems += _lineage_problems(context, stored)
        signer = _signer(context, stored, problems)
        payload_ok = _payload(context, stored, problems, progress, sound)
    return Verification(
        version.kind.value, version.name, str(version.version), not problems, signer, payload_ok, tuple(problems)
    )


def _lineage_problems(context: Context, stored: records.StoredRecord) -> list[str]:
    problems: list[str] = []
    for edge in stored.record.lineage:
        try:
            problem = target_problem(context.repo, edge.target, context.repo.tips)
        except PachaError as error:
            problem = f"{edge.target}: {error.message}"
        problems += [problem] if problem else []
    return problems


def _signer(context: Context, stored: records.StoredRecord, problems: list[str]) -> str | None:
    """Who signed the record, else who endorsed it; bad signatures are problems."""
    version = stored.id
    signers: list[str] = []
    if stored.signature is not None:
        signers += _checked(
            context, stored.signature, stored.unsigned, COMMIT_NAMESPACE, stored.record.created_at, "record", problems
        )
    attested = read_attestations(context.repo, version.kind, version.name).about(stored.commit)
    events: list[Event] = [*attested.endorsements, *attested.tombstones]
    ledger = read_ledger(context.repo, version.kind, version.name)
    events += [entry.event for entry in ledger.history if entry.commit == stored.commit]
    for event in events:
        if event.sig is None:
            continue
        found = _checked(context, event.sig, signed_part(event.line), EVENT_NAMESPACE, event.at, event.type, problems)
        if event.type == "endorse":
            signers += found
    if not signers and context.settings.settings.rule(REQUIRE_SIGNATURES):
        problems.append("it is not signed, and the policy of this registry wants it to be")
    return signers[0] if signers else None


def _checked(
    context: Context, signature: str, message: bytes, namespace: str, at: str, what: str, problems: list[str]
) -> list[str]:
    try:
        by = context.signing.signed_by(signature, message, namespace, at)
    except (VerificationFailed, InvalidInput) as error:
        problems.append(f"the signature of the {what} is bad: {error.message}")
        return []
    if by.principal is None:
        problems.append(f"the {what} is signed by {by.fingerprint}, whom this registry does not trust")
        return []
    return [by.principal]


def _payload(
    context: Context,
    stored: records.StoredRecord,
    problems: list[str],
    progress: Progress | None,
    sound: Container[FileKey],
) -> bool | None:
    """Whether the payload's bytes are right; None if they are not here."""
    content = stored.record.content
    if content is None:
        return True
    commit = context.repo.ref(stored.id.payload_ref)
    if commit is None:
        problems += [f"{NOWHERE} ({HINT})" for _ in nowhere(context, {stored.id.ref: stored.commit})]
        return None
    what = f"verify {stored.id.spec}"
    try:
        check_payload(
            context.repo,
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
