"""Which files are taken for recipes, cards and datasheets."""

from __future__ import annotations

import pytest

from pacha_git.hooks.recognise import kind_of
from pacha_git.vocabulary.kinds import Kind

RECIPE, MODEL, DATASET = Kind.RECIPE, Kind.MODEL, Kind.DATASET


@pytest.mark.parametrize(
    ("path", "data", "kind"),
    [
        ("recipe.toml", b"", RECIPE),
        ("training/bert.recipe.toml", b"{", RECIPE),
        ("bert-recipe.toml", b"", RECIPE),
        ("recipes/bert.toml", b"", RECIPE),
        ("recipes/deep/er/bert.toml", b"", RECIPE),
        ("precipe.toml", b"", None),
        ("pyproject.toml", b'[project]\nname = "x"\nversion = "1"\n[tool.optimizer]\n', None),
        ("bert.toml", b'name = "x"\nversion = "1.0.0"\n[hyperparameters]\nlr = \n', RECIPE),
        ("bert.toml", b'train_data = "data:x@1.0.0"\n', RECIPE),
        ("bert.toml", b'name = "x"\n', None),
        ("bert.toml", b"[ hyperparameters ]\nlr = 1\n", RECIPE),
        ("bert.toml", b'["hyperparameters"]\nlr = 1\n', RECIPE),
        ("bert.toml", b"['optimizer']\nname = 'x'\n", RECIPE),
        ("bert.toml", b"hyperparameters.learning_rate = 1\n", RECIPE),
        ("bert.toml", b'"hyper\\u0070arameters" = {lr = 1}\n', RECIPE),
        ("bert.toml", b"[hyperparameters.deep.er]\n", RECIPE),
        ("bert.toml", b"scheduler = {name = 'x'}\n", RECIPE),
        ("bert.toml", b"[ 'hyperparameters' . x ]\nlr = \n", RECIPE),
        ("bert.toml", b"loss = 'mse'\n", None),
        ("bert.toml", b"[tool.x]\nhyperparameters = 1\n", None),
        ("README.md", b"\n \r\n\n---\nbase_model: x\n---\n", MODEL),
        ("card.md", b"", MODEL),
        ("MODEL_CARD.md", b"", MODEL),
        ("fraud.card.md", b"", MODEL),
        ("cards/fraud.md", b"", MODEL),
        ("discard.md", b"", None),
        ("datasheet.md", b"", DATASET),
        ("data-card.md", b"", DATASET),
        ("x/dataset_card.md", b"", DATASET),
        ("datasheets/README.md", b"", None),
        ("README.md", b"# Hello\nbase_model: x\n", None),
        ("README.md", b"---\nlicense: mit\n---\n# Hello\n", None),
        ("README.md", b"---\nlicense: mit\nbase_model: x\n---\n# Hello\n", MODEL),
        ("README.md", b"---\nlicense: [mit\nbase_model: x\n---\n# Hello\n", MODEL),
        ("README.md", b"---\r\ntask_categories:\r\n- x\r\n---\r\n", DATASET),
        ("card.txt", b"---\nbase_model: x\n---\n", None),
    ],
)
def test_kind_of(path: str, data: bytes, kind: Kind | None) -> None:
    assert kind_of(path, data) is kind
