"""Compares runs: parameters that differ, metrics side by side, which is best and by which direction.

It decides and reads only recipes; which runs are looked at is the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pacha_git.errors import NotFound
from pacha_git.format.documents.recipe import Recipe, parse_recipe
from pacha_git.gitobjects.oid import Oid
from pacha_git.session.results.runs import BestRun, RunComparison, RunInfo
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.catalogue.runs import RunRow
from pacha_git.vocabulary.choices import Goal, parse_goal
from pacha_git.vocabulary.kinds import Kind

MAXIMIZE: Final[Goal] = "maximize"
MINIMIZE: Final[Goal] = "minimize"


def recipe_at(session: Session, commit: Oid) -> Recipe:
    """Return the recipe at a record commit."""
    return parse_recipe(records.read(session.repo, commit).documents["recipe.toml"])


def goal_for(session: Session, recipe: Oid, metric: str, said: str | None) -> tuple[Goal, str]:
    """Return the direction in which a metric is better, and why that one.

    Raises:
        InvalidInput: another word than maximize or minimize was said.
    """
    if said is not None:
        return parse_goal(said), "as asked"
    goal = recipe_at(session, recipe).goals.get(metric)
    if goal is not None:
        return parse_goal(goal), "as the recipe says"
    return MAXIMIZE, "as nothing says otherwise"


def goals_of(session: Session, rows: Iterable[RunRow]) -> dict[str, Goal]:
    """Return the goals that the recipes of some runs give to metrics; one that they disagree on has none."""
    commits = {
        edge["target"]["commit"]
        for row in rows
        for edge in row.said["inputs"]
        if edge["target"]["kind"] == Kind.RECIPE.value
    }
    found: dict[str, set[Goal]] = {}
    for commit in commits:
        for metric, goal in recipe_at(session, Oid(commit)).goals.items():
            found.setdefault(metric, set()).add(parse_goal(goal))
    return {metric: goals.pop() for metric, goals in found.items() if len(goals) == 1}


def best(runs: Sequence[RunInfo], metric: str, goal: Goal, because: str, what: str) -> BestRun:
    """Return the best of some runs by the last value of a metric; of equals the oldest.

    Args:
        runs: Which runs.
        metric: By which metric.
        goal: maximize or minimize.
        because: Of what that.
        what: Whose runs they are, for the message.

    Raises:
        NotFound: none has a finite value of the metric.
    """
    chosen = _best(runs, metric, goal)
    if chosen is None:
        known = sorted({name for run in runs for name in run.metrics})
        hint = "its metrics: " + ", ".join(known[:20]) if known else f"git pacha run list {what} shows its runs"
        raise NotFound(f"no completed run of {what} has a finite {metric}", hint=hint)
    return BestRun(chosen, metric, chosen.metrics[metric].last, goal, because)


def _best(runs: Iterable[RunInfo], metric: str, goal: str) -> RunInfo | None:
    sign = 1 if goal == MAXIMIZE else -1
    found = [(value * sign, run) for run in runs if (value := _finite(run, metric)) is not None]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _finite(run: RunInfo, metric: str) -> float | None:
    summary = run.metrics.get(metric)
    value = summary.last if summary is not None else None
    if isinstance(value, str) or value is None:
        return None  # NaN and infinities are words here
    return float(value) if math.isfinite(value) else None


def compare(runs: Sequence[RunInfo], goals: Mapping[str, Goal]) -> RunComparison:
    """Several runs side by side.

    Args:
        runs: Which.
        goals: The direction of metrics; maximize for those it lacks.
    """
    params = _side_by_side({run.id: run.params for run in runs})
    differing = [name for name, values in params.items() if _differs(values, len(runs))]
    order = [*differing, *(name for name in params if name not in set(differing))]
    last = {run.id: {name: summary.last for name, summary in run.metrics.items()} for run in runs}
    metrics = _side_by_side(last)
    chosen = {name: goals.get(name, MAXIMIZE) for name in metrics}
    winners = {name: winner.id for name, goal in chosen.items() if (winner := _best(runs, name, goal)) is not None}
    return RunComparison(
        runs=tuple(runs),
        params={name: params[name] for name in order},
        differing=tuple(differing),
        metrics=metrics,
        best=winners,
        goals=chosen,
    )


def _side_by_side(values: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in sorted({name for named in values.values() for name in named}):
        found[name] = {run_id: named[name] for run_id, named in values.items() if name in named}
    return found


def _differs(values: Mapping[str, Any], count: int) -> bool:
    """Tell whether a parameter is not the same in all runs; 1 and true, and 1 and 1.0, are not the same."""
    return len(values) < count or len({(type(value).__name__, repr(value)) for value in values.values()}) > 1
