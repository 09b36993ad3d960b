"""Reads the runs of an MLflow store through MLflow's own reader, and never writes to that store.

A folder is read through links and a SQLite file from a copy: MLflow's reader makes folders, experiments and newer
tables where it reads. It knows MLflow's words.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pacha_git.errors import NotFound, PachaError
from pacha_git.registry.importers.mlflow_view import DATABASE, RUN, VIEW, careful_view, linked
from pacha_git.registry.importers.reach import Reach
from pacha_git.registry.runs.take_in import Candidate, Elsewhere
from pacha_git.store.runs.series import Series
from pacha_git.system.sqlite_copy import copy_sqlite, read_column

_STATUSES: Final = {"FINISHED": "completed", "FAILED": "failed", "KILLED": "cancelled"}
_PAGE: Final = 1000
_QUIET: Final = ("mlflow", "alembic", "sqlalchemy")
# MLflow calls home when it is loaded, and no longer reads folders unless told to.
_SETTINGS: Final = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_ALLOW_FILE_STORE": "true"}
# Where MLflow keeps artifacts beside a SQLite file unless told otherwise; what else lies there is none of the store's.
_BESIDE_A_FILE: Final = ("mlruns", "mlartifacts", "artifacts")
_FOLDER: Final = "mlruns"
_COPY: Final = "mlflow.db"
_EXPERIMENT: Final = re.compile(r"[0-9]+\Z")
_ACTIVE: Final = {"lifecycle_stage": "active"}
_ANSWER_SECONDS: Final = 10
_IMPATIENT: Final = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": str(_ANSWER_SECONDS)}
_PORTS: Final = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_COMMIT: Final = re.compile(r"[0-9a-f]{40}\Z")


@contextmanager
def reading(
    place: str, experiment: str | None, *, unfinished: bool, artifacts: str | None = None
) -> Iterator[Iterator[Candidate]]:
    """Read a store; its runs come oldest first of each experiment, and deleted ones don't.

    Args:
        place: A folder (``mlruns``), a SQLite file, or a tracking URI (``sqlite:///…``, ``file:…``, ``http://…``);
            empty is where MLflow itself would look.
        experiment: Only this one, by name or id; None is all.
        unfinished: Whether a run that has not ended is taken as failed.
        artifacts: A folder or URI below which artifacts may lie, beside the store itself; ``none``: they stay behind.

    Raises:
        NotFound: nothing is there, or no such experiment.
        PachaError: MLflow is not installed, or can't read it.
    """
    place = place or _usual_place()
    with tempfile.TemporaryDirectory(prefix="pacha-mlflow-") as folder, _settled():
        store = _opened(place, Path(folder), artifacts)
        yield _runs(store, experiment, unfinished=unfinished)


@contextmanager
def _settled() -> Iterator[None]:
    """Within, MLflow is quiet and reads what we ask it to."""
    levels = {name: logging.getLogger(name).level for name in _QUIET}
    try:
        with _environment(_SETTINGS), warnings.catch_warnings():
            with suppress(ImportError):
                import mlflow  # noqa: F401 — sets the levels of its loggers when it is loaded
            for name in _QUIET:
                logging.getLogger(name).setLevel(logging.CRITICAL)
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Within, MLflow finds these variables."""
    kept = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@dataclass(frozen=True, slots=True)
class _Store:
    """A store, opened; ``left_out`` has why a run can't be read at all, by its id."""

    client: Any
    version: str
    room: Path
    reach: Reach
    left_out: Mapping[str, str]

    def names_of(self, experiment: str | None) -> list[str] | None:
        """The ids of experiments, or of the runs of one, as the store's own files have them; None of a server's."""
        if (self.room / VIEW).is_dir():
            folder = self.room / VIEW / (experiment or "")
            pattern = _EXPERIMENT if experiment is None else RUN
            return sorted(entry.name for entry in folder.iterdir() if pattern.match(entry.name) and entry.is_dir())
        if not (self.room / _COPY).is_file():
            return None
        if experiment is None:
            found = read_column(self.room / _COPY, "experiments", "experiment_id", _ACTIVE)
        else:
            found = read_column(self.room / _COPY, "runs", "run_uuid", {"experiment_id": experiment, **_ACTIVE})
        return sorted(map(str, found))


def _opened(place: str, room: Path, artifacts: str | None) -> _Store:
    try:
        import mlflow
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise PachaError(
            "MLflow's own reader is not installed", hint="pip install 'pacha-git[mlflow]', or pip install mlflow"
        ) from None
    left_out: dict[str, str] = {}
    uri, roots = _readable(place, room, left_out)
    reach = Reach(roots, None if roots else uri, artifacts)
    if not roots:
        _check_that_it_answers(uri)
    try:
        client = MlflowClient(tracking_uri=uri)
    except (MlflowException, ImportError) as error:
        raise _unreadable(place, error) from None
    return _Store(client, mlflow.__version__, room, reach, left_out)


def _usual_place() -> str:
    """Tell where MLflow itself would look: what the environment says, else its SQLite file here, else its folder."""
    said = os.environ.get("MLFLOW_TRACKING_URI")
    if said:
        return said
    for place in (DATABASE, _FOLDER):
        if Path(place).exists():
            return place
    raise NotFound(
        f"no MLflow store here: neither {DATABASE} nor {_FOLDER}", hint="name its file, folder or tracking URI"
    )


def _check_that_it_answers(uri: str) -> None:
    """Ask a server once, without the patience that MLflow has: minutes, for one that is not there.

    Raises:
        PachaError: it does not answer.
    """
    from mlflow.tracking import MlflowClient

    parts = urlsplit(uri)
    try:
        if parts.scheme in ("http", "https"):
            with _environment({name: os.environ.get(name, value) for name, value in _IMPATIENT.items()}):
                MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
        elif parts.hostname:
            port = parts.port or _PORTS[parts.scheme.partition("+")[0]]
            socket.create_connection((parts.hostname, port), _ANSWER_SECONDS).close()
    except Exception as error:  # whatever a library makes of a network
        raise PachaError(
            f"no answer from MLflow at {_shown(uri)}: {(str(error).splitlines() or [type(error).__name__])[0][:300]}",
            hint="is it up, and the URI right?",
        ) from None


def _unreadable(place: str, error: Exception) -> PachaError:
    return PachaError(f"MLflow can't read {_shown(place)}: {str(error).splitlines()[0][:300]}")


def _shown(place: str) -> str:
    """Return a place without the password that may stand in it."""
    return re.sub(r"//[^/@]*@", "//", place)


def _readable(place: str, room: Path, left_out: dict[str, str]) -> tuple[str, tuple[Path, ...]]:
    """Return a URI that MLflow may do with as it likes, and the folders of the store if it lies on this machine."""
    parts = urlsplit(place)
    if parts.scheme in ("http", "https") or (parts.scheme.partition("+")[0] in ("postgresql", "mysql", "mssql")):
        return place, ()
    if parts.scheme.partition("+")[0] == "sqlite":
        path = Path(unquote(parts.path[1:]) if parts.path else "")
    elif parts.scheme == "file":
        path = Path(unquote(parts.path))
    else:
        path = Path(place)
    if path.is_dir() and not any(path.glob("*/meta.yaml")):
        path = next((path / name for name in (DATABASE, _FOLDER) if (path / name).exists()), path)
    if path.is_dir():
        return linked(path, room, left_out), (path,)
    if not path.is_file():
        raise NotFound(f"no MLflow store at {path}", hint="name its folder (mlruns), its .db file, or its URI")
    return _copied(path, room), tuple(path.parent / name for name in _BESIDE_A_FILE)


def _copied(path: Path, room: Path) -> str:
    """Return the URI of a copy of a SQLite store, with the tables that this MLflow wants."""
    copy = room / _COPY
    tables = copy_sqlite(path, copy)
    if not {"experiments", "runs", "metrics", "params", "tags"} <= tables:
        raise NotFound(f"{path} is no MLflow store: it has other tables")
    _upgrade(path, f"sqlite:///{copy}")
    return f"sqlite:///{copy}"


def _upgrade(path: Path, uri: str) -> None:
    try:
        import sqlalchemy
        from mlflow.store.db import utils
    except ImportError as error:
        raise PachaError(f"MLflow needs {error.name} to read SQLite", hint="pip install 'pacha-git[mlflow]'") from None
    engine = sqlalchemy.create_engine(uri)
    try:
        utils._upgrade_db(engine)
    except Exception as error:  # whatever a database of another make comes to
        raise _unreadable(str(path), error) from None
    finally:
        engine.dispose()


# Runs ----------------------------------------------------------------------------------------------------------------


def _runs(store: _Store, wanted: str | None, *, unfinished: bool) -> Iterator[Candidate]:
    for run, why in sorted(store.left_out.items()):
        yield _left_out(run, why)
    found, broken = _experiments(store)
    chosen = [each for each in found if wanted is None or wanted in (each.name, each.experiment_id)]
    if wanted is not None and not chosen:
        names = ", ".join(sorted(each.name for each in found)[:10])
        raise NotFound(f"no experiment {wanted!r} in the store", hint=f"there are {names}")
    for name, why in broken.items() if wanted is None else ():
        yield _left_out(f"experiment {name}", why)
    for experiment in sorted(chosen, key=lambda each: str(each.experiment_id)):
        for run in _runs_of(store, experiment):
            if isinstance(run, Candidate):
                yield run
                continue
            if not isinstance(run.info.start_time, int | None):
                yield _left_out(run.info.run_id, f"it began at {str(run.info.start_time)[:40]!r}, which is no time")
                continue
            goes_on = run.info.status not in _STATUSES and not unfinished
            reason = f"it is {run.info.status} in MLflow; --unfinished takes it as failed" if goes_on else ""
            read = partial(_read_or_say, store, experiment, run)
            yield Candidate(_origin(run), _started(run), read, run.info.run_id, reason)


def _experiments(store: _Store) -> tuple[list[Any], dict[str, str]]:
    """Return every experiment that can be read, and why each of the others can't.

    MLflow passes some broken ones by, and gives up on all for others; what the files name is then asked for one by one.
    """
    found: dict[str, Any] = {}
    failed: PachaError | None = None
    try:
        for each in _pages(lambda token: store.client.search_experiments(max_results=_PAGE, page_token=token)):
            found[str(each.experiment_id)] = each
    except Exception as error:  # a damaged store comes to anything
        failed = _unreadable("the store", error)
    broken: dict[str, str] = {}
    names = store.names_of(None)
    if failed is not None and names is None:
        raise failed
    for name in names or ():
        if name not in found:
            try:
                found[name] = store.client.get_experiment(name)
            except Exception as error:
                broken[name] = _unreadable(f"experiment {name}", error).message
    return [each for each in found.values() if each.lifecycle_stage == "active"], broken


def _runs_of(store: _Store, experiment: Any) -> Iterator[Any]:
    """Yield the runs of an experiment, and a candidate that says why for each that can't be read.

    MLflow gives up on all runs where one is damaged. They are then looked at one by one: those whose own description
    can be read come first, and what MLflow makes of the others, each by itself, is said.
    """
    seen: set[str] = set()
    problems: list[PachaError] = []
    yield from _searched(store, experiment, seen, problems)
    number = str(experiment.experiment_id)
    names = store.names_of(number)
    if problems and names is None:
        raise problems[0]
    if names is None or seen >= set(names):
        return
    broken = careful_view(store.room / VIEW / number) if (store.room / VIEW).is_dir() else {}
    for name, why in broken.items():
        yield _left_out(name, why)
    yield from _searched(store, experiment, seen, problems)
    for name in names:
        if name not in seen and name not in broken:
            yield from _alone(store, name)


def _searched(store: _Store, experiment: Any, seen: set[str], problems: list[PachaError]) -> Iterator[Any]:
    """Yield the runs that MLflow finds and that were not seen before, up to where it gives up."""
    try:
        for run in _pages(lambda token: _search(store, experiment, token)):
            if isinstance(run.info.run_id, str) and run.info.run_id not in seen:
                seen.add(run.info.run_id)
                yield run
    except Exception as error:  # one damaged run is enough
        problems.append(_unreadable(f"experiment {experiment.name}", error))


def _alone(store: _Store, run_id: str) -> Iterator[Any]:
    try:
        run = store.client.get_run(run_id)
    except Exception as error:
        yield _left_out(run_id, _unreadable(f"run {run_id}", error).message)
    else:
        if run.info.lifecycle_stage == "active":
            yield run


def _left_out(label: str, why: str) -> Candidate:
    return Candidate(f"mlflow {label}", 0, partial(_never, why), label, why)


def _never(why: str) -> Elsewhere:
    raise PachaError(why)


def _search(store: _Store, experiment: Any, token: str | None) -> Any:
    ids, order = [experiment.experiment_id], ["attributes.start_time ASC"]
    return store.client.search_runs(ids, max_results=_PAGE, order_by=order, page_token=token)


def _pages(ask: Any) -> Iterator[Any]:
    token: str | None = None
    while True:
        page = ask(token)
        yield from page
        token = page.token
        if not token:
            return


def _origin(run: Any) -> str:
    return f"mlflow {run.info.run_id}"


def _started(run: Any) -> int:
    return run.info.start_time or 0


def _read_or_say(store: _Store, experiment: Any, run: Any) -> Elsewhere:
    try:
        return _read(store, experiment, run)
    except PachaError:
        raise
    except Exception as error:  # whatever MLflow makes of files that are damaged
        raise _unreadable(f"run {run.info.run_id}", error) from None


def _read(store: _Store, experiment: Any, run: Any) -> Elsewhere:
    series = {name: _series(store, run.info.run_id, name) for name in sorted(run.data.metrics)}
    times = [time for each in series.values() for time in each.times]
    ended = run.info.status in _STATUSES
    return Elsewhere(
        origin=_origin(run),
        id_ms=_started(run),
        status=_STATUSES.get(run.info.status, "failed"),
        started_ms=_started(run),
        finished_ms=run.info.end_time or max([_started(run), *times]),
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        series={name: each for name, each in series.items() if len(each)},
        artifacts=_artifacts(store, experiment, run),
        environment={"mlflow": _about(store, experiment, run)},
        git=_code(run.data.tags),
        error=None if ended else f"MLflow had it as {run.info.status} when it was imported",
    )


def _series(store: _Store, run_id: str, name: str) -> Series:
    """Return all points of a metric, in the order in which MLflow gives them."""
    series = Series()
    for point in store.client.get_metric_history(run_id, name):
        series.steps.append(point.step)
        series.times.append(point.timestamp)
        series.values.append(point.value)
    return series


def _about(store: _Store, experiment: Any, run: Any) -> dict[str, Any]:
    """Tell what MLflow knows of a run that has no place of its own here."""
    inputs = [
        {"name": each.dataset.name, "digest": each.dataset.digest, "source_type": each.dataset.source_type}
        for each in (run.inputs.dataset_inputs if run.inputs else ())
    ]
    return {
        "reader": store.version, "run_id": run.info.run_id, "run_name": run.info.run_name, "status": run.info.status,
        "experiment": experiment.name, "experiment_id": str(experiment.experiment_id), "user": run.info.user_id,
        "start_time": run.info.start_time, "end_time": run.info.end_time, "inputs": inputs,
    }  # fmt: skip


def _code(tags: Mapping[str, str]) -> dict[str, Any] | None:
    commit = tags.get("mlflow.source.git.commit", "")
    branch = tags.get("mlflow.source.git.branch")
    return {"commit": commit, "branch": branch, "dirty": None} if _COMMIT.match(commit) else None


def _artifacts(store: _Store, experiment: Any, run: Any) -> Path | None:
    """Return the folder of a run's artifacts; those of a server are fetched from it.

    Raises:
        PachaError: they lie where nobody said that we may look.
    """
    uri = run.info.artifact_uri or ""
    found = store.reach.folder(uri, (str(experiment.experiment_id), run.info.run_id, "artifacts"))
    if found is not None or not store.reach.may_fetch(uri):
        return found
    if not store.client.list_artifacts(run.info.run_id):
        return None
    room = store.room / "artifacts" / run.info.run_id
    room.mkdir(parents=True)
    fetched = Path(store.client.download_artifacts(run.info.run_id, "", str(room)))
    if not fetched.resolve().is_relative_to(room.resolve()):
        raise PachaError(f"MLflow wrote what it fetched to {fetched}, which is none of ours")
    return fetched
