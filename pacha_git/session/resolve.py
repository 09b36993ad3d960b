"""From what a person types to the one version that is meant.

It knows the contract's order of kinds and selectors.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import blake3

from pacha_git.errors import Ambiguous, Corrupt, InvalidInput, NotFound
from pacha_git.format.kinds import KINDS
from pacha_git.gitobjects.oid import Oid
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.events import read_ledger
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import VersionId
from pacha_git.vocabulary.kinds import VERSIONED_KINDS, Kind
from pacha_git.vocabulary.names import Alias
from pacha_git.vocabulary.specs import ByAddress, Latest, Selector, Spec, parse_spec, selector_text
from pacha_git.vocabulary.stages import Stage
from pacha_git.vocabulary.versions import Version


def resolve(
    session: Session,
    text: str,
    *,
    kind: Kind | None = None,
    version: str | None = None,
    exact: bool = False,
    with_file: bool = False,
) -> tuple[VersionId, Oid]:
    """Find the version that is meant, and its record commit.

    Args:
        session: The registry.
        text: A SPEC.
        kind: What the command or relation says it is; None to find out.
        version: What stood after ``-v``.
        exact: Whether a version must be said (for what changes something); else a bare name is its latest.
        with_file: Whether a ``:FILE`` may follow.

    Raises:
        InvalidInput: a SPEC that can't be read, or none said where one must be.
        Ambiguous: several kinds, or several addresses, answer to it.
        NotFound: nothing does.
    """
    spec = parse_spec(text).with_version(version)
    if spec.file is not None and not with_file:
        raise InvalidInput(
            f"{text} names a file, a version is wanted here", hint=f"git pacha cat {text} writes the file"
        )
    if spec.kind is None:
        spec = spec.with_kind(kind or only_kind(session, spec))
    elif kind is not None:
        spec = spec.with_kind(kind)
    if spec.selector is None and exact:
        raise InvalidInput(f"say which version of {spec.name}", hint=f"as in {spec.name}@1.0.0, or -v 1.0.0")
    return find(session, spec)


def only_kind(session: Session, spec: Spec) -> Kind:
    """Return the only kind that has the name (and, if one is said, the version).

    Raises:
        Ambiguous: several have it.
        NotFound: none has it.
    """
    having = [kind for kind in VERSIONED_KINDS if records.versions_of(session.repo, kind, spec.name)]
    if len(having) > 1 and isinstance(spec.selector, Version):
        version = spec.selector
        narrower = [kind for kind in having if session.repo.ref(VersionId(kind, spec.name, version).ref)]
        having = narrower or having
    if not having:
        raise no_such_name(session, None, spec.name)
    if len(having) > 1:
        raise Ambiguous(f"{spec.name} is the name of several", [f"{kind.noun}:{spec}" for kind in having])
    return having[0]


def find(session: Session, spec: Spec) -> tuple[VersionId, Oid]:
    """Find the version of a spec whose kind is known; errors as ``resolve``."""
    kind = spec.kind
    assert kind is not None
    if kind is Kind.RUN:
        raise InvalidInput(f"{spec} is a run, a version is wanted here")
    selector = spec.selector if spec.selector is not None else Latest()
    if isinstance(selector, Version):
        version = VersionId(kind, spec.name, selector)
        commit = session.repo.ref(version.ref)
        if commit is not None:
            return version, commit
    versions = records.versions_of(session.repo, kind, spec.name)
    if not versions:
        raise no_such_name(session, kind, spec.name)
    if isinstance(selector, Version):
        raise NotFound(f"{kind.noun} {spec.name} has no version {selector}", hint=_known(versions))
    chosen = _select(session, spec, selector, versions)
    return VersionId(kind, spec.name, chosen), versions[chosen]


def _select(session: Session, spec: Spec, selector: Selector, versions: Mapping[Version, Oid]) -> Version:
    assert spec.kind is not None
    if isinstance(selector, Alias):
        named = read_ledger(session.repo, spec.kind, spec.name).aliases.get(selector)
        chosen = [version for version, commit in versions.items() if commit == named]
    elif isinstance(selector, ByAddress):
        chosen = _with_address(session, spec, selector, versions)
    else:
        here = without_removed(session, spec.kind, spec.name, versions)
        if isinstance(selector, Stage):
            ledger = read_ledger(session.repo, spec.kind, spec.name)
            chosen = [version for version, commit in here.items() if ledger.stage(commit) is selector]
        else:
            chosen = latest_first(list(here))[:1]
    if not chosen and isinstance(selector, Latest) and versions:
        hint = f"{_known(versions)}: what they were is told under their number"
        raise NotFound(f"every version of {spec.kind.noun} {spec.name} was removed", hint=hint)
    if not chosen:
        raise NotFound(f"no {spec.kind.noun} {spec.name}@{selector_text(selector)}", hint=_known(versions))
    return max(chosen)


def without_removed(session: Session, kind: Kind, name: str, versions: Mapping[Version, Oid]) -> dict[Version, Oid]:
    """Return the versions whose payload was not removed."""
    removed = session.removed(kind, name)
    return {version: commit for version, commit in versions.items() if commit not in removed}


def latest_first(versions: list[Version]) -> list[Version]:
    """Descending, prereleases after all releases."""
    return sorted(versions, key=lambda version: (not version.is_prerelease, version), reverse=True)


def _with_address(session: Session, spec: Spec, selector: ByAddress, versions: Mapping[Version, Oid]) -> list[Version]:
    found: dict[str, list[Version]] = {}
    for version, commit in versions.items():
        address = address_of(records.read(session.repo, commit))
        if address.removeprefix("blake3:").startswith(selector.digits):
            found.setdefault(address, []).append(version)
    if len(found) > 1:
        raise Ambiguous(f"several versions of {spec.name} have {selector}", [f"{spec.name}@{each}" for each in found])
    return next(iter(found.values()), [])


def address_of(stored: records.StoredRecord) -> str:
    """Tell what people call the address of a version: of its payload, or of the document that it is."""
    if stored.record.content is not None:
        return stored.record.content.address
    document = KINDS[stored.id.kind].primary_document
    if document is None or document not in stored.documents:
        raise Corrupt(f"{stored.id} has neither a payload nor a document")
    return Address.of_digest(blake3.blake3(stored.documents[document]).digest())


def no_such_name(session: Session, kind: Kind | None, name: str) -> NotFound:
    """Return the error for a name that nobody has, with the nearest ones."""
    kinds = [kind] if kind else VERSIONED_KINDS
    known = [str(each) for one in kinds for each in records.names_of(session.repo, one)]
    near = difflib.get_close_matches(name, known, 3, 0.5)
    noun = kind.noun if kind else "model"
    hint = f"did you mean {', '.join(near)}?" if near else f"git pacha {noun} list shows what there is"
    return NotFound(f"no {kind.noun if kind else 'model, data or recipe'} named {name} here", hint=hint)


def _known(versions: Mapping[Version, Oid]) -> str:
    shown = [str(version) for version in versions][-8:]
    return "there is " + ", ".join(shown) + (f" and {len(versions) - 8} more" if len(versions) > 8 else "")
