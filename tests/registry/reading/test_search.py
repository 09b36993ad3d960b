"""Search over a real registry: words, filters, the reason, and an index that may be lost at any time."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacha_git import Registry
from pacha_git.errors import InvalidInput
from pacha_git.registry.reading.search import Found
from tests.making import put

CARD = "---\nlicense: mit\n---\n# Model Details\nA gradient boosted classifier of card payments, by Zoë.\n"
SHEET = "# Motivation\nCollected from merchants in Lisbon.\n"
RECIPE = """\
name = "train"
version = "1.0.0"
description = "Boosting"

[hyperparameters]
learning_rate = 0.05
booster = "gbtree"
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Two models in three versions, a dataset, a recipe and a run; only to be read."""
    folder = tmp_path_factory.mktemp("search")
    r = Registry.init(folder / "registry.git")
    weights = put(folder / "weights.bin", b"w" * 3000)
    data = put(folder / "payments.csv", b"a,b\n1,2\n")
    sheet = put(folder / "sheet.md", SHEET.encode())
    r.datasets.register("payments", [data], version="1.0.0", purpose="Detect fraud in payments", datasheet=sheet)
    r.recipes.register(put(folder / "train.toml", RECIPE.encode()))
    for version, auc in (("1.9.0", 0.91), ("1.10.0", 0.94)):
        r.models.register(
            "fraud-detector", [weights], version=version, description="Finds stolen cards", metrics={"auc": auc},
            tags={"team": "risk", "domain": "banking"}, card=put(folder / "card.md", CARD.encode()),
            data=["payments"], recipe="train",
        )  # fmt: skip
    r.models.register("churn", [weights], version="1.0.0", description="Who leaves", tags={"team": "growth"})
    with r.run(recipe="train", params={"lr": 0.01, "opt": {"name": "adamw"}}, tags={"sweep": "july"}) as run:
        for step, loss in enumerate([0.9, 0.5, 0.4]):
            run.log(loss=loss, step=step)
        run.artifact(put(folder / "confusion.txt"))
    return r


@pytest.fixture
def changing(registry: Registry, tmp_path: Path) -> Registry:
    """A copy of it that may be changed."""
    return Registry.open(shutil.copytree(registry.path, tmp_path / "registry.git"))


def names(found: Iterable[Found]) -> list[str]:
    return [f"{each.name}@{each.version}" if hasattr(each, "version") else "run" for each in found]


def reasons(found: Iterable[Found]) -> list[dict[str, str]]:
    return [{each.field: each.snippet for each in one.matched} for one in found]


@pytest.mark.parametrize(
    ("words", "expected", "field"),
    [
        ("fraud-detector", ["fraud-detector@1.10.0", "fraud-detector@1.9.0"], "name"),
        ("detec 1.10", ["fraud-detector@1.10.0"], "name"),
        ("STOLEN", ["fraud-detector@1.10.0", "fraud-detector@1.9.0"], "description"),
        ("gradient", ["fraud-detector@1.10.0", "fraud-detector@1.9.0"], "card"),
        ("zoe", ["fraud-detector@1.10.0", "fraud-detector@1.9.0"], "card"),
        ("growth", ["churn@1.0.0"], "tags"),
        ("lisbon", ["payments@1.0.0"], "datasheet"),
        ("detect fraud", ["fraud-detector@1.10.0", "fraud-detector@1.9.0", "payments@1.0.0"], None),
        ("gbtree", ["train@1.0.0"], "recipe"),
        ("adamw", ["run"], "params"),
        ("july", ["run"], "tags"),
        ("confusion", ["run"], "artifacts"),
        ("nowhere", [], None),
    ],
)
def test_words_are_found_where_they_stand(
    registry: Registry, words: str, expected: list[str], field: str | None
) -> None:
    found = registry.search(words)
    assert sorted(names(found)) == sorted(expected)
    assert found.total == len(expected)
    if field is not None:
        assert all(field in each for each in reasons(found))


def test_the_reason_shows_the_word(registry: Registry) -> None:
    assert reasons(registry.search("gradient"))[0]["card"].endswith(
        "A [gradient] boosted classifier of card payments, by Zoë."
    )
    assert reasons(registry.search("bank"))[0] == {"tags": "domain=[banking] team=risk"}


def test_a_whole_word_comes_before_its_beginning_and_a_name_before_a_card(changing: Registry, tmp_path: Path) -> None:
    for name, text in (("fraud", "x"), ("frauds", "x"), ("other", "fraud")):
        changing.models.register(name, [put(tmp_path / "f")], version="1.0.0", description=text)
    found = names(changing.search("fraud", kind="model"))
    assert found[0] == "fraud@1.0.0"
    assert set(found[1:4]) == {"fraud-detector@1.9.0", "fraud-detector@1.10.0", "other@1.0.0"}
    assert found[4:] == ["frauds@1.0.0"]


def test_a_phrase_is_its_words_in_order(registry: Registry) -> None:
    assert names(registry.search(["stolen cards"], kind="model", where="version = 1.9.0")) == ["fraud-detector@1.9.0"]
    assert names(registry.search(["cards stolen"])) == []
    assert len(registry.search("cards stolen")) == 2


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("metrics.auc > 0.92", ["fraud-detector@1.10.0"]),
        ("version < 1.10.0 and kind = model and size > 2KiB", ["churn@1.0.0", "fraud-detector@1.9.0"]),
        ("tags.team in (growth, nobody)", ["churn@1.0.0"]),
        ("params.learning_rate = 0.05 and params.hyperparameters.booster = gbtree", ["train@1.0.0"]),
        ("metrics.loss < 0.5 and params.opt.name = adamw and status = completed", ["run"]),
        ("recipe = train@1.0.0", ["run"]),
        ("description ~ LEAVES", ["churn@1.0.0"]),
        ("created_at > 2020 and kind = data and payload = here", ["payments@1.0.0"]),
        ("created_at < 2020", []),
        ("created_by ~ ada@example.org and name = churn", ["churn@1.0.0"]),
    ],
)
def test_where(registry: Registry, where: str, expected: list[str]) -> None:
    found = registry.search(where=where)
    assert sorted(names(found)) == expected
    assert all(each.matched for each in found)


def test_where_says_why(registry: Registry) -> None:
    assert reasons(registry.search(where="metrics.auc > 0.92 or tags.team = growth", tags={"team": "risk"})) == [
        {"tags.team": "risk", "metrics.auc": "0.94"}
    ]


def test_what_was_said_later_counts(changing: Registry) -> None:
    assert len(changing.search("stolen")) == 2
    changing.models.describe("fraud-detector@1.9.0", "Retired")
    changing.models.tag("fraud-detector@1.9.0", ["team-", "owner=bob"])
    changing.models.stage("fraud-detector@1.10.0", "production")
    changing.models.alias("fraud-detector", "champion", version="1.10.0")
    assert names(changing.search("stolen")) == ["fraud-detector@1.10.0"]
    assert names(changing.search("retired bob")) == ["fraud-detector@1.9.0"]
    assert names(changing.search(stage="prod")) == ["fraud-detector@1.10.0"]
    assert names(changing.search(where="alias = champion and stage = production")) == ["fraud-detector@1.10.0"]
    assert names(changing.search("champ")) == ["fraud-detector@1.10.0"]
    assert names(changing.search(tags={"team": "risk"})) == ["fraud-detector@1.10.0"]
    changing.models.stage("fraud-detector@1.10.0", "archived")
    assert names(changing.search(stage="prod")) == []


def test_a_removed_version_is_found_only_by_asking_for_it(changing: Registry) -> None:
    changing.models.remove("churn@1.0.0", reason="a leak")
    assert names(changing.search("leaves")) == []
    assert names(changing.search("leaves", where="payload = removed")) == ["churn@1.0.0"]


def test_a_signer_is_found_as_list_names_it(changing: Registry, tmp_path: Path) -> None:
    from pacha_git import generate_key

    key = generate_key()
    changing.models.register("signed", [put(tmp_path / "s")], version="1.0.0", sign=True)
    assert names(changing.search(where="signed_by ~ SHA256")) == ["signed@1.0.0"]
    changing.trust_key(f"{key.path}.pub", "ada")
    assert names(changing.search(where="signed_by = ada")) == ["signed@1.0.0"]
    changing.sign("churn@1.0.0", version=None)
    assert sorted(names(changing.search(where="signed_by = ada"))) == ["churn@1.0.0", "signed@1.0.0"]


def test_payloads_that_are_elsewhere(registry: Registry, tmp_path: Path) -> None:
    other = Registry.clone(str(registry.path), tmp_path / "other.git")
    assert names(other.search(where="payload = thin and name = churn")) == ["churn@1.0.0"]
    other.pull(specs=["model:churn@1.0.0"])
    assert names(other.search(where="payload = here and kind = model")) == ["churn@1.0.0"]
    assert len(other.search(where="payload = thin and kind = run")) == 1


def test_no_more_than_asked_for(registry: Registry) -> None:
    found = registry.search(kind="model", limit=1)
    assert (len(found), found.total) == (1, 3)
    assert len(registry.search(kind="model", limit=0)) == len(registry.search(kind="model", limit=None)) == 3


@pytest.mark.parametrize(
    "wrong", [{"kind": "thing"}, {"stage": "nowhere"}, {"where": "size >"}, {"limit": -1}, {"words": ["x"] * 101}]
)
def test_what_can_not_be_is_refused(registry: Registry, wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        registry.search(**wrong)  # type: ignore[arg-type]


QUERIES = [
    {"words": "fraud"}, {"words": "card payments"}, {"where": "metrics.auc > 0"}, {"where": "params.lr = 0.01"},
    {"tags": {"team": "risk"}}, {"stage": "production"}, {"kind": "run"}, {},
]  # fmt: skip


def answers(registry: Registry) -> list[str]:
    return [json.dumps(registry.search(**query).to_json(), sort_keys=True) for query in QUERIES]  # type: ignore[arg-type]


def test_a_lost_index_changes_no_answer(changing: Registry) -> None:
    changing.models.stage("fraud-detector@1.9.0", "production")
    changing.models.describe("churn@1.0.0", "Who leaves us")
    before = answers(changing)
    assert all(each != "[]" for each in before)
    index = changing.path / "pacha/index.sqlite"
    for damage in (_gone, _truncated, _noise, _no_texts, _other_version):
        damage(index)
        assert answers(Registry.open(changing.path)) == before, damage.__name__


def _gone(index: Path) -> None:
    index.unlink()


def _truncated(index: Path) -> None:
    data = index.read_bytes()
    index.write_bytes(data[: len(data) // 2])


def _noise(index: Path) -> None:
    data = bytearray(index.read_bytes())
    data[8192:] = b"\xa5" * (len(data) - 8192)
    index.write_bytes(data)


def _no_texts(index: Path) -> None:
    with sqlite3.connect(index) as connection:
        connection.execute("DELETE FROM search_data")
        connection.execute("DROP TABLE fact")


def _other_version(index: Path) -> None:
    with sqlite3.connect(index) as connection:
        connection.execute("PRAGMA user_version = 1")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.sampled_from("ab \"'*+-^():{}[]~.,\\/\0\n%_é漢"), max_size=8), max_size=4))
def test_no_word_is_a_command(registry: Registry, words: list[str]) -> None:
    found = registry.search(words)
    assert found.total >= len(found)


@pytest.mark.parametrize("word", ["AND", "NOT", "NEAR(a b)", "name:x", "fraud OR churn", '"', "*", "a\udc80b"])
def test_words_of_the_language_below_are_words(registry: Registry, word: str) -> None:
    # Of models alone: the id of a run is any hex digits, and a word may begin one.
    assert names(registry.search([word], kind="model")) == []


def test_many_things_are_not_weighed_but_found(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    from pacha_git.store.catalogue import search

    expected = sorted(names(registry.search("fraud")))
    monkeypatch.setattr(search, "_WEIGHED", 0)
    found = names(registry.search("fraud"))
    assert sorted(found) == expected
    assert set(found[:2]) == {"fraud-detector@1.10.0", "fraud-detector@1.9.0"}
