"""Runs as commits in a repository: one at the start, one that seals, each checked against the one before.

It knows refs and chains of commits; what stands in the bytes is the schema's, and points and owners are the journal's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pacha_git.errors import REPAIR, Conflict, Corrupt, InvalidInput, NotFound
from pacha_git.format.params import PARAMS_LIMIT, decode_params
from pacha_git.format.record import RECORD_LIMIT, Target
from pacha_git.format.run import (
    PARAMS_FILE,
    RUN_FILE,
    RunRecord,
    check_run_commit,
    decode_run,
    encode_run,
    run_commit,
    run_target,
    run_tree,
)
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.commits import split_commit
from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import FILE_MODE, parse_tree
from pacha_git.vocabulary.ids import RUNS_ROOT, RunId

if TYPE_CHECKING:
    from pacha_git.git.changes import Changes

CHAIN_LIMIT: Final = 10_000


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as one of its commits has it.

    Attributes:
        commit: Which commit.
        record: What it says.
        data: ``run.json``.
        params_bytes: ``params.toml``.
        parents: Of the first commit the records of its inputs; of a later one the one before.
        chain: This commit and those before it, newest first, as far as they were read (``read`` reads this one alone).
        signature: The armored signature, if it is signed; ``unsigned`` is what it is over.
    """

    commit: Oid
    record: RunRecord
    data: bytes
    params_bytes: bytes
    parents: tuple[Oid, ...]
    signature: str | None
    unsigned: bytes
    chain: tuple[Oid, ...]

    @property
    def is_first(self) -> bool:
        """Whether its parents are the records of its inputs, so that no commit of the run came before."""
        return list(self.parents) == self.record.parents

    @property
    def params(self) -> dict[str, Any]:
        """Its parameters, types kept."""
        return decode_params(self.params_bytes)

    @property
    def target(self) -> Target:
        """The run at this commit, as an edge names it."""
        return run_target(self.record, self.data, self.commit)


def write(
    changes: Changes,
    record: RunRecord,
    params: bytes,
    before: StoredRun | None,
    sign: Callable[[bytes], str] | None = None,
) -> StoredRun:
    """Write a commit of a run; its ref moves on to it when the changes become durable.

    Args:
        changes: What it becomes durable with.
        record: What it says.
        params: ``params.toml``.
        before: The commit before; None for the first.
        sign: Makes the signature, if it is to be signed.

    Raises:
        Conflict: the run is sealed.
        InvalidInput: the record can't be written (too large).
    """
    if before is not None and before.record.is_sealed:
        raise Conflict(f"run {record.id} is {before.record.status} already")
    parents = tuple(record.parents) if before is None else (before.commit,)
    data = encode_run(record)
    changes.add("blob", data)
    changes.add("blob", params)
    changes.add("tree", run_tree(data, params))
    kept = decode_run(data)  # what was too much for it is left out
    unsigned = run_commit(kept, data, params, parents)
    signature = sign(unsigned) if sign is not None else None
    commit = changes.add("commit", run_commit(kept, data, params, parents, signature=signature))
    changes.move(RunId(record.id).ref, commit, before.commit if before is not None else None)
    chain = (commit, *(before.chain if before is not None else ()))
    return StoredRun(commit, kept, data, params, parents, signature, unsigned, chain)


def read(repo: GitRepository, commit: Oid) -> StoredRun:
    """Read a run commit, taking its own word; ``read_checked`` doubts it.

    Raises:
        NotFound, Corrupt: it is not here, or no run.
    """
    parsed = split_commit(repo.read_as(commit, "commit"))
    data, params = _files(repo, commit, parsed.tree)
    run = decode_run(data)
    return StoredRun(commit, run, data, params, parsed.parents, parsed.signature, parsed.unsigned, (commit,))


def read_run(repo: GitRepository, run_id: str) -> StoredRun:
    """Read a run at the commit where its ref stands.

    Raises:
        NotFound: there is no such run.
        Corrupt: its ref holds another.
    """
    commit = repo.ref(RunId.parse(run_id).ref)
    if commit is None:
        raise NotFound(f"no run {run_id} here", hint="git pacha run list shows what there is")
    stored = read(repo, commit)
    if stored.record.id != run_id:
        raise Corrupt(f"{RunId(run_id).ref} holds run {stored.record.id}", hint=REPAIR)
    return stored


def read_checked(repo: GitRepository, commit: Oid, ref: str) -> StoredRun:
    """Read a run with every check that its commits allow, back to the first.

    Checked: each commit is what its ``run.json`` spells; the ref is the run's; the first commit's parents are the
    records of its inputs, every other has one parent, a commit of the same run with the same start and inputs, that was
    not sealed; and where the ref stands here already, one of the two commits leads to the other.

    Args:
        repo: Where the objects are.
        commit: The newest commit.
        ref: The ref it is to lie under.

    Raises:
        NotFound, Corrupt: with what is wrong.
        Conflict: the ref stands at a commit from which this one does not come, nor leads to.
    """
    stored = read_one(repo, commit, ref)
    chain = [commit]
    newer = stored
    while not newer.is_first:
        if len(newer.parents) != 1:
            raise Corrupt(f"run commit {newer.commit} has neither the parents of a first commit nor one before it")
        if len(chain) >= CHAIN_LIMIT:
            raise Corrupt(f"run {stored.record.id} has over {CHAIN_LIMIT} commits")
        older = read_one(repo, newer.parents[0], ref)
        _check_step(older, newer)
        chain.append(older.commit)
        newer = older
    _check_forward(repo, ref, chain)
    return StoredRun(
        commit, stored.record, stored.data, stored.params_bytes, stored.parents, stored.signature, stored.unsigned,
        tuple(chain),
    )  # fmt: skip


def read_one(repo: GitRepository, commit: Oid, ref: str) -> StoredRun:
    """Read one commit of a run with every check that its own bytes allow, and none of those before it.

    Raises:
        NotFound, Corrupt: with what is wrong.
    """
    raw = repo.read_as(commit, "commit")
    data, params = _files(repo, commit, split_commit(raw).tree)
    checked = check_run_commit(raw, data, params)
    if RunId(checked.record.id).ref != ref:
        raise Corrupt(f"{ref} holds run {checked.record.id}")
    return StoredRun(
        commit, checked.record, data, params, checked.parents, checked.signature, checked.unsigned, (commit,)
    )


def _check_step(older: StoredRun, newer: StoredRun) -> None:
    one, other = older.record, newer.record
    if one.is_sealed:
        raise Corrupt(f"run commit {newer.commit} comes after the run was {one.status}")
    if (one.started_at, one.inputs) != (other.started_at, other.inputs):
        raise Corrupt(f"run commit {newer.commit} has another start or other inputs than the one before")


def _check_forward(repo: GitRepository, ref: str, chain: Sequence[Oid]) -> None:
    ours = repo.ref(ref)
    if ours is None or ours in chain or chain[0] in history(repo, ours):
        return
    raise Conflict(f"{ref} is at {ours}, from which {chain[0]} does not come", hint="two sides ended the run apart")


def history(repo: GitRepository, commit: Oid) -> Iterator[Oid]:
    """Yield the commits of a run from one back to its first, taking their own word."""
    yield commit
    yield from earlier(repo, read(repo, commit))


def earlier(repo: GitRepository, stored: StoredRun) -> Iterator[Oid]:
    """Yield the commits of a run before one, newest first."""
    first, parents = stored.record.parents, list(stored.parents)
    for _ in range(CHAIN_LIMIT):
        if parents == first or len(parents) != 1:
            return
        # The inputs are the same in every commit, so of the earlier ones the parents are enough.
        yield parents[0]
        parents = list(split_commit(repo.read_as(parents[0], "commit")).parents)


def _files(repo: GitRepository, commit: Oid, tree: Oid) -> tuple[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for entry in parse_tree(repo.read_as(tree, "tree")):
        if entry.mode != FILE_MODE:
            raise Corrupt(f"run commit {commit} has {entry.name[:60]!r} with mode {entry.mode}")
        found[entry.name] = repo.read_as(entry.oid, "blob")
        if len(found[entry.name]) > max(RECORD_LIMIT, PARAMS_LIMIT):
            raise Corrupt(f"run commit {commit} has {entry.name[:60]!r} of {len(found[entry.name])} bytes")
    if found.keys() != {RUN_FILE.encode(), PARAMS_FILE.encode()}:
        raise Corrupt(f"commit {commit} is no run: it has not {RUN_FILE} and {PARAMS_FILE} alone")
    return found[RUN_FILE.encode()], found[PARAMS_FILE.encode()]


def all_runs(repo: GitRepository) -> dict[RunId, Oid]:
    """Return every run with the commit where its ref stands, oldest first."""
    found: dict[RunId, Oid] = {}
    for ref, commit in repo.refs_below(RUNS_ROOT).items():
        try:
            found[RunId.parse(ref[len(RUNS_ROOT) :])] = commit
        except InvalidInput:
            continue  # fsck's business
    return found
