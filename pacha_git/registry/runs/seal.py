"""Seals a run: its journal becomes a payload and a last commit, all durable at once, and then the journal goes.

It knows what a sealed run holds; how points are journalled and how payloads lie in Git is the store's.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import blake3

from pacha_git.errors import Conflict, PachaError
from pacha_git.format.params import encode_params
from pacha_git.format.run import ARTIFACTS, DIFF_PATH, SERIES_PATH, make_run
from pacha_git.git.changes import Changes, changing, retried
from pacha_git.git.refs.refs import RefMoved
from pacha_git.progress import Progress
from pacha_git.registry.runs import credentials
from pacha_git.session.session import Session
from pacha_git.session.signing import COMMIT_NAMESPACE
from pacha_git.session.whereabouts import note_made
from pacha_git.store.payload.sources import FoundFile, source_file
from pacha_git.store.payload.writer import WrittenPayload
from pacha_git.store.runs import commits as run_commits
from pacha_git.store.runs import journal
from pacha_git.store.runs.reader import Journal, read_journal
from pacha_git.store.runs.series import encode_series, summaries
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.choices import parse_end_status
from pacha_git.vocabulary.ids import RunId

JOURNALS: Final = "pacha/runs"
_ERROR_LIMIT: Final = 64 << 10


def journal_folder(session: Session, run_id: str) -> Path:
    """Tell where the journal of a live run lies."""
    return session.path / JOURNALS / run_id


def finish(
    session: Session,
    run_id: str,
    status: str = "completed",
    error: str | None = None,
    progress: Progress | None = None,
) -> run_commits.StoredRun:
    """End a run; it is durable when this returns. Of a run that ended so already nothing changes.

    Args:
        session: The registry.
        run_id: Which run.
        status: completed, failed or cancelled.
        error: Why it failed.
        progress: Is told how far the artifacts are.

    Raises:
        InvalidInput: another status.
        NotFound: no such run.
        Conflict: it ended with another status.
        PachaError: the disk is full; the run stays as it was, and can be finished later.
    """
    parse_end_status(status)

    def attempt(use_known: bool) -> run_commits.StoredRun:
        stored = run_commits.read_run(session.repo, run_id)
        folder = journal_folder(session, run_id)
        if stored.record.is_sealed:
            _must_be(stored, status)
            shutil.rmtree(folder, ignore_errors=True)
            return stored
        return _seal(session, run_id, folder, status, error, progress, use_known=use_known)

    return retried(session.repo, attempt, also=(RefMoved,))


def _must_be(stored: run_commits.StoredRun, status: str) -> None:
    if stored.record.status != status:
        raise Conflict(
            f"run {stored.record.id} is {stored.record.status} already, and can't become {status}",
            hint=f"git pacha run get {stored.record.id} shows it",
        )


def _seal(
    session: Session,
    run_id: str,
    folder: Path,
    status: str,
    error: str | None,
    progress: Progress | None,
    *,
    use_known: bool,
) -> run_commits.StoredRun:
    acting = session.acting()
    sign = session.signing.signer(None, COMMIT_NAMESPACE)
    with journal.closing(folder), changing(session.repo, f"finish run {run_id}") as changes:
        before = run_commits.read_run(session.repo, run_id)
        if before.record.is_sealed:  # by somebody else, while we waited for the journal
            _must_be(before, status)
            return before
        logged = read_journal(folder)
        params = encode_params({**before.params, **logged.params})
        files = _files(folder, logged)
        written = store_files(session, changes, run_id, files, progress, use_known=use_known)
        said = error if error is not None else logged.notes.get("error")
        values = before.record.model_dump() | {
            "status": status,
            "at": acting.at,
            "by": acting.identity,
            "finished_at": max(acting.at, before.record.started_at),
            "params": Address.of_digest(blake3.blake3(params).digest()),
            "tags": {**before.record.tags, **logged.tags},
            "metrics": {**before.record.model_dump()["metrics"], **summaries(logged.series)},
            "environment": logged.notes.get("environment", before.record.environment),
            "error": credentials.clean(said)[:_ERROR_LIMIT] if isinstance(said, str) else None,
            "content": written.content.model_dump() if written is not None else None,
        }
        stored = run_commits.write(changes, make_run(values), params, before, sign)
        if written is not None:
            changes.afterwards(partial(note_made, session.path, RunId(run_id).ref, stored.commit))
        changes.afterwards(_forgetter(folder))
    return stored


def _forgetter(folder: Path) -> Callable[[], None]:
    return lambda: shutil.rmtree(folder, ignore_errors=True)


def store_files(
    session: Session,
    changes: Changes,
    run_id: str,
    files: Sequence[FoundFile],
    progress: Progress | None,
    *,
    use_known: bool,
) -> WrittenPayload | None:
    """Store what a run left as its payload; None if it left nothing."""
    if not files:
        return None
    ref = RunId(run_id).payload_ref
    in_order = sorted(files, key=lambda file: file.path.encode("utf-8"))
    written = session.payloads.write(changes, in_order, progress, use_known=use_known)
    session.payloads.hold(changes, ref, written)
    return written


def _files(folder: Path, logged: Journal) -> list[FoundFile]:
    found: list[FoundFile] = []
    if logged.series:
        path = folder / SERIES_PATH
        try:
            path.write_bytes(encode_series(logged.series))
        except OSError as error:
            hint = "free some space, then finish it again: the run is as it was"
            raise PachaError(f"can't write {path}: {error.strerror}", hint=hint) from None
        found.append(_source(SERIES_PATH, path))
    if (folder / DIFF_PATH).exists():
        found.append(_source(DIFF_PATH, folder / DIFF_PATH))
    found += [_source(ARTIFACTS + path, folder / journal.STAGED / path) for path in logged.artifacts]
    return found


def _source(path: str, location: Path) -> FoundFile:
    return source_file(path, str(location), location.stat())
