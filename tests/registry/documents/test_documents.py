"""Cards and datasheets: set after the fact, newest shown, begun from what the registry knows."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path
from typing import BinaryIO

import pytest
import yaml
from sklearn.datasets import load_wine

from pacha_git import Registry
from pacha_git.errors import NotFound, PachaError
from pacha_git.format.documents.frontmatter import parse_front_matter
from pacha_git.inspectors.tables.columns import Table
from pacha_git.inspectors.tables.tables import read_table
from pacha_git.registry.documents import features
from tests.making import put

CARD = "---\nlicense: mit\nlanguage: en\n---\n\n# Model Details\n\nA model.\n"
GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "formats"


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


@pytest.fixture
def wine(registry: Registry, tmp_path: Path) -> Registry:
    """A registry with a real dataset, a recipe, a run, and a model made of them."""
    data = load_wine()
    with (tmp_path / "wine.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*data.feature_names, "target"])
        rows.writerows([*map(float, row), int(label)] for row, label in zip(data.data, data.target, strict=True))
    registry.datasets.register("wine", tmp_path / "wine.csv", version="1.0.0", purpose="Which cultivar?",
                               tags={"license": "cc-by-4.0", "domain": "food"})  # fmt: skip
    (tmp_path / "recipe.toml").write_text(
        'name = "mlp"\nversion = "1.0.0"\ntrain_data = "wine@1.0.0"\n[hyperparameters]\nlearning_rate = 0.1\n'
    )
    registry.recipes.register(tmp_path / "recipe.toml")
    with registry.run(recipe="mlp@1.0.0", data="wine@1.0.0", params={"hidden": 16}) as run:
        run.log(loss=0.5, step=1)
        run.log(loss=0.25, step=2)
    (tmp_path / "card.md").write_text(CARD)
    registry.models.register(
        "mlp", GOLDEN / "state.pt", version="1.0.0", recipe="mlp@1.0.0", run=run.id, data="wine@1.0.0",
        lineage=["evaluated-on=wine@1.0.0"], metrics={"accuracy": 0.95}, card=tmp_path / "card.md",
    )  # fmt: skip
    return registry


def test_the_newest_is_shown_and_the_record_stays(wine: Registry) -> None:
    before = wine.models.get("mlp@1.0.0")
    assert before.document == CARD
    assert wine.models.card("mlp@1.0.0").source == "record"
    wine.models.set_card("mlp@1.0.0", CARD.replace("A model.", "A better word."))
    found = wine.models.card("mlp")
    assert (found.source, found.metadata) == ("attestation", {"license": "mit", "language": "en"})
    assert "A better word." in (found.text or "")
    assert wine.models.get("mlp@1.0.0").document == found.text
    assert wine.models.get("mlp@1.0.0").commit == before.commit
    assert "Ethical Considerations" in found.missing
    wine.models.set_card("mlp@1.0.0", CARD)
    assert wine.models.card("mlp@1.0.0").text == CARD


def test_a_card_travels(wine: Registry, tmp_path: Path) -> None:
    wine.models.set_card("mlp@1.0.0", CARD + "\nMore.\n")
    Registry.init(tmp_path / "hub.git")
    wine.add_remote("origin", str(tmp_path / "hub.git"))
    wine.push()
    there = Registry.clone(str(tmp_path / "hub.git"), tmp_path / "there.git")
    assert there.models.card("mlp@1.0.0").text == CARD + "\nMore.\n"


def test_what_can_not_be_read_is_refused_with_its_place(wine: Registry) -> None:
    with pytest.raises(PachaError, match=r"card\.md:3:5: not YAML.*") as refused:
        wine.models.set_card("mlp@1.0.0", "---\nlicense: [a\ntags: x\n---\n", what="card.md")
    assert "mend it" in refused.value.hint
    with pytest.raises(PachaError, match="over 512 KiB"):
        wine.models.set_card("mlp@1.0.0", "x" * (513 << 10))
    with pytest.raises(PachaError, match="NUL"):
        wine.models.set_card("mlp@1.0.0", "a\0b")
    assert wine.models.card("mlp@1.0.0").text == CARD


def test_a_card_as_large_as_may_be(wine: Registry) -> None:
    text = "# Model Details\n\n" + '"' * (400 << 10)
    wine.models.set_card("mlp@1.0.0", text)
    assert wine.models.card("mlp@1.0.0").text == text


def test_registering_with_a_bad_card_warns_and_loses_nothing(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(b"weights, and more")
    (tmp_path / "card.md").write_text("---\nlicense: [\n---\n# Uses\n\nMany.\n")
    done = registry.models.register("m", tmp_path / "m.bin", version="1.0.0", card=tmp_path / "card.md")
    assert any("card.md:3:1: not YAML" in notice for notice in done.notices)
    assert any("says nothing yet on Model Details" in notice for notice in done.notices)
    found = registry.models.card("m")
    assert found.text == "---\nlicense: [\n---\n# Uses\n\nMany.\n"
    assert found.problems[0].line == 3


def test_recipes_have_none(wine: Registry) -> None:
    assert not [name for name in dir(wine.recipes) if "card" in name or "datasheet" in name]
    with pytest.raises(NotFound):
        wine.models.card("absent")
    assert wine.datasets.datasheet("wine").text is None


def test_the_skeleton_of_a_card_says_what_is_known(wine: Registry) -> None:
    text, notices = wine.models.card_skeleton("mlp@1.0.0")
    assert notices == ()
    head = yaml.safe_load(text.split("---")[1])
    assert head["license"] == "mit"  # from the card that it has
    assert head["library_name"] == "pytorch"
    assert head["datasets"] == ["wine@1.0.0"]
    assert head["metrics"] == ["accuracy"]
    [model] = head["model-index"]
    assert model["results"][0]["metrics"] == [{"type": "accuracy", "value": 0.95}]
    assert model["results"][0]["dataset"]["name"] == "wine@1.0.0"
    for said in (
        "- **state.pt:** pytorch; 89 parameters; float32, int64; runs code when it is loaded", "| hidden | 16 |",
        "| accuracy | 0.95 |", "| loss | 0.25 | 0.25 | 0.5 | 2 |", "recipe mlp@1.0.0", "3,569 bytes",
    ):  # fmt: skip
        assert said in text
    wine.models.set_card("mlp@1.0.0", text)
    assert wine.models.card("mlp@1.0.0").missing == (
        "Intended Use", "Factors", "Ethical Considerations", "Caveats and Recommendations",
    )  # fmt: skip


def test_the_skeleton_knows_what_the_run_worked_with(wine: Registry) -> None:
    with wine.run(recipe="mlp@1.0.0", data="wine@1.0.0", model="mlp@1.0.0", params={"seed": 3}) as run:
        run.log(loss=0.5)
    wine.models.register("tuned", GOLDEN / "tiny.gguf", version="1.0.0", run=run)
    text = wine.models.card_skeleton("tuned")[0]
    head = parse_front_matter(text).values
    assert (head["datasets"], head["base_model"], head["license"]) == (["wine@1.0.0"], "mlp@1.0.0", "mit")
    assert head["model-index"][0]["results"][0]["metrics"] == [{"type": "loss", "value": 0.5}]
    for said in (
        "- **trained-on:** dataset wine@1.0.0", "- **generated-by:** recipe mlp@1.0.0", "- **Seed:** 3",
        "- **Software:** Python 3.", ", scikit-learn ", "- **Hardware:** ", "| seed | 3 |",
        "## Training Data\n\n- wine@1.0.0",
    ):  # fmt: skip
        assert said in text


def test_the_skeleton_of_what_was_made_from_it(wine: Registry) -> None:
    wine.models.register("mlp", GOLDEN / "tiny.gguf", version="1.1.0", lineage=["quantized-from=mlp@1.0.0,bits=4"])
    head = parse_front_matter(wine.models.card_skeleton("mlp@1.1.0")[0]).values
    assert head == {
        "license": "mit", "library_name": "gguf", "base_model": "mlp@1.0.0", "base_model_relation": "quantized",
    }  # fmt: skip


def test_the_skeleton_of_a_datasheet_has_the_columns(wine: Registry) -> None:
    text, notices = wine.datasets.datasheet_skeleton("wine@1.0.0")
    assert notices == ()
    head = parse_front_matter(text).values
    assert (head["instance_count"], head["size_categories"], head["license"]) == (178, ["n<1K"], "cc-by-4.0")
    assert (head["purpose"], head["tags"]) == ("Which cultivar?", ["domain:food"])
    assert head["features"]["alcohol"] == {
        "dtype": "float64", "nullable": False, "statistics": {"count": 178, "nulls": 0, "min": 11.03, "max": 14.83},
    }  # fmt: skip
    assert head["features"]["target"]["dtype"] == "int64"
    assert "| alcohol | float64 | 0 | 11.03 to 14.83 |" in text
    wine.datasets.set_datasheet("wine@1.0.0", text)
    assert wine.datasets.get("wine").document == text
    assert "Composition" not in wine.datasets.datasheet("wine").missing


def test_tables_that_are_one_and_tables_that_differ(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.csv").write_text("a,b\n1,x\n2,\n")
    (folder / "test.csv").write_text("a,b\n9,yyy\n")
    registry.datasets.register("d", folder, version="1.0.0")
    features = parse_front_matter(registry.datasets.datasheet_skeleton("d")[0]).values["features"]
    assert features == {
        "a": {"dtype": "int64", "nullable": False, "statistics": {"count": 3, "nulls": 0, "min": 1, "max": 9}},
        "b": {"dtype": "string", "nullable": True,
              "statistics": {"count": 2, "nulls": 1, "min_length": 1, "max_length": 3}},
    }  # fmt: skip
    (folder / "other.jsonl").write_text('{"c": 1}\n')
    (folder / "bad.parquet").write_text("no table")
    registry.datasets.register("d", folder, version="2.0.0")
    text, notices = registry.datasets.datasheet_skeleton("d")
    assert set(parse_front_matter(text).values["features"]) == {
        "train.csv: a", "train.csv: b", "test.csv: a", "test.csv: b", "other.jsonl: c",
    }  # fmt: skip
    assert [notice.split(":")[0] for notice in notices] == ["bad.parquet can't be read as a table"]


def test_names_of_columns_that_a_terminal_or_a_reader_would_act_upon(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("\x1b[31mred,<b>,a|b\u202e\n1,2,3\n")
    registry.datasets.register("d", tmp_path / "d.csv", version="1.0.0")
    text = registry.datasets.datasheet_skeleton("d")[0]
    assert "\x1b" not in text
    assert "| \\x1b[31mred | int64 |" in text
    assert "| &lt;b> | int64 |" in text
    assert "| a\\|b\\u202e | int64 |" in text


def test_a_skeleton_asks_for_the_licence(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(b"weights")
    registry.models.register("m", tmp_path / "m.bin", version="1.0.0")
    text = registry.models.card_skeleton("m")[0]
    assert text.startswith("---\n# license: which one")
    assert parse_front_matter(text).values == {}
    assert registry.models.set_card("m@1.0.0", text)
    assert registry.models.card("m").problems == ()


def test_a_skeleton_where_the_bytes_are_not(wine: Registry, tmp_path: Path) -> None:
    Registry.init(tmp_path / "hub.git")
    wine.add_remote("origin", str(tmp_path / "hub.git"))
    wine.push()
    there = Registry.clone(str(tmp_path / "hub.git"), tmp_path / "there.git")
    text, notices = there.datasets.datasheet_skeleton("wine")
    assert "features" not in parse_front_matter(text).values
    assert "not here" in notices[0]
    assert "89 parameters" in there.models.card_skeleton("mlp")[0]


def test_a_library_that_dies_of_a_table_is_a_notice(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a stand-in that ends itself: no file is needed that does it."""

    def read_or_die(file: BinaryIO, path: str) -> Table:
        if path == "b.csv":
            os.kill(os.getpid(), signal.SIGSEGV)
        return read_table(file, path)

    monkeypatch.setattr(features, "read_table", read_or_die)
    for name in ("a.csv", "b.csv", "c.csv"):
        put(tmp_path / "in" / name, b"x,y\n1,2\n")
    registry.datasets.register("d", tmp_path / "in", version="1.0.0")
    text, notices = registry.datasets.datasheet_skeleton("d")
    assert [notice for notice in notices if "b.csv" in notice and "SIGSEGV" in notice]
    assert "**Rows:** 2" in text
