"""Begins runs: what they work with is found, what surrounds them captured, and their first commit written.

It knows what a new run is told and who may take part in one; a run while it goes on is ``run``.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import blake3

from pacha_git.errors import InvalidInput, NotFound, PachaError
from pacha_git.format.canonical import json_number
from pacha_git.format.event import new_event_id
from pacha_git.format.params import encode_params
from pacha_git.format.record import Edge
from pacha_git.format.run import DIFF_PATH, make_run
from pacha_git.git.changes import changing
from pacha_git.gitobjects.oid import Oid
from pacha_git.registry.runs import capture, credentials
from pacha_git.registry.runs.code_diff import clean_diff
from pacha_git.registry.runs.compare import recipe_at
from pacha_git.registry.runs.live import Run, attach, check_tags
from pacha_git.registry.runs.seal import journal_folder
from pacha_git.session.resolve import resolve
from pacha_git.session.session import Session
from pacha_git.session.signing import COMMIT_NAMESPACE
from pacha_git.store import records
from pacha_git.store.runs import commits as run_commits
from pacha_git.store.runs import journal
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import VersionId
from pacha_git.vocabulary.kinds import Kind

RUN_ID_VARIABLE: Final = "PACHA_RUN_ID"
_SEEDS: Final = ("seed", "random_seed", "random_state")
_joined: set[str] = set()


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a run is begun with: SPECs of its inputs, parameters, tags, and the seed if one was named."""

    recipe: str | None = None
    data: Sequence[str] = ()
    models: Sequence[str] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None


def as_list(words: str | Sequence[str]) -> Sequence[str]:
    """One SPEC or several, as several."""
    return [words] if isinstance(words, str) else words


def start(
    session: Session,
    wanted: NewRun,
    *,
    own: bool = True,
    diff: bool = False,
    command: Sequence[str] | None = None,
    code: Path | None = None,
    record_command: str | None = None,
    strict: bool = False,
) -> Run:
    """Begin a run; see ``Runs.start``."""
    mode = credentials.recording_mode(record_command)
    said = {"parameter": wanted.params, "tag": wanted.tags}
    if strict:
        credentials.refuse(sys.orig_argv if command is None else command, mode, said)
    inputs = inputs_of(session, wanted)
    params = encode_params(wanted.params)
    code = code or capture.code_folder()
    values = _values(session, wanted, inputs, params, capture.environment(command, mode), code)
    folder = journal_folder(session, values["id"])
    journal.prepare(folder)
    try:
        left_out = _keep_diff(code, folder) if diff else ()
        with changing(session.repo, f"start run {values['id']}") as changes:
            for target in [edge.target for edge in inputs]:  # none of them may be undone meanwhile
                version = VersionId.parse(Kind(target.kind), target.name, target.version or "")
                changes.hold(version.ref, Oid(target.commit))
            run_commits.write(changes, make_run(values), params, None, session.signing.signer(None, COMMIT_NAMESPACE))
            run = attach(session, values["id"], own=own, background=own)
        run.notices = (*_notices(values, code), *left_out, *credentials.warnings(said))
        return run
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _values(
    session: Session,
    wanted: NewRun,
    inputs: Sequence[Edge],
    params: bytes,
    environment: Mapping[str, Any],
    code: Path,
) -> dict[str, Any]:
    acting = session.acting()
    return {
        "id": new_event_id(),
        "status": "running",
        "at": acting.at,
        "by": acting.identity,
        "started_at": acting.at,
        "finished_at": None,
        "params": Address.of_digest(blake3.blake3(params).digest()),
        "tags": check_tags(wanted.tags),
        "inputs": list(inputs),
        "metrics": {},
        "environment": dict(environment),
        "git": capture.code_state(code),
        "hardware": capture.hardware(),
        "seed": _seed(session, wanted, inputs),
        "error": None,
        "content": None,
    }


def _notices(values: Mapping[str, Any], code: Path) -> tuple[str, ...]:
    refusal = capture.refusal(code) if values["git"] is None else None
    return () if refusal is None else (f"Warning: {refusal.message}", f"Hint: {refusal.hint}")


def joinable(session: Session) -> str | None:
    """Return the run that the process around this one began for it here, unless this process took part in it before."""
    run_id = os.environ.get(RUN_ID_VARIABLE, "")
    if not run_id or run_id in _joined:
        return None
    try:
        sealed = run_commits.read_run(session.repo, run_id).record.is_sealed
    except (InvalidInput, NotFound):
        return None
    return None if sealed else run_id


def join(session: Session, run_id: str, wanted: NewRun) -> Run:
    """Take part in a run that the process around this one began, and will end.

    Raises:
        InvalidInput: an input that the run was not begun with.
    """
    known = [edge.target for edge in run_commits.read_run(session.repo, run_id).record.inputs]
    for edge in inputs_of(session, wanted):
        if edge.target not in known:
            raise InvalidInput(
                f"run {run_id} was begun without {edge.target}",
                hint="name it to git pacha run exec, with --recipe, --data or --model",
            )
    run = attach(session, run_id, own=False, joined=True)
    _joined.add(run_id)
    run.note(environment=capture.environment())
    if wanted.params or wanted.tags:
        run.set(params=wanted.params, tags=wanted.tags)
    return run


def inputs_of(session: Session, wanted: NewRun) -> list[Edge]:
    """Tell what a run works with, as edges.

    Raises:
        InvalidInput: one is named twice.
        NotFound: one is not here.
    """
    asked = [("generated-by", Kind.RECIPE, wanted.recipe)] if wanted.recipe is not None else []
    asked += [("trained-on", Kind.DATASET, spec) for spec in wanted.data]
    asked += [("derived-from", Kind.MODEL, spec) for spec in wanted.models]
    edges: list[Edge] = []
    for relation, kind, spec in asked:
        _, commit = resolve(session, spec, kind=kind)
        edge = Edge(relation=relation, target=records.read(session.repo, commit).target, params={})
        if edge in edges:
            raise InvalidInput(f"{kind.noun} {spec} is named twice")
        edges.append(edge)
    return edges


def _seed(session: Session, wanted: NewRun, inputs: Sequence[Edge]) -> int | float | str | None:
    """Return the seed that was named, or is among the parameters, or in the recipe."""
    recipes = [Oid(edge.target.commit) for edge in inputs if edge.target.kind == Kind.RECIPE.value]
    said = [wanted.seed, *(wanted.params.get(key) for key in _SEEDS)]
    said += [recipe_at(session, commit).values.get("random_seed") for commit in recipes]
    whole = (value for value in said if isinstance(value, int) and not isinstance(value, bool))
    return next((json_number(value) for value in whole), None)


def _keep_diff(code: Path, folder: Path) -> tuple[str, ...]:
    """Keep the difference of the code, less its credentials; says which files were left out for theirs."""
    diff = clean_diff(capture.code_diff(code))
    if diff.data:
        try:
            (folder / DIFF_PATH).write_bytes(diff.data)
        except OSError as error:
            raise PachaError(f"can't write to {folder}: {error.strerror}") from None
    return tuple(
        f"Warning: the changes of {name} are left out: lines that stood there before hold a credential"
        for name in diff.left_out
    )
