"""What runs left as files: their points, their artifacts, drawings of their metrics.

It knows where points are to be found, in a journal or in a payload, and what must never be left half written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pacha_git.errors import Conflict, InvalidInput, NotFound, PachaError
from pacha_git.format.run import SERIES_PATH
from pacha_git.progress import Progress
from pacha_git.registry.runs.compare import compare
from pacha_git.registry.runs.plot import Curve, draw
from pacha_git.registry.runs.seal import journal_folder
from pacha_git.registry.runs.view import info
from pacha_git.session.session import Session
from pacha_git.store.payload.checkout import fill
from pacha_git.store.payload.reader import Payload
from pacha_git.store.runs import commits as run_commits
from pacha_git.store.runs.reader import read_journal
from pacha_git.store.runs.series import Series, announced, decode_series
from pacha_git.system.disk import whole_folder, write_whole
from pacha_git.vocabulary.ids import RunId

_LABEL_PARAMS = 4


def series(session: Session, run_id: str) -> dict[str, Series]:
    """Return the points of every metric of a run; see ``Runs.series``."""
    stored = run_commits.read_run(session.repo, run_id)
    if not stored.record.is_sealed:
        return read_journal(journal_folder(session, run_id)).series
    if stored.record.content is None:
        return {}
    payload = _payload(session, stored)
    found = [line for line in payload.lines if line.path == SERIES_PATH]
    told = stored.record.model_dump()
    most = announced(told["metrics"], told.get("metrics_left_out", 0))
    return decode_series(b"".join(payload.blocks(found[0])), most) if found else {}


def _payload(session: Session, stored: run_commits.StoredRun) -> Payload:
    run_id, content = stored.record.id, stored.record.content
    if content is None:
        raise NotFound(f"run {run_id} left neither points nor artifacts")
    if not session.payloads.has(RunId(run_id).payload_ref):
        raise NotFound(f"the points and artifacts of run {run_id} are not here", hint="git pacha pull --payload all")
    return session.payloads.read(content)


def download(session: Session, run_id: str, out: Path, *, progress: Progress | None = None) -> Path:
    """Write what a run left to a new folder; see ``Runs.download``."""
    stored = run_commits.read_run(session.repo, run_id)
    if not stored.record.is_sealed:
        raise PachaError(f"run {run_id} goes on: it has no files yet", hint=f"git pacha run finish {run_id}")
    payload = _payload(session, stored)
    if os.path.lexists(out):
        raise Conflict(f"{out} exists already", hint="name a folder that does not exist yet")
    if not out.parent.is_dir():
        raise NotFound(f"no such folder: {out.parent}", hint=f"mkdir -p {out.parent}")
    try:
        with whole_folder(out) as folder:
            fill(payload, folder)
    except OSError as error:
        raise PachaError(f"can't write {out}: {error.strerror or error}") from None
    if progress is not None:
        progress(f"download run {run_id}", payload.content.size, payload.content.size)
    return out


def plot(session: Session, run_ids: Sequence[str], metric: str, out: Path) -> Path:
    """Draw a metric of runs as a file; see ``Runs.plot``."""
    form = out.suffix.lower()
    if form not in (".svg", ".html"):
        raise InvalidInput(f"can't tell how to draw {out}", hint="name a file that ends in .svg or .html")
    if not run_ids:
        raise InvalidInput("no run to draw", hint=f"git pacha run plot ID … -m {metric} -o {out}")
    curves = _curves(session, run_ids, metric)
    if form == ".svg":
        text = draw(curves, metric)
    else:
        from pacha_git.registry.runs.page import draw_page  # plotly takes a second to load

        text = draw_page(curves, metric)
    _write(out, text)
    return out


def _curves(session: Session, run_ids: Sequence[str], metric: str) -> list[Curve]:
    labels = _labels(session, run_ids)
    curves: list[Curve] = []
    known: set[str] = set()
    for run_id in run_ids:
        found = series(session, run_id)
        known |= found.keys()
        if metric in found:
            curves.append(Curve(labels[run_id], found[metric].by_step()))
    if not curves:
        hint = "there is " + ", ".join(sorted(known)[:20]) if known else "nothing was logged"
        raise NotFound(f"none of the runs has the metric {metric}", hint=hint)
    return curves


def _labels(session: Session, run_ids: Sequence[str]) -> dict[str, str]:
    """Return the id of each run, and what it was told that others were not."""
    found = [info(session, run_commits.read_run(session.repo, run_id)) for run_id in run_ids]
    if len(found) < 2:
        return {run.id: run.id for run in found}
    differing = compare(found, {}).differing[:_LABEL_PARAMS]
    return {run.id: " ".join([run.id, *_words(run.params, differing)]) for run in found}


def _words(params: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    return [f"{name}={params[name]}" for name in names if name in params]


def _write(out: Path, text: str) -> None:
    """Write a file whole or not at all; a drawing that is there is drawn anew."""
    if not out.parent.is_dir():
        raise NotFound(f"no such folder: {out.parent}", hint=f"mkdir -p {out.parent}")
    try:
        write_whole(out, text.encode("utf-8"))
    except OSError as error:
        raise PachaError(f"can't write {out}: {error.strerror or error}") from None
