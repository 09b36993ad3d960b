from __future__ import annotations

import time
from pathlib import Path

import pytest

from pacha_git import Ambiguous, InvalidInput, NotFound, Registry
from pacha_git.registry.reading.lineage import render_lineage
from tests.making import all_verify, git, put, recipe, refs


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


def test_a_chain_of_a_thousand_is_walked_drawn_and_verified(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "m")
    with registry.batch():
        registry.models.register("m", data, version="0.0.0")
        for number in range(1, 1000):
            registry.models.register(
                "m", data, version=f"0.0.{number}", lineage=[f"fine-tuned-from=m@0.0.{number - 1}"]
            )
    begun = time.perf_counter()
    up = registry.models.lineage("m")
    down = registry.models.lineage("m@0.0.0", direction="down")
    assert time.perf_counter() - begun < 5
    assert [len(graph.nodes) for graph in (up, down)] == [1000, 1000]
    assert up.nodes[-1].version == "0.0.0"
    assert down.nodes[-1].version == "0.0.999"
    assert len(registry.models.lineage("m", depth=10).nodes) == 11
    for form in ("tree", "dot", "mermaid"):
        assert render_lineage(up, form).count("fine-tuned-from") == 999
    assert len(git(registry.path, "rev-list", "refs/pacha/models/m/0.0.999").splitlines()) == 1000
    assert all(each.ok for each in registry.verify(["model:m@0.0.999"]))


def test_edges_of_every_relation_find_the_kind_that_the_relation_names(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "x")
    registry.datasets.register("x", data, version="1.0.0")
    registry.models.register("x", data, version="1.0.0")
    registry.recipes.register(recipe(tmp_path / "r.toml", "x"))
    relations = {
        "derived-from": "model", "fine-tuned-from": "model", "distilled-from": "model", "quantized-from": "model",
        "pruned-from": "model", "merged-from": "model", "trained-on": "dataset", "evaluated-on": "dataset",
        "generated-by": "recipe",
    }  # fmt: skip
    made = registry.models.register("y", data, version="1.0.0", lineage=[f"{relation}=x" for relation in relations])
    assert {edge.relation: edge.kind for edge in made.lineage} == relations
    assert len(git(registry.path, "rev-list", "--parents", "-1", made.commit).split()) == 4
    derived = registry.datasets.register("y", data, version="1.0.0", lineage=["derived-from=x", "generated-by=x"])
    assert [edge.kind for edge in derived.lineage] == ["dataset", "recipe"]
    all_verify(registry)


def test_a_kind_may_be_said(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "x")
    registry.datasets.register("x", data, version="1.0.0")
    registry.models.register("x", data, version="1.0.0")
    made = registry.models.register(
        "y", data, version="1.0.0", lineage=["derived-from=data:x", "derived-from=model:x@1.0.0"]
    )
    assert [edge.kind for edge in made.lineage] == ["dataset", "model"]
    with pytest.raises(Ambiguous) as caught:
        registry.resolve("x@1.0.0")
    assert caught.value.candidates == ("model:x@1.0.0", "data:x@1.0.0")


def test_parameters_keep_their_types(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "x")
    registry.models.register("x", data, version="1.0.0")
    wish = "distilled-from=x@1.0.0,temperature=2,alpha=0.5,hard=true,note=as is,big=9007199254740993,bad=nan"
    [edge] = registry.models.register("y", data, version="1.0.0", lineage=[wish]).lineage
    assert edge.params == {
        "temperature": 2, "alpha": 0.5, "hard": True, "note": "as is", "big": "9007199254740993", "bad": "NaN",
    }  # fmt: skip
    assert type(edge.params["temperature"]) is int


def test_edges_that_cant_be_change_nothing(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "x")
    registry.models.register("x", data, version="1.0.0")
    registry.datasets.register("d", data, version="1.0.0")
    before = refs(registry.path)
    for wishes, error in (
        (["trained-on=d", "trained-on=d@1.0.0"], InvalidInput),
        (["derived-from=x,weight"], InvalidInput),
        (["derived-from=x,=1"], InvalidInput),
        (["derived-from=run:0192f0c1-2345-7abc-8def-0123456789ab"], (InvalidInput, NotFound)),
        (["derived-from=x@>2"], InvalidInput),
    ):
        with pytest.raises(error):  # type: ignore[call-overload]
            registry.models.register("y", data, version="1.0.0", lineage=wishes)
    with pytest.raises(InvalidInput):
        registry.datasets.register("e", data, version="1.0.0", lineage=["fine-tuned-from=x"])
    assert refs(registry.path) == before


def test_lineage_outlives_the_bytes(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "x")
    registry.models.register("x", data, version="1.0.0")
    registry.models.register("y", data, version="1.0.0", lineage=["derived-from=x"])
    registry.models.remove("x@1.0.0", reason="licence")
    registry.gc(grace_days=0)
    assert [node.name for node in registry.models.lineage("y").nodes] == ["y", "x"]
    assert registry.models.register("z", data, version="1.0.0", lineage=["derived-from=x@1.0.0"]).lineage
    all_verify(registry)


def test_a_diamond_is_drawn_once(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "x")
    registry.models.register("a", data, version="1.0.0")
    for name in "bc":
        registry.models.register(name, data, version="1.0.0", lineage=["derived-from=a"])
    registry.models.register("d", data, version="1.0.0", lineage=["merged-from=b,weight=0.5", "merged-from=c"])
    tree = render_lineage(registry.models.lineage("d"), "tree")
    assert tree == (
        "model:d@1.0.0\n"
        "├── merged-from (weight=0.5): model:b@1.0.0\n"
        "│   └── derived-from: model:a@1.0.0\n"
        "└── merged-from: model:c@1.0.0\n"
        "    └── derived-from: model:a@1.0.0\n"
    )
    dot = render_lineage(registry.models.lineage("d"), "dot")
    assert dot.count("->") == 4
    assert dot.count('"model:a@1.0.0";') == 1


@pytest.mark.parametrize(("direction", "depth"), [("sideways", None), ("up", -1)])
def test_directions_and_depths_that_cant_be(
    registry: Registry, tmp_path: Path, direction: str, depth: int | None
) -> None:
    registry.models.register("m", put(tmp_path / "m"), version="1.0.0")
    with pytest.raises(InvalidInput):
        registry.models.lineage("m", direction=direction, depth=depth)
    with pytest.raises(InvalidInput):
        render_lineage(registry.models.lineage("m"), "crayon")
