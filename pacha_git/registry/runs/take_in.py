"""Takes in runs that were made elsewhere: each becomes a sealed run whose id follows from where it comes from.

It knows what such a run is made of. As the id and the time of the commit follow from the run, taking it in twice, or
at once by two processes, gives one run.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import blake3

from pacha_git.errors import InvalidInput, PachaError
from pacha_git.format.params import encode_params, metric_name
from pacha_git.format.record import Edge
from pacha_git.format.run import ARTIFACTS, SERIES_PATH, make_run
from pacha_git.git.changes import changing, retried
from pacha_git.git.refs.refs import RefMoved
from pacha_git.progress import Progress
from pacha_git.registry.runs import credentials
from pacha_git.registry.runs.seal import store_files
from pacha_git.session.results.plain import Json
from pacha_git.session.session import Session
from pacha_git.session.signing import COMMIT_NAMESPACE
from pacha_git.store.payload import sources
from pacha_git.store.payload.sources import FoundFile, source_file
from pacha_git.store.runs import commits as run_commits
from pacha_git.store.runs.series import Series, encode_series, summaries
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import RunId

_LAST_MS: Final = 253_402_300_799_999


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A run that was made elsewhere and has ended.

    Attributes:
        origin: What makes it this run and no other, as in ``mlflow 3f…``.
        id_ms: The time in its id, in milliseconds since 1970: its start, if that is the same wherever it is read.
        status: completed, failed or cancelled.
        started_ms: Milliseconds since 1970; so is ``finished_ms``.
        artifacts: The folder of its artifacts; None if it has none.
        environment: What else is known of it.
        git: Commit and state of its code.
        error: Why it failed.
    """

    origin: str
    id_ms: int
    status: str
    started_ms: int
    finished_ms: int
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    series: Mapping[str, Series] = field(default_factory=dict)
    artifacts: Path | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    git: Mapping[str, Any] | None = None
    error: str | None = None

    @property
    def run_id(self) -> str:
        """The id that it has in every registry."""
        return run_id_of(self.origin, self.id_ms)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that was found, not yet read.

    Attributes:
        origin: As in ``Elsewhere``; so is ``id_ms``.
        read: Reads it.
        label: How people know it there.
        reason: Why it is left out; "" if it is not.
    """

    origin: str
    id_ms: int
    read: Callable[[], Elsewhere]
    label: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the runs of a store.

    Attributes:
        runs: The ids of those taken in.
        known: The ids of those that were here already.
        skipped: Of every run left out where it comes from, and why.
    """

    runs: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> Json:
        """``{runs, known, skipped: [{run, reason}]}``."""
        skipped = [{"run": run, "reason": reason} for run, reason in self.skipped]
        return {"runs": list(self.runs), "known": list(self.known), "skipped": skipped}


def run_id_of(origin: str, id_ms: int) -> str:
    """Return the id of a run made elsewhere: a UUIDv7 of a time, whose other bits are a hash of its origin.

    Raises:
        InvalidInput: a time that can't be.
    """
    instant(id_ms)
    bits = int.from_bytes(blake3.blake3(origin.encode("utf-8")).digest()[:10], "big")
    low, high = bits & (1 << 62) - 1, (bits >> 62) & 0xFFF
    return str(uuid.UUID(int=id_ms << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low))


def is_here(session: Session, run_id: str) -> bool:
    """Tell whether there is a run of this id."""
    return session.repo.ref(RunId(run_id).ref) is not None


def take_all(
    session: Session, found: Iterable[Candidate], inputs: Sequence[Edge] = (), progress: Progress | None = None
) -> Imported:
    """Take in all runs that can be; what keeps one out keeps no other out."""
    taken: list[str] = []
    known: list[str] = []
    skipped: list[tuple[str, str]] = []
    for at, candidate in enumerate(found, 1):
        try:
            if candidate.reason:
                skipped.append((candidate.label, candidate.reason))
                continue
            run_id = run_id_of(candidate.origin, candidate.id_ms)
            is_new = not is_here(session, run_id) and take_in(session, candidate.read(), inputs)
            (taken if is_new else known).append(run_id)
        except PachaError as problem:
            skipped.append((candidate.label, problem.message))
        if progress is not None:
            progress("Importing runs", at, None, "runs")
    return Imported(tuple(taken), tuple(known), tuple(skipped))


def take_in(session: Session, run: Elsewhere, inputs: Sequence[Edge] = ()) -> bool:
    """Take in a run; it is durable when this returns.

    Args:
        session: The registry.
        run: The run.
        inputs: What it worked with, of this registry.

    Returns:
        False if it was here already; then nothing changes.

    Raises:
        InvalidInput: a name, parameter or time that can't be kept.
        PachaError: an artifact can't be read, Git knows no identity, or the disk is full.
    """
    params = encode_params(credentials.clean_elsewhere(dict(run.params)))
    for name in run.series:
        metric_name(name)
    with tempfile.TemporaryDirectory(prefix="pacha-import-") as folder:
        files = sorted(_files(run, Path(folder)), key=lambda file: file.path.encode("utf-8"))

        def attempt(use_known: bool) -> bool:
            if is_here(session, run.run_id):
                return False
            _write(session, run, inputs, params, files, use_known=use_known)
            return True

        return retried(session.repo, attempt, also=(RefMoved,))


def _files(run: Elsewhere, folder: Path) -> Iterator[FoundFile]:
    if run.series:
        path = folder / SERIES_PATH
        path.write_bytes(encode_series(run.series))
        yield source_file(SERIES_PATH, str(path), path.stat())
    if run.artifacts is not None and any(path.is_file() for path in run.artifacts.rglob("*")):
        for file in sources.find([run.artifacts], keep_litter=True).files:
            yield file._replace(path=ARTIFACTS + file.path)


def _write(
    session: Session,
    run: Elsewhere,
    inputs: Sequence[Edge],
    params: bytes,
    files: Sequence[FoundFile],
    *,
    use_known: bool,
) -> None:
    finished = instant(max(run.finished_ms, run.started_ms))
    with changing(session.repo, f"import run {run.run_id}") as changes:
        written = store_files(session, changes, run.run_id, files, None, use_known=use_known)
        values = {
            "id": run.run_id,
            "status": run.status,
            "at": finished,
            "by": session.acting().identity,
            "started_at": instant(run.started_ms),
            "finished_at": finished,
            "params": Address.of_digest(blake3.blake3(params).digest()),
            "tags": credentials.clean_elsewhere(dict(run.tags)),
            "inputs": list(inputs),
            "metrics": summaries(run.series),
            "environment": credentials.clean_elsewhere(dict(run.environment)),
            "git": credentials.clean_elsewhere(dict(run.git)) if run.git is not None else None,
            "hardware": {},
            "seed": None,
            "error": credentials.clean_elsewhere(run.error),
            "content": written.content.model_dump() if written is not None else None,
        }
        run_commits.write(changes, make_run(values), params, None, session.signing.signer(None, COMMIT_NAMESPACE))


def instant(milliseconds: int) -> str:
    """Return a time as records have it.

    Raises:
        InvalidInput: before 1970, or beyond the year 9999.
    """
    if not 0 <= milliseconds <= _LAST_MS:
        raise InvalidInput(f"{milliseconds} is no time in milliseconds since 1970")
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
