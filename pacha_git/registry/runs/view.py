"""A run as people see it: what its commit says, with what its journal has had since, and whether its owner lives.

It builds values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pacha_git.format.run import TERMINAL
from pacha_git.registry.runs.owner import is_interrupted
from pacha_git.registry.runs.seal import journal_folder
from pacha_git.session.results.runs import MetricSummary, RunInfo
from pacha_git.session.results.versions import EdgeInfo
from pacha_git.session.session import Session
from pacha_git.store.catalogue.runs import RunRow, jsonable, row_of
from pacha_git.store.runs import commits as run_commits
from pacha_git.store.runs.reader import read_journal
from pacha_git.store.runs.series import summaries
from pacha_git.vocabulary.ids import RunId
from pacha_git.vocabulary.kinds import Kind

R = TypeVar("R", bound=RunInfo)


def info(session: Session, stored: run_commits.StoredRun) -> RunInfo:
    """Return a run with its environment, by reading it."""
    found = info_of_row(session, row_of(session.repo, stored), environment=dict(stored.record.environment))
    return found


def info_of_row(session: Session, row: RunRow, *, environment: Mapping[str, Any] | None = None) -> RunInfo:
    """Return a run from the catalogue."""
    return of_row(RunInfo, session, row, environment=environment)


def of_row(cls: type[R], session: Session, row: RunRow, *, environment: Mapping[str, Any] | None = None) -> R:
    """Return a run as a value of this class, whose own fields are left to whoever knows them."""
    said = row.said
    found = cls(
        id=said["id"],
        status=said["status"],
        recipe=_recipe(said),
        params=row.params,
        metrics=_summaries(said["metrics"]),
        started_at=said["started_at"],
        finished_at=said["finished_at"],
        git=said["git"],
        hardware=said["hardware"],
        artifacts=row.artifacts,
        error=said["error"],
        inputs=tuple(_input(edge) for edge in said["inputs"]),
        tags=said["tags"],
        seed=said["seed"],
        created_by=said["by"],
        commit=row.commit,
        payload=_payload(session, said),
        environment=environment,
    )
    return _with_journal(session, found) if said["status"] not in TERMINAL else found


def _summaries(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, MetricSummary]:
    return {
        name: MetricSummary(each["last"], each["min"], each["max"], each["steps"]) for name, each in metrics.items()
    }


def _recipe(said: Mapping[str, Any]) -> str | None:
    for edge in said["inputs"]:
        target = edge["target"]
        if target["kind"] == Kind.RECIPE.value:
            return f"{target['name']}@{target['version']}"
    return None


def _input(edge: Mapping[str, Any]) -> EdgeInfo:
    target = edge["target"]
    return EdgeInfo(
        relation=edge["relation"], kind=Kind(target["kind"]), name=target["name"], version=target["version"],
        commit=target["commit"], params=edge["params"],
    )  # fmt: skip


def _payload(session: Session, said: Mapping[str, Any]) -> str | None:
    if said["content"] is None:
        return None
    return "here" if session.payloads.has(RunId(said["id"]).payload_ref) else "thin"


def _with_journal(session: Session, run: R) -> R:
    """Return the same run with what its journal adds, as it has not ended."""
    folder = journal_folder(session, run.id)
    if not folder.is_dir():
        return run
    logged = read_journal(folder)
    environment = logged.notes.get("environment")
    return replace(
        run,
        status="interrupted" if is_interrupted(folder) else run.status,
        params={**run.params, **{key: jsonable(value) for key, value in logged.params.items()}},
        tags={**run.tags, **logged.tags},
        metrics={**run.metrics, **_summaries(summaries(logged.series))},
        artifacts=logged.artifacts,
        error=logged.notes.get("error", run.error),
        environment=environment if run.environment is not None and isinstance(environment, dict) else run.environment,
    )
