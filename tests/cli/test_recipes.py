"""Recipes: registered from TOML, shown with their types, checked with or without a registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Ended

Run = Callable[..., Ended]
RECIPE = """\
name = "bert-base"
version = "1.0.0"
description = "A recipe"

[hyperparameters]
learning_rate = 1e-3
epochs = 10
nesterov = true
limit = inf
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def test_register_and_get(at: Run, recipe: Path, tmp_path: Path) -> None:
    done = at("recipe", "register", recipe, "--json")
    assert done.code == 0, done
    assert (done.json["kind"], done.json["name"], done.json["version"]) == ("recipe", "bert-base", "1.0.0")
    values = at("recipe", "get", "bert-base", "--json").json["recipe"]["hyperparameters"]
    assert values == {"learning_rate": 0.001, "epochs": 10, "nesterov": True, "limit": "Infinity"}
    assert (type(values["epochs"]), type(values["nesterov"])) == (int, bool)
    sheet = at("recipe", "get", "bert-base@1.0.0").out
    assert "hyperparameters.learning_rate" in sheet
    assert at("recipe", "cat", "bert-base").raw == RECIPE.encode()
    assert at("recipe", "download", "bert-base", "-o", tmp_path / "out.toml").code == 0
    assert (tmp_path / "out.toml").read_text() == RECIPE
    assert at("recipe", "register", recipe).code == 4
    assert at("recipe", "stage", "bert-base@1.0.0", "-t", "prod").code == 0
    assert [item["stage"] for item in at("recipe", "list", "--json").json] == ["production"]


def test_a_model_made_by_a_recipe(at: Run, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"x")
    assert at("recipe", "register", recipe).code == 0
    done = at("model", "register", "m", tmp_path / "m", "-v", "1.0.0", "--recipe", "bert-base@1.0.0", "--json")
    assert [edge["relation"] for edge in done.json["lineage"]] == ["generated-by"]
    [edge] = at("recipe", "lineage", "bert-base@1.0.0", "--down", "--json").json["edges"]
    assert (edge["from"], edge["to"]) == ("model:m@1.0.0", "recipe:bert-base@1.0.0")


def test_validate_a_file_without_a_registry(pacha: Run, recipe: Path) -> None:
    assert pacha("recipe", "validate", recipe).code == 0
    assert pacha("recipe", "validate", recipe, "--json").json == {"ok": True, "problems": []}
    recipe.write_text(RECIPE.replace('"1.0.0"', '"1.0"'))
    bad = pacha("recipe", "validate", recipe, "--json")
    assert bad.code == 1
    assert bad.json["ok"] is False
    assert bad.json["problems"][0]["line"] == 2
    assert bad.error["code"] == "failed"
    assert f"{recipe}:2: " in pacha("recipe", "validate", recipe).out
    assert pacha("recipe", "validate", f"{recipe}x.toml").code == 3


def test_validate_what_comes_through_a_pipe(shell: Run, recipe: Path) -> None:
    ended = shell("bash", "-c", 'git-pacha recipe validate <(cat "$1")', "bash", recipe)
    assert ended.code == 0, ended.err


def test_validate_what_is_registered(at: Run, recipe: Path) -> None:
    assert at("recipe", "register", recipe).code == 0
    for words in (("bert-base@1.0.0",), ("bert-base", "-v", "1.0.0"), ("bert-base",)):
        assert at("recipe", "validate", *words).code == 0
    assert at("recipe", "validate", "absent").code == 3


@pytest.mark.parametrize(
    "text", ["", "name = ", "name = 'x'", "name = '../x'\nversion = '1.0.0'", "\x00", "a = {" * 500]
)
def test_bad_toml_is_told_with_its_place(at: Run, recipe: Path, text: str) -> None:
    recipe.write_text(text)
    ended = at("recipe", "register", recipe)
    assert ended.code in (1, 2, 5)
    assert at("recipe", "validate", recipe).code == 1
    assert at("recipe", "list", "--json").json == []


DATA = "train_data = 'data:wine@1.0.0'\nvalidation_data = 'wine@1.0.0'\n"


@pytest.fixture
def wine(at: Run, tmp_path: Path) -> None:
    (tmp_path / "wine.csv").write_text("a,b\n1,2\n")
    assert at("data", "register", "wine", tmp_path / "wine.csv", "-v", "1.0.0").code == 0


def test_every_problem_is_told_with_its_line(at: Run, recipe: Path) -> None:
    recipe.write_text(
        "name = 'x'\nversion = '1.0.0'\ntrain_data = 'data:nowhere@1.0.0'\ndeterministic = true\n"
        "[hyperparameters]\nlearning_rate = 0.0\nbatch_size = 0\n[metrics.loss]\ngoal = 'down'\n"
    )
    bad = at("recipe", "validate", recipe, "--json")
    assert bad.code == 1
    said = {(problem["line"], problem["key"]) for problem in bad.json["problems"]}
    assert said == {
        (3, "train_data"), (4, "deterministic"), (6, "hyperparameters.learning_rate"),
        (7, "hyperparameters.batch_size"), (9, "metrics.loss.goal"),
    }  # fmt: skip
    people = at("recipe", "validate", recipe).out
    assert f"{recipe}:3: train_data: no data named nowhere here" in people
    recipe.write_text("name = 'x'\nversion = \n")
    assert f"{recipe}:2:11: not a TOML document" in at("recipe", "validate", recipe).out
    recipe.write_text("name = 'x'\n")
    assert f"{recipe}: version: missing" in at("recipe", "validate", recipe).out


def test_datasets_in_a_recipe_become_its_lineage(at: Run, wine: None, recipe: Path) -> None:
    recipe.write_text(DATA + RECIPE)
    done = at("recipe", "register", recipe, "--json")
    assert done.code == 0, done
    edges = [(edge["relation"], edge["kind"], edge["name"]) for edge in done.json["lineage"]]
    assert edges == [("trained-on", "dataset", "wine"), ("evaluated-on", "dataset", "wine")]
    [down] = {edge["from"] for edge in at("data", "lineage", "wine", "--down", "--json").json["edges"]}
    assert down == "recipe:bert-base@1.0.0"
    recipe.write_text(DATA.replace("wine", "beer") + RECIPE.replace("1.0.0", "2.0.0"))
    assert at("recipe", "register", recipe).code == 3


def test_diff_shows_the_values_that_changed(at: Run, recipe: Path) -> None:
    assert at("recipe", "register", recipe).code == 0
    changed = RECIPE.replace("1.0.0", "1.1.0").replace("1e-3", "5e-4").replace("nesterov = true", "nesterov = 1")
    recipe.write_text(changed + "seed = 7\n[metrics.loss]\ngoal = 'minimize'\n")
    assert at("recipe", "register", recipe).code == 0
    found = at("recipe", "diff", "bert-base@1.0.0", "bert-base@1.1.0", "--json").json["values"]
    assert found == {
        "version": ["1.0.0", "1.1.0"],
        "hyperparameters.learning_rate": [0.001, 0.0005],
        "hyperparameters.nesterov": [True, 1],
        "hyperparameters.seed": [None, 7],
        "metrics.loss.goal": [None, "minimize"],
    }
    text = at("recipe", "diff", "bert-base@1.0.0", "bert-base@1.1.0").out
    assert "hyperparameters.learning_rate" in text
    assert "epochs" not in text


def test_the_goal_of_a_metric_decides_what_is_best(at: Run, recipe: Path) -> None:
    recipe.write_text(RECIPE + "[metrics.loss]\ngoal = 'minimize'\n")
    assert at("recipe", "register", recipe).code == 0
    for loss in ("0.3", "0.1", "0.2"):
        run = at("run", "start", "--recipe", "bert-base@1.0.0").out.strip()
        assert at("run", "log", run, "--metric", f"loss={loss}").code == 0
        assert at("run", "finish", run).code == 0
    best = at("run", "best", "bert-base", "-v", "1.0.0", "-m", "loss", "--json").json
    assert (best["goal"], best["metrics"]["loss"]["last"]) == ("minimize", 0.1)


def test_every_type_of_the_reference_is_kept(at: Run, recipe: Path) -> None:
    recipe.write_text(
        "name = 'full'\nversion = '1.0.0'\narchitecture = 'mlp'\nrandom_seed = 18446744073709551615\n"
        "deterministic = true\npreprocessing = ['scale']\nunknown = [1, 2.0, {deep = 'kept'}]\ncreated = 2026-01-31\n"
        "[hyperparameters]\nlearning_rate = 1e-3\nbatch_size = 32\nepochs = 10\nweight_decay = 0.0\n"
        "[hyperparameters.custom]\nf = 1.0\ni = 1\nb = false\ns = '1'\nl = [1, 2.5, true]\n"
        "[optimizer]\ntype = 'adam'\n[optimizer.params]\nbetas = [0.9, 0.999]\n"
        "[hardware.gpu]\ncount = 1\nmin_vram_gb = 16\ncompute_capability = '8.0'\n"
    )
    assert at("recipe", "register", recipe).code == 0
    values = at("recipe", "get", "full", "--json").json["recipe"]
    custom = values["hyperparameters"]["custom"]
    assert custom == {"f": 1.0, "i": 1, "b": False, "s": "1", "l": [1, 2.5, True]}
    assert [type(custom[key]) for key in "fibs"] == [float, int, bool, str]
    assert [type(item) for item in custom["l"]] == [int, float, bool]
    assert values["random_seed"] == "18446744073709551615"
    assert values["unknown"] == [1, 2.0, {"deep": "kept"}]
    assert values["created"] == "2026-01-31"
