"""Says what others claim to be removed in words, and which removals count where there may be no registry.

Claims never do anything by themselves; deciding on them is for ``removals``.
"""

from __future__ import annotations

from collections.abc import Iterable

from pacha_git.errors import PachaError
from pacha_git.format.event import Event
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.removals import Removals
from pacha_git.session import gitconfig
from pacha_git.session.results import RefResult, Removal
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.events import ATTESTATIONS
from pacha_git.store.removals import SETTING, RemovalList
from pacha_git.store.settings import read_settings
from pacha_git.trust.signers import Signers
from pacha_git.vocabulary.ids import NOTES_ROOT, VersionId, parse_notes_ref
from pacha_git.vocabulary.kinds import Kind


def removal_of(removals: Removals, event: Event) -> Removal:
    """Tell who removed a version, when, why, and whose good signature says so."""
    signature = removals.signatures.get(event.hash)
    return Removal(event.by, event.at, event.reason, signature.shown if signature is not None else None)


def claim_warnings(session: Session, results: Iterable[RefResult]) -> list[str]:
    """Tell what a person should know of the removals that somebody claims in notes refs that just changed."""
    said: list[str] = []
    for ref in (each.ref for each in results if each.ref.startswith(NOTES_ROOT)):
        parsed = parse_notes_ref(ref)
        if parsed is not None and parsed[2] == ATTESTATIONS:
            said += claims_in_words(session, parsed[0], parsed[1])
    return said


def claims_in_words(session: Session, kind: Kind, name: str) -> list[str]:
    """One sentence for each removal of a version of a name that does not count here."""
    removals = session.removals.of(kind, name)
    return [
        claim_in_words(version, removal_of(removals, event))
        for commit, events in removals.claims.items()
        if (version := version_at(session, kind, name, commit)) is not None
        for event in events
    ]


def claim_in_words(version: VersionId, claim: Removal) -> str:
    """As in ``Ada <ada@example.org> (unsigned) says that model:fraud@1.0.0 is removed: leaked``."""
    signed = f"signed by {claim.signed_by}, whom this registry does not trust" if claim.signed_by else "unsigned"
    why = f": {claim.reason}" if claim.reason else ""
    return f"{claim.by} ({signed}) says that {version} is removed{why}. It stays until you accept or refuse that"


def removals_of(repo: GitRepository) -> RemovalList:
    """Return the removals of a repository that may be no registry, such as a hub that Git pushes to."""

    def signers() -> Signers:
        try:
            return read_settings(repo).signers
        except PachaError:
            return Signers()  # it trusts nobody

    return RemovalList(repo, signers, lambda: gitconfig.value_for(repo.path, SETTING))


def version_at(session: Session, kind: Kind, name: str, commit: Oid) -> VersionId | None:
    """Return the version whose record lies at a commit; None if it is not here."""
    for version, oid in records.versions_of(session.repo, kind, name).items():
        if oid == commit:
            return VersionId.parse(kind, name, str(version))
    return None
