"""A real training script with five lines added, a sweep of twenty whose best is registered, two machines that meet."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Registry
from tests.making import git, put, refs

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "examples"


@pytest.fixture
def registry(registry_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry.init(registry_path)
    made.recipes.register(EXAMPLES / "digits.toml")
    monkeypatch.setenv("PACHA_REGISTRY", str(registry_path))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return made


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Run a Python script in the current folder."""

    def run(*words: str) -> str:
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=100)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_five_lines_were_added_to_the_training_script() -> None:
    code = (EXAMPLES / "train.py").read_text().split('"""', 2)[2].splitlines()
    ours = [line for line in code if re.search(r"[Rr]egistry|run\.(log|artifact)", line) and '"""' not in line]
    assert ours == [line for line in code if line.endswith("# +")]
    assert len(ours) == 5


def test_a_real_training_gives_a_run_with_all_that_belongs_to_it(
    registry: Registry, example: Callable[..., str], tmp_path: Path
) -> None:
    example(str(EXAMPLES / "train.py"), "--epochs", "8", "--rate", "0.03")
    (run,) = registry.runs.list()
    found = registry.runs.get(run.id)
    assert found.status == "completed"
    assert found.params == {"rate": 0.03, "penalty": "l2", "epochs": 8, "seed": 0, "output": "digits.safetensors"}
    assert found.metrics["val/accuracy"].last > 0.9
    assert found.metrics["val/loss"].steps == 8
    assert found.environment is not None
    assert "scikit-learn" in found.environment["packages"]
    assert found.environment["command"][-4:] == ["--epochs", "8", "--rate", "0.03"]
    assert found.git is not None
    assert (
        found.git["commit"] == subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, text=True).strip()
    )
    assert (found.seed, found.artifacts) == (0, ("digits.safetensors",))
    drawn = registry.runs.plot([run.id], "val/accuracy", tmp_path / "accuracy.svg")
    assert ET.parse(drawn).getroot().tag.endswith("svg")
    model = registry.models.register("digits", "digits.safetensors", version="1.0.0", run=run.id)
    assert model.lineage[0].name == run.id
    ids = {node.id for node in registry.models.lineage("digits@1.0.0").nodes}
    assert ids == {"model:digits@1.0.0", f"run:{run.id}", "recipe:digits-sgd@1.0.0"}


def test_a_script_below_exec_takes_part_in_its_run(registry: Registry, home: Path) -> None:
    words = ["run", "exec", "--recipe", "digits-sgd@1.0.0", "--param", "from=exec", "--json"]
    program = [sys.executable, "-m", "pacha_git"]
    script = [sys.executable, str(EXAMPLES / "train.py"), "--epochs", "3"]
    done = subprocess.run([*program, *words, "--", *script], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    (run,) = registry.runs.list()
    said = json.loads(done.stdout)
    assert said["id"] == run.id
    assert run.params == {
        "from": "exec",
        "rate": 0.01,
        "penalty": "l2",
        "epochs": 3,
        "seed": 0,
        "output": "digits.safetensors",
    }
    assert run.metrics["val/loss"].steps == 3
    assert "scikit-learn" in said["environment"]["packages"]


def test_a_sweep_of_twenty_is_compared_and_its_best_registered(registry: Registry, example: Callable[..., str]) -> None:
    said = example("-c", f"import sys; sys.path.insert(0, {str(EXAMPLES)!r}); import sweep; sweep.main(epochs=2)")
    found = registry.runs.list("digits-sgd@1.0.0", status="completed")
    assert len(found) == 20
    best = max(found, key=lambda run: float(run.metrics["val/accuracy"].last))
    assert f"Best: run {best.id}" in said
    assert "maximized as the recipe says" in said
    assert "What differs: penalty, rate" in said
    assert registry.models.get("digits@1.0.0").lineage[0].name == best.id
    assert Path("sweep.svg").stat().st_size > 1000
    assert registry.fsck().problems == ()


def test_runs_made_on_two_machines_offline_meet_in_one_registry(registry: Registry, tmp_path: Path) -> None:
    hub = tmp_path / "hub.git"
    git(tmp_path / "hub.git", "init", "--bare", "-q")
    registry.add_remote("origin", str(hub))
    registry.push()
    other = Registry.clone(str(hub), tmp_path / "other.git")
    ids = []
    for machine, loss in ((registry, 0.5), (other, 0.25)):
        with machine.run(recipe="digits-sgd@1.0.0", params={"loss": loss}) as run:
            run.log({"val/loss": loss}, step=1)
        ids.append(run.id)
    live = other.run(recipe="digits-sgd@1.0.0")
    other.push()
    registry.pull()
    registry.push()
    assert {run.id for run in registry.runs.list()} == {*ids, live.id}
    live.log({"val/loss": 0.1})
    live.finish()
    other.push()
    registry.pull(payload="all")
    other.pull(payload="all")
    for machine in (registry, other):
        assert machine.runs.best("digits-sgd", "val/loss").run.id == live.id
        assert [len(machine.runs.series(run_id)["val/loss"]) for run_id in (*ids, live.id)] == [1, 1, 1]
        assert machine.fsck().problems == ()


def test_what_comes_of_a_conflict_is_not_pushed(registry: Registry, tmp_path: Path) -> None:
    hub = tmp_path / "hub.git"
    git(hub, "init", "--bare", "-q")
    other = Registry.init(tmp_path / "other.git")
    for machine, text in ((registry, b"here"), (other, b"there")):
        machine.datasets.register("tx", put(tmp_path / "tx.csv", text), version="1.0.0")
        machine.add_remote("origin", str(hub))
    other.push()
    with registry.run(data="tx@1.0.0") as run:
        registry.models.register("m", put(tmp_path / "m.bin"), version="1.0.0", run=run)
    registry.runs.start(recipe="digits-sgd@1.0.0").finish()
    pushed = registry.push()
    assert {result.ref for result in pushed.conflicts} == {"refs/pacha/datasets/tx/1.0.0"}, pushed
    runs = [ref for ref in refs(hub) if ref.startswith("refs/pacha/runs/")]
    assert len(runs) == 1
    assert f"refs/pacha/runs/{run.id}" not in runs
    assert "refs/pacha/models/m/1.0.0" not in refs(hub)
