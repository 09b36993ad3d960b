"""A version as people see it: its record, with what was attested, staged and signed since.

It builds values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pacha_git.errors import InvalidInput, VerificationFailed
from pacha_git.format.event import Event, signed_part
from pacha_git.format.kinds import KINDS
from pacha_git.format.record import Edge
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.attestations import Attestations
from pacha_git.ledger.events import Ledger
from pacha_git.ledger.statements import RECORD_SCOPE
from pacha_git.registry.reading.inspected import formats_of, more_of
from pacha_git.session.resolve import address_of
from pacha_git.session.results import Json, VersionDetail, VersionInfo
from pacha_git.session.results.versions import EdgeInfo, FileInfo, PayloadState, Removal, SaidBy
from pacha_git.session.session import Session
from pacha_git.session.signing import COMMIT_NAMESPACE, EVENT_NAMESPACE
from pacha_git.store.events import document_of, read_attestations, read_ledger
from pacha_git.store.records import StoredRecord
from pacha_git.trust.publickey import parse_public
from pacha_git.vocabulary.kinds import KIND_WORDS, Kind
from pacha_git.vocabulary.stages import STAGE_WORDS, Stage

if TYPE_CHECKING:
    from pacha_git.store.catalogue.rows import Row, SignerNote

V = TypeVar("V", bound=VersionInfo)
_JSON: Final = json.JSONEncoder(ensure_ascii=False)


def project(stored: StoredRecord) -> Json:
    """Tell what the catalogue keeps of a record beside the record itself.

    ``address``, ``size`` in bytes, ``signer_key``; ``shown`` and ``shown_last``: the JSON of a ``VersionInfo`` before
    and after the fields that depend on more than the record.
    """
    registered = _registered(stored)
    purpose = registered.pop("purpose")
    return {
        "shown": _JSON.encode(registered)[:-1] + ', "signed_by": ',
        "shown_last": f', "purpose": {_JSON.encode(purpose)}}}',
        "address": address_of(stored),
        "size": size_of(stored),
        "signer_key": _signer_key(stored),
    }


def size_of(stored: StoredRecord) -> int:
    """Bytes of the payload, or of the document that the version is."""
    if stored.record.content is not None:
        return stored.record.content.size
    document = KINDS[stored.id.kind].primary_document
    return len(stored.documents.get(document or "", b""))


def _signer_key(stored: StoredRecord) -> str | None:
    """Return the public key whose good signature the record bears."""
    if stored.signature is None:
        return None
    from pacha_git.trust import sshsig  # 14 ms to load

    try:
        return sshsig.verify(stored.signature, stored.unsigned, COMMIT_NAMESPACE).text
    except (VerificationFailed, InvalidInput):
        return None


def info(session: Session, stored: StoredRecord) -> VersionInfo:
    """Return a version, by reading what is said of it."""
    version = stored.id
    ledger = read_ledger(session.repo, version.kind, version.name)
    attested = read_attestations(session.repo, version.kind, version.name)
    return of_record(VersionInfo, session, stored, ledger, attested)


def detail(session: Session, stored: StoredRecord) -> VersionDetail:
    """Return a version with its files and its document."""
    version = stored.id
    ledger = read_ledger(session.repo, version.kind, version.name)
    attested = read_attestations(session.repo, version.kind, version.name)
    return replace(
        of_record(VersionDetail, session, stored, ledger, attested),
        files=tuple(files_of(session, stored)),
        formats=formats_of(stored.record),
        formats_more=more_of(stored.record),
        document_key=KINDS[version.kind].json_document_key,
        document=_document(stored, attested),
        words=words(session, stored, ledger, attested),
        claims=_claims(session, stored, attested),
    )


def of_record(cls: type[V], session: Session, stored: StoredRecord, ledger: Ledger, attested: Attestations) -> V:
    """Return a version as a value of this class, whose own fields are left to whoever knows them."""
    record, about = stored.record, attested.about(stored.commit)
    gone = _removed(session, stored, attested)
    return cls(
        kind=stored.id.kind,
        name=record.name,
        version=record.version,
        stage=ledger.stage(stored.commit),
        aliases=tuple(ledger.aliases_of(stored.commit)),
        description=record.description if about.description is None else about.description,
        address=address_of(stored),
        size=size_of(stored),
        file_count=_file_count(stored),
        created_at=record.created_at,
        created_by=record.created_by,
        commit=stored.commit,
        tags=about.tags_over(record.tags),
        metrics=getattr(record, "metrics", {}),
        lineage=tuple(edge_info(edge) for edge in record.lineage),
        signed_by=signed_by(session, stored, about.endorsements),
        payload=payload_state(session, stored, removed=gone is not None),
        purpose=getattr(record, "purpose", None),
        removed=gone,
    )


def _removed(session: Session, stored: StoredRecord, attested: Attestations) -> Removal | None:
    """Return the removal that holds, if one does."""
    if not attested.about(stored.commit).tombstones:
        return None
    from pacha_git.session.claims import removal_of  # few versions were ever removed

    removals = session.removals.of(stored.id.kind, stored.id.name, attested)
    counting = removals.counting.get(stored.commit)
    return removal_of(removals, counting[-1]) if counting else None


def _claims(session: Session, stored: StoredRecord, attested: Attestations) -> tuple[Removal, ...]:
    """Return the removals that are only claimed."""
    if not attested.about(stored.commit).tombstones:
        return ()
    from pacha_git.session.claims import removal_of

    removals = session.removals.of(stored.id.kind, stored.id.name, attested)
    return tuple(removal_of(removals, event) for event in removals.claims.get(stored.commit, ()))


def words_of(session: Session, stored: StoredRecord) -> dict[str, SaidBy]:
    """As ``words``, by reading what is said of a version."""
    version = stored.id
    ledger = read_ledger(session.repo, version.kind, version.name)
    return words(session, stored, ledger, read_attestations(session.repo, version.kind, version.name))


def words(session: Session, stored: StoredRecord, ledger: Ledger, attested: Attestations) -> dict[str, SaidBy]:
    """Of each word that is in force who said it, and whose good signature it bears.

    ``description``, ``card`` or ``datasheet``, ``tags.KEY`` and, where it was ever moved, ``stage``; ``aliases.NAME``.
    """
    record = stored.record
    own = session.signing.shown(stored.signature, stored.unsigned, COMMIT_NAMESPACE, record.created_at)
    registered = SaidBy(record.created_by, own)
    found = {"description": registered} | {f"tags.{key}": registered for key in sorted(record.tags)}
    for document in KINDS[stored.id.kind].documents:
        if document in stored.documents:
            found[document.rpartition(".")[0]] = registered
    said = {**attested.about(stored.commit).words, **ledger.words_of(stored.commit)}
    for word, event in sorted(said.items()):
        if word.startswith("tags.") and event.body.get("value") is None:
            found.pop(word, None)
            continue
        signer = session.signing.shown(event.sig, signed_part(event.line), EVENT_NAMESPACE, event.at)
        found[word] = SaidBy(event.by, signer)
    return found


def _registered(stored: StoredRecord) -> Json:
    """The JSON of a ``VersionInfo`` while nothing else was said of it, less who signed it and where its bytes are."""
    record = stored.record
    return {
        "kind": record.kind,
        "name": record.name,
        "version": record.version,
        "stage": Stage.DEVELOPMENT.value,
        "aliases": (),
        "description": record.description,
        "address": address_of(stored),
        "size": size_of(stored),
        "file_count": _file_count(stored),
        "created_at": record.created_at,
        "created_by": record.created_by,
        "commit": stored.commit,
        "tags": dict(sorted(record.tags.items())),
        "metrics": getattr(record, "metrics", {}),
        "lineage": [edge_info(edge).to_json() for edge in record.lineage],
        "purpose": getattr(record, "purpose", None),
    }


def _file_count(stored: StoredRecord) -> int:
    return stored.record.content.file_count if stored.record.content is not None else 1


def edge_info(edge: Edge) -> EdgeInfo:
    """Return an edge as ``get`` shows it."""
    target = edge.target
    return EdgeInfo(edge.relation, Kind(target.kind), target.name, target.version, target.commit, dict(edge.params))


def edge_of(value: Mapping[str, Any]) -> EdgeInfo:
    """Return an edge from the JSON that ``EdgeInfo.to_json`` makes."""
    return EdgeInfo(
        relation=value["relation"], kind=Kind(value["kind"]), name=value["name"], version=value["version"],
        commit=value["commit"], params=value["params"],
    )  # fmt: skip


def payload_state(session: Session, stored: StoredRecord, *, removed: bool) -> PayloadState:
    """Tell whether the bytes are here, thin, or removed."""
    if removed:
        return "removed"
    if stored.record.content is None or session.payloads.has(stored.id.payload_ref):
        return "here"
    return "thin"


def signed_by(session: Session, stored: StoredRecord, endorsements: Sequence[Event]) -> str | None:
    """Tell who signed the record or vouches for it: a trusted signer if there is one, else the fingerprint of a key.

    The record's own signature comes first, then the newest endorsement; one of another record, version or scope counts
    for nothing.
    """
    signed = session.signing.who(stored.signature, stored.unsigned, COMMIT_NAMESPACE, stored.record.created_at)
    found = [signed] if signed is not None else []
    for event in reversed(endorsements):
        if endorses(event, stored):
            by = session.signing.who(event.sig, signed_part(event.line), EVENT_NAMESPACE, event.at)
            found += [by] if by is not None else []
    trusted = next((each.principal for each in found if each.principal is not None), None)
    return trusted or (found[0].fingerprint if found else None)


def endorses(event: Event, stored: StoredRecord) -> bool:
    """Tell whether an endorsement is of this very record, of this version, and of all of it."""
    target = stored.target
    return (event.record, event.version, event.text("scope")) == (target.record, target.version, RECORD_SCOPE)


def files_of(session: Session, stored: StoredRecord) -> list[FileInfo]:
    """Path, size, mode and BLAKE3 of every file; empty where only the payload has the list and is not here."""
    content = stored.record.content
    if content is None:
        return []
    if content.files is not None:
        lines: Sequence[Any] = content.files
    elif session.repo.has(Oid(content.manifest)):
        from pacha_git.format.manifest import decode_manifest

        lines = decode_manifest(session.repo.read_as(Oid(content.manifest), "blob"))
    else:
        return []
    return [FileInfo(line.path, line.size, line.mode, line.blake3) for line in lines]


def _document(stored: StoredRecord, attested: Attestations) -> Any:
    """Return the newest card or datasheet as text, or the values of a recipe."""
    about = attested.about(stored.commit)
    if stored.id.kind is Kind.RECIPE:
        from pacha_git.format.documents.recipe import parse_recipe

        return parse_recipe(stored.documents["recipe.toml"]).json_values
    return document_of(stored, about)[0]


def of_row(cls: type[V], session: Session, row: Row) -> V:
    """Return a version from the catalogue, as ``of_record`` makes one from its record."""
    value = row.registered()
    gone = row.fold.removals.get(row.commit)
    return cls(
        kind=KIND_WORDS[row.kind],
        name=row.name,
        version=row.version,
        stage=STAGE_WORDS[row.stage],
        aliases=row.aliases,
        description=row.description,
        address=value["address"],
        size=row.size,
        file_count=value["file_count"],
        created_at=row.created_at,
        created_by=value["created_by"],
        commit=row.commit,
        tags=row.tags_over(value["tags"]),
        metrics=value["metrics"],
        lineage=tuple(map(edge_of, value["lineage"])),
        signed_by=row_signer(session, row.signers),
        payload=row.payload,
        purpose=value["purpose"],
        removed=None if gone is None else Removal(gone["by"], gone["at"], gone["reason"], gone["signed_by"]),
    )


class RowSource:
    """Where listed versions have their fields from, when somebody asks for them: the rows of the catalogue."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def glance(self, row: Row) -> dict[str, object]:
        """Tell what a table shows of it."""
        return {
            "kind": KIND_WORDS[row.kind], "name": row.name, "version": row.version, "stage": STAGE_WORDS[row.stage],
            "aliases": row.aliases, "description": row.description, "size": row.size, "created_at": row.created_at,
            "payload": row.payload,
        }  # fmt: skip

    def read(self, row: Row) -> VersionInfo:
        """Return all fields."""
        return of_row(VersionInfo, self._session, row)

    def text(self, row: Row) -> str | None:
        """Return the JSON of all fields, if it need not be made."""
        if not row.is_as_registered:
            return None
        signed_by = row_signer(self._session, row.signers) if row.signer else None
        signed = "null" if signed_by is None else _JSON.encode(signed_by)
        return f'{row.shown}{signed}, "payload": "{row.payload}"{row.shown_last}'


def row_signer(session: Session, signers: Sequence[SignerNote]) -> str | None:
    """Tell whose good signature the catalogue has for a version, as in ``signed_by``."""
    fingerprints: list[str] = []
    for key, namespace, at in signers:
        public = parse_public(key)
        principal = session.settings.signers.principal_of(public, namespace=namespace, at=at)
        if principal is not None:
            return principal
        fingerprints.append(public.fingerprint)
    return fingerprints[0] if fingerprints else None
