"""What the verbs of runs return: immutable values, each of which can say itself as the JSON of the contract.

It knows the keys that scripts rely on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pacha_git.session.results.plain import Json, plain
from pacha_git.session.results.versions import EdgeInfo
from pacha_git.vocabulary.choices import Goal, RunStatus


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """What a metric came to: its ``last`` value (at the highest step), least and greatest, and how many points.

    NaN and infinities are the words ``NaN``, ``Infinity`` and ``-Infinity``.
    """

    last: int | float | str
    min: int | float | str
    max: int | float | str
    steps: int

    def to_json(self) -> Json:
        """Return all fields."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One run as people see it; of a live one with what was logged so far.

    ``status`` is pending, running, completed, failed, cancelled, or interrupted (running, and its owner died).
    """

    id: str
    status: RunStatus
    recipe: str | None
    params: Mapping[str, Any]
    metrics: Mapping[str, MetricSummary]
    started_at: str
    finished_at: str | None
    git: Mapping[str, Any] | None
    hardware: Mapping[str, Any]
    artifacts: tuple[str, ...]
    error: str | None
    inputs: tuple[EdgeInfo, ...]
    tags: Mapping[str, str]
    seed: int | float | str | None
    created_by: str
    commit: str
    payload: str | None
    environment: Mapping[str, Any] | None = None

    def to_json(self) -> Json:
        """Return the contract's keys; ``environment`` where it was asked for."""
        value = plain(self, leave_out=() if self.environment is not None else ("environment",))
        return {"kind": "run"} | value


@dataclass(frozen=True, slots=True)
class BestRun:
    """The best run by a metric: its ``value``, the ``goal`` (maximize, minimize), and ``because`` of what that goal."""

    run: RunInfo
    metric: str
    value: float | int | str
    goal: Goal
    because: str

    def to_json(self) -> Json:
        """Return the keys of a run, and ``metric, value, goal, because``."""
        chosen = {"metric": self.metric, "value": self.value, "goal": self.goal, "because": self.because}
        return self.run.to_json() | chosen


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Several runs side by side.

    Attributes:
        runs: In the order they were named.
        params: By name the value of each run that has it, by its id; those that differ come first.
        differing: The names of the parameters that differ.
        metrics: By name the last value of each run that has it, by its id.
        best: By metric the id of the best run.
        goals: By metric ``maximize`` or ``minimize``.
    """

    runs: tuple[RunInfo, ...]
    params: Mapping[str, Mapping[str, Any]]
    differing: tuple[str, ...]
    metrics: Mapping[str, Mapping[str, Any]]
    best: Mapping[str, str]
    goals: Mapping[str, Goal]

    def to_json(self) -> Json:
        """``{runs, metrics, params, best}``, with ``differing`` and ``goals`` beside."""
        return {
            "runs": [run.to_json() for run in self.runs],
            "metrics": {name: dict(values) for name, values in self.metrics.items()},
            "params": {name: dict(values) for name, values in self.params.items()},
            "best": dict(self.best),
            "differing": list(self.differing),
            "goals": dict(self.goals),
        }
