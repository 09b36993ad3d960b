"""Lineage in the words of PROV: the package of that name reads it, and draws it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prov.dot import prov_to_dot
from prov.model import ProvDocument

from pacha_git import Registry


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    registry = Registry.init(registry_path)
    for name in ("a", "b", "data"):
        (tmp_path / name).write_text(name * 10)
    (tmp_path / "recipe.toml").write_text('name = "r"\nversion = "1.0.0"\n')
    registry.recipes.register(tmp_path / "recipe.toml")
    registry.datasets.register("team/data", tmp_path / "data", version="1.0.0", description='say "hello", <you>')
    with registry.run(recipe="r@1.0.0", data="team/data@1.0.0", params={"lr": 0.1}) as run:
        run.log(loss=0.1, step=1)
    registry.models.register("m", tmp_path / "a", version="1.0.0", run=run.id, data="team/data@1.0.0")
    registry.models.register("m", tmp_path / "b", version="1.1.0",
                             lineage=["quantized-from=m@1.0.0,bits=4", "evaluated-on=team/data@1.0.0"])  # fmt: skip
    return registry


def read(value: dict[str, Any]) -> ProvDocument:
    return ProvDocument.deserialize(content=json.dumps(value), format="json")


def test_prov_reads_and_draws_it(registry: Registry) -> None:
    document = read(registry.models.provenance("m@1.1.0"))
    told = document.get_provn()
    run = registry.models.get("m@1.0.0").lineage[-1].name
    for line in (
        "wasDerivedFrom(pacha:model/m@1.1.0, pacha:model/m@1.0.0, -, -, -, [prov:type='pacha:quantized-from', "
        'pacha:bits="4"])',
        f"wasGeneratedBy(pacha:model/m@1.0.0, pacha:run/{run}, -)",
        f"used(pacha:run/{run}, pacha:dataset/team/data@1.0.0, -, [prov:role='pacha:trained-on'])",
        "used(pacha:registration/model/m@1.1.0, pacha:dataset/team/data@1.0.0, -, [prov:role='pacha:evaluated-on'])",
        "wasAttributedTo(pacha:model/m@1.1.0, pacha:agent/ada@example.org)",
        f"wasAssociatedWith(pacha:run/{run}, pacha:agent/ada@example.org, -)",
        "agent(pacha:agent/ada@example.org, [prov:type='prov:Person', prov:label=\"Ada Tester\"])",
    ):
        assert line in told
    drawn = prov_to_dot(document).to_string()
    for name in ("m 1.0.0", "m 1.1.0", "data@1.0.0", "ada@example.org"):
        assert name in drawn
    again = json.loads(document.serialize(format="json"))
    assert read(again) == document


def test_it_says_no_more_than_the_graph(registry: Registry) -> None:
    value = registry.models.provenance("m@1.1.0", depth=0)
    assert set(value["entity"]) == {"pacha:model/m@1.1.0"}
    assert "used" not in value
    read(value)
    down = registry.datasets.provenance("team/data@1.0.0", direction="down")
    assert set(down["entity"]) == {"pacha:dataset/team/data@1.0.0", "pacha:model/m@1.0.0", "pacha:model/m@1.1.0"}
    read(down)


def test_signers_are_agents(registry: Registry, tmp_path: Path) -> None:
    from pacha_git import generate_key

    key = generate_key()
    registry.trust_key(f"{key.path}.pub", "carla@example.org")
    registry.sign("m@1.1.0")
    told = read(registry.models.provenance("m@1.1.0")).get_provn()
    assert "wasAttributedTo(pacha:model/m@1.1.0, pacha:agent/carla@example.org, [prov:type='pacha:signature'])" in told
