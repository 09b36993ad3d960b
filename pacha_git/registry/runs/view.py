"""A run as people see it: what its commit says, with what its journal has had since, and whether its owner lives.

It builds values and refuses to know who asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pacha_git.format.run import TERMINAL
from pacha_git.registry.runs.owner import is_interrupted
from pacha_git.registry.runs.seal import journal_folder
from pacha_git.session.context import Context
from pacha_git.session.results import Json
from pacha_git.session.results.runs import RunInfo
from pacha_git.store.catalogue.runs import RunRow, jsonable, row_of
from pacha_git.store.runs import commits as run_commits
from pacha_git.store.runs.reader import read_journal
from pacha_git.store.runs.series import summaries
from pacha_git.vocabulary.kinds import Kind


def info(context: Context, stored: run_commits.StoredRun) -> RunInfo:
    """A run with its environment, by reading it."""
    found = info_of_row(context, row_of(context.repo, stored), environment=dict(stored.record.environment))
    return found


def info_of_row(context: Context, row: RunRow, *, environment: Mapping[str, Any] | None = None) -> RunInfo:
    """A run from the catalogue."""
    said = row.said
    values: dict[str, Any] = {
        "id": said["id"],
        "status": said["status"],
        "recipe": _recipe(said),
        "params": row.params,
        "metrics": said["metrics"],
        "started_at": said["started_at"],
        "finished_at": said["finished_at"],
        "git": said["git"],
        "hardware": said["hardware"],
        "artifacts": row.artifacts,
        "error": said["error"],
        "inputs": tuple(_input(edge) for edge in said["inputs"]),
        "tags": said["tags"],
        "seed": said["seed"],
        "created_by": said["by"],
        "commit": row.commit,
        "payload": _payload(context, said),
        "environment": environment,
    }
    if said["status"] not in TERMINAL:
        values |= _live(context, values)
    return RunInfo(**values)


def _recipe(said: Mapping[str, Any]) -> str | None:
    for edge in said["inputs"]:
        target = edge["target"]
        if target["kind"] == Kind.RECIPE.value:
            return f"{target['name']}@{target['version']}"
    return None


def _input(edge: Mapping[str, Any]) -> Json:
    target = edge["target"]
    keys = ("kind", "name", "version", "commit")
    return {"relation": edge["relation"], **{key: target[key] for key in keys}, "params": edge["params"]}


def _payload(context: Context, said: Mapping[str, Any]) -> str | None:
    if said["content"] is None:
        return None
    return "here" if context.payloads.has(run_commits.run_payload_ref(said["id"])) else "thin"


def _live(context: Context, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the journal adds to a run that has not ended."""
    folder = journal_folder(context, values["id"])
    if not folder.is_dir():
        return {}
    logged = read_journal(folder)
    found = {
        "params": {**values["params"], **{key: jsonable(value) for key, value in logged.params.items()}},
        "tags": {**values["tags"], **logged.tags},
        "metrics": {**values["metrics"], **summaries(logged.series)},
        "artifacts": logged.artifacts,
        "error": logged.notes.get("error", values["error"]),
    }
    if values["environment"] is not None and isinstance(logged.notes.get("environment"), dict):
        found["environment"] = logged.notes["environment"]
    if is_interrupted(folder):
        found["status"] = "interrupted"
    return found
