"""Registers versions: the bytes stored, the record written, the refs created, all durable at once or not at all.

It knows what a person says of a new version; how bytes and records lie in Git is the store's.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pacha_git.chunking.layout import layout_named
from pacha_git.errors import InvalidInput, NotFound, PachaError
from pacha_git.format.canonical import json_number
from pacha_git.format.kinds import KINDS
from pacha_git.format.record import FORMAT, make_record
from pacha_git.git.changes import Changes, changing, retried
from pacha_git.progress import Progress
from pacha_git.registry.reading.inspected import KEY, KEY_OF_MORE
from pacha_git.registry.reading.view import of_record
from pacha_git.registry.versions.credentials import credentials_in, told
from pacha_git.registry.versions.edges import EdgeRequest, edges_of, wishes
from pacha_git.registry.versions.inspect import inspect_files, refuse_missing
from pacha_git.session.identity import Acting
from pacha_git.session.items import read_item
from pacha_git.session.results import Registered
from pacha_git.session.session import DECIDE_LOCK, Session
from pacha_git.session.signing import COMMIT_NAMESPACE
from pacha_git.session.whereabouts import note_made
from pacha_git.store import records
from pacha_git.store.clashes import check_free, taken
from pacha_git.store.events import read_attestations, read_ledger
from pacha_git.store.payload import sources
from pacha_git.store.payload.writer import Cost
from pacha_git.vocabulary.ids import VersionId
from pacha_git.vocabulary.kinds import Kind


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What is to be registered. Paths are files and folders on disk; see ``Collection.register`` for the rest."""

    kind: Kind
    name: str
    version: str
    paths: Sequence[Path]
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    purpose: str | None = None
    data: Sequence[str] = ()
    recipe: str | None = None
    run: str | None = None
    lineage: Sequence[str] = ()
    document: Path | None = None
    exclude: Sequence[str] = ()
    include: Sequence[str] = ()
    follow_symlinks: bool = False
    sign: bool | None = None
    dry_run: bool = False
    strict: bool = False


class _TakenBack(Exception):
    """Ends a dry run: all that was written is thrown away."""


def register(session: Session, wanted: NewVersion, progress: Progress | None = None) -> Registered:
    """Register a version whose bytes are a payload.

    Raises:
        InvalidInput, NotFound: a word, a path or a target of lineage that can't be.
        Conflict: the version exists already.
        PachaError: a file can't be read, the disk is full, Git knows no identity.
    """
    version = VersionId.parse(wanted.kind, wanted.name, wanted.version)
    if _lacks_bytes(session, version):
        return _bring_back(session, wanted, version, progress)
    check_free(session.repo, version)
    acting = session.acting()
    documents = read_documents(wanted.kind, wanted.document)
    found = _found(wanted)
    asked = wishes(wanted.lineage, wanted.data, wanted.recipe, wanted.run)
    edges_of(session, version, asked)  # what can't be is said before the bytes are read
    inspected = inspect_files(found.files)
    if wanted.strict:
        refuse_missing(inspected)
    leaks = told(credentials_in(found.files, documents), strict=wanted.strict)
    found = replace(found, notices=(*found.notices, *leaks, *inspected.notices, *_document_notices(wanted, documents)))
    values = _values(wanted, version, acting) | ({KEY: inspected.files} if inspected.files else {})
    values |= {KEY_OF_MORE: inspected.more} if inspected.more else {}

    def attempt(use_known: bool) -> Registered:
        return _attempt(session, wanted, version, values, documents, found, asked, progress, use_known=use_known)

    return retried(session.repo, attempt)


def _found(wanted: NewVersion, *, keep_litter: bool = False) -> sources.Sources:
    return sources.find(
        wanted.paths,
        exclude=wanted.exclude,
        include=wanted.include,
        follow_symlinks=wanted.follow_symlinks,
        keep_litter=keep_litter,
    )


def _found_again(wanted: NewVersion, stored: records.StoredRecord) -> sources.Sources:
    """Return the files that a version was registered with, by its own list where the record has one.

    What is left out today may have been stored by a release before.
    """
    content = stored.record.content
    if content is None or content.files is None:
        return _found(wanted)
    own = {file.path for file in content.files}
    there = _found(wanted, keep_litter=True)
    chosen = tuple(file for file in there.files if file.path in own)
    return sources.Sources(chosen) if len(chosen) == len(own) else _found(wanted)


def _lacks_bytes(session: Session, version: VersionId) -> bool:
    """Tell whether a version is here and its bytes are not, though nobody removed them."""
    commit = session.repo.ref(version.ref)
    if commit is None or session.is_removed(version, commit):
        return False
    held = session.repo.ref(version.payload_ref)
    with suppress(PachaError):  # of a record that can't be read, that it is there is enough
        there = read_item(session.repo, version.ref, commit)
        return there.version == version and held != there.payload_commit
    return False


def _bring_back(session: Session, wanted: NewVersion, version: VersionId, progress: Progress | None) -> Registered:
    """Give a version that is here its bytes again, if these files are the ones that it was registered with.

    Raises:
        Conflict: they are others.
    """
    stored = records.read_version(session.repo, version)
    found = _found_again(wanted, stored)
    # What is here may be what is damaged: all of it is written again.
    return retried(session.repo, lambda _: _store_again(session, wanted, stored, found, progress))


def _store_again(
    session: Session,
    wanted: NewVersion,
    stored: records.StoredRecord,
    found: sources.Sources,
    progress: Progress | None,
) -> Registered:
    version = stored.id
    result: Registered | None = None
    with suppress(_TakenBack), changing(session.repo, f"bring back {version}") as changes:
        # As they were cut when it was registered: other parts would make another payload.
        layout = layout_named(stored.record.content.layout if stored.record.content is not None else None)
        written = session.payloads.write(changes, found.files, progress, use_known=False, layout=layout)
        if stored.record.content is None or written.content.tree != stored.record.content.tree:
            raise taken(version)
        changes.hold(version.ref, stored.commit)
        session.payloads.hold(changes, version.payload_ref, written)
        notices = (*found.notices, "it was registered already: its bytes are here again, all else is as it was")
        result = registered(session, stored, written.cost, notices, dry_run=wanted.dry_run)
        if wanted.dry_run:
            raise _TakenBack
    assert result is not None
    return result


def _attempt(
    session: Session,
    wanted: NewVersion,
    version: VersionId,
    values: Mapping[str, Any],
    documents: Mapping[str, bytes],
    found: sources.Sources,
    asked: Sequence[EdgeRequest],
    progress: Progress | None,
    *,
    use_known: bool,
) -> Registered:
    result: Registered | None = None
    with suppress(_TakenBack), changing(session.repo, f"register {version}") as changes:
        written = session.payloads.write(changes, found.files, progress, use_known=use_known)
        content = written.content.as_folder() if found.is_folder else written.content
        stored = create(session, changes, version, {**values, "content": content}, documents, asked, wanted.sign)
        session.payloads.hold(changes, version.payload_ref, written)
        result = registered(session, stored, written.cost, found.notices, dry_run=wanted.dry_run)
        if wanted.dry_run:
            raise _TakenBack
        changes.afterwards(lambda: note_made(session.path, version.ref, stored.commit))
    assert result is not None
    return result


def create(
    session: Session,
    changes: Changes,
    version: VersionId,
    values: Mapping[str, Any],
    documents: Mapping[str, bytes],
    asked: Sequence[EdgeRequest],
    sign: bool | None,
) -> records.StoredRecord:
    """Write the record of a new version that was found to be free, with its lineage as it stands now.

    Raises:
        Conflict: it exists by now.
    """
    if changes.lock(session.path / DECIDE_LOCK):
        check_free(session.repo, version)  # in a batch that had the lock already, nobody could come between
    edges = edges_of(session, version, asked)
    record = make_record({**values, "lineage": edges})
    return records.write(changes, record, documents, session.signing.signer(sign, COMMIT_NAMESPACE))


def _values(wanted: NewVersion, version: VersionId, acting: Acting) -> dict[str, Any]:
    values: dict[str, Any] = {
        "format": FORMAT,
        "kind": version.kind.value,
        "name": str(version.name),
        "version": str(version.version),
        "created_at": acting.at,
        "created_by": acting.identity,
        "description": wanted.description,
        "tags": {_tag(key): value for key, value in wanted.tags.items()},
    }
    own = {
        "metrics": {key: _metric(key, value) for key, value in wanted.metrics.items()},
        "purpose": wanted.purpose or "",
    }
    record = KINDS[wanted.kind].record
    assert record is not None
    return values | {key: value for key, value in own.items() if key in record.model_fields}


def _tag(key: str) -> str:
    if not key:
        raise InvalidInput("a tag without a key", hint="as in --tag domain=finance")
    return key


def _metric(key: str, value: Any) -> int | float | str:
    # numbers.Real: the scalars of numerical libraries are numbers too.
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InvalidInput(f"metric {key} is no number: {value!r}", hint="as in --metric auc=0.93")
    return json_number(int(value) if isinstance(value, numbers.Integral) else float(value))


def registered(
    session: Session, stored: records.StoredRecord, cost: Cost, notices: tuple[str, ...], *, dry_run: bool
) -> Registered:
    """Return the new version as its caller sees it, with what it cost."""
    version = stored.id
    ledger = read_ledger(session.repo, version.kind, version.name)
    attested = read_attestations(session.repo, version.kind, version.name)
    return replace(
        of_record(Registered, session, stored, ledger, attested),
        stored_bytes=cost.stored_bytes,
        new_bytes=cost.new_bytes,
        shared_bytes=cost.shared_bytes,
        notices=notices,
        dry_run=dry_run,
    )


def read_documents(kind: Kind, path: Path | None) -> dict[str, bytes]:
    """Read the card or datasheet that goes beside the record.

    Raises:
        NotFound, PachaError: it can't be read, is no UTF-8, or is too large.
    """
    if path is None:
        return {}
    what = KINDS[kind].documents[0]
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"no such file: {path}") from None
    except OSError as error:
        raise PachaError(f"can't read {path}: {error.strerror}") from None
    from pacha_git.format.documents.document import DOCUMENT_LIMIT  # most versions are registered without one

    if len(data) > DOCUMENT_LIMIT:
        raise PachaError(f"{path} is over {DOCUMENT_LIMIT >> 10} KiB", hint="keep long text in the payload")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PachaError(f"{path} is not UTF-8 at byte {error.start}") from None
    return {what: data}


def _document_notices(wanted: NewVersion, documents: Mapping[str, bytes]) -> list[str]:
    """Tell what is wrong with a card or datasheet, and what it says nothing of; it is registered as it is."""
    if not documents:
        return []
    from pacha_git.format.documents.kinds import check_document
    from pacha_git.format.documents.problem import place  # most versions are registered without one

    [data] = documents.values()
    document = check_document(wanted.kind, data)
    said = [f"Warning: {place(str(wanted.document), problem)}" for problem in document.problems]
    if document.missing:
        said.append(f"{wanted.document} says nothing yet on {', '.join(document.missing)}")
    return said
