"""Chains of run commits: what follows the rules is read, every breach is refused whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacha_git import Conflict, Corrupt, NotFound, Registry
from pacha_git.errors import InvalidInput, PachaError
from pacha_git.format.run import encode_run, make_run, run_commit, run_tree
from pacha_git.git.changes import changing
from pacha_git.gitobjects.oid import Oid
from pacha_git.store.runs import commits as run_commits
from pacha_git.vocabulary.ids import RunId, parse_ref
from tests.making import git, put

Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


@pytest.fixture
def run_id(registry: Registry, tmp_path: Path) -> str:
    registry.datasets.register("tx", put(tmp_path / "tx.csv"), version="1.0.0")
    with registry.run(data="tx@1.0.0", params={"lr": 0.1}) as run:
        run.log(loss=0.5)
    return run.id


def forge(
    registry: Registry,
    before: run_commits.StoredRun,
    parents: list[Oid],
    changes: dict[str, Any],
    ref: str | None = None,
) -> Oid:
    """A commit that somebody else's program wrote after (or beside) one of ours."""
    record = make_run(before.record.model_dump() | changes)
    data = encode_run(record)
    with changing(registry._session.repo, "forge") as writing:
        writing.add("blob", data)
        writing.add("blob", before.params_bytes)
        writing.add("tree", run_tree(data, before.params_bytes))
        commit = writing.add("commit", run_commit(record, data, before.params_bytes, parents))
        writing.move(ref or f"refs/heads/forged-{commit[:8]}", commit, registry._session.repo.ref(ref) if ref else None)
    return commit


def stored(registry: Registry, run_id: str) -> tuple[run_commits.StoredRun, run_commits.StoredRun]:
    """The sealed commit and the first one."""
    last = run_commits.read_run(registry._session.repo, run_id)
    return last, run_commits.read(registry._session.repo, last.parents[0])


def test_a_run_is_two_commits_whose_first_comes_from_its_inputs(registry: Registry, run_id: str) -> None:
    repo = registry._session.repo
    last, first = stored(registry, run_id)
    data = repo.ref("refs/pacha/datasets/tx/1.0.0")
    assert first.parents == (data,)
    assert (last.parents, last.record.status) == ((first.commit,), "completed")
    checked = run_commits.read_checked(repo, last.commit, RunId(run_id).ref)
    assert checked.chain == (last.commit, first.commit)
    assert list(run_commits.history(repo, last.commit)) == [last.commit, first.commit]
    assert git(registry.path, "log", "--format=%an", "-1", RunId(run_id).ref).strip() == "Ada Tester"


def test_the_commit_holds_summaries_alone_and_the_points_hang_elsewhere(registry: Registry, run_id: str) -> None:
    names = git(registry.path, "ls-tree", "-r", "--name-only", RunId(run_id).ref).split()
    assert names == ["params.toml", "run.json"]
    assert "metrics.series" in git(registry.path, "ls-tree", "-r", "--name-only", RunId(run_id).payload_ref)
    assert (registry.path / "pacha/runs" / run_id).exists() is False


def test_stock_git_reads_its_status(registry: Registry, run_id: str) -> None:
    shown = git(registry.path, "log", "--format=%(trailers:key=Pacha-Status,valueonly)", "-2", RunId(run_id).ref)
    assert shown.split() == ["completed", "running"]


BREACHES: dict[str, tuple[str, dict[str, Any]]] = {
    "a child of a sealed commit": ("last", {"status": "failed", "error": "changed my mind"}),
    "other inputs than before": ("first", {"inputs": [], "status": "running"}),
    "another start than before": ("first", {"started_at": "2001-01-01T00:00:00Z"}),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_commit_that_breaks_the_chain_is_refused(registry: Registry, run_id: str, name: str) -> None:
    which, changes = BREACHES[name]
    last, first = stored(registry, run_id)
    before = last if which == "last" else first
    forged = forge(registry, before, [before.commit], changes)
    with pytest.raises((Corrupt, Conflict)):
        run_commits.read_checked(registry._session.repo, forged, RunId(run_id).ref)


def test_a_commit_with_foreign_parents_is_refused(registry: Registry, run_id: str) -> None:
    _, first = stored(registry, run_id)
    root = registry._session.repo.ref("refs/pacha/root")
    assert root is not None
    for parents in ([], [root], [first.commit, root]):
        forged = forge(registry, first, parents, {"tags": {"n": str(len(parents))}})
        with pytest.raises(PachaError):
            run_commits.read_checked(registry._session.repo, forged, RunId(run_id).ref)


def test_a_run_under_the_ref_of_another_is_refused(registry: Registry, run_id: str) -> None:
    last, _ = stored(registry, run_id)
    other = run_id[:-1] + ("0" if run_id[-1] != "0" else "1")
    with pytest.raises(Corrupt, match="holds run"):
        run_commits.read_checked(registry._session.repo, last.commit, RunId(other).ref)


def test_two_ends_made_apart_are_a_conflict(registry: Registry, run_id: str) -> None:
    repo = registry._session.repo
    last, first = stored(registry, run_id)
    changes = {"status": "failed", "finished_at": last.record.finished_at, "content": None}
    forged = forge(registry, first, [first.commit], changes)
    with pytest.raises(Conflict, match="does not come"):
        run_commits.read_checked(repo, forged, RunId(run_id).ref)
    # What is behind ours is sound, and no conflict.
    assert run_commits.read_checked(repo, first.commit, RunId(run_id).ref).record.status == "running"


def test_writing_after_the_seal_is_refused(registry: Registry, run_id: str) -> None:
    last, _ = stored(registry, run_id)
    with changing(registry._session.repo, "late") as changes, pytest.raises(Conflict, match="completed already"):
        run_commits.write(changes, last.record, last.params_bytes, last)


def test_refs_that_are_none_of_a_run() -> None:
    for bad in ("x", "01890a5d-ac96-474b-bcce-b302099a8057", "01890A5D-AC96-774B-BCCE-B302099A8057"):
        with pytest.raises(InvalidInput):
            parse_ref(f"refs/pacha/runs/{bad}")


def test_a_run_that_is_not_here(registry: Registry) -> None:
    with pytest.raises(NotFound):
        run_commits.read_run(registry._session.repo, "01890a5d-ac96-774b-bcce-b302099a8057")


@pytest.mark.damaged
def test_fsck_finds_what_is_wrong_with_runs(registry: Registry, run_id: str) -> None:
    repo = registry._session.repo
    last, _ = stored(registry, run_id)
    forge(registry, last, [last.commit], {"status": "failed"}, RunId(run_id).ref)
    (problem,) = registry.fsck().problems
    assert "comes after the run was completed" in problem
    repo.git("update-ref", RunId(run_id).ref, last.commit)
    assert registry.fsck().problems == ()
    repo.git("update-ref", "-d", "refs/pacha/datasets/tx/1.0.0")
    assert any("data:tx@1.0.0, which is not here" in problem for problem in registry.fsck().problems)
