"""What a list shows is what reading every object would show, whatever happens to refs and signatures."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from pacha_git import InvalidInput, Registry, generate_key
from tests.making import git


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry.init(tmp_path / "r.git")
    (tmp_path / "f").write_text("weights")
    registry.models.register("m", tmp_path / "f", version="1.0.0")
    return registry


def test_versions_stay_listed_when_their_refs_are_packed(registry: Registry) -> None:
    assert [each.name for each in registry.models.list()] == ["m"]
    registry.gc()
    for _ in range(3):
        assert [each.name for each in registry.models.list()] == ["m"]
    assert [each.name for each in Registry.open(registry.path).models.list()] == ["m"]


def test_a_list_names_the_signer_that_get_names(registry: Registry) -> None:
    key = generate_key()
    registry.trust_key(f"{key.path}.pub", "ada@example.org")
    registry.sign("model:m@1.0.0")
    assert registry.models.get("m@1.0.0").signed_by == "ada@example.org"
    assert [each.signed_by for each in registry.models.list("m")] == ["ada@example.org"]
    assert registry.status().unsigned == ()


def test_a_file_is_named_only_where_a_file_is_wanted(registry: Registry) -> None:
    assert b"".join(registry.cat("m@1.0.0:f")) == b"weights"
    with pytest.raises(InvalidInput, match="names a file"):
        registry.models.get("m@1.0.0:f")


def test_a_list_shows_of_every_version_what_get_shows(registry: Registry, tmp_path: Path) -> None:
    registry.datasets.register("d", tmp_path / "f", version="1.0.0", purpose='for "all"', tags={"b": "2", "a": "1"})
    for version in ("1.10.0", "1.9.0", "2.0.0-rc.1", "2.0.0-alpha", "1.10.1"):
        described = f"Grüße\n\x7f\\ {version}"
        registry.models.register(
            "m", tmp_path / "f", version=version, description=described, tags={"z": "é"}, metrics={"auc": 0.5},
            data="d", lineage=["derived-from=m@1.0.0"],
        )  # fmt: skip
    key = generate_key()
    registry.trust_key(f"{key.path}.pub", "Ädä@example.org")
    registry.models.register("m", tmp_path / "f", version="3.0.0", sign=True)
    registry.models.stage("m@1.9.0", "production")
    registry.models.alias("m", "best", version="1.10.0")
    registry.models.tag("m@1.10.0", ["z=y", "a=b"])
    registry.models.tag("m@1.10.1", ["z="])
    registry.models.describe("m@2.0.0-alpha", "newer")
    registry.sign("model:m@1.0.0")
    registry.models.remove("m@2.0.0-rc.1", reason="bad")
    git(registry.path, "update-ref", "-d", "refs/pacha/payload/models/m/1.10.1")
    for listed in (registry.models.list("m", removed=True), registry.models.list(all=True, removed=True)):
        order = ["1.0.0", "1.9.0", "1.10.0", "1.10.1", "2.0.0-alpha", "2.0.0-rc.1", "3.0.0"]
        assert [each.version for each in listed] == order
        assert [each.payload for each in listed] == ["here", "here", "here", "thin", "here", "removed", "here"]
        assert [each.signed_by for each in listed] == ["Ädä@example.org", *[None] * 5, "Ädä@example.org"]
        for each in listed:
            shown = registry.models.get(f"m@{each.version}").to_json()
            assert each.to_json() == {name: shown[name] for name in each.to_json()}
            assert list(json.loads(each.json_text()).items()) == list(each.to_json().items())
    [dataset] = registry.datasets.list(all=True)
    assert (dataset.purpose, dataset.tags) == ('for "all"', {"a": "1", "b": "2"})


def test_a_listed_version_is_a_value_like_any_other(registry: Registry) -> None:
    [one], [other] = registry.models.list("m"), registry.models.list("m")
    assert one == other
    assert repr(one) == repr(other)
    assert pickle.loads(pickle.dumps(one)) == copy.copy(one) == one
    assert copy.copy(one).json_text() == one.json_text()
    assert json.loads(replace(one, stage="production").json_text())["stage"] == "production"
    assert not hasattr(one, "no_such_field")
    with pytest.raises(FrozenInstanceError):
        one.name = "other"  # type: ignore[misc]
