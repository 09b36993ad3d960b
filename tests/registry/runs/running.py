"""Makes recipes and runs for the tests of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pacha_git import Registry
from tests.making import put


def fit(registry: Registry, folder: Path) -> str:
    """Register the recipe fit@1.0.0, whose loss is to be minimized and whose seed is 11."""
    text = b'name = "fit"\nversion = "1.0.0"\nrandom_seed = 11\n[metrics.loss]\ngoal = "minimize"\n'
    registry.recipes.register(put(folder / "fit.toml", text))
    return "fit@1.0.0"


def finished(
    registry: Registry, status: str = "completed", params: dict[str, Any] | None = None, **metrics: Any
) -> str:
    """The id of a run of that recipe that logged these metrics once and ended."""
    with registry.run(recipe="fit@1.0.0", params=params) as run:
        run.log(metrics)
        run.finish(status)
    return run.id
