"""What people say of a version after it was registered: tags, a description, an endorsement; the record never changes.

It knows what each means; how statements lie in Git is the store's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pacha_git.errors import InvalidInput, NotFound
from pacha_git.format.event import Event, Statement
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger import statements
from pacha_git.ledger.removals import REFUSED
from pacha_git.registry.reading.view import info
from pacha_git.session.resolve import resolve
from pacha_git.session.results import VersionInfo
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.events import ATTESTATIONS, Author, append, attestations_at, read_attestations
from pacha_git.vocabulary.ids import NOTES_ROOT, VersionId, parse_notes_ref
from pacha_git.vocabulary.kinds import Kind

if TYPE_CHECKING:
    from pacha_git.git.changes import Changes


def tag(session: Session, spec: str, changes: Sequence[str], *, kind: Kind, version: str | None = None) -> VersionInfo:
    """Set tags (``key=value``) and take tags away (``key-``).

    Raises:
        InvalidInput: a change of another shape, or none.
        NotFound: no such version.
    """
    if not changes:
        raise InvalidInput("no tag given", hint="as in: tag NAME@1.0.0 domain=finance, or domain- to take it away")
    return attest(session, spec, [parse_change(change) for change in changes], kind=kind, version=version)


def parse_change(text: str) -> Statement:
    """Read ``key=value`` or ``key-``.

    Raises:
        InvalidInput: it is neither.
    """
    key, equals, value = text.partition("=")
    if equals and key:
        return statements.tag(key, value)
    if not equals and text.endswith("-") and len(text) > 1:
        return statements.tag(text[:-1], None)
    raise InvalidInput(f"bad tag {text!r}", hint="key=value sets it, key- takes it away")


def describe(session: Session, spec: str, text: str, *, kind: Kind, version: str | None = None) -> VersionInfo:
    """Give a version another description; errors as ``tag``."""
    return attest(session, spec, [statements.describe(text)], kind=kind, version=version)


def sign(session: Session, spec: str, *, kind: Kind | None = None, version: str | None = None) -> VersionInfo:
    """Vouch for a version with a signature made now.

    Raises:
        PachaError: there is no key.
        NotFound: no such version.
    """
    return attest(session, spec, [statements.endorse()], kind=kind, version=version, signed=True, exact=True)


def attest(
    session: Session,
    spec: str,
    said: Sequence[Statement],
    *,
    kind: Kind | None,
    version: str | None = None,
    signed: bool | None = None,
    exact: bool = False,
    reason: str | None = None,
) -> VersionInfo:
    """Add attestations to a version, and show it as it is then."""
    resolve(session, spec, kind=kind, version=version, exact=exact)  # a wrong word is said before a missing key
    author = session.author(signed)
    with session.deciding(f"attest {spec}") as changes:
        found, commit = resolve(session, spec, kind=kind, version=version, exact=exact)
        say(session, changes, found, commit, said, author, reason)
    return info(session, records.read(session.repo, commit))


def refuse(session: Session, event_id: str) -> Event:
    """Set aside here an attestation that adds up, an endorsement or an evaluation; others are not told.

    Raises:
        NotFound: there is none with this id.
        InvalidInput: it is a word of which the newest holds, or a removal.
    """
    for ref, tip in session.repo.refs_below(NOTES_ROOT).items():
        parsed = parse_notes_ref(ref) if ref.endswith(f"/{ATTESTATIONS}") else None
        found = attestations_at(session.repo, tip, parsed[0], parsed[1]).effective if parsed is not None else ()
        for _, event in found:
            if event.id == event_id:
                if event.type not in ("endorse", "evaluate"):
                    raise InvalidInput(f"{event_id} is a {event.type}", hint=_INSTEAD.get(event.type, _AGAIN))
                session.removals.note(REFUSED, [event.hash])
                return event
    raise NotFound(f"no attestation {event_id} here", hint="git pacha verify SPEC names those that are bad")


_AGAIN = "writing the word again ends it"
_INSTEAD = {"tombstone": "git pacha removal refuse SPEC", "revoke": "git pacha removal accept SPEC"}


def say(
    session: Session,
    changes: Changes,
    version: VersionId,
    commit: Oid,
    said: Sequence[Statement],
    author: Author,
    reason: str | None = None,
) -> list[Event]:
    """Add attestations to a version that was found, each after the one before."""
    target = records.read(session.repo, commit).target
    tips = read_attestations(session.repo, version.kind, version.name).tips
    pairs = [(target, statement) for statement in said]
    return append(session.repo, changes, ATTESTATIONS, pairs, tips, author, reason)
