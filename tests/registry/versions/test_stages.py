from __future__ import annotations

from pathlib import Path

import pytest

from pacha_git import InvalidInput, NotFound, PachaError, Registry
from pacha_git.store.settings import SETTINGS_FILE
from tests.making import all_verify, git, put


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    registry = Registry.init(registry_path)
    with registry.batch():
        for version in ("1.0.0", "1.9.0", "2.0.0"):
            registry.models.register("m", put(tmp_path / "m", version.encode()), version=version)
    return registry


def test_promoting_below_what_is_there_warns(registry: Registry) -> None:
    assert registry.models.stage("m@2.0.0", "production").warnings == ()
    change = registry.models.stage("m@1.9.0", "production")
    assert len(change.warnings) == 1
    assert "m@production stays 2.0.0" in change.warnings[0]
    assert registry.models.get("m@production").version == "2.0.0"


def test_replace_archives_the_others_in_one_step(registry: Registry) -> None:
    registry.models.stage("m@2.0.0", "production")
    registry.models.stage("m@1.0.0", "staging")
    change = registry.models.stage("m@1.9.0", "production", replace=True, reason="rolled back")
    assert (change.archived, change.warnings) == (("2.0.0",), ())
    assert {each.version: each.stage for each in registry.models.list("m")} == {
        "1.0.0": "staging", "1.9.0": "production", "2.0.0": "archived",
    }  # fmt: skip
    assert registry.models.get("m@production").version == "1.9.0"
    assert {entry.reason for entry in registry.models.history("m")[-3:]} == {"rolled back"}


def test_list_by_stage_shows_of_each_name_the_highest_in_it(registry: Registry, tmp_path: Path) -> None:
    for version in ("1.0.0", "1.9.0"):
        registry.models.stage(f"m@{version}", "staging")
    registry.models.register("n", put(tmp_path / "n"), version="1.0.0")
    assert [(each.name, each.version) for each in registry.models.list(stage="staging")] == [("m", "1.9.0")]
    assert [each.version for each in registry.models.list("m", stage="stage")] == ["1.0.0", "1.9.0"]
    assert [(e.name, e.version) for e in registry.models.list(stage="dev")] == [("m", "2.0.0"), ("n", "1.0.0")]


def test_a_policy_may_want_every_step_by_itself(registry: Registry) -> None:
    toml = git(registry.path, "show", f"refs/pacha/registry:{SETTINGS_FILE}") + "\n[policy]\nsingle_steps = true\n"
    blob = git(registry.path, "hash-object", "-w", "--stdin", stdin=toml.encode())
    tree = git(registry.path, "mktree", stdin=f"100644 blob {blob}\t{SETTINGS_FILE}\n".encode())
    commit = git(registry.path, "commit-tree", "-p", "refs/pacha/registry", "-m", "policy", tree)
    git(registry.path, "update-ref", "refs/pacha/registry", commit)
    with pytest.raises(PachaError, match="every step") as caught:
        registry.models.stage("m@1.0.0", "production")
    assert "-t staging" in caught.value.hint
    registry.models.stage("m@1.0.0", "staging")
    assert registry.models.stage("m@1.0.0", "production").stage == "production"


def test_aliases_move_and_go(registry: Registry) -> None:
    assert registry.models.alias("m", "best", version="1.0.0").aliases == ("best",)
    assert registry.models.alias("m", "best", version="2.0.0").aliases == ("best",)
    assert registry.models.get("m@1.0.0").aliases == ()
    assert registry.models.alias("m@1.9.0", "other").aliases == ("other",)
    assert registry.models.alias("m", "best", unset=True, reason="no more").aliases == ()
    with pytest.raises(NotFound):
        registry.models.get("m@best")
    assert [(e.op, e.version, e.reason) for e in registry.models.history("m") if e.alias == "best"] == [
        ("set", "1.0.0", None), ("set", "2.0.0", None), ("unset", "2.0.0", "no more"),
    ]  # fmt: skip
    with pytest.raises(InvalidInput):
        registry.models.alias("m", "best", version="1.0.0", unset=True)


def test_what_changes_nothing_writes_nothing(registry: Registry) -> None:
    registry.models.stage("m@1.0.0", "staging")
    registry.models.alias("m", "best", version="1.0.0")
    tip = git(registry.path, "rev-parse", "refs/notes/pacha/models/m/_events")
    assert registry.models.stage("m@1.0.0", "staging").steps == ()
    registry.models.alias("m", "best", version="1.0.0")
    assert git(registry.path, "rev-parse", "refs/notes/pacha/models/m/_events") == tip


def test_tags_and_descriptions_are_said_beside_the_record(registry: Registry) -> None:
    record = git(registry.path, "rev-parse", "refs/pacha/models/m/1.0.0")
    registry.models.tag("m@1.0.0", ["domain=finance", "team=risk"])
    registry.models.tag("m@1.0.0", ["team-", "domain=fraud", "k=a=b"])
    shown = registry.models.describe("m@1.0.0", "Newer words\non two lines")
    assert shown.tags == {"domain": "fraud", "k": "a=b"}
    assert shown.description == "Newer words\non two lines"
    assert registry.models.list("m", tags={"domain": "fraud"})[0].version == "1.0.0"
    assert registry.models.list("m", tags={"team": "risk"}) == []
    assert git(registry.path, "rev-parse", "refs/pacha/models/m/1.0.0") == record
    all_verify(registry)


def test_events_of_a_name_lie_in_its_own_notes_alone(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("m/below", put(tmp_path / "n"), version="1.0.0")
    registry.models.stage("m/below@1.0.0", "staging")
    registry.models.stage("m@1.0.0", "production")
    refs = git(registry.path, "for-each-ref", "--format=%(refname)", "refs/notes").splitlines()
    assert refs == ["refs/notes/pacha/models/m/_events", "refs/notes/pacha/models/m/below/_events"]
    assert len(registry.models.history("m/below")) == 1
    shown = git(registry.path, "notes", "--ref=pacha/models/m/_events", "show", "refs/pacha/models/m/1.0.0")
    assert shown.count('"type":"stage"') == 2
