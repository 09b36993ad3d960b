"""Checks the runs of a registry against the format: their commits, their inputs, their payloads.

It reports through the caller and repairs nothing. The list it works through is docs/format.md, "A reader's checks".
"""

from __future__ import annotations

from pacha_git.errors import Corrupt, InvalidInput
from pacha_git.format.run import SERIES_PATH, RunRecord
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.store.payload.check import check_payload
from pacha_git.store.payload.reader import Payload
from pacha_git.store.runs import commits as run_commits
from pacha_git.store.runs.series import announced, decode_series, summaries
from pacha_git.store.targets import target_problem
from pacha_git.vocabulary.ids import ItemRef, PayloadRef, parse_ref


def check_run(repo: GitRepository, ref: str, commit: Oid) -> run_commits.StoredRun:
    """Check a run that its ref leads to, and that its inputs are here as it says.

    Raises:
        NotFound, Corrupt: with what is wrong.
    """
    if not isinstance(parse_ref(ref), ItemRef):
        raise InvalidInput("no ref of the format")
    stored = run_commits.read_checked(repo, commit, ref)
    for edge in stored.record.inputs:
        problem = target_problem(repo, edge.target, repo.tips)
        if problem:
            raise Corrupt(problem)
    return stored


def check_run_payload(repo: GitRepository, ref: str, commit: Oid, *, fast: bool = False) -> None:
    """Check the payload of a run, if the run is here and sealed; before that it may be anything.

    Raises:
        NotFound, Corrupt, VerificationFailed: with what is wrong.
    """
    found = parse_ref(ref)
    stands = repo.ref(found.id.ref) if isinstance(found, PayloadRef) else None
    if stands is None:
        return
    record = run_commits.read(repo, stands).record
    if record.content is None:
        return
    check_payload(repo, commit, record.content, fast=fast)
    if not fast:
        _check_points(record, Payload(repo, record.content))


def _check_points(record: RunRecord, payload: Payload) -> None:
    """The summaries of a run must be those of its points."""
    lines = [line for line in payload.lines if line.path == SERIES_PATH]
    told = record.model_dump()
    most = announced(told["metrics"], told.get("metrics_left_out", 0))
    found = summaries(decode_series(b"".join(payload.blocks(lines[0])), most)) if lines else {}
    if any(found.get(name) != summary for name, summary in told["metrics"].items()):
        raise Corrupt(f"the summaries of run {record.id} are not those of its points")
    if len(found) != len(told["metrics"]) + told.get("metrics_left_out", 0):
        raise Corrupt(f"run {record.id} has other metrics than its summaries")
