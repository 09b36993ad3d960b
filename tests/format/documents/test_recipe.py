from __future__ import annotations

import datetime
import json
import textwrap
from typing import Any

import pytest

from pacha_git.errors import InvalidInput
from pacha_git.format.documents.recipe import RECIPE_LIMIT, Recipe, parse_recipe
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.specs import parse_spec

HEAD = "name = 'bert'\nversion = '1.0.0'\n"
FULL = """
name = "team/bert-finetune"
version = "1.2.0"
description = "Fine-tune BERT"
architecture = "bert-base"
train_data = "data:reviews@1.0.0"
validation_data = "reviews-val@production"
preprocessing = ["lowercase", "tokenize"]
augmentation = []
random_seed = 42
deterministic = true
made = 2024-05-06T07:08:09Z

[hyperparameters]
learning_rate = 2e-5
batch_size = 32
epochs = 3
weight_decay = 0.0
max_grad_norm = 1
warmup_steps = 100
label_smoothing = 0.1
custom = { dropout = 0.1, layers = 12, freeze = true, pool = "mean", sizes = [1, 2.5, "x", [true]] }

[optimizer]
type = "adamw"
params = { betas = [0.9, 0.999] }

[scheduler]
type = "cosine"

[loss]
type = "cross_entropy"

[metrics."val/loss"]
goal = "minimize"

[metrics.accuracy]
goal = "maximize"

[metrics.speed]
unit = "s"

[dependencies]
torch = ">=2"

[hardware]
min_cpu_cores = 4
min_ram_gb = 16
estimated_duration_secs = 3600
gpu = { count = 1, min_vram_gb = 24, compute_capability = "8.0" }
"""

# As serde writes the struct of the Rust pacha; its untagged enum leaves plain values.
PACHA = """
id = "550e8400-e29b-41d4-a716-446655440000"
name = "bert-finetune"
description = "Fine-tune BERT for sentiment analysis"
preprocessing = []
augmentation = []
random_seed = 42
deterministic = true
created_at = "2024-11-20T04:01:02.123456789Z"

[version]
major = 1
minor = 2
patch = 3

[hyperparameters]
learning_rate = 2e-5
batch_size = 32
epochs = 3
weight_decay = 0.0

[hyperparameters.custom]
dropout = 0.1
hidden_size = 768

[optimizer]
optimizer_type = "adam"

[optimizer.params]
beta1 = 0.9

[loss]
loss_type = "cross_entropy"

[loss.params]

[train_data]
name = "reviews"

[train_data.version]
major = 1
minor = 0
patch = 0

[dependencies]
system_deps = []

[dependencies.env_vars]

[extra]
"""


def read(text: str) -> Recipe:
    return parse_recipe(textwrap.dedent(text).encode())


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read(text).problems]


def test_a_full_recipe_is_read_with_its_types() -> None:
    recipe = read(FULL)
    assert recipe.problems == ()
    assert (recipe.name, str(recipe.version), recipe.description) == ("team/bert-finetune", "1.2.0", "Fine-tune BERT")
    parameters = recipe.values["hyperparameters"]
    types = {key: type(value) for key, value in {**parameters, **parameters["custom"]}.items()}
    assert types == {
        "learning_rate": float,
        "batch_size": int,
        "epochs": int,
        "weight_decay": float,
        "max_grad_norm": int,
        "warmup_steps": int,
        "label_smoothing": float,
        "custom": dict,
        "dropout": float,
        "layers": int,
        "freeze": bool,
        "pool": str,
        "sizes": list,
    }
    assert recipe.goals == {"val/loss": "minimize", "accuracy": "maximize"}
    assert [(wish.relation, str(wish.spec)) for wish in recipe.wishes] == [
        ("trained-on", "data:reviews@1.0.0"),
        ("evaluated-on", "data:reviews-val@production"),
    ]
    recipe.require_valid("recipe.toml")


def test_the_recipe_of_the_rust_pacha_is_read() -> None:
    recipe = read(PACHA)
    assert recipe.problems == ()
    assert (recipe.name, str(recipe.version)) == ("bert-finetune", "1.2.3")
    assert recipe.values["hyperparameters"]["custom"] == {"dropout": 0.1, "hidden_size": 768}
    assert [wish.spec for wish in recipe.wishes] == [parse_spec("data:reviews@1.0.0")]


def test_tagged_values_become_what_they_hold() -> None:
    recipe = read(
        HEAD
        + """
        [hyperparameters.custom]
        a = { Float = 1 }
        b = { Int = 2 }
        c = { Bool = true }
        d = { String = "x" }
        e = { List = [{ Int = 1 }, { Float = 0.5 }, 3] }
        [optimizer]
        optimizer_type = "sgd"
        params = { momentum = { Float = 0.9 } }
        """.replace("        ", "")
    )
    assert recipe.problems == ()
    assert recipe.values["hyperparameters"]["custom"] == {"a": 1.0, "b": 2, "c": True, "d": "x", "e": [1, 0.5, 3]}
    assert type(recipe.values["hyperparameters"]["custom"]["a"]) is float
    assert recipe.values["optimizer"]["params"] == {"momentum": 0.9}


@pytest.mark.parametrize(
    "value", ["{ Int = 1.5 }", "{ Bool = 1 }", "{ Float = true }", "{ Int = 1, Float = 2.0 }", "{ other = 1 }", "{}"]
)
def test_a_table_is_no_parameter(value: str) -> None:
    found = problems(HEAD + f"[hyperparameters.custom]\nx = {value}\n")
    assert len(found) == 1
    assert found[0].startswith("line 4: hyperparameters.custom.x: must be a number, boolean, text or list")


def test_the_least_recipe_is_name_and_version() -> None:
    assert problems(HEAD) == []
    assert problems("") == ["name: missing", "version: missing"]


def test_all_problems_are_told_each_with_its_line() -> None:
    text = """\
    name = "../evil"
    version = "1.2"
    train_data = "s3://bucket"
    deterministic = true

    [hyperparameters]
    learning_rate = 0
    batch_size = 0   # none
    epochs = true
    weight_decay = "0.1"

    [metrics.acc]
    goal = "up"

    [hardware.gpu]
    count = -1
    """
    found = read(text).problems
    assert [(problem.line, problem.key) for problem in found] == [
        (1, "name"),
        (2, "version"),
        (3, "train_data"),
        (4, "deterministic"),
        (7, "hyperparameters.learning_rate"),
        (8, "hyperparameters.batch_size"),
        (9, "hyperparameters.epochs"),
        (10, "hyperparameters.weight_decay"),
        (13, "metrics.acc.goal"),
        (16, "hardware.gpu.count"),
    ]
    assert str(found[6]) == ("line 9: hyperparameters.epochs: must be a whole number of at least 1, not true")
    with pytest.raises(InvalidInput) as caught:
        read(text).require_valid("r.toml")
    assert "line 7: hyperparameters.learning_rate: must be a number above 0, not 0; line 8" in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint.endswith("git pacha recipe validate r.toml")


@pytest.mark.parametrize(
    "line",
    [
        "description = 1",
        "description = ['x']",
        'description = "a\\u0000b"',
        "architecture = 3",
        "hyperparameters = 1",
        "hyperparameters.learning_rate = -1e-3",
        "hyperparameters.learning_rate = 0.0",
        "hyperparameters.learning_rate = nan",
        "hyperparameters.learning_rate = inf",
        "hyperparameters.learning_rate = true",
        "hyperparameters.learning_rate = '1e-3'",
        "hyperparameters.learning_rate = 2024-01-01",
        "hyperparameters.batch_size = 32.0",
        "hyperparameters.batch_size = -1",
        "hyperparameters.batch_size = 9223372036854775808",
        "hyperparameters.epochs = 0",
        "hyperparameters.weight_decay = -0.1",
        "hyperparameters.max_grad_norm = 0",
        "hyperparameters.warmup_steps = -1",
        "hyperparameters.warmup_steps = 1.5",
        "hyperparameters.custom = [1]",
        "hyperparameters.custom.when = 2024-01-01",
        "hyperparameters.custom.deep = [[{a = 1}]]",
        "optimizer = 1",
        "optimizer = {}",
        "optimizer = { type = 1 }",
        "scheduler = { params = {} }",
        "loss = { type = 'x', params = 1 }",
        "loss = { type = 'x', params = { a = { b = 1 } } }",
        "preprocessing = 'lowercase'",
        "augmentation = [1]",
        "random_seed = -1",
        "random_seed = 1.0",
        "random_seed = true",
        "deterministic = 1",
        "deterministic = 'true'",
        "dependencies = 'torch'",
        "dependencies.system_deps = 'x'",
        "dependencies.env_vars = { A = 1 }",
        "hardware = 4",
        "hardware.min_cpu_cores = '4'",
        "hardware.min_ram_gb = -1",
        "hardware.gpu = true",
        "hardware.gpu.compute_capability = 8.0",
        "metrics = ['acc']",
        "metrics = { acc = 'maximize' }",
        "metrics.acc.goal = 'maximise'",
        "metrics.acc.goal = 1",
        "metrics.acc.goal = ['maximize']",
        "id = 1",
        "created_at = 1",
        "extra = 1",
        "train_data = 1",
        "train_data = ''",
        "train_data = 'x@1.0'",
        "train_data = 'model:x@1.0.0'",
        "train_data = 'data:x@1.0.0:file.csv'",
        "train_data = { name = 'x' }",
        "train_data = { name = 'x', version = { major = 1 } }",
        "train_data = { version = '1.0.0' }",
        "validation_data = ['x@1.0.0']",
        "validation_data = '/data/val.csv'",
    ],
)
def test_a_bad_value_is_one_problem_on_its_line(line: str) -> None:
    found = read(HEAD + line + "\n").problems
    assert [problem.line for problem in found] == [3], found
    assert found[0].key
    assert found[0].message


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("name = 1", "name"),
        ("name = ''", "name"),
        ("name = 'model/x'", "name"),
        ("version = 1.0", "version"),
        ("version = 'latest'", "version"),
        ("version = ['1.0.0']", "version"),
        ("version = {}", "version"),
        ("version = { major = 1, minor = 0 }", "version"),
        ("version = { major = 1, minor = 0, patch = -1 }", "version"),
        ("version = { major = 1, minor = 0, patch = true }", "version"),
        ("version = { major = 1, minor = 0, patch = 0, prerelease = 'a b' }", "version"),
    ],
)
def test_bad_names_and_versions_are_problems(line: str, key: str) -> None:
    other = "version = '1.0.0'" if key == "name" else "name = 'x'"
    (problem,) = read(f"{other}\n{line}\n").problems
    assert (problem.line, problem.key) == (2, key)


@pytest.mark.parametrize(
    ("line", "relation", "spec"),
    [
        ("train_data = 'x@1.0.0'", "trained-on", "data:x@1.0.0"),
        ("train_data = 'x:1.0.0'", "trained-on", "data:x@1.0.0"),
        ("train_data = 'dataset:a/b@prod'", "trained-on", "data:a/b@production"),
        ("train_data = 'pacha://data/x@champion'", "trained-on", "data:x@champion"),
        ("train_data = 'x@blake3:0123abcd'", "trained-on", "data:x@blake3:0123abcd"),
        ("validation_data = 'x'", "evaluated-on", "data:x"),
        ("train_data = { name = 'x', version = '2.0.0' }", "trained-on", "data:x@2.0.0"),
    ],
)
def test_data_is_a_wish_for_an_edge(line: str, relation: str, spec: str) -> None:
    recipe = read(HEAD + line)
    assert recipe.problems == ()
    (wish,) = recipe.wishes
    assert (wish.relation, str(wish.spec), wish.spec.kind) == (relation, spec, Kind.DATASET)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("name = \n", 1, 8),
        ("name = 'x'\nversion = 1.0.0\n", 2, 14),
        ("a = 1\n\na = 2\n", 3, 6),
        ("a = [1,\n2\n", 3, 1),
        ("[x\n", 1, 3),
        ("x = '''\n", 2, 1),
    ],
)
def test_bad_toml_is_told_with_line_and_column(text: str, line: int, column: int) -> None:
    (problem,) = read(text).problems
    assert (problem.line, problem.column) == (line, column)
    assert str(problem).startswith(f"line {line}, column {column}: not a TOML document: ")


def test_a_byte_order_mark_is_told() -> None:
    (problem,) = parse_recipe(b'\xef\xbb\xbfname = "fit"\n').problems
    assert (problem.line, problem.column) == (1, 1)
    assert "byte order mark" in problem.message


def test_bytes_that_are_no_utf_8_are_told_with_their_place() -> None:
    (problem,) = parse_recipe(HEAD.encode() + b"x = 'ab\xff'\n").problems
    assert (problem.line, problem.column) == (3, 8)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"#" * (RECIPE_LIMIT + 1), "larger than 1048576"),
        (b"x = " + b"[" * 100_000, "nested"),
        (b"x = " + b"[" * 40 + b"]" * 40, "nested"),
        (b".".join([b"a"] * 40) + b" = 1", "nested"),
        (b".".join([b"a"] * 500_000) + b" = 1", "key of over 64 parts"),
        (b"[" + b" . ".join([b'"a"'] * 150_000) + b"]", "key of over 64 parts"),
        (b"x = " + b"9" * 5000, "limit"),
        (b"random_seed = 18446744073709551616", "beyond 64 bits"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_hostile_recipes_end_in_a_problem(data: bytes, why: str) -> None:
    (problem,) = parse_recipe(data).problems
    assert why in problem.message


def test_a_recipe_of_the_greatest_size_is_read() -> None:
    data = HEAD.encode()
    assert parse_recipe(data + b"#" * (RECIPE_LIMIT - len(data))).problems == ()


def test_unknown_keys_are_kept() -> None:
    recipe = read(HEAD + "future = { a = [1, 2.0] }\n[hyperparameters]\nmixup = 'yes'\n")
    assert recipe.problems == ()
    assert recipe.values["future"] == {"a": [1, 2.0]}
    assert recipe.values["hyperparameters"] == {"mixup": "yes"}


def test_values_are_shown_as_json_with_their_types() -> None:
    recipe = read(
        HEAD
        + "i = 1\nf = 1.0\nb = true\nbig = 9007199254740993\nn = [nan, -inf]\nd = 2024-05-06T07:08:09Z\nt = 07:08:09\n"
    )
    shown: dict[str, Any] = json.loads(json.dumps(recipe.json_values, allow_nan=False))
    assert shown["i"] == 1
    assert type(shown["i"]) is int
    assert type(shown["f"]) is float
    assert shown["b"] is True
    assert shown["big"] == "9007199254740993"
    assert shown["n"] == ["NaN", "-Infinity"]
    assert (shown["d"], shown["t"]) == ("2024-05-06T07:08:09+00:00", "07:08:09")
    assert isinstance(recipe.values["d"], datetime.datetime)
