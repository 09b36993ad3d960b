"""A remote that lies costs time and disk within limits, never the registry: what is sound comes, the rest does not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import PachaError, Registry, VerificationFailed
from pacha_git.errors import RemoteError
from pacha_git.exchange import look, pull_payloads
from pacha_git.format.commits import payload_commit
from pacha_git.git.changes import Changes
from pacha_git.git.repo import GitRepository
from pacha_git.git.wire import transport
from pacha_git.gitobjects.commits import commit_bytes, split_commit
from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import tree_bytes
from pacha_git.vocabulary.address import Address
from tests.conftest import check_registry
from tests.exchange.hostile import IDENTITY, endless, forge, record_with
from tests.exchange.syncing import bare, clone, model, refs, registry

pytestmark = pytest.mark.damaged
M1 = "refs/pacha/models/m/1.0.0"
M2 = "refs/pacha/models/m/2.0.0"
EVENTS = "refs/notes/pacha/models/m/_events"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with m 1.0.0, which ours knows, and m 2.0.0 and n 1.0.0, which it does not."""
    folder = tmp_path_factory.mktemp("stage")
    path = bare(folder / "hub.git")
    theirs = registry(folder, "theirs", path)
    model(theirs, "m", "1.0.0")
    theirs.models.stage("m@1.0.0", "staging")
    theirs.push()
    clone(folder, "ours", path)
    model(theirs, "m", "2.0.0")
    model(theirs, "n", "1.0.0")
    theirs.push()
    return folder


@pytest.fixture
def hub(stage: Path, tmp_path: Path) -> Path:
    for name in ("hub", "ours", "theirs"):
        shutil.copytree(stage / f"{name}.git", tmp_path / f"{name}.git")
    for name in ("ours", "theirs"):
        url = ["config", "remote.origin.url", str(tmp_path / "hub.git")]
        subprocess.run(["git", "-C", tmp_path / f"{name}.git", *url], check=True)
    return tmp_path / "hub.git"


@pytest.fixture
def ours(hub: Path, tmp_path: Path) -> Registry:
    return Registry.open(tmp_path / "ours.git")


def has(path: Path, oid: str) -> bool:
    return subprocess.run(["git", "-C", path, "cat-file", "-e", oid], capture_output=True, check=False).returncode == 0


def assert_refused(ours: Registry, forged: dict[str, Oid], *, match: str | None) -> None:
    """The pull says what is wrong, exit 5; nothing forged is here, all else that the hub has is; ours is sound."""
    before = refs(ours.path, "refs/pacha", "refs/notes")
    with pytest.raises(VerificationFailed, match=match) as raised:
        ours.pull()
    assert raised.value.exit_code == 5
    after = refs(ours.path)
    assert before.items() <= after.items()
    for ref, oid in forged.items():
        assert not has(ours.path, oid), ref
        assert oid not in after.values()
    assert after.keys() >= {"refs/pacha/models/n/1.0.0"} - forged.keys()
    assert list(check_registry(ours.path)) == []
    assert list((ours.path / "pacha/side").glob("*")) == []


RECORDS: dict[str, tuple[Callable[[bytes], bytes], str | None]] = {
    "too large": (lambda data: data.replace(b'ion":""', b'ion":"%s"' % (b"x" * 2_000_000)), "limit|MiB|bytes"),
    "not canonical": (lambda data: data.replace(b":", b": ", 1), "canonical"),
    "no JSON": (lambda data: b"\xff" + data, None),
    "nested": (lambda data: data[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}", None),
    "another name": (lambda data: data.replace(b'"name":"m"', b'"name":"n"'), None),
    "a path that leads out": (lambda data: data.replace(b"weights.bin", b"../../x.bin"), None),
    "an absolute path": (lambda data: data.replace(b"weights.bin", b"/etc/passwd"), None),
    "a control character": (lambda data: data.replace(b"weights.bin", b"weigh\\u001bts"), None),
    "another address": (lambda data: data.replace(b"blake3:", b"blake3:00000000", 1)[:-8] + b"}", None),
    "another time": (lambda data: data.replace(b'"created_at":"20', b'"created_at":"19'), None),
}  # fmt: skip


@pytest.mark.parametrize("what", RECORDS)
def test_a_forged_record(ours: Registry, hub: Path, what: str) -> None:
    change, match = RECORDS[what]
    forged = forge(hub, lambda repo, changes: {M2: record_with(repo, changes, M2, change)})
    assert_refused(ours, forged, match=match)


def test_a_document_that_is_too_large(ours: Registry, hub: Path) -> None:
    def write(repo: GitRepository, changes: Changes) -> dict[str, Oid]:
        return {M2: record_with(repo, changes, M2, lambda data: data, document=b"x" * (3 << 20))}

    assert_refused(ours, forge(hub, write), match="MiB|bytes")


def test_a_record_under_a_ref_that_is_not_its_own(ours: Registry, hub: Path) -> None:
    def write(repo: GitRepository, changes: Changes) -> dict[str, Oid]:
        return {"refs/pacha/models/m/3.0.0": Oid(repo.ref(M2) or "")}

    forge(hub, write)
    with pytest.raises(VerificationFailed, match=r"3\.0\.0"):
        ours.pull()
    assert "refs/pacha/models/m/3.0.0" not in refs(ours.path)
    assert ours.models.get("m").version == "2.0.0"


@pytest.mark.parametrize("name", ["M/4.0.0", "m/1.0.0+build", "m/not-a-version", "models/4.0.0", "con/1.0.0"])
def test_names_that_can_not_be_beside_ours(ours: Registry, hub: Path, name: str) -> None:
    ref = f"refs/pacha/models/{name}"

    def change(data: bytes) -> bytes:
        left, _, right = name.partition("/")
        return data.replace(b'"name":"m"', b'"name":"%s"' % left.encode()).replace(b"2.0.0", right.encode())

    forged = forge(hub, lambda repo, changes: {ref: record_with(repo, changes, M2, change)})
    assert_refused(ours, forged, match=name.split("/")[0])


def test_two_spellings_of_one_name_at_once(ours: Registry, hub: Path, tmp_path: Path) -> None:
    theirs = registry(tmp_path, "spelling")
    model(theirs, "Fresh", "1.0.0")
    theirs.add_remote("origin", str(hub))
    theirs.push()
    subprocess.run(["git", "-C", hub, "update-ref", "refs/pacha/models/fresh/1.0.0", M2], check=True)
    with pytest.raises(VerificationFailed):
        ours.pull()
    assert len({ref for ref in refs(ours.path) if "pacha/models/fresh/" in ref.lower()} - {None}) <= 2
    assert list(check_registry(ours.path)) == []


def test_a_lineage_that_is_not_there(ours: Registry, hub: Path, tmp_path: Path) -> None:
    theirs = Registry.open(tmp_path / "theirs.git")
    commit = model(theirs, "child", "1.0.0", lineage=["derived-from=m@2.0.0"])
    theirs.push(specs=["child@1.0.0"])
    subprocess.run(["git", "-C", hub, "update-ref", "-d", M2], check=True)
    with pytest.raises(VerificationFailed, match="comes from"):
        ours.pull()
    assert not has(ours.path, commit)
    assert list(check_registry(ours.path)) == []


@pytest.mark.parametrize("there", ["moved", "vanished"])
def test_a_record_that_moved_or_vanished(ours: Registry, hub: Path, there: str) -> None:
    before = refs(ours.path, M1)
    argv = ["update-ref", M1, M2] if there == "moved" else ["update-ref", "-d", M1]
    subprocess.run(["git", "-C", hub, *argv], check=True)
    for verb in (ours.fetch, ours.pull, ours.push):
        with pytest.raises(VerificationFailed, match=f"{M1} {there}"):
            verb()
    assert refs(ours.path, M1) == before
    assert ours.models.get("n").version == "1.0.0"  # the rest was taken over


# Events ---------------------------------------------------------------------------------------------------------------


def notes(changes: Changes, *entries: tuple[str, bytes, Oid]) -> Oid:
    tree = changes.add("tree", tree_bytes(list(entries)))
    return changes.add("commit", commit_bytes(tree=tree, parents=(), identity=IDENTITY, seconds=1, message="x\n"))


def test_notes_that_are_none(ours: Registry, hub: Path) -> None:
    def write(repo: GitRepository, changes: Changes) -> dict[str, Oid]:
        return {EVENTS: notes(changes, ("100644", b"run-me.sh", changes.add("blob", b"#!/bin/sh\n")))}

    assert_refused(ours, forge(hub, write), match="no notes commit")
    assert ours.models.get("m@1.0.0").stage == "staging"


def test_notes_under_a_name_of_no_kind(ours: Registry, hub: Path) -> None:
    def write(repo: GitRepository, changes: Changes) -> dict[str, Oid]:
        return {"refs/notes/pacha/models/m/_others": notes(changes, ("100644", b"0" * 40, changes.add("blob", b"x\n")))}

    assert_refused(ours, forge(hub, write), match="no ref of the format")


def test_a_note_that_would_fill_the_memory(ours: Registry, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "OBJECT_LIMIT", 8 << 20)

    def write(repo: GitRepository, changes: Changes) -> dict[str, Oid]:
        return {EVENTS: notes(changes, ("100644", b"0" * 40, changes.add("blob", bytes(20 << 20))))}

    forged = forge(hub, write)
    with pytest.raises(VerificationFailed, match="8 MiB"):
        ours.pull()
    assert not has(ours.path, forged[EVENTS])
    assert list(check_registry(ours.path)) == []


def test_lines_that_are_taken_away_stay(ours: Registry, hub: Path) -> None:
    def write(repo: GitRepository, changes: Changes) -> dict[str, Oid]:
        tip = Oid(repo.ref(EVENTS) or "")
        empty = changes.add("tree", b"")
        new = commit_bytes(tree=empty, parents=[tip], identity=IDENTITY, seconds=2, message="x\n")
        return {EVENTS: changes.add("commit", new)}

    forge(hub, write)
    ours.pull()
    assert ours.models.get("m@1.0.0").stage == "staging"
    assert len(ours.models.history("m")) == 1


# Payloads -------------------------------------------------------------------------------------------------------------


def test_a_payload_of_other_bytes(ours: Registry, hub: Path) -> None:
    """The record is sound and honest about tree and manifest; a chunk in the tree is another than BLAKE3 says."""

    def write(repo: GitRepository, changes: Changes) -> dict[str, Oid]:
        return {f"refs/pacha/payload/{M2[11:]}": Oid(repo.ref("refs/pacha/payload/models/m/1.0.0") or "")}

    forge(hub, write)
    with pytest.raises(Exception, match="not its bytes"):
        ours.pull(specs=["m@2.0.0"])
    assert ours.models.get("m@2.0.0").payload == "thin"


def test_a_record_whose_manifest_lies_about_blake3(ours: Registry, hub: Path, tmp_path: Path) -> None:
    theirs = Registry.open(tmp_path / "theirs.git")
    model(theirs, "liar", "1.0.0", "the bytes that it promises")
    digest = theirs.models.get("liar").address.removeprefix("blake3:").encode()
    wrong = bytes(reversed(digest))
    ref = "refs/pacha/models/liar/1.0.0"
    theirs.push()

    def write(repo: GitRepository, changes: Changes) -> dict[str, Oid]:
        old = split_commit(repo.read_as(Oid(repo.ref(f"refs/pacha/payload/{ref[11:]}") or ""), "commit")).tree
        from pacha_git.gitobjects.trees import parse_tree

        entries = []
        manifest = Oid("0" * 40)
        for entry in parse_tree(repo.read_as(old, "tree")):
            oid = entry.oid
            if entry.name == b"manifest":
                oid = manifest = changes.add("blob", repo.read_as(oid, "blob").replace(digest, wrong))
                before = entry.oid
            entries.append((entry.mode, entry.name, oid))
        tree = changes.add("tree", tree_bytes(entries))
        payload = changes.add("commit", payload_commit(tree, Address("blake3:" + wrong.decode())))
        swap = {digest: wrong, old.encode(): tree.encode(), before.encode(): manifest.encode()}

        def change(data: bytes) -> bytes:
            for one, other in swap.items():
                data = data.replace(one, other)
            return data

        from pacha_git.format.commits import record_commit
        from pacha_git.format.record import decode_record

        body = change(
            repo.read_as(
                parse_tree(repo.read_as(split_commit(repo.read_as(Oid(repo.ref(ref) or ""), "commit")).tree, "tree"))[
                    0
                ].oid,
                "blob",
            )
        )
        record_tree = changes.add("tree", tree_bytes([("100644", b"record.json", changes.add("blob", body))]))
        commit = changes.add("commit", record_commit(decode_record(body), body, {}))
        assert split_commit(repo.read_as(commit, "commit")).tree == record_tree
        return {ref: commit, f"refs/pacha/payload/{ref[11:]}": payload}

    forged = forge(hub, write)
    ours.pull()
    with pytest.raises(VerificationFailed, match="BLAKE3"):
        ours.pull(specs=["liar@1.0.0"])
    assert ours.models.get("liar").payload == "thin"
    assert not has(ours.path, forged[f"refs/pacha/payload/{ref[11:]}"])
    assert list(check_registry(ours.path)) == []


# Floods ---------------------------------------------------------------------------------------------------------------


def test_a_flood_of_refs_that_are_none_of_ours(ours: Registry, hub: Path) -> None:
    oid = refs(hub)[M2]
    lines = [f"{oid} refs/pacha/models/m{n}/x/1.0.0\n" for n in range(2000)] + [
        f"{oid} refs/junk/{n}\n" for n in range(9000)
    ]
    subprocess.run(["git", "-C", hub, "pack-refs", "--all"], check=True)
    packed = hub / "packed-refs"
    kept = [line + "\n" for line in packed.read_text().splitlines() if line[0] not in "#^"]
    packed.write_text(
        "# pack-refs with: peeled fully-peeled sorted \n" + "".join(sorted(kept + lines, key=lambda line: line[41:]))
    )
    with pytest.raises(VerificationFailed, match=r"and 1999 more"):
        ours.pull()
    assert ours.models.get("m").version == "2.0.0"
    assert len(refs(ours.path)) < 30


def test_a_listing_without_end(ours: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    with endless(refs=True) as url:
        ours.add_remote("endless", url)
        monkeypatch.setattr(transport, "LISTING_LIMIT", 1 << 20)
        monkeypatch.setattr(transport, "_LEAST_MEMORY", 128 << 20)
        with pytest.raises(RemoteError, match="emory"):
            ours.fetch("endless")


@pytest.mark.parametrize("objects", [1 << 20, (1 << 31) - 1])
def test_a_pack_without_end(ours: Registry, monkeypatch: pytest.MonkeyPatch, objects: int) -> None:
    monkeypatch.setattr(look, "_LEAST", 32 << 20)
    with endless(objects=objects) as url:
        ours.add_remote("endless", url)
        with pytest.raises(RemoteError, match=r"sends more than|over limit") as raised:
            ours.fetch("endless")
    assert "whose machine" in raised.value.hint
    assert list((ours.path / "pacha/side").glob("*")) == []


def test_a_manifest_that_would_fill_the_memory(
    ours: Registry, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of more than the limit is refused before it is read, whether the payload comes in parts or whole."""
    theirs = Registry.open(tmp_path / "theirs.git")
    for number in range(3):
        (tmp_path / f"{'x' * 100}{number}.bin").write_bytes(bytes([number]) * (8 << 20))
    paths = sorted(tmp_path.glob("xxx*"))
    theirs.models.register("large", paths, version="1.0.0")
    theirs.push()
    monkeypatch.setattr(pull_payloads, "MANIFEST_LIMIT", 300)
    for part in (1 << 20, 1 << 30):
        monkeypatch.setattr(pull_payloads, "PART_BYTES", part)
        with pytest.raises(PachaError, match=r"came with it|sends more than"):
            ours.pull(specs=["large@1.0.0"])
        assert ours.models.get("large").payload == "thin"
    assert list(check_registry(ours.path)) == []
