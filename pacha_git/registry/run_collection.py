"""The runs of a registry: begun, found, listed, logged to and ended.

It finds the run that is meant and hands on to the verbs' own modules; a run while it goes on is ``run``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from pacha_git.errors import InvalidInput
from pacha_git.progress import Progress
from pacha_git.registry.face import Face
from pacha_git.registry.reading import lineage, provenance
from pacha_git.registry.runs import compare as run_compare
from pacha_git.registry.runs import files as run_files
from pacha_git.registry.runs import seal
from pacha_git.registry.runs import take_in as run_import
from pacha_git.registry.runs.execute import Executed, execute
from pacha_git.registry.runs.live import Run, attach, check_tags
from pacha_git.registry.runs.start import NewRun, as_list, inputs_of, start
from pacha_git.registry.runs.take_in import Imported
from pacha_git.registry.runs.view import info, info_of_row
from pacha_git.session.find_run import WhichRun, find_run, find_runs
from pacha_git.session.resolve import resolve
from pacha_git.session.results import LineageGraph
from pacha_git.session.results.runs import BestRun, RunComparison, RunInfo
from pacha_git.session.session import Session
from pacha_git.store.runs import commits as run_commits
from pacha_git.store.runs.series import Series
from pacha_git.vocabulary.choices import Direction, EndStatus, Goal, RunStatus, parse_run_status
from pacha_git.vocabulary.kinds import Kind

AnyPath = str | PathLike[str]


class Runs(Face):
    """All runs of one registry.

    A run is named by its id, ``run:ID``, the first 8 or more digits of one, or by the object that has it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"Runs({str(self._session.path)!r})"

    # One run -----------------------------------------------------------------------------------------------------

    def start(
        self,
        *,
        recipe: str | None = None,
        data: str | Sequence[str] = (),
        model: str | Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        seed: int | None = None,
        diff: bool = False,
        own: bool = True,
        command: Sequence[str] | None = None,
        folder: AnyPath | None = None,
        record_command: str | None = None,
        strict: bool = False,
    ) -> Run:
        """Begin a run.

        Args:
            recipe: The recipe that it follows (SPEC).
            data: Datasets that it works with (SPECs).
            model: Models that it begins from or evaluates (SPECs).
            params: Parameters by name; their types are kept.
            tags: Words by which to find it.
            seed: Of what is random; None: the parameter or recipe value of that name, if there is one.
            diff: Keep how the code differs from its commit.
            own: Whether it is interrupted should this process die before it ends.
            command: The command line that is run; None is this process's.
            folder: Where the code lies; None: where the main script does.
            record_command: ``full``, ``clean`` (less its credentials) or ``none``; None: as ``pacha.recordCommand``.
            strict: Refuse what looks like a credential among parameters, tags and words of the command line.

        Raises:
            InvalidInput: a parameter that can't be kept, an input named twice.
            NotFound: an input is not here.
            PachaError: Git knows no identity, the disk is full, or ``strict`` found something.
        """
        wanted = NewRun(recipe, as_list(data), as_list(model), params or {}, tags or {}, seed)
        code = Path(folder) if folder is not None else None
        return start(
            self._session, wanted, own=own, diff=diff, command=command, code=code, record_command=record_command,
            strict=strict,
        )  # fmt: skip

    def exec(
        self,
        command: Sequence[str],
        *,
        recipe: str | None = None,
        data: str | Sequence[str] = (),
        model: str | Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        diff: bool = False,
        record_command: str | None = None,
        strict: bool = False,
        stdout_to_stderr: bool = False,
        begun: Callable[[str], None] | None = None,
        told: Callable[[str], None] | None = None,
    ) -> Executed:
        """Run a command as a run: completed if it ends with 0, cancelled if an interrupt ended it, else failed.

        The command finds the id in ``PACHA_RUN_ID`` and the registry in ``PACHA_REGISTRY``; ``Registry.run`` there
        takes part in this run.

        Args:
            command: The program and its arguments.
            recipe: As in ``start``; so are ``data``, ``model``, ``params``, ``tags``, ``diff``.
            data: Datasets.
            model: Models.
            params: Parameters.
            tags: Tags.
            diff: Keep how the code differs from its commit.
            record_command: As in ``start``; so is ``strict``.
            strict: Refuse what looks like a credential.
            stdout_to_stderr: Whether what it writes to standard output goes to standard error.
            begun: Is told the id before the command starts.
            told: Is told what a person should know, such as why the run has no commit.

        Raises:
            NotFound: there is no such command, or an input is not here.
            InvalidInput: no command, or a parameter that can't be kept.
        """
        wanted = NewRun(recipe, as_list(data), as_list(model), params or {}, tags or {})
        return execute(
            self._session, command, wanted, diff=diff, record_command=record_command, strict=strict,
            stdout_to_stderr=stdout_to_stderr, begun=begun, told=told,
        )  # fmt: skip

    def resume(self, run_id: WhichRun, *, own: bool = True) -> Run:
        """Go on with a run that has not ended, such as an interrupted one.

        Raises:
            NotFound: no such run.
            Conflict: it has ended.
        """
        return attach(self._session, find_run(self._session, run_id), own=own, background=own)

    def finish(
        self,
        run_id: WhichRun,
        status: EndStatus = "completed",
        *,
        error: str | None = None,
        progress: Progress | None = None,
    ) -> RunInfo:
        """End a run; see ``Run.finish``."""
        stored = seal.finish(self._session, find_run(self._session, run_id), status, error, progress)
        return info(self._session, stored)

    def get(self, run_id: WhichRun) -> RunInfo:
        """Return a run with its environment; of a live one with what was logged so far. Raises as ``find``."""
        return info(self._session, run_commits.read_run(self._session.repo, find_run(self._session, run_id)))

    def lineage(self, run_id: WhichRun, *, direction: Direction = "up", depth: int | None = None) -> LineageGraph:
        """Tell what a run worked with (``up``), or what came from it (``down``); raises as ``Collection.lineage``."""
        found = find_run(self._session, run_id)
        return lineage.lineage(self._session, found, kind=Kind.RUN, direction=direction, depth=depth)

    def provenance(self, run_id: WhichRun, *, direction: Direction = "up", depth: int | None = None) -> dict[str, Any]:
        """Return the lineage of a run as PROV-JSON; see ``provenance.prov_json``."""
        return provenance.prov_json(self._session, self.lineage(run_id, direction=direction, depth=depth))

    # Several -----------------------------------------------------------------------------------------------------

    def list(
        self, recipe: str | None = None, *, version: str | None = None, status: RunStatus | None = None
    ) -> list[RunInfo]:
        """Return all runs, oldest first, or those of a recipe's version, or in a status.

        Raises:
            InvalidInput: an unknown status.
            NotFound: no such recipe.
        """
        if status is not None:
            parse_run_status(status)
        commit = resolve(self._session, recipe, kind=Kind.RECIPE, version=version)[1] if recipe is not None else None
        found = [
            info_of_row(self._session, row)
            for row in self._session.catalogue.runs()
            if commit is None or commit in [edge["target"]["commit"] for edge in row.said["inputs"]]
        ]
        return [run for run in found if status is None or run.status == status]

    def compare(self, run_ids: Iterable[WhichRun]) -> RunComparison:
        """Several runs side by side.

        Raises:
            InvalidInput: fewer than two.
            NotFound: no such run.
        """
        wanted = find_runs(self._session, run_ids)
        if len(wanted) < 2:
            raise InvalidInput("compare takes two or more runs", hint="git pacha run compare ID ID …")
        rows = {row.said["id"]: row for row in self._session.catalogue.runs(wanted)}
        found = [info_of_row(self._session, rows[run_id]) for run_id in wanted]
        return run_compare.compare(found, run_compare.goals_of(self._session, rows.values()))

    def best(self, recipe: str, metric: str, *, version: str | None = None, goal: Goal | None = None) -> BestRun:
        """The completed run of a recipe's version whose metric, at its highest step, is best; NaN and infinities never.

        Args:
            recipe: The recipe (SPEC).
            metric: The metric.
            version: What stood after ``-v``.
            goal: maximize or minimize; None: as the recipe's ``[metrics.NAME] goal`` says, else maximize.

        Raises:
            NotFound: no such recipe, or no completed run of it has the metric.
        """
        found, commit = resolve(self._session, recipe, kind=Kind.RECIPE, version=version)
        chosen, because = run_compare.goal_for(self._session, commit, metric, goal)
        completed = self.list(f"recipe:{found.name}@{found.version}", status="completed")
        return run_compare.best(completed, metric, chosen, because, found.spec)

    # What a run left ------------------------------------------------------------------------------------------------

    def series(self, run_id: WhichRun) -> dict[str, Series]:
        """Return the points of every metric.

        Raises:
            NotFound: no such run, or its payload is not here.
        """
        return run_files.series(self._session, find_run(self._session, run_id))

    def download(self, run_id: WhichRun, out: AnyPath, *, progress: Progress | None = None) -> Path:
        """Write what a run that ended left (series, artifacts, difference of the code) to a new folder ``out``.

        Raises:
            NotFound: no such run, it left nothing, or its payload is not here.
            Conflict: something is at ``out``.
        """
        return run_files.download(self._session, find_run(self._session, run_id), Path(out), progress=progress)

    def plot(self, run_ids: WhichRun | Iterable[WhichRun], metric: str, out: AnyPath) -> Path:
        """Draw a metric of runs over its steps as ``out``: a ``.svg``, or an interactive ``.html`` (extra ``plot``).

        Raises:
            InvalidInput: another ending, or no run.
            NotFound: none of them has the metric.
            PachaError: the file can't be written, or the extra is not installed.
        """
        wanted = find_runs(self._session, run_ids)
        return run_files.plot(self._session, wanted, metric, Path(out))

    # Runs made elsewhere ---------------------------------------------------------------------------------------------

    def import_mlflow(
        self,
        place: AnyPath = "",
        *,
        experiment: str | None = None,
        recipe: str | None = None,
        unfinished: bool = False,
        artifacts: str | None = None,
        progress: Progress | None = None,
    ) -> Imported:
        """Take in the runs of an MLflow store, each once however often this is called; the store is only read.

        Args:
            place: A folder (``mlruns``), a SQLite file, or a tracking URI; by default where MLflow itself would look:
                ``MLFLOW_TRACKING_URI``, else ``mlflow.db`` here, else ``mlruns``.
            experiment: Only this one, by name or id.
            recipe: The recipe that they followed (SPEC).
            unfinished: Take a run that MLflow has as running as failed; else it is left out.
            artifacts: A folder or URI below which artifacts may lie, beside the store itself; ``none`` leaves them out.
            progress: Is told how many were looked at.

        Raises:
            NotFound: no such store, experiment or recipe.
            PachaError: the extra ``mlflow`` is not installed, or MLflow can't read the store.
        """
        from pacha_git.registry.importers.mlflow import reading  # few ever import

        inputs = inputs_of(self._session, NewRun(recipe))
        with reading(str(place), experiment, unfinished=unfinished, artifacts=artifacts) as found:
            return run_import.take_all(self._session, found, inputs, progress)

    def import_csv(
        self, path: AnyPath, *, recipe: str | None = None, tags: Mapping[str, str] | None = None
    ) -> Imported:
        """Take in the runs of a CSV file (docs/import.md), each once however often this is called.

        Args:
            path: The file.
            recipe: The recipe that they followed (SPEC).
            tags: Tags for each of them.

        Raises:
            NotFound: no such file or recipe.
            PachaError: it can't be read; with line and column.
        """
        from pacha_git.registry.importers.csv_runs import candidates  # few ever import

        inputs = inputs_of(self._session, NewRun(recipe))
        return run_import.take_all(self._session, candidates(Path(path), check_tags(tags or {})), inputs)
