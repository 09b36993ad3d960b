"""What a list shows is what reading every object would show, whatever happens to refs and signatures."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacha_git import InvalidInput, Registry
from pacha_git.registry import keys


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
    key = keys.generate()
    registry.trust_key(f"{key.path}.pub", "ada@example.org")
    registry.sign("model:m@1.0.0")
    assert registry.models.get("m@1.0.0").signed_by == "ada@example.org"
    assert [each.signed_by for each in registry.models.list("m")] == ["ada@example.org"]
    assert registry.status().unsigned == ()


def test_a_file_is_named_only_where_a_file_is_wanted(registry: Registry) -> None:
    assert b"".join(registry.cat("m@1.0.0:f")) == b"weights"
    with pytest.raises(InvalidInput, match="names a file"):
        registry.models.get("m@1.0.0:f")
