"""Whatever stands in the free parts of somebody else's record or run, no command ends with a traceback."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from pacha_git import Registry
from pacha_git.errors import PachaError
from pacha_git.format.record import make_record
from pacha_git.format.run import RunRecord, make_run
from pacha_git.git.changes import changing
from pacha_git.store import records
from pacha_git.store.runs import commits as run_commits
from pacha_git.vocabulary.ids import VersionId
from pacha_git.vocabulary.kinds import Kind
from tests.cli.conftest import run_inside
from tests.making import folder, put, recipe

ROUNDS = 12 if os.environ.get("PACHA_TEST_PROFILE") == "soak" else 3
VALUES: list[Any] = [
    None,
    True,
    5,
    -1,
    1.5,
    1e300,
    "",
    "x",
    "x" * 3000,
    "\u202e\x1b[2J",
    [],
    {},
    [[]],
    [{"a": [None]}],
    {"": {"": 1}},
    ["x", 5, None],
    {"path": 5},
    2**53 - 1,
    "1e999",
    [1.5] * 40,
    {"a.b": {"c": "d"}},
    ["\n"],
    "NaN",
]
INSPECTED = (
    "path",
    "format",
    "parameters",
    "tensors",
    "dtypes",
    "shapes",
    "metadata",
    "runs_code",
    "imports",
    "warnings",
)
SURROUNDINGS = {
    "environment": ("command", "python", "packages", "mlflow", "platform"),
    "git": ("commit", "branch", "dirty"),
    "hardware": ("cpu_model", "cpu_cores", "ram_gb", "gpu_model", "gpu_count", "gpus"),
}

OF_VERSIONS = """
model get m@2.0.0 | model list m | model diff m@1.0.0 m@2.0.0 | model card m@2.0.0 | model card m@2.0.0 --skeleton
model lineage m@2.0.0 | model lineage m@2.0.0 --format dot | model lineage m@2.0.0 --format prov | search x
fsck | search --where "parameters>5" | model history m | verify m@2.0.0 | data lineage rows --down
model path m@2.0.0 | doctor
"""
OF_RUNS = """
run get {run} | run list | run compare {run} {first} | run lineage {run} | run best train -v 1.0.0 -m loss
fsck | doctor
"""


def commands(said: str, **names: str) -> list[list[str]]:
    return [line.format(**names).split() for part in said.strip().split("\n") for line in part.split(" | ")]


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    made = Registry.init(registry_path)
    made.datasets.register("rows", put(tmp_path / "rows.csv", b"a,b\n1,2\n"), version="1.0.0")
    made.models.register("m", folder(tmp_path / "m", {"a": b"x", "b/c": b"y"}), version="1.0.0")
    made.recipes.register(recipe(tmp_path / "recipe.toml"))
    return made


def some(chance: random.Random, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: chance.choice(VALUES) for key in keys if chance.random() < 0.8}


@pytest.mark.damaged
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_the_free_parts_of_a_record(registry: Registry, seed: int) -> None:
    chance = random.Random(seed)
    context = registry._session
    honest = records.read_version(context.repo, VersionId.parse(Kind.MODEL, "m", "1.0.0"))
    data = records.read_version(context.repo, VersionId.parse(Kind.DATASET, "rows", "1.0.0")).target.model_dump()
    values = honest.record.model_dump() | {
        "version": "2.0.0",
        "inspected": chance.choice([chance.choice(VALUES), [some(chance, INSPECTED) | {"path": "a", "format": "x"}]]),
        "inspected_more": chance.choice([chance.choice(VALUES), some(chance, ("files", "formats", "parameters"))]),
        "lineage": [{"relation": "trained-on", "target": data, "params": some(chance, ("a", "weight", "\n"))}],
        "tags": {"a": "b", "\x9b": "x" * 2000, "": ""},
        "metrics": {"": 1, "x": "NaN", "\n": -1e308},
        "a key of tomorrow": chance.choice(VALUES),
    }
    try:
        record = make_record(values)
    except PachaError:
        return  # refused before anybody reads it
    with changing(context.repo, "forge") as changes:
        records.write(
            changes,
            record,
            {"card.md": chance.choice([b"", b"---\n- 1\n---\n", b"---\na: 1:1:1\n---\n", b"\xff"])},
            None,
        )
        payload = context.repo.ref("refs/pacha/payload/models/m/1.0.0")
        changes.move("refs/pacha/payload/models/m/2.0.0", payload, None)
    _try(registry, commands(OF_VERSIONS), values)


@pytest.mark.damaged
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_the_free_parts_of_a_run(registry: Registry, seed: int) -> None:
    chance = random.Random(seed)
    context = registry._session
    with registry.runs.start(recipe="train@1.0.0", params={"lr": 1}) as started:
        started.log(loss=1.0)
    honest = run_commits.read_run(context.repo, started.id)
    other = started.id[:-1] + ("0" if started.id[-1] != "0" else "1")
    values = honest.record.model_dump() | {
        "id": other,
        "content": None,
        "seed": chance.choice([None, 5, "NaN", 1.5]),
        "a key of tomorrow": chance.choice(VALUES),
        **{key: some(chance, keys) for key, keys in SURROUNDINGS.items()},
        "metrics": {"loss": {"last": "NaN", "min": "-Infinity", "max": 5, "steps": 2**40}},
        "error": chance.choice(["", "x" * 9000]),
    }
    record: RunRecord = make_run(values)
    with changing(context.repo, "forge") as changes:
        run_commits.write(changes, record, honest.params_bytes, None)
    _try(registry, commands(OF_RUNS, run=other, first=started.id), values)


def _try(registry: Registry, every: list[list[str]], values: object) -> None:
    for words in every:
        for flags in ([], ["--json"]):
            ended = run_inside("--registry", registry.path, *flags, *words)
            assert ended.code != 70, (words, values, ended.err)
