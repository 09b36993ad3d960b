"""Whose removals count: those made here, those of trusted keys, and where no key is trusted those of origin."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from pacha_git import Conflict, NotFound, PachaError, Registry, generate_key
from tests.exchange.syncing import bare, clone, registry
from tests.making import git, noise, put

PAYLOADS = "refs/pacha/payload/"


def has_bytes(path: Path) -> bool:
    return bool(git(path, "for-each-ref", PAYLOADS))


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return bare(tmp_path / "hub.git")


@pytest.fixture
def ours(tmp_path: Path, hub: Path) -> Registry:
    made = registry(tmp_path, "ours", hub)
    made.models.register("m", put(tmp_path / "m.bin", noise(300_000)), version="1.0.0")
    made.push()
    return made


def claimed(ours: Registry, tmp_path: Path) -> Path:
    """A remote called other with everything of the hub and a removal that nobody signed; it was pulled."""
    other = tmp_path / "other.git"
    shutil.copytree(tmp_path / "hub.git", other)
    theirs = clone(tmp_path, "theirs", other)
    theirs.models.remove("m@1.0.0", reason="cleanup")
    git(theirs.path, "push", "-q", str(other), "refs/notes/pacha/models/m/_attestations")
    ours.add_remote("other", str(other))
    return other


def test_what_another_remote_says_is_a_claim(ours: Registry, hub: Path, tmp_path: Path) -> None:
    claimed(ours, tmp_path)
    pulled = ours.pull("other")
    assert "says that model:m@1.0.0 is removed: cleanup" in "".join(pulled.warnings)
    assert ours.models.get("m@1.0.0").payload == "here"
    assert [each.version for each in ours.models.list()] == ["1.0.0"]
    [claim] = ours.claims()
    assert (claim.spec, claim.reason, claim.signed_by) == ("model:m@1.0.0", "cleanup", None)
    assert ours.models.get("m").claims[0].reason == "cleanup"
    [told] = ours.models.history("m")
    assert (told.type, told.status, told.reason) == ("tombstone", "claim", "cleanup")


def test_a_push_does_not_carry_a_claim_on_and_sends_the_rest(ours: Registry, hub: Path, tmp_path: Path) -> None:
    other = claimed(ours, tmp_path)
    ours.pull("other")
    ours.models.register("n", put(tmp_path / "n.bin"), version="1.0.0")
    ours.models.stage("m@1.0.0", "staging")
    pushed = ours.push("origin")
    assert [each.ref for each in pushed.refs if each.result == "held"] == ["refs/notes/pacha/models/m/_attestations"]
    assert has_bytes(hub)
    there = git(hub, "for-each-ref", "--format=%(refname)")
    assert {"refs/pacha/models/n/1.0.0", "refs/notes/pacha/models/m/_events"} <= {*there.split()}
    assert "m/_attestations" not in there
    # A remote that has the claim already gets what else was said.
    ours.models.tag("m@1.0.0", ["a=b"])
    assert not [each for each in ours.push("other").refs if each.result == "held"]
    assert has_bytes(other)


def test_accepting_a_claim_removes(ours: Registry, hub: Path, tmp_path: Path) -> None:
    claimed(ours, tmp_path)
    ours.pull("other")
    shown = ours.accept_removal("m@1.0.0")
    assert (shown.payload, shown.removed and shown.removed.reason) == ("removed", "cleanup")
    assert not has_bytes(ours.path)
    assert (ours.models.list(), ours.claims()) == ([], [])
    ours.push("origin")
    assert not has_bytes(hub)


def test_refusing_a_claim_is_heard_by_others(ours: Registry, hub: Path, tmp_path: Path) -> None:
    claimed(ours, tmp_path)
    ours.pull("other")
    assert ours.refuse_removal("model:m@1.0.0").payload == "here"
    assert ours.claims() == []
    with pytest.raises(NotFound, match="nobody claims"):
        ours.refuse_removal("m@1.0.0")
    ours.push("origin")
    assert has_bytes(hub)
    third = clone(tmp_path, "third", hub)
    assert third.models.get("m").payload == "thin"
    assert [each.status for each in third.models.history("m")] == ["taken back", "effective"]


def test_without_keys_origin_is_believed_and_with_keys_it_is_not(ours: Registry, hub: Path, tmp_path: Path) -> None:
    ours.models.remove("m@1.0.0", reason="leaked")
    ours.push()
    assert not has_bytes(hub)
    believing = clone(tmp_path, "believing", hub)
    assert believing.models.get("m@1.0.0").payload == "removed"
    wary = registry(tmp_path, "wary", hub)
    wary.trust_key(_key("wary"), "wary@example.org")
    wary.pull()
    assert wary.models.get("m@1.0.0").payload == "thin"
    assert len(wary.claims()) == 1


@pytest.mark.parametrize(("said", "payload"), [("signed", "thin"), ("ask", "thin"), ("origin", "removed")])
def test_a_person_says_what_of_others_counts(
    ours: Registry, hub: Path, tmp_path: Path, said: str, payload: str
) -> None:
    ours.models.remove("m@1.0.0", reason="leaked")
    ours.push()
    theirs = registry(tmp_path, "theirs", hub)
    git(theirs.path, "config", "pacha.removals", said)
    theirs.pull()
    assert theirs.models.get("m@1.0.0").payload == payload
    assert len(theirs.models.list()) == (payload == "thin")
    git(theirs.path, "config", "pacha.removals", "nonsense")
    with pytest.raises(PachaError, match=r"pacha\.removals"):
        theirs.models.get("m@1.0.0")


def test_a_list_follows_a_change_of_the_setting(ours: Registry, hub: Path, tmp_path: Path) -> None:
    ours.models.remove("m@1.0.0", reason="leaked")
    ours.push()
    theirs = clone(tmp_path, "theirs", hub)
    assert theirs.models.list() == []
    git(theirs.path, "config", "pacha.removals", "ask")
    assert [each.payload for each in theirs.models.list()] == ["thin"]
    assert theirs.search("m").total == 1


def _key(name: str) -> str:
    return (generate_key(name).path or "") + ".pub"


def test_a_trusted_signature_removes_wherever_it_comes_from(ours: Registry, tmp_path: Path, home: Path) -> None:
    other = tmp_path / "other.git"
    shutil.copytree(tmp_path / "hub.git", other)
    ours.trust_key(_key("ada"), "ada@example.org")
    git(home, "config", "--global", "pacha.sign.key", "ada")
    git(home, "config", "--global", "pacha.sign.default", "true")
    theirs = clone(tmp_path, "theirs", other)
    theirs.models.remove("m@1.0.0", reason="leaked")
    theirs.push()
    ours.add_remote("other", str(other))
    ours.pull("other")
    shown = ours.models.get("m@1.0.0")
    assert shown.payload == "removed"
    assert (shown.removed and shown.removed.signed_by) == "ada@example.org"
    # Only the key that signed it takes it back.
    git(home, "config", "--global", "pacha.sign.key", Path(_key("bob")).stem)
    with pytest.raises(PachaError, match="only that key can take it back"):
        ours.models.undo_removal("m@1.0.0")
    git(home, "config", "--global", "pacha.sign.key", "ada")
    assert ours.models.undo_removal("m@1.0.0").payload == "here"


def test_a_lost_list_makes_claims_of_removals(ours: Registry) -> None:
    ours.models.remove("m@1.0.0", reason="leaked")
    shutil.rmtree(ours.path / "pacha")
    again = Registry.open(ours.path)
    assert again.models.get("m@1.0.0").payload == "thin"
    assert [claim.reason for claim in again.claims()] == ["leaked"]
    assert again.accept_removal("m@1.0.0").payload == "removed"


def test_a_bundle_claims_and_removes_nothing(ours: Registry, tmp_path: Path) -> None:
    theirs = clone(tmp_path, "theirs", tmp_path / "hub.git")
    theirs.models.remove("m@1.0.0", reason="leaked")
    theirs.create_bundle(tmp_path / "x.bundle")
    told = ours.import_bundle(tmp_path / "x.bundle")
    assert "is removed: leaked" in "".join(told.warnings)
    assert ours.models.get("m@1.0.0").payload == "here"


# Taking back ----------------------------------------------------------------------------------------------------------


def test_undo_before_anybody_heard_of_it_is_as_if_never_removed(ours: Registry) -> None:
    before = git(ours.path, "cat-file", "-p", "refs/pacha/payload/models/m/1.0.0")
    ours.models.remove("m@1.0.0", reason="oops")
    ours.models.undo_removal("m@1.0.0")
    assert git(ours.path, "cat-file", "-p", "refs/pacha/payload/models/m/1.0.0") == before
    assert ours.models.history("m") == []
    assert ours.verify(["m@1.0.0"])[0].payload_ok is True
    with pytest.raises(Conflict, match="is not removed"):
        ours.models.undo_removal("m@1.0.0")


def test_undo_after_it_left_is_a_revoke_that_others_hear(ours: Registry, hub: Path, tmp_path: Path) -> None:
    ours.models.remove("m@1.0.0", reason="oops")
    ours.push()
    theirs = clone(tmp_path, "theirs", hub)
    assert theirs.models.get("m@1.0.0").payload == "removed"
    assert ours.models.undo_removal("m@1.0.0").payload == "here"
    ours.push()
    assert has_bytes(hub)
    theirs.pull(specs=["m"])
    assert theirs.models.get("m@1.0.0").payload == "here"
    assert [(each.type, each.status) for each in theirs.models.history("m")] == [
        ("tombstone", "taken back"),
        ("revoke", "effective"),
    ]
    ours.models.remove("m@1.0.0", reason="after all")
    assert ours.models.get("m@1.0.0").payload == "removed"


def test_a_bundle_lets_a_removal_leave(ours: Registry, tmp_path: Path) -> None:
    ours.models.remove("m@1.0.0", reason="oops")
    ours.create_bundle(tmp_path / "x.bundle")
    ours.models.undo_removal("m@1.0.0")
    assert [each.type for each in ours.models.history("m")] == ["tombstone", "revoke"]


def test_bytes_that_gc_freed_are_registered_again(ours: Registry, tmp_path: Path) -> None:
    ours.models.remove("m@1.0.0", reason="oops")
    ours.gc(grace_days=0)
    assert ours.models.undo_removal("m@1.0.0").payload == "thin"
    with pytest.raises(Conflict, match="exists already"):
        ours.models.register("m", put(tmp_path / "m.bin", b"other bytes"), version="1.0.0")
    back = ours.models.register("m", put(tmp_path / "m.bin", noise(300_000)), version="1.0.0")
    assert back.payload == "here"
    assert ours.verify(["m@1.0.0"])[0].payload_ok is True


# The release before ---------------------------------------------------------------------------------------------------


def test_what_the_release_before_removed_stays_removed(
    release_before: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    at = ("--registry", tmp_path / "old.git")
    release_before("init", tmp_path / "old.git")
    for version in ("1.0.0", "2.0.0"):
        release_before(*at, "model", "register", "m", put(tmp_path / "m.bin", version.encode()), "-v", version)
    release_before(*at, "model", "rm", "m@2.0.0", "-m", "old times")
    opened = Registry.open(tmp_path / "old.git")
    opened.trust_key(_key("ada"), "ada@example.org")
    assert opened.models.get("m@2.0.0").payload == "removed"
    assert [each.version for each in opened.models.list()] == ["1.0.0"]
    opened.models.remove("m@1.0.0", reason="new times")  # begins the list
    assert opened.models.get("m@2.0.0").payload == "removed"


def test_the_release_before_keeps_a_revoke_and_goes_on_seeing_it_removed(
    release_before: Callable[..., CompletedProcess[str]], ours: Registry, hub: Path, tmp_path: Path
) -> None:
    ours.models.remove("m@1.0.0", reason="oops")
    ours.push()
    ours.models.undo_removal("m@1.0.0")
    ours.push()
    release_before("clone", hub, tmp_path / "old.git")
    at = ("--registry", tmp_path / "old.git")
    assert '"payload": "removed"' in release_before(*at, "model", "get", "m@1.0.0", "--json").stdout
    release_before(*at, "model", "tag", "m@1.0.0", "seen=yes")
    release_before(*at, "push", "--payload", "none")
    ours.pull()
    assert ours.models.get("m@1.0.0").payload == "here"
    assert ours.models.get("m@1.0.0").tags == {"seen": "yes"}
