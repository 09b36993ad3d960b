"""The rows of runs in the searchable projection: what a list shows of a run, without reading its objects.

It knows one table beside the catalogue's own.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pacha_git.errors import PachaError
from pacha_git.format.canonical import json_number
from pacha_git.format.manifest import FileLine, decode_manifest
from pacha_git.format.run import ARTIFACTS
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.store.runs import commits as run_commits
from pacha_git.vocabulary.ids import RUNS_ROOT, RunId

_FEW: Final = 500


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as a list shows it.

    Attributes:
        commit: Where its ref stands.
        said: Its ``run.json``, less the environment and the list of files.
        params: Its parameters, as JSON can hold them.
        artifacts: The paths of its artifacts.
        commits: All its commits, newest first.
    """

    commit: Oid
    said: Mapping[str, Any]
    params: Mapping[str, Any]
    artifacts: tuple[str, ...]
    commits: tuple[Oid, ...]


def row_of(repo: GitRepository, stored: run_commits.StoredRun) -> RunRow:
    """Return the row of a run, by reading it."""
    said = stored.record.model_dump(exclude={"environment": True, "content": {"files"}})
    params = {key: jsonable(value) for key, value in stored.params.items()}
    commits = (stored.commit, *run_commits.earlier(repo, stored))
    return RunRow(stored.commit, said, params, tuple(artifacts_of(repo, stored)), commits)


def artifacts_of(repo: GitRepository, stored: run_commits.StoredRun) -> list[str]:
    """Return the paths of a run's artifacts; empty where only the payload has the list and is not here."""
    content = stored.record.content
    lines: list[FileLine] = []
    if content is not None and content.files is not None:
        lines = list(content.files)
    elif content is not None and repo.has(Oid(content.manifest)):
        lines = decode_manifest(repo.read_as(Oid(content.manifest), "blob"))
    return [line.path.removeprefix(ARTIFACTS) for line in lines if line.path.startswith(ARTIFACTS)]


def jsonable(value: Any) -> Any:
    """Return a parameter as JSON holds it: dates as RFC 3339, NaN and infinities as words, large integers as digits."""
    if isinstance(value, Mapping):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if value is None or isinstance(value, str | bool):
        return value
    return json_number(value) if isinstance(value, int | float) else value.isoformat()


def take(connection: sqlite3.Connection, repo: GitRepository, ref: str, oid: Oid) -> None:
    """Take over a ref that is new or moved; nothing if it is none of a run."""
    if not ref.startswith(RUNS_ROOT):
        return
    try:
        row = row_of(repo, run_commits.read(repo, oid))
    except PachaError:
        return  # fsck's business; a list goes on without it
    said = row.said
    columns = [json.dumps(column) for column in (said, row.params, row.artifacts, row.commits)]
    connection.execute(
        "INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (ref, oid, said["status"], said["started_at"], *columns),
    )
    connection.execute("DELETE FROM edge WHERE child = ?", (ref,))
    parents = dict.fromkeys(edge["target"]["commit"] for edge in said["inputs"])
    connection.executemany(
        "INSERT INTO edge VALUES (?, ?, ?)", [(ref, at, parent) for at, parent in enumerate(parents)]
    )


def forget(connection: sqlite3.Connection, ref: str) -> None:
    """A ref is gone."""
    connection.execute("DELETE FROM run WHERE ref = ?", (ref,))


def rows(connection: sqlite3.Connection, run_ids: Collection[str] | None = None) -> list[RunRow]:
    """Return all runs, oldest first; or those with these ids."""
    query = "SELECT ref, oid, said, params, artifacts, commits FROM run"
    if run_ids is not None and len(run_ids) <= _FEW:
        query += f" WHERE ref IN ({', '.join('?' * len(run_ids))})"
        found = connection.execute(query, [RunId(run_id).ref for run_id in run_ids]).fetchall()
    else:
        found = connection.execute(f"{query} ORDER BY started_at, ref").fetchall()
    wanted = {RunId(run_id).ref for run_id in run_ids} if run_ids is not None else None
    return [
        RunRow(Oid(oid), json.loads(said), json.loads(params), tuple(json.loads(artifacts)), _oids(commits))
        for ref, oid, said, params, artifacts, commits in found
        if wanted is None or ref in wanted
    ]


def _oids(text: str) -> tuple[Oid, ...]:
    return tuple(Oid(commit) for commit in json.loads(text))


def children(connection: sqlite3.Connection, commit: Oid) -> list[str]:
    """Return the ids of the runs that have a record commit as input."""
    query = "SELECT child FROM edge WHERE parent = ? AND child LIKE 'refs/pacha/runs/%' ORDER BY child"
    return [ref[len(RUNS_ROOT) :] for (ref,) in connection.execute(query, (commit,))]
