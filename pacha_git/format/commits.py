"""The bytes of record and payload commits and their trees, written and read strictly; it knows no repository.

The format is docs/format.md, "Records" and "Payloads": a commit that arrives is checked by writing it anew from its
record and comparing every byte, because Git's own parser of trailers can be misled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import blake3

from pacha_git.errors import Corrupt, InvalidInput
from pacha_git.format.grammar import timestamp
from pacha_git.format.kinds import KINDS
from pacha_git.format.record import Edge, Record, check_content, decode_record
from pacha_git.gitobjects.commits import ParsedCommit, commit_bytes, split_commit
from pacha_git.gitobjects.oid import Oid, git_oid
from pacha_git.gitobjects.trees import tree_bytes
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.kinds import Kind

SYSTEM_IDENTITY: Final = "pacha <pacha@invalid>"
RECORD_FILE: Final = "record.json"
# What a record may carry (docs/format.md 6.1). People write less: format.documents.document has their limit.
STORED_DOCUMENT_LIMIT: Final = 2**20

_FILE_MODE: Final = "100644"
_ARMORED: Final = re.compile(
    r"-----BEGIN SSH SIGNATURE-----\n(?:[A-Za-z0-9+/=]+\n)+-----END SSH SIGNATURE-----\n\Z", re.ASCII
)


def record_message(record: Record, address: Address, documents: Mapping[str, Address]) -> str:
    """Return the message of a record commit: subject, description, trailers.

    Args:
        record: What it is a commit of.
        address: Of the bytes of ``record.json``.
        documents: The address of each document beside it, by file name.
    """
    trailers = [
        f"Pacha-Kind: {record.kind}",
        f"Pacha-Name: {record.name}",
        f"Pacha-Version: {record.version}",
        f"Pacha-Record: {address}",
        *(f"Pacha-Document: {name} {documents[name]}" for name in sorted(documents)),
        *(_lineage_trailer(edge) for edge in record.lineage),
    ]
    paragraphs = [f"{record.kind} {record.name} {record.version}", record.description.strip("\n"), "\n".join(trailers)]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def _lineage_trailer(edge: Edge) -> str:
    target = edge.target
    version = "" if target.version is None else f" {target.version}"
    return f"Pacha-Lineage: {edge.relation} {target.kind} {target.name}{version}"


def record_tree(record_bytes: bytes, documents: Mapping[str, bytes]) -> bytes:
    """Return the body of a record commit's tree: ``record.json`` and the documents beside it.

    Raises:
        InvalidInput: a document larger than 1 MiB.
    """
    for name, body in documents.items():
        if len(body) > STORED_DOCUMENT_LIMIT:
            raise InvalidInput(f"{name} is larger than {STORED_DOCUMENT_LIMIT} bytes", hint="shorten it")
    files = {RECORD_FILE: record_bytes, **documents}
    return tree_bytes((_FILE_MODE, name.encode("ascii"), git_oid("blob", body)) for name, body in files.items())


def record_commit(
    record: Record, record_bytes: bytes, documents: Mapping[str, bytes], *, signature: str | None = None
) -> bytes:
    """Return the body of a record's commit object, signed if there is a signature.

    The bytes to sign are those without one.

    Args:
        record: The record.
        record_bytes: ``record.json``, from which it was read or to which it was written.
        documents: The bytes of each document, by file name.
        signature: An armored signature over ``record_commit(…)`` without it.
    """
    addresses = {name: Address.of_digest(blake3.blake3(body).digest()) for name, body in documents.items()}
    return commit_bytes(
        tree=git_oid("tree", record_tree(record_bytes, documents)),
        parents=record.parents,
        identity=record.created_by,
        seconds=timestamp(record.created_at),
        message=record_message(record, Address.of_digest(blake3.blake3(record_bytes).digest()), addresses),
        signature=signature,
    )


def check_record_commit(raw_commit: bytes, record_bytes: bytes, documents: Mapping[str, bytes]) -> Record:
    """Check a record commit as far as these bytes alone allow, and hand back its record.

    Checked: the record is canonical and valid, its list of files has its address, the documents are those of its kind,
    the commit is byte for byte what record and documents spell (tree, parents = lineage, author, date, message, no
    other header). The signature is not verified.

    Args:
        raw_commit: The body of the commit object.
        record_bytes: The blob ``record.json`` of its tree.
        documents: The other blobs of its tree, by file name.

    Raises:
        PachaError: made by a newer pacha-git.
        Corrupt: with what is not as it must be.
    """
    record = decode_record(record_bytes)
    parsed = split_commit(raw_commit)
    _check_documents(record, documents)
    if parsed.signature is not None and not _ARMORED.match(parsed.signature):
        raise Corrupt(f"the signature of {record.id} is no armored SSH signature")
    if record.content is not None and record.content.files is not None:
        check_content(record.content, record.content.files)
    try:
        rebuilt = record_commit(record, record_bytes, documents, signature=parsed.signature)
    except InvalidInput as error:
        raise Corrupt(f"{record.id}: {error.message}") from None
    if rebuilt != raw_commit:
        raise Corrupt(f"the commit of {record.id} is not what its record spells: {_difference(parsed, rebuilt)}")
    return record


def _check_documents(record: Record, documents: Mapping[str, bytes]) -> None:
    declaration = KINDS[Kind(record.kind)]
    for name in documents.keys() - set(declaration.documents):
        raise Corrupt(f"{name[:80]!r} can't lie beside the record of {record.id}")
    if declaration.primary_document is not None and declaration.primary_document not in documents:
        raise Corrupt(f"{record.id} has no {declaration.primary_document}")


def _difference(parsed: ParsedCommit, rebuilt: bytes) -> str:
    expected = split_commit(rebuilt)
    for part in ("tree", "parents", "author", "committer", "message"):
        if getattr(parsed, part) != getattr(expected, part):
            return f"another {part}"
    return "other bytes within its headers"


def payload_commit(tree: Oid, address: Address) -> bytes:
    """The body of a payload commit: no parents, dated 0, the address as message; equal everywhere for equal files."""
    return commit_bytes(tree=tree, parents=(), identity=SYSTEM_IDENTITY, seconds=0, message=f"{address}\n")
