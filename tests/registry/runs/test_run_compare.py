"""Runs side by side: which is best and why, what differs, what is never best."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import blake3
import pytest

from pacha_git import InvalidInput, NotFound, Registry
from pacha_git.format.event import new_event_id
from pacha_git.format.params import encode_params
from pacha_git.format.run import make_run
from pacha_git.git.changes import changing
from pacha_git.store.runs import commits as run_commits
from tests.registry.runs.running import finished, fit


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


@pytest.fixture
def recipe(registry: Registry, tmp_path: Path) -> str:
    return fit(registry, tmp_path)


def test_best_takes_completed_runs_alone_and_never_nan(registry: Registry, recipe: str) -> None:
    finished(registry, "failed", loss=0.01, acc=0.99)
    finished(registry, loss=math.nan, acc=math.nan)
    finished(registry, loss=-math.inf, acc=math.inf)
    good = finished(registry, loss=0.2, acc=0.7)
    bad = finished(registry, loss=0.9, acc=0.9)
    registry.run(recipe=recipe).log(loss=0.0, acc=1.0)
    found = registry.runs.best(recipe, "loss")
    assert (found.run.id, found.value, found.goal, found.because) == (good, 0.2, "minimize", "as the recipe says")
    assert registry.runs.best(recipe, "loss", goal="maximize").run.id == bad
    unsaid = registry.runs.best(recipe, "acc")
    assert (unsaid.run.id, unsaid.goal, unsaid.because) == (bad, "maximize", "as nothing says otherwise")
    with pytest.raises(NotFound, match="finite f1"):
        registry.runs.best(recipe, "f1")
    with pytest.raises(InvalidInput):
        registry.runs.best(recipe, "loss", goal="up")


def test_best_of_nothing_is_not_found(registry: Registry, recipe: str) -> None:
    with pytest.raises(NotFound):
        registry.runs.best(recipe, "loss")


def test_the_value_that_counts_is_at_the_highest_step(registry: Registry, recipe: str) -> None:
    ids = []
    for values in ([(0, 0.1), (9, 0.8)], [(9, 0.5), (0, 0.9)]):
        with registry.run(recipe=recipe) as run:
            for step, value in values:
                run.log(loss=value, step=step)
        ids.append(run.id)
    assert registry.runs.best(recipe, "loss").run.id == ids[1]


def test_compare_puts_differing_parameters_first(registry: Registry, recipe: str) -> None:
    one = finished(registry, params={"a": 1, "lr": 0.1, "n": 1}, loss=0.5, acc=0.5)
    other = finished(registry, params={"a": 1, "lr": 0.2, "n": 1.0, "z": True}, loss=math.nan, acc=0.6)
    found = registry.runs.compare([one, other])
    assert found.differing == ("lr", "n", "z")
    assert list(found.params) == ["lr", "n", "z", "a"]
    assert found.params["z"] == {other: True}
    assert found.metrics["loss"] == {one: 0.5, other: "NaN"}
    assert found.best == {"acc": other, "loss": one}
    assert found.goals == {"acc": "maximize", "loss": "minimize"}
    json.dumps(found.to_json(), allow_nan=False)


def test_runs_are_named_by_themselves_too(registry: Registry, recipe: str, tmp_path: Path) -> None:
    one, other = finished(registry, loss=0.5), finished(registry, loss=0.25)
    listed = registry.runs.list()
    assert registry.runs.compare(run for run in listed).best == {"loss": other}
    assert registry.runs.get(listed[0]).id == one
    for which in (one, listed[0]):
        assert registry.runs.plot(which, "loss", tmp_path / "one.svg").exists()
    with pytest.raises(InvalidInput, match="two or more"):
        registry.runs.compare(one)


@pytest.mark.parametrize("count", [0, 1])
def test_compare_with_fewer_than_two_is_a_usage_error(registry: Registry, recipe: str, count: int) -> None:
    ids = [finished(registry, loss=1.0)] * count
    with pytest.raises(InvalidInput):
        registry.runs.compare(ids * 3)


def test_a_thousand_runs_are_listed_and_compared_in_a_moment(registry: Registry) -> None:
    with registry.run(params={"lr": 0.0}) as first:
        first.log(loss=1.0)
    sealed = run_commits.read_run(registry._session.repo, first.id)
    ids = [new_event_id() for _ in range(1000)]
    with changing(registry._session.repo, "a thousand runs") as changes:
        for at, run_id in enumerate(ids):
            params = encode_params({"lr": at / 1000, "n": 3})
            address = f"blake3:{blake3.blake3(params).hexdigest()}"
            metrics = {"loss": {"last": 1 / (at + 1), "min": 0, "max": 1, "steps": 1}}
            said = sealed.record.model_dump() | {"id": run_id, "params": address, "metrics": metrics, "content": None}
            run_commits.write(changes, make_run(said), params, None)
    registry.runs.list()
    start = time.process_time()
    listed = registry.runs.list()
    compared = registry.runs.compare(ids)
    assert time.process_time() - start < 1
    assert [run.id for run in listed] == sorted([first.id, *ids])
    assert (compared.differing, compared.goals["loss"]) == (("lr",), "maximize")
    assert compared.best["loss"] == ids[0]
