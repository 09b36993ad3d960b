"""One bad thing at a remote stops nothing: the rest is taken, listed, checked, cloned and pushed, and it is named."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from pacha_git import Registry, VerificationFailed
from pacha_git.exchange import look
from tests.exchange import lines
from tests.exchange.syncing import bare, clone, model, names, registry
from tests.making import git, recipe

pytestmark = pytest.mark.damaged
M1 = "refs/pacha/models/m/1.0.0"
EVENTS = "refs/notes/pacha/models/m/_events"
ATTESTATIONS = "refs/notes/pacha/models/m/_attestations"


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return bare(tmp_path / "hub.git")


@pytest.fixture
def ours(tmp_path: Path, hub: Path) -> Registry:
    made = registry(tmp_path, "ours", hub)
    model(made, "m", "1.0.0")
    made.models.stage("m@1.0.0", "staging")
    made.push()
    return made


def fresh(tmp_path: Path, hub: Path) -> None:
    """Something honest that others pushed meanwhile."""
    theirs = clone(tmp_path, "theirs", hub)
    model(theirs, "fine", "1.0.0")
    theirs.push()


def old_commit(hub: Path, ref: str) -> str:
    """A commit dated before 1970, which Git's own check refuses."""
    tree = git(hub, "rev-parse", f"{M1}^{{tree}}")
    raw = f"tree {tree}\nauthor A <a@b> -5 +0000\ncommitter A <a@b> -5 +0000\n\nx\n".encode()
    made = subprocess.run(
        ["git", "-C", hub, "hash-object", "-t", "commit", "-w", "--stdin", "--literally"],
        input=raw, stdout=subprocess.PIPE, check=True,
    ).stdout.decode().strip()  # fmt: skip
    git(hub, "update-ref", ref, made)
    return made


def not_utf8(hub: Path, ref: str) -> str:
    """A ref whose name is no text; Git takes any bytes."""
    folder = os.fsencode(hub / "refs/pacha/models") + b"/caf\xe9"
    os.makedirs(folder)  # noqa: PTH103 — pathlib takes text alone
    Path(os.fsdecode(folder), "1.0.0").write_text(git(hub, "rev-parse", M1) + "\n")
    return ""


def junk(hub: Path, ref: str) -> str:
    made = lines.commit(hub, ref, lines.tree(hub, {"a": lines.blob(hub, b"x")}), None)
    return made


def run_with_huge_number(hub: Path, ref: str) -> str:
    made = junk(hub, "refs/pacha/runs/01a2319b-a228-723e-81b6-3ff9781ddc9f")
    return made


BAD = [old_commit, not_utf8, junk, run_with_huge_number]


@pytest.mark.parametrize("bad", BAD, ids=lambda each: each.__name__)
def test_one_bad_thing_stops_nothing(ours: Registry, hub: Path, tmp_path: Path, bad: object) -> None:
    fresh(tmp_path, hub)
    bad(hub, "refs/pacha/models/old/1.0.0")  # type: ignore[operator]
    before = names(ours.path, "refs/pacha")
    with pytest.raises(VerificationFailed) as raised:
        ours.pull()
    assert raised.value.exit_code == 5
    assert names(ours.path, "refs/pacha") - before == {"models/fine/1.0.0"}
    assert ours.fsck().problems == ()
    assert {each.name for each in ours.models.list()} == {"m", "fine"}
    ours.status()
    model(ours, "more", "1.0.0")
    pushed = ours.push()
    assert "refs/pacha/models/more/1.0.0" in [each.ref for each in pushed.refs if each.result == "new"]
    assert pushed.warnings
    with pytest.raises(VerificationFailed):
        Registry.clone(str(hub), tmp_path / "copy.git")
    assert {each.name for each in Registry.open(tmp_path / "copy.git").models.list()} == {"m", "fine", "more"}


def test_without_passes_it_by_in_silence(ours: Registry, hub: Path, tmp_path: Path) -> None:
    fresh(tmp_path, hub)
    junk(hub, "refs/pacha/models/old/1.0.0")
    junk(hub, "refs/pacha/runs/01a2319b-a228-723e-81b6-3ff9781ddc9f")
    with pytest.raises(VerificationFailed):
        ours.pull(without=["old"])
    done = ours.pull(without=["model:old", "run:01a2319b-a228-723e-81b6-3ff9781ddc9f"])
    assert not [each for each in done.refs if each.result == "rejected"]
    with pytest.raises(VerificationFailed):
        ours.pull(without=["ol", "old/er"])
    ours.pull(without=["refs/pacha/models/old/1.0.0", "refs/pacha/runs/01a2319b-a228-723e-81b6-3ff9781ddc9f"])


def test_what_comes_from_a_name_that_is_passed_by_is_left_in_silence(ours: Registry, hub: Path, tmp_path: Path) -> None:
    theirs = clone(tmp_path, "theirs", hub)
    model(theirs, "base", "1.0.0")
    model(theirs, "child", "1.0.0", lineage=["derived-from=base@1.0.0"])
    theirs.push()
    done = ours.pull(without=["base"])
    assert [each.result for each in done.refs if each.ref.endswith("child/1.0.0")] == ["skipped"]
    assert {each.name for each in ours.models.list()} == {"m"}


def test_an_object_that_is_too_large_is_named_and_the_rest_taken(
    ours: Registry, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(tmp_path, hub)
    lines.commit(
        hub, "refs/pacha/models/old/1.0.0", lines.tree(hub, {"record.json": lines.blob(hub, b"x" * 5000)}), None
    )
    monkeypatch.setattr(look, "OBJECT_LIMIT", 4000)
    with pytest.raises(VerificationFailed, match=r"models/old/1\.0\.0: an object of over"):
        ours.pull()
    assert "models/fine/1.0.0" in names(ours.path, "refs/pacha")


def test_a_recipe_that_no_reader_can_print(ours: Registry, hub: Path, tmp_path: Path) -> None:
    theirs = clone(tmp_path, "theirs", hub)
    theirs.recipes.register(recipe(tmp_path / "r.toml", "r"))
    theirs.push()
    text = "x = 0x" + "F" * 6000 + "\n"
    bad = Path(tmp_path / "bad.toml")
    bad.write_text('name = "bad"\nversion = "1.0.0"\n' + text)
    assert theirs.recipes.validate(str(bad))[0].message.endswith("an integer beyond 64 bits")


# Notes ----------------------------------------------------------------------------------------------------------------


def test_void_and_illegal_lines_come_along_and_set_nothing(ours: Registry, hub: Path) -> None:
    commit = git(hub, "rev-parse", M1)
    void = lines.line(hub, M1, "stage", target={"name": "other"}, **{"from": "staging", "to": "production"})
    illegal = lines.line(hub, M1, "stage", **{"from": "development", "to": "production"})
    newer = lines.line(hub, M1, "a-type-of-tomorrow", x=1)
    astray = lines.line(hub, M1, "alias", target={"version": "9.9.9"}, name="champion", op="set")
    lines.write(hub, EVENTS, {commit: [void, illegal, newer, astray, b"no line at all"]})
    ours.pull()
    assert ours.models.get("m").stage == "staging"
    assert ours.models.get("m@champion").version == "1.0.0"
    told = {each.status: each for each in ours.models.history("m")}
    assert {"void", "illegal"} <= told.keys()
    [named] = [each for each in ours.models.history("m") if each.said_version == "9.9.9"]
    assert named.version == "1.0.0"
    word = lines.line(hub, M1, "tag", target={"version": "9.9.9"}, key="a", value="b")
    lines.write(hub, ATTESTATIONS, {commit: [word]})
    ours.pull()
    report = ours.fsck()
    assert report.problems == ()
    assert len(report.notes) == 5  # the word of another version, too
    kept = git(ours.path, "cat-file", "-p", f"{EVENTS}:{commit[:2]}/{commit[2:]}").encode()
    assert all(each in kept for each in (void, illegal, newer, astray, b"no line at all"))


def test_a_notes_ref_beyond_the_bounds_is_left_with_its_name(
    ours: Registry, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = clone(tmp_path, "theirs", hub)
    model(theirs, "m", "2.0.0")
    model(theirs, "fine", "1.0.0")
    theirs.push()
    commit = git(hub, "rev-parse", M1)
    lines.write(hub, ATTESTATIONS, {commit: [b"line %d" % number for number in range(60)]})
    monkeypatch.setattr("pacha_git.store.events._LINES", 50)
    before = names(ours.path)
    with pytest.raises(VerificationFailed, match="over 50 lines"):
        ours.pull()
    assert {ref for ref in names(ours.path) - before if not ref.startswith("origin/")} == {"models/fine/1.0.0"}
    ours.pull(without=["m"])
    ours.models.tag("m@1.0.0", ["a=b"])
    pushed = ours.push()  # its own word stays here, where theirs can't be united with it
    assert "refs/notes/pacha/models/m/_attestations" not in [each.ref for each in pushed.refs]


def test_two_spellings_of_one_oid_are_one_note(ours: Registry, hub: Path) -> None:
    commit = git(hub, "rev-parse", M1)
    theirs = lines.line(hub, M1, "alias", name="theirs", op="set")
    fan = git(hub, "rev-parse", f"{EVENTS}:{commit[:2]}/{commit[2:]}")
    both = lines.tree(hub, {f"{commit[:2]}/{commit[2:]}": fan, commit: lines.blob(hub, theirs + b"\n")})
    lines.commit(hub, EVENTS, both, git(hub, "rev-parse", EVENTS))
    ours.pull()
    assert ours.models.get("m@theirs").stage == "staging"
    assert "is spelled twice" in ours.fsck().notes[0]
    ours.models.alias("m", "mine", version="1.0.0")
    listed = git(ours.path, "ls-tree", "-r", "--name-only", EVENTS).split()
    assert listed == [f"{commit[:2]}/{commit[2:]}"]
    note = git(ours.path, "cat-file", "-p", f"{EVENTS}:{listed[0]}").split("\n")
    assert len(note) == 3
    assert json.loads(note[0].partition("\t")[2])["type"]


def test_a_merge_is_the_same_from_either_side_whatever_the_fan_out(tmp_path: Path, hub: Path) -> None:
    a = registry(tmp_path, "a", hub)
    model(a, "m", "1.0.0")
    model(a, "m", "2.0.0")
    for version in ("1.0.0", "2.0.0"):
        a.models.stage(f"m@{version}", "staging")
    a.push()
    b = clone(tmp_path, "b", hub)
    listed = git(a.path, "ls-tree", "-r", EVENTS).split("\n")
    flat = {row.split("\t")[1].replace("/", ""): row.split()[2] for row in listed}
    lines.commit(a.path, EVENTS, lines.tree(a.path, flat), git(a.path, "rev-parse", EVENTS))
    a.models.alias("m", "mine", version="1.0.0")
    b.models.alias("m", "theirs", version="2.0.0")
    a.add_remote("b", str(b.path))
    b.add_remote("a", str(a.path))
    a.fetch("b")
    b.pull("a")
    a.pull("b")
    assert git(a.path, "rev-parse", EVENTS) == git(b.path, "rev-parse", EVENTS)
