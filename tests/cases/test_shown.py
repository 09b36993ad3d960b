"""What is there is shown, and what is a number is taken as one."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import InvalidInput
from pacha_git.format.params import step_value
from tests.cli.conftest import Ended
from tests.making import put

Pacha = Callable[..., Ended]


def test_an_empty_text_is_a_value(registry_path: Path, tmp_path: Path, pacha: Pacha) -> None:
    registry = Registry.init(registry_path)
    recipe = 'name = "r"\nversion = "1.0.0"\n[hyperparameters]\nprefix = ""\n'
    registry.recipes.register(put(tmp_path / "r.toml", recipe.encode()))
    ids = [registry.runs.start(params={"note": "", "lr": lr}, own=False).id for lr in (1, 2)]
    for words in (("run", "get", ids[0]), ("run", "list"), ("run", "compare", *ids), ("recipe", "get", "r")):
        shown = pacha("--registry", registry_path, *words).out
        line = next(line for line in shown.splitlines() if "note" in line or "prefix" in line)
        assert '""' in line, words


@pytest.mark.parametrize(("step", "found"), [(4096.0, 4096), (-3.0, -3), (0.0, 0), (7, 7), (1e15, 10**15)])
def test_a_whole_float_is_a_step(step: float, found: int) -> None:
    assert step_value(step) == found
    assert type(step_value(step)) is int


@pytest.mark.parametrize("step", [0.5, math.nan, math.inf, -math.inf, True, "4", 1e300, None, [1]])
def test_what_is_not_whole_is_no_step(step: object) -> None:
    with pytest.raises(InvalidInput, match="step"):
        step_value(step)


def test_a_step_of_a_number_library_is_one(registry_path: Path, pacha: Pacha) -> None:
    numpy = pytest.importorskip("numpy")
    registry = Registry.init(registry_path)
    run = registry.runs.start(own=False)
    run.log(loss=1.0, step=numpy.float32(4096))
    run.log(loss=2.0, step=numpy.int64(4097))
    assert pacha("--registry", registry_path, "run", "log", run.id, "--metric", "loss=3", "--step", "4098.0").code == 0
    assert list(registry.runs.series(run.id)["loss"].steps) == [4096, 4097, 4098]
    assert pacha("--registry", registry_path, "run", "log", run.id, "--metric", "loss=3", "--step", "4098.5").code == 2
