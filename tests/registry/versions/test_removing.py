from __future__ import annotations

from pathlib import Path

import pytest

from pacha_git import Conflict, InvalidInput, NotFound, PachaError, Registry
from tests.making import all_verify, git, noise, put, recipe, refs


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    registry = Registry.init(registry_path)
    for version in ("1.0.0", "2.0.0"):
        registry.models.register("m", put(tmp_path / "m", noise(300_000) + version.encode()), version=version)
    return registry


def test_a_removed_version_keeps_its_record_and_says_who_and_why(registry: Registry) -> None:
    removed = registry.models.remove("m@2.0.0", reason="has private data")
    assert removed.payload == "removed"
    assert "refs/pacha/payload/models/m/2.0.0" not in refs(registry.path)
    assert "refs/pacha/models/m/2.0.0" in refs(registry.path)
    with pytest.raises(NotFound, match=r"removed by Ada Tester .* has private data"):
        registry.models.download("m@2.0.0", registry.path.parent / "out")
    assert not (registry.path.parent / "out").exists()
    [verified] = registry.verify(["m@2.0.0"])
    assert (verified.ok, verified.payload_ok) == (True, None)


def test_latest_and_stages_pass_removed_versions_by(registry: Registry) -> None:
    for version in ("1.0.0", "2.0.0"):
        registry.models.stage(f"m@{version}", "production")
    assert registry.models.get("m@production").version == "2.0.0"
    registry.models.remove("m@2.0.0", reason="bad")
    assert registry.models.get("m").version == registry.models.get("m@production").version == "1.0.0"
    assert [each.version for each in registry.models.list("m")] == ["1.0.0"]
    assert [each.version for each in registry.models.list("m", removed=True)] == ["1.0.0", "2.0.0"]
    assert [each.version for each in registry.models.list()] == ["1.0.0"]
    assert registry.models.get("m@2.0.0").version == "2.0.0"


def test_a_removed_version_is_never_used_again(registry: Registry, tmp_path: Path) -> None:
    registry.models.remove("m@2.0.0", reason="bad")
    with pytest.raises(Conflict):
        registry.models.register("m", put(tmp_path / "m"), version="2.0.0")
    with pytest.raises(PachaError, match="was removed"):
        registry.models.stage("m@2.0.0", "production")
    assert registry.models.stage("m@2.0.0", "archived").stage == "archived"


def test_a_name_of_which_all_is_removed(registry: Registry) -> None:
    for version in ("1.0.0", "2.0.0"):
        registry.models.remove(f"m@{version}", reason="bad")
    with pytest.raises(NotFound):
        registry.models.get("m@latest")
    assert registry.models.list() == []
    assert registry.models.list("m") == []
    assert len(registry.models.list("m", removed=True)) == 2
    with pytest.raises(NotFound, match="every version of model m was removed") as caught:
        registry.models.get("m")
    assert "there is 1.0.0" in caught.value.hint


def test_removing_twice_does_no_harm(registry: Registry) -> None:
    registry.models.remove("m@2.0.0", reason="bad")
    registry.models.remove("m@2.0.0", reason="worse")
    all_verify(registry)


@pytest.mark.parametrize("arguments", [{}, {"reason": ""}, {"reason": "x", "unpushed": True}])
def test_a_reason_or_unpushed_must_be_said(registry: Registry, arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        registry.models.remove("m@2.0.0", **arguments)  # type: ignore[arg-type]


def test_what_was_never_pushed_can_be_undone_altogether(registry: Registry, tmp_path: Path) -> None:
    before = refs(registry.path)
    registry.models.register("m", put(tmp_path / "m", b"oops"), version="3.0.0")
    registry.models.stage("m@3.0.0", "production")
    registry.models.alias("m", "best", version="3.0.0")
    registry.models.tag("m@3.0.0", ["a=b"])
    shown = registry.models.remove("m@3.0.0", unpushed=True)
    assert shown.version == "3.0.0"
    assert {ref: oid for ref, oid in refs(registry.path).items() if "notes" not in ref} == {
        ref: oid for ref, oid in before.items() if "notes" not in ref
    }
    assert registry.models.history("m") == []
    assert registry.models.register("m", put(tmp_path / "m", b"right"), version="3.0.0").stage == "development"
    all_verify(registry)


def test_the_events_of_others_survive_an_undoing(registry: Registry, tmp_path: Path) -> None:
    registry.models.stage("m@1.0.0", "staging")
    registry.models.register("m", put(tmp_path / "m", b"oops"), version="3.0.0")
    registry.models.stage("m@3.0.0", "staging")
    registry.models.alias("m", "best", version="3.0.0")
    registry.models.alias("m", "best", version="1.0.0")
    registry.models.remove("m@3.0.0", unpushed=True)
    assert registry.models.get("m@1.0.0").stage == "staging"
    assert registry.models.get("m@best").version == "1.0.0"
    assert {entry.version for entry in registry.models.history("m")} == {"1.0.0"}
    all_verify(registry)


def test_what_others_come_from_cant_be_undone(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("n", put(tmp_path / "n"), version="1.0.0", lineage=["derived-from=m@1.0.0"])
    with pytest.raises(Conflict, match="comes from"):
        registry.models.remove("m@1.0.0", unpushed=True)
    registry.models.remove("n@1.0.0", unpushed=True)
    registry.models.remove("m@1.0.0", unpushed=True)
    assert [each.version for each in registry.models.list("m")] == ["2.0.0"]


def test_what_a_remote_has_cant_be_undone(registry: Registry) -> None:
    commit = refs(registry.path)["refs/pacha/models/m/1.0.0"]
    git(registry.path, "update-ref", "refs/remotes/hub/pacha/models/m/1.0.0", commit)
    with pytest.raises(Conflict, match="hub has"):
        registry.models.remove("m@1.0.0", unpushed=True)
    registry.models.remove("m@2.0.0", unpushed=True)


def test_removing_a_recipe_keeps_its_document_as_a_record(registry: Registry, tmp_path: Path) -> None:
    registry.recipes.register(recipe(tmp_path / "r.toml"))
    assert registry.recipes.remove("train@1.0.0", reason="wrong").payload == "removed"
    with pytest.raises(NotFound):
        registry.recipes.get("train@latest")
