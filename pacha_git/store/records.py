"""Records as commits in a repository: written once under their own ref, read with every check that their bytes allow.

It knows the tree and the ref; what stands in the bytes is the schema's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import blake3

from pacha_git.errors import REPAIR, Corrupt, NotFound
from pacha_git.format.commits import RECORD_FILE, STORED_DOCUMENT_LIMIT, check_record_commit, record_commit, record_tree
from pacha_git.format.record import Record, Target, decode_record, encode_record
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.commits import split_commit
from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import FILE_MODE, parse_tree
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import REF_ROOT, NameId, VersionId, parse_record_ref
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Name
from pacha_git.vocabulary.versions import Version

if TYPE_CHECKING:
    from pacha_git.git.changes import Changes

Signer = Callable[[bytes], str]
"""Makes the armored signature over the bytes of a commit."""


class StoredRecord(NamedTuple):
    """A record as it lies in the repository: its commit, value, documents, and the signature if there is one."""

    commit: Oid
    record: Record
    record_bytes: bytes
    documents: Mapping[str, bytes]
    signature: str | None
    unsigned: bytes

    @property
    def id(self) -> VersionId:
        """Which version it is."""
        return self.record.id

    @property
    def target(self) -> Target:
        """The version as an edge or event names it."""
        address = Address.of_digest(blake3.blake3(self.record_bytes).digest())
        return Target(
            kind=self.record.kind,
            name=self.record.name,
            version=self.record.version,
            record=address,
            commit=self.commit,
        )


def write(changes: Changes, record: Record, documents: Mapping[str, bytes], sign: Signer | None) -> StoredRecord:
    """Write a record commit and create its ref when the changes become durable.

    Raises:
        InvalidInput: the record can't be written (too large).
    """
    data = encode_record(record)
    for body in (data, *documents.values()):
        changes.add("blob", body)
    changes.add("tree", record_tree(data, documents))
    unsigned = record_commit(record, data, documents)
    signature = sign(unsigned) if sign is not None else None
    commit = changes.add("commit", record_commit(record, data, documents, signature=signature))
    changes.move(record.id.ref, commit, None)
    return StoredRecord(commit, record, data, documents, signature, unsigned)


def read(repo: GitRepository, commit: Oid) -> StoredRecord:
    """Read a record commit, taking its own word for what it is; ``read_checked`` doubts it.

    Raises:
        NotFound, Corrupt: it is not here, or no record.
    """
    parsed = split_commit(repo.read_as(commit, "commit"))
    data, documents = _files(repo, commit, parsed.tree)
    return StoredRecord(commit, decode_record(data), data, documents, parsed.signature, parsed.unsigned)


def read_checked(repo: GitRepository, commit: Oid, ref: str) -> StoredRecord:
    """Read a record commit with all checks that its own bytes allow, and that it lies under the ref it spells.

    Raises:
        NotFound, Corrupt: with what is wrong.
    """
    raw = repo.read_as(commit, "commit")
    parsed = split_commit(raw)
    data, documents = _files(repo, commit, parsed.tree)
    record = check_record_commit(raw, data, documents)
    if record.id.ref != ref:
        raise Corrupt(f"{ref} holds the record of {record.id}")
    return StoredRecord(commit, record, data, documents, parsed.signature, parsed.unsigned)


def _files(repo: GitRepository, commit: Oid, tree: Oid) -> tuple[bytes, dict[str, bytes]]:
    documents: dict[str, bytes] = {}
    for entry in parse_tree(repo.read_as(tree, "tree")):
        if entry.mode != FILE_MODE:
            raise Corrupt(f"record commit {commit} has {entry.name[:60]!r} with mode {entry.mode}")
        body = repo.read_as(entry.oid, "blob")
        if len(body) > STORED_DOCUMENT_LIMIT:
            raise Corrupt(f"record commit {commit} has {entry.name[:60]!r} of {len(body)} bytes")
        documents[entry.name.decode("utf-8", "replace")] = body
    data = documents.pop(RECORD_FILE, None)
    if data is None:
        raise Corrupt(f"commit {commit} has no {RECORD_FILE}")
    return data, documents


def read_version(repo: GitRepository, version: VersionId) -> StoredRecord:
    """Read the record of a version by its ref.

    Raises:
        NotFound: there is no such version.
        Corrupt: its ref holds another record.
    """
    commit = repo.ref(version.ref)
    if commit is None:
        raise NotFound(f"no {version.kind.noun} {version.name} {version.version} here")
    stored = read(repo, commit)
    if stored.id != version:
        raise Corrupt(f"{version.ref} holds the record of {stored.id}", hint=REPAIR)
    return stored


def versions_of(repo: GitRepository, kind: Kind, name: str) -> dict[Version, Oid]:
    """Record commits of all versions of a name, ascending by SemVer; empty if there are none."""
    prefix = NameId(kind, Name(name)).prefix
    found = {
        Version.parse(ref[len(prefix) :]): commit
        for ref, commit in repo.refs_below(prefix).items()
        if "/" not in ref[len(prefix) :] and Version.is_valid(ref[len(prefix) :])
    }
    return dict(sorted(found.items(), key=lambda item: item[0]))


def names_of(repo: GitRepository, kind: Kind) -> list[Name]:
    """Return all names of a kind, sorted."""
    return sorted({version.name for version, _ in all_versions(repo, kind)})


def all_versions(repo: GitRepository, kind: Kind | None = None) -> Iterator[tuple[VersionId, Oid]]:
    """Yield every version of a kind (None: of all kinds) with its record commit, by ref name."""
    prefix = f"{REF_ROOT}{kind.plural}/" if kind else REF_ROOT
    for ref, commit in repo.refs_below(prefix).items():
        version = parse_record_ref(ref)
        if version is not None:
            yield version, commit
