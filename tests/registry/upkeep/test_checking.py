"""What fsck and verify find: every harm that somebody with stock git can do to a registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Registry
from tests.git.stock import bare
from tests.making import all_verify, folder, git, noise, put, recipe

M1, M2 = "refs/pacha/models/m/1.0.0", "refs/pacha/models/m/2.0.0"
P1, P2 = (ref.replace("pacha/", "pacha/payload/", 1) for ref in (M1, M2))
EVENTS = "refs/notes/pacha/models/m/_events"


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    registry = Registry.init(registry_path)
    registry.datasets.register("d", folder(tmp_path / "d", {"a": b"a", "b": noise(300_000)}), version="1.0.0")
    registry.recipes.register(recipe(tmp_path / "r.toml"))
    registry.models.register("m", put(tmp_path / "m", noise(600_000)), version="1.0.0", data="d", recipe="train")
    registry.models.register("m", put(tmp_path / "m", b"2"), version="2.0.0", lineage=["derived-from=m@1.0.0"])
    registry.models.stage("m@1.0.0", "production")
    return registry


def changed_record(path: Path, ref: str, change: Callable[[bytes], bytes], message: str | None = None) -> str:
    """A record commit with another record.json, as somebody would make it with stock git."""
    data = change(git(path, "show", f"{ref}:record.json").encode())
    blob = git(path, "hash-object", "-w", "--stdin", stdin=data)
    tree = git(path, "mktree", stdin=f"100644 blob {blob}\trecord.json\n".encode())
    parents = [word for parent in git(path, "log", "-1", "--format=%P", ref).split() for word in ("-p", parent)]
    text = message or git(path, "log", "-1", "--format=%B", ref) + "\n"
    return git(path, "commit-tree", *parents, "-m", text, tree)


def move(path: Path, ref: str, to: str) -> None:
    git(path, "update-ref", ref, to)


def another_version(path: Path) -> None:
    move(path, M2, M1)


def another_name(path: Path) -> None:
    move(path, "refs/pacha/models/stolen/1.0.0", M1)


def no_version(path: Path) -> None:
    move(path, "refs/pacha/models/m/newest", M1)


def a_changed_record(path: Path) -> None:
    move(path, M2, changed_record(path, M2, lambda data: data.replace(b'"size":1', b'"size":2')))


def a_record_that_is_not_canonical(path: Path) -> None:
    move(path, M2, changed_record(path, M2, lambda data: data + b"\n"))


def another_message(path: Path) -> None:
    move(path, M2, changed_record(path, M2, lambda data: data, "model m 2.0.0\n\nPacha-Kind: model\n"))


def a_blob(path: Path) -> None:
    move(path, M2, git(path, "hash-object", "-w", "--stdin", stdin=b"x"))


def another_payload(path: Path) -> None:
    move(path, P2, P1)


def a_payload_with_another_tree(path: Path) -> None:
    tree = git(path, "rev-parse", f"{P1}^{{tree}}")
    move(path, P2, git(path, "commit-tree", "-m", git(path, "log", "-1", "--format=%B", P2), tree))


def an_ancestor_without_a_ref(path: Path) -> None:
    git(path, "update-ref", "-d", M1)


def a_name_of_other_case(path: Path) -> None:
    move(path, "refs/pacha/models/M/1.0.0", M1)


def notes_that_are_none(path: Path) -> None:
    move(path, EVENTS, M1)


def an_event_that_is_another_s(path: Path) -> None:
    note = git(path, "notes", f"--ref={EVENTS[11:]}", "show", M1)
    git(path, "notes", f"--ref={EVENTS[11:]}", "add", "-f", "-m", note, M2)
    git(path, "notes", f"--ref={EVENTS[11:]}", "remove", M1)


def notes_of_no_kind(path: Path) -> None:
    move(path, "refs/notes/pacha/models/m/_gossip", EVENTS)


def no_root(path: Path) -> None:
    git(path, "update-ref", "-d", "refs/pacha/root")


HARMS = [
    another_version, another_name, no_version, a_changed_record, a_record_that_is_not_canonical, another_message,
    a_blob, another_payload, a_payload_with_another_tree, an_ancestor_without_a_ref, a_name_of_other_case,
    notes_that_are_none, notes_of_no_kind, no_root,
]  # fmt: skip


@pytest.mark.damaged
def test_lines_that_set_nothing_are_noted_and_break_nothing(registry: Registry) -> None:
    an_event_that_is_another_s(registry.path)
    report = registry.fsck()
    assert report.problems == ()
    assert "sets nothing: it is void" in report.notes[0]


@pytest.mark.damaged
@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_fsck_finds_every_harm(registry: Registry, harm: Callable[[Path], None]) -> None:
    assert registry.fsck().problems == ()
    harm(registry.path)
    for fast in (False, True):
        report = registry.fsck(fast=fast)
        assert report.problems
        assert report.checked
        assert all("\n" not in problem for problem in report.problems)


@pytest.mark.damaged
@pytest.mark.parametrize(
    "harm",
    [another_version, a_changed_record, a_record_that_is_not_canonical, another_message, a_blob, another_payload,
     a_payload_with_another_tree],
    ids=lambda harm: harm.__name__,
)  # fmt: skip
def test_verify_finds_what_was_done_to_a_version(registry: Registry, harm: Callable[[Path], None]) -> None:
    harm(registry.path)
    by_version = {f"{each.name}@{each.version}": each for each in registry.verify(all=True)}
    assert not by_version["m@2.0.0"].ok
    assert by_version["m@2.0.0"].problems
    assert by_version["d@1.0.0"].ok


@pytest.mark.damaged
def test_a_missing_chunk_is_found_by_both(registry: Registry, tmp_path: Path) -> None:
    """Repacked without one chunk of the model."""
    gone = git(registry.path, "ls-tree", "-r", f"{P1}:chunked").split()[2]
    objects = git(registry.path, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    kept = "\n".join(oid for oid in objects if oid != gone)
    folder_of_packs = registry.path / "objects" / "pack"
    old = list(folder_of_packs.iterdir())
    git(registry.path, "pack-objects", "-q", str(folder_of_packs / "pack"), stdin=kept.encode())
    for file in old:
        file.unlink()
    again = Registry.open(registry.path)
    assert any("m/1.0.0" in problem for problem in again.fsck().problems)
    [verified] = again.verify(["model:m@1.0.0"])
    assert (verified.ok, verified.payload_ok) == (False, False)
    assert gone in verified.problems[0]
    put(tmp_path / "m", noise(600_000))
    again.models.register("m", tmp_path / "m", version="3.0.0")
    all_verify(Registry.open(registry.path))


def test_a_thin_payload_is_no_harm_where_a_remote_has_it(registry: Registry, tmp_path: Path) -> None:
    bare(tmp_path / "hub.git")
    registry.add_remote("origin", str(tmp_path / "hub.git"))
    registry.push()
    git(registry.path, "update-ref", "-d", P1)
    assert registry.fsck().problems == ()
    [verified] = registry.verify(["model:m@1.0.0"])
    assert (verified.ok, verified.payload_ok) == (True, None)
    assert registry.status().lost == ()
    assert Registry.open(tmp_path / "hub.git").fsck().problems == ()


def test_unsigned_is_no_harm_unless_the_policy_says_so(registry: Registry) -> None:
    assert registry.verify(["model:m@1.0.0"])[0].signer is None
    toml = git(registry.path, "show", "refs/pacha/registry:registry.toml") + "\n[policy]\nrequire_signatures = true\n"
    blob = git(registry.path, "hash-object", "-w", "--stdin", stdin=toml.encode())
    tree = git(registry.path, "mktree", stdin=f"100644 blob {blob}\tregistry.toml\n".encode())
    move(
        registry.path,
        "refs/pacha/registry",
        git(registry.path, "commit-tree", "-p", "refs/pacha/registry", "-m", "p", tree),
    )
    [verified] = registry.verify(["model:m@1.0.0"])
    assert not verified.ok
    assert "not signed" in verified.problems[0]
