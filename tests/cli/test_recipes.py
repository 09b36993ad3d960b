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
    assert bad.code == 5
    assert bad.json["ok"] is False
    assert bad.json["problems"][0]["line"] == 2
    assert bad.error["code"] == "verification"
    assert f"{recipe}:2: " in pacha("recipe", "validate", recipe).out
    assert pacha("recipe", "validate", f"{recipe}x.toml").code == 3


def test_validate_what_is_registered(at: Run, recipe: Path) -> None:
    assert at("recipe", "register", recipe).code == 0
    for words in (("bert-base@1.0.0",), ("bert-base", "-v", "1.0.0"), ("bert-base",)):
        assert at("recipe", "validate", *words).code == 0
    assert at("recipe", "validate", "absent").code == 3


@pytest.mark.parametrize(
    "text", ["", "name = ", "name = 'x'", "name = '../x'\nversion = '1.0.0'", "\x00", "a = {" * 500]
)
def test_bad_toml(at: Run, recipe: Path, text: str) -> None:
    recipe.write_text(text)
    ended = at("recipe", "register", recipe)
    assert ended.code in (1, 2, 5)
    assert at("recipe", "validate", recipe).code == 5
    assert at("recipe", "list", "--json").json == []
