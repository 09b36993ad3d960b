"""Documents round-trip with the types of their values, and a file is taken for what it is."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from pacha_git import Registry
from tests.making import put

CARD: dict[str, Any] = {
    "description": "A model", "training_data": "wine@1.0.0", "training_recipe": "r@1.0.0",
    "training_date": "2026-01-31", "training_duration_secs": 12.5, "metrics": ["acc"], "evaluation_data": "wine@1.0.0",
    "primary_uses": ["wine"],
    "out_of_scope_uses": ["beer"], "limitations": ["few grapes"], "ethical_considerations": ["none"],
    "parent_model": "m@0.9.0", "derived_from": ["m@0.8.0"], "extra": {"a": 1, "b": True, "c": 1.0, "d": [1, "x"]},
}  # fmt: skip
DATASHEET: dict[str, Any] = {
    "purpose": "p", "creators": ["a"], "funding": "f", "instance_count": 178,
    "features": {"alcohol": {"dtype": "float64", "description": "d", "nullable": False, "statistics": {"min": 11.0}}},
    "sensitive_features": [], "collection_method": "m", "collection_start": "2025-01-01",
    "collection_end": "2025-02-01", "preprocessing": [{"name": "scale", "description": "d", "parameters": {"by": 2}}],
    "license": "cc0-1.0", "access_restrictions": "none", "maintainer": "a", "update_frequency": "never",
    "deprecation_policy": "kept",
}  # fmt: skip


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


def document(fields: dict[str, Any]) -> str:
    return f"---\n{yaml.safe_dump(fields, sort_keys=False)}---\n\n# X\r\n\n<script>alert(1)</script> \u00e9\n"


@pytest.mark.parametrize(("noun", "fields"), [("models", CARD), ("datasets", DATASHEET)])
@pytest.mark.parametrize("later", [False, True])
def test_cards_and_datasheets_round_trip(
    registry: Registry, tmp_path: Path, noun: str, fields: dict[str, Any], later: bool
) -> None:
    text = document(fields)
    file = put(tmp_path / "document.md", text.encode())
    word = "card" if noun == "models" else "datasheet"
    given = {} if later else {word: file}
    getattr(registry, noun).register("x", put(tmp_path / "x.bin"), version="1.0.0", **given)
    if later:
        getattr(getattr(registry, noun), f"set_{word}")("x@1.0.0", text)
    Registry.init(tmp_path / "hub.git")
    registry.add_remote("origin", str(tmp_path / "hub.git"))
    registry.push()
    for here in (registry, Registry.clone(str(tmp_path / "hub.git"), tmp_path / "there.git")):
        things = getattr(here, noun)
        assert things.get("x").document == text
        found = getattr(things, word)("x")
        assert found.problems == ()
        assert json.dumps(found.metadata) == json.dumps(fields)  # an int stays an int, a bool is no number


def test_runs_keep_the_types_of_their_parameters(registry: Registry) -> None:
    params = {"i": 1, "f": 1.0, "b": True, "s": "1", "l": [1, 2.5, False, "x"]}
    with registry.run(params=params) as run:
        run.log(loss=0.5, step=1)
    assert json.dumps(dict(registry.runs.get(run.id).params)) == json.dumps(params)


def test_a_safetensors_head_that_begins_0x80_is_no_pickle(registry: Registry, tmp_path: Path) -> None:
    head = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode().ljust(0x280)
    data = len(head).to_bytes(8, "little") + head + bytes(8)
    assert data[:2] == b"\x80\x02"  # as pickles of protocol 2 begin
    done = registry.models.register("m", put(tmp_path / "model.bin", data), version="1.0.0")
    assert done.notices == ()
    [said] = registry.models.get("m").formats
    assert (said["format"], said["parameters"], "runs_code" in said) == ("safetensors", 2, False)


def test_a_pickle_is_flagged(registry: Registry, tmp_path: Path) -> None:
    done = registry.models.register("m", put(tmp_path / "model.bin", pickle.dumps([1] * 9)), version="1.0.0")
    assert "runs the code" in " ".join(done.notices)
    assert registry.models.get("m").formats[0]["runs_code"] is True


@pytest.mark.parametrize("data", [b"GGUF\x03\0\0", b"\x80\x04N.", b"APR\0", b"PK\x03\x04", b"\x93NUMPY\x01"])
def test_under_eight_bytes_the_format_is_unknown(registry: Registry, tmp_path: Path, data: bytes) -> None:
    done = registry.models.register("m", put(tmp_path / "model.bin", data), version="1.0.0")
    assert (done.notices, registry.models.get("m").formats) == ((), ())
