"""What travels under one ref, a version or a run, as those who move it see it: both are the same to them.

It knows refs, targets and content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pacha_git.errors import Corrupt, InvalidInput
from pacha_git.format.kinds import ITEM_ROOTS, grows
from pacha_git.format.record import Content, Target
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.store import records
from pacha_git.store.payload.tree import payload_commit_oid
from pacha_git.store.runs import commits as run_commits
from pacha_git.store.runs.commits import StoredRun
from pacha_git.store.targets import Tips, target_problem
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import NOTES_ROOT, ItemRef, RunId, VersionId, parse_ref


@dataclass(frozen=True, slots=True)
class Item:
    """A version, or a run as one of its commits has it.

    Attributes:
        ref: Where it lies.
        payload_ref: Where its bytes lie, if it has any.
        commit: Its newest commit.
        chain: All commits of a run that were read, newest first; of a version the one.
        content: What its bytes are.
        targets: What it comes from.
        own: How an edge names it.
        version: Which version it is; None for a run.
    """

    ref: str
    payload_ref: str
    commit: Oid
    chain: tuple[Oid, ...]
    content: Content | None
    targets: tuple[Target, ...]
    own: Target
    version: VersionId | None

    @property
    def label(self) -> str:
        """How a person names it."""
        return str(self.version) if self.version is not None else f"run:{self.own.name}"

    @property
    def payload_commit(self) -> Oid | None:
        """The commit that its bytes have everywhere; None if it has none."""
        if self.content is None:
            return None
        return payload_commit_oid(Oid(self.content.tree), Address(self.content.address))


def is_item(ref: str) -> bool:
    """Tell whether a version or a run lies under a ref of this kind."""
    return ref.startswith(ITEM_ROOTS)


def parse_item_ref(ref: str) -> VersionId | RunId:
    """Return the version or the run that a ref spells.

    Raises:
        InvalidInput: it breaks the grammar, or is no such ref.
    """
    found = parse_ref(ref)
    if not isinstance(found, ItemRef):
        raise InvalidInput(f"{ref} is no ref of the format")
    return found.id


def read_item(repo: GitRepository, ref: str, commit: Oid) -> Item:
    """Read what lies under a ref, taking its own word; errors as ``records.read`` and ``runs.read``."""
    return _run(run_commits.read(repo, commit)) if grows(ref) else _version(records.read(repo, commit))


def read_item_checked(repo: GitRepository, ref: str, commit: Oid) -> Item:
    """Read what lies under a ref with every check that its own bytes allow.

    Raises:
        NotFound, Corrupt: with what is wrong.
    """
    if grows(ref):
        return _run(run_commits.read_checked(repo, commit, ref))
    stored = records.read_checked(repo, commit, ref)
    for name, document in stored.documents.items():
        if name.endswith(".toml"):
            _check_toml(name, document)
    return _version(stored)


def _check_toml(name: str, document: bytes) -> None:
    """See to it that every reader can read a document that came: its bytes are kept, whatever they are."""
    from pacha_git.format import toml  # of recipes alone

    try:
        toml.loads(document.decode("utf-8"))
    except ValueError as error:
        raise Corrupt(f"{name} is no TOML within the bounds of the format: {error}") from None


def _version(stored: records.StoredRecord) -> Item:
    return Item(
        ref=stored.id.ref,
        payload_ref=stored.id.payload_ref,
        commit=stored.commit,
        chain=(stored.commit,),
        content=stored.record.content,
        targets=tuple(edge.target for edge in stored.record.lineage),
        own=stored.target,
        version=stored.id,
    )


def _run(stored: StoredRun) -> Item:
    return Item(
        ref=RunId(stored.record.id).ref,
        payload_ref=RunId(stored.record.id).payload_ref,
        commit=stored.commit,
        chain=stored.chain,
        content=stored.record.content,
        targets=tuple(edge.target for edge in stored.record.inputs),
        own=stored.target,
        version=None,
    )


def broken_edge(repo: GitRepository, item: Item, coming: Mapping[str, Item], here: Tips) -> str:
    """What is wrong with the lineage of an item; empty if each target is at hand with the record that the edge says.

    Args:
        repo: Where objects are read.
        item: The item.
        coming: Sound items that would be there with it, by ref.
        here: Where a ref stands already.
    """

    def tips(ref: str) -> Iterable[Oid]:
        return (*(coming[ref].chain if ref in coming else ()), *here(ref))

    def known(ref: str, commit: Oid) -> Target | None:
        return coming[ref].own if ref in coming and coming[ref].commit == commit else None

    return next((why for target in item.targets if (why := target_problem(repo, target, tips, known))), "")


def differing(refs: Mapping[str, Oid], others: Mapping[str, Oid]) -> dict[str, Oid]:
    """Return those of the refs that are missing or elsewhere among the others; there may be hundreds of thousands."""
    where = others.get
    return {ref: oid for ref, oid in refs.items() if where(ref) != oid}


def refs_here(repo: GitRepository) -> dict[str, Oid]:
    """Return all refs of ours that travel as records or events: versions, runs, notes."""
    return {ref: oid for root in (*ITEM_ROOTS, NOTES_ROOT) for ref, oid in repo.refs_below(root).items()}
