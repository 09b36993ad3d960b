"""What the faces take and refuse: by Python as by a type checker.

mypy reads this file in ``make check``, where an ignored error that is none fails: each marked call must not compile.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Datasets, InvalidInput, Kind, Models, NameInfo, Recipes, Registry, Run, Stage


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry.init(tmp_path / "registry.git")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.bin"
    path.write_bytes(bytes(range(256)) * 64)
    return path


def test_a_face_refuses_the_arguments_of_another_kind(registry: Registry, weights: Path) -> None:
    with pytest.raises(TypeError, match="dry_run"):
        registry.recipes.register("train.toml", dry_run=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="version"):
        registry.recipes.register("train.toml", version="1.0.0")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="purpose"):
        registry.models.register("m", weights, version="1.0.0", purpose="x")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="datasheet"):
        registry.models.register("m", weights, version="1.0.0", datasheet="missing.md")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="card"):
        registry.datasets.register("d", weights, version="1.0.0", card="missing.md")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="version"):
        registry.models.register("m", weights)  # type: ignore[call-arg]
    assert registry.stats().versions == 0


def test_a_face_has_only_the_verbs_of_its_kind(registry: Registry) -> None:
    calls: list[Callable[[], object]] = [
        lambda: registry.datasets.import_hf("x"),  # type: ignore[attr-defined]
        lambda: registry.datasets.card("x"),  # type: ignore[attr-defined]
        lambda: registry.recipes.set_card("x", ""),  # type: ignore[attr-defined]
        lambda: registry.models.validate("x"),  # type: ignore[attr-defined]
    ]
    for call in calls:
        with pytest.raises(AttributeError):
            call()


def test_options_are_keyword_only(registry: Registry, weights: Path, tmp_path: Path) -> None:
    registry.models.register("m", weights, version="1.0.0")
    for call in (
        lambda: registry.models.get("m", "1.0.0"),  # type: ignore[call-arg]
        lambda: registry.models.path("m", "1.0.0"),  # type: ignore[call-arg]
        lambda: registry.resolve("m", Kind.MODEL),  # type: ignore[call-arg]
        lambda: registry.push("origin", (), "all"),  # type: ignore[call-arg]
        lambda: registry.gc(True),  # type: ignore[call-arg]
        lambda: registry.fsck(True),  # type: ignore[call-arg]
        lambda: registry.create_bundle(tmp_path / "x", (), "all"),  # type: ignore[call-arg]
    ):
        with pytest.raises(TypeError, match="positional"):
            call()


def test_closed_sets_of_words_are_enums_or_strings_and_nothing_else(registry: Registry, weights: Path) -> None:
    registry.models.register("m", weights, version="1.0.0")
    registry.models.stage("m@1.0.0", Stage.STAGING)
    assert [each.version for each in registry.models.list(stage="staging")] == ["1.0.0"]
    assert [each.version for each in registry.models.list(stage=Stage.STAGING)] == ["1.0.0"]
    assert registry.search(kind="models", stage=Stage.STAGING).total == 1
    assert registry.resolve("m", kind="model") == registry.resolve("m", kind=Kind.MODEL)
    wrong = (
        lambda: registry.models.stage("m@1.0.0", "prodution"),  # type: ignore[arg-type]
        lambda: registry.models.lineage("m", direction="sideways"),  # type: ignore[arg-type]
        lambda: registry.pull(payload="some"),  # type: ignore[arg-type]
        lambda: registry.search("m", kind="modle"),  # type: ignore[arg-type]
        lambda: registry.runs.list(status="over"),  # type: ignore[arg-type]
        lambda: registry.runs.finish("x" * 8, "ended"),  # type: ignore[arg-type]
        lambda: registry.resolve("m", kind="modle"),  # type: ignore[arg-type]
    )
    for call in wrong:
        with pytest.raises(InvalidInput):
            call()


def test_a_run_takes_its_options_by_name(registry: Registry) -> None:
    run: Run
    with registry.run() as run:
        calls: list[Callable[[], object]] = [
            lambda: run.log({"loss": 1.0}, 1),  # type: ignore[call-arg]
            lambda: run.finish("failed", "why"),  # type: ignore[call-arg]
        ]
        for call in calls:
            with pytest.raises(TypeError, match="positional"):
                call()
        run.log({"loss": 1.0}, step=1)


def test_the_collection_of_a_kind_is_its_face(registry: Registry) -> None:
    models: Models = registry.collection(Kind.MODEL)
    datasets: Datasets = registry.collection("data")
    recipes: Recipes = registry.collection("recipes")
    assert [type(each) for each in (models, datasets, recipes)] == [Models, Datasets, Recipes]
    assert repr(datasets) == f"Datasets({str(registry.path)!r})"
    with pytest.raises(InvalidInput, match="runs have no versions") as caught:
        registry.collection(Kind.RUN)
    assert caught.value.hint == "they are in registry.runs"


def test_what_is_listed_reads_the_same_in_every_way(registry: Registry, weights: Path) -> None:
    for name, version in (("m", "1.0.0"), ("m", "1.1.0"), ("untouched", "1.0.0")):
        registry.models.register(name, weights, version=version, tags={"a": "b"}, lineage=())
    registry.models.register("heir", weights, version="1.0.0", lineage=["derived-from=m@1.0.0"])
    registry.models.stage("m@1.1.0", "staging")
    names = registry.models.list()
    assert [(each.name, each.version, each.stage) for each in names] == [
        ("heir", "1.0.0", "development"), ("m", "1.1.0", "staging"), ("untouched", "1.0.0", "development"),
    ]  # fmt: skip
    assert [each.versions for each in names if isinstance(each, NameInfo)] == [1, 2, 1]
    for listed in [*registry.models.list(), *registry.models.list("m")]:
        shown = listed.json_text()  # before any field was asked for
        assert list(json.loads(shown).items()) == list(listed.to_json().items())
        copy = pickle.loads(pickle.dumps(listed))
        assert (copy, copy.json_text()) == (listed, shown)
    [edge] = names[0].lineage
    assert (edge.relation, edge.kind, edge.name, edge.to_json()["kind"]) == ("derived-from", Kind.MODEL, "m", "model")
