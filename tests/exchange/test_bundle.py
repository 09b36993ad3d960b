"""Bundles: across an air gap and back, by us and by stock git, whole, in increments, damaged and forged."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import Conflict, Corrupt, NotFound, PachaError, VerificationFailed
from tests.making import all_verify, git, noise, put, refs

MIB = 1 << 20


@pytest.fixture
def here(tmp_path: Path) -> Registry:
    """A dataset, a base model, and a model of 2 MiB that comes from both; one of them is in staging."""
    registry = Registry.init(tmp_path / "here.git")
    registry.datasets.register("d", [put(tmp_path / "d", noise(5000, 1))], version="1.0.0")
    registry.models.register("base", [put(tmp_path / "b", noise(7000, 2))], version="1.0.0", data=["d@1.0.0"])
    registry.models.register(
        "m", [put(tmp_path / "m", noise(2 * MIB, 3))], version="1.0.0", lineage=["fine-tuned-from=base@1.0.0"]
    )
    registry.models.register("other", [put(tmp_path / "o", noise(900, 4))], version="1.0.0")
    registry.models.stage("m@1.0.0", "staging", reason="good")
    registry.models.stage("other@1.0.0", "staging")
    return registry


@pytest.fixture
def there(tmp_path: Path) -> Registry:
    return Registry.init(tmp_path / "there.git")


@pytest.fixture
def bundle(here: Registry, tmp_path: Path) -> Path:
    here.create_bundle(tmp_path / "one.bundle", ["m@1.0.0"])
    return tmp_path / "one.bundle"


def changed(data: bytes) -> bytes:
    """The same but for 64 KiB in its middle."""
    middle = len(data) // 2
    return data[:middle] + noise(1 << 16, 99) + data[middle + (1 << 16) :]


def state(registry: Registry) -> tuple[dict[str, str], list[str]]:
    """Refs and packs: what must not change when something is refused."""
    packs = sorted(file.name for file in (registry.path / "objects/pack").iterdir())
    side = registry.path / "pacha/side"
    return refs(registry.path), packs + [file.name for file in side.glob("*")]


def test_there_and_back(here: Registry, there: Registry, bundle: Path) -> None:
    done = there.import_bundle(bundle)
    assert done.payloads == 1
    assert {ref.result for ref in done.refs} == {"new"}
    assert there.models.get("m@1.0.0").stage == "staging"
    assert b"".join(there.models.cat("m@1.0.0")) == noise(2 * MIB, 3)
    assert there.models.get("base@1.0.0").payload == "thin"
    assert there.datasets.get("d@1.0.0").payload == "thin"
    assert [each.name for each in there.models.list()] == ["base", "m"]
    all_verify(there)
    assert there.import_bundle(bundle).refs == ()


def test_what_it_says_of_itself(here: Registry, tmp_path: Path) -> None:
    made = here.create_bundle(tmp_path / "x.bundle", ["m@1.0.0"]).to_json()
    assert set(made) == {"file", "bytes", "refs", "versions", "payloads", "since"}
    assert made["bytes"] == (tmp_path / "x.bundle").stat().st_size
    assert (made["versions"], made["payloads"]) == (3, 1)
    assert "refs/notes/pacha/models/m/_events" in made["refs"]
    assert not [ref for ref in made["refs"] if "other" in ref]
    assert sorted(file.name for file in tmp_path.iterdir() if file.name.startswith(".")) == []


def test_stock_git_reads_it(here: Registry, bundle: Path, tmp_path: Path) -> None:
    git(here.path, "bundle", "verify", str(bundle))
    subprocess.run(["git", "clone", "-q", bundle, tmp_path / "plain"], check=True, capture_output=True)
    assert (tmp_path / "plain/README.md").exists()
    subprocess.run(["git", "clone", "-q", "--mirror", bundle, tmp_path / "mirror.git"], check=True, capture_output=True)
    mirror = Registry.open(tmp_path / "mirror.git")
    assert b"".join(mirror.models.cat("m@1.0.0")) == noise(2 * MIB, 3)
    all_verify(mirror)


def test_a_clone_of_one_takes_its_settings(here: Registry, bundle: Path, tmp_path: Path) -> None:
    clone = Registry.clone(str(bundle), tmp_path / "clone.git")
    assert clone.settings() == here.settings()
    assert clone.remotes() == []
    assert b"".join(clone.models.cat("m@1.0.0")) == noise(2 * MIB, 3)
    all_verify(clone)


@pytest.mark.parametrize("junk", [b"", b"no bundle", b"# v2 git bundle\n\n"])
def test_a_clone_of_something_else_leaves_nothing(tmp_path: Path, junk: bytes) -> None:
    with pytest.raises(PachaError):
        Registry.clone(str(put(tmp_path / "junk", junk)), tmp_path / "clone.git")
    assert not (tmp_path / "clone.git").exists()


def test_everything_and_chosen_payloads(here: Registry, there: Registry, tmp_path: Path) -> None:
    here.create_bundle(tmp_path / "all.bundle")
    here.create_bundle(tmp_path / "records.bundle", payload="none")
    here.create_bundle(tmp_path / "line.bundle", ["m@*"], lineage_payloads=True)
    assert here.create_bundle(tmp_path / "stage.bundle", stage="staging").payloads == 2
    records = there.import_bundle(tmp_path / "records.bundle")
    assert (records.payloads, len(there.models.list())) == (0, 3)
    assert there.import_bundle(tmp_path / "line.bundle").payloads == 3
    assert there.import_bundle(tmp_path / "all.bundle").payloads == 1
    all_verify(there)


def test_a_bundle_carries_runs_and_their_points(here: Registry, there: Registry, tmp_path: Path) -> None:
    with here.run(params={"lr": 0.1}) as run:
        run.log(loss=0.5, step=1)
        run.artifact(put(tmp_path / "plot.txt", noise(5000, 7)))
        here.models.register("trained", [put(tmp_path / "t", b"weights")], version="1.0.0", run=run.id)
        here.create_bundle(tmp_path / "live.bundle", ["trained"])
    here.create_bundle(tmp_path / "done.bundle", ["trained", f"run:{run.id}"], since=str(tmp_path / "live.bundle"))
    there.import_bundle(tmp_path / "live.bundle")
    there.import_bundle(tmp_path / "done.bundle")
    assert there.runs.get(run.id).status == "completed"
    assert there.import_bundle(tmp_path / "live.bundle").refs == ()
    all_verify(there)


# Increments -----------------------------------------------------------------------------------------------------------


def test_an_increment_is_small(here: Registry, there: Registry, bundle: Path, tmp_path: Path) -> None:
    there.import_bundle(bundle)
    for registry in (here, there):
        registry.gc(grace_days=0)
    here.models.register("m", [put(tmp_path / "m", changed(noise(2 * MIB, 3)))], version="1.1.0")
    here.models.stage("m@1.1.0", "staging")
    second, third = tmp_path / "two.bundle", tmp_path / "three.bundle"
    assert here.create_bundle(second, ["m"], since=str(bundle)).bytes < MIB // 2
    git(there.path, "bundle", "verify", str(second))
    git(there.path, "fetch", "-q", str(second), "refs/pacha/*:refs/stock/*")
    assert there.import_bundle(second).payloads == 1
    assert b"".join(there.models.cat("m@1.1.0")) == changed(noise(2 * MIB, 3))
    here.models.stage("m@1.1.0", "production")
    assert here.create_bundle(third, ["m"], since=str(second)).bytes < 10_000
    there.import_bundle(third)
    assert there.models.get("m@1.1.0").stage == "production"
    assert here.create_bundle(tmp_path / "none.bundle", ["m"], since=str(third)).bytes < 3_000
    assert there.import_bundle(tmp_path / "none.bundle").refs == ()
    for ref in refs(there.path):
        if ref.startswith("refs/stock/"):
            git(there.path, "update-ref", "-d", ref)
    all_verify(there)


def hint_of_refusal(there: Registry, increment: Path) -> str:
    """What a bundle whose base is missing is refused with; nothing changes."""
    before = state(there)
    with pytest.raises(NotFound, match="builds upon") as refused:
        there.import_bundle(increment)
    assert state(there) == before
    return refused.value.hint or ""


def test_an_increment_alone_is_refused(here: Registry, there: Registry, bundle: Path, tmp_path: Path) -> None:
    here.models.register("m", [put(tmp_path / "m", changed(noise(2 * MIB, 3)))], version="1.1.0")
    here.create_bundle(tmp_path / "two.bundle", ["m"], since=str(bundle))
    assert "--since" in hint_of_refusal(there, tmp_path / "two.bundle")


def test_since_a_remote(here: Registry, there: Registry, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", str(tmp_path / "hub.git"))
    for registry in (here, there):
        registry.add_remote("hub", str(tmp_path / "hub.git"))
    with pytest.raises(NotFound, match="ever seen"):
        here.create_bundle(tmp_path / "x.bundle", since="hub")
    here.push("hub", payload="none")
    there.pull("hub")
    here.models.stage("base@1.0.0", "staging")
    here.create_bundle(tmp_path / "x.bundle", payload="none", since="hub")
    assert {ref.ref for ref in there.import_bundle(tmp_path / "x.bundle").refs} == {
        "refs/notes/pacha/models/base/_events"
    }
    assert there.models.get("base@1.0.0").stage == "staging"


# What can't be --------------------------------------------------------------------------------------------------------


def test_a_file_that_is_there_stays(here: Registry, bundle: Path, tmp_path: Path) -> None:
    before = bundle.read_bytes()
    with pytest.raises(Conflict, match="exists already"):
        here.create_bundle(bundle, ["other"])
    assert bundle.read_bytes() == before
    here.create_bundle(bundle, ["other"], force=True)
    assert bundle.read_bytes() != before
    with pytest.raises(PachaError, match="can't be written"):
        here.create_bundle(tmp_path / "no/such/folder.bundle", ["other"])
    for since in ("nowhere", str(tmp_path / "m")):
        with pytest.raises(PachaError):
            here.create_bundle(tmp_path / "x.bundle", ["other"], since=since)
    with pytest.raises(NotFound):
        here.create_bundle(tmp_path / "x.bundle", ["nothing"])
    assert not (tmp_path / "x.bundle").exists()


def test_bytes_that_are_not_here_are_not_promised(there: Registry, bundle: Path, tmp_path: Path) -> None:
    there.import_bundle(bundle)
    with pytest.raises(NotFound, match=r"the bytes of .*base.* are not here"):
        there.create_bundle(tmp_path / "x.bundle", ["base@1.0.0"])
    assert there.create_bundle(tmp_path / "x.bundle", ["base@1.0.0"], payload="none").payloads == 0
    assert there.create_bundle(tmp_path / "y.bundle").payloads == 1


def test_another_version_of_the_same_name_is_a_conflict(there: Registry, bundle: Path, tmp_path: Path) -> None:
    there.models.register("m", [put(tmp_path / "mine", b"mine")], version="1.0.0")
    mine = refs(there.path)["refs/pacha/models/m/1.0.0"]
    done = there.import_bundle(bundle)
    assert [ref.ref for ref in done.conflicts] == ["refs/pacha/models/m/1.0.0"]
    assert done.payloads == 0
    assert refs(there.path)["refs/pacha/models/m/1.0.0"] == mine
    assert b"".join(there.models.cat("m@1.0.0")) == b"mine"
    assert there.models.get("base@1.0.0").payload == "thin"
    all_verify(there)


def test_a_conflict_does_not_hold_up_later_bundles(
    here: Registry, there: Registry, bundle: Path, tmp_path: Path
) -> None:
    """The version that is another there stays a conflict, what comes from it stays out, and the rest goes on."""
    there.models.register("m", [put(tmp_path / "x", b"another")], version="1.0.0")
    first = {ref.ref: ref.result for ref in there.import_bundle(bundle).refs}
    assert first["refs/pacha/models/m/1.0.0"] == "conflict"
    there.gc(grace_days=0)
    here.models.register("m", [put(tmp_path / "m2", changed(noise(2 * MIB, 3)))], version="2.0.0")
    here.models.register(
        "heir", [put(tmp_path / "h", noise(900, 5))], version="1.0.0", lineage=["derived-from=m@1.0.0"]
    )
    here.models.register("base", [put(tmp_path / "b2", noise(7000, 6))], version="2.0.0", data=["d@1.0.0"])
    here.create_bundle(tmp_path / "two.bundle", ["m", "m@1.0.0", "heir", "base"], since=str(bundle))
    done = there.import_bundle(tmp_path / "two.bundle")
    found = {ref.ref.removeprefix("refs/pacha/"): ref.result for ref in done.refs}
    assert found["models/m/1.0.0"] == "conflict"
    assert found["models/heir/1.0.0"] == "skipped"
    assert found["models/base/2.0.0"] == found["payload/models/base/2.0.0"] == "new"
    assert (found["models/m/2.0.0"], found["payload/models/m/2.0.0"]) == ("new", "skipped")
    assert b"".join(there.models.cat("m@1.0.0")) == b"another"
    assert b"".join(there.models.cat("base@2.0.0")) == noise(7000, 6)
    git(there.path, "fsck", "--full", "--strict")
    all_verify(there)


def test_bytes_dropped_here_hold_up_only_what_shares_them(
    here: Registry, there: Registry, bundle: Path, tmp_path: Path
) -> None:
    there.import_bundle(bundle)
    there.add_remote("origin", str(here.path))
    assert there.evict(["m@1.0.0"])
    there.gc(grace_days=0)
    here.models.register("other", [put(tmp_path / "o2", noise(900, 8))], version="2.0.0")
    here.create_bundle(tmp_path / "two.bundle", ["other"], since=str(bundle))
    assert there.import_bundle(tmp_path / "two.bundle").payloads == 1
    here.models.register("m", [put(tmp_path / "m2", changed(noise(2 * MIB, 3)))], version="2.0.0")
    here.create_bundle(tmp_path / "three.bundle", ["m"], since=str(bundle))
    assert "first" in hint_of_refusal(there, tmp_path / "three.bundle")
    there.import_bundle(bundle)
    assert there.import_bundle(tmp_path / "three.bundle").payloads == 1
    all_verify(there)


def test_removed_bytes_do_not_come_back(there: Registry, bundle: Path) -> None:
    there.import_bundle(bundle)
    there.models.remove("m@1.0.0", reason="no consent")
    assert there.import_bundle(bundle).payloads == 0
    assert there.models.get("m@1.0.0").payload == "removed"


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def flipped(data: bytes) -> bytes:
    at = len(data) * 2 // 3
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def without_pack(data: bytes) -> bytes:
    return data[: data.index(b"\n\n") + 2]


def moved_ref(data: bytes) -> bytes:
    return data.replace(b"refs/pacha/models/m/1.0.0\n", b"refs/pacha/models/m/1.0.1\n")


def other_bytes(data: bytes) -> bytes:
    """The payload ref stands at the record's commit."""
    lines = data[: data.index(b"\n\n")].split(b"\n")
    record = next(line for line in lines if line.endswith(b"pacha/models/m/1.0.0"))[:40]
    payload = next(line for line in lines if line.endswith(b"payload/models/m/1.0.0"))
    return data.replace(payload, record + payload[40:])


def missing_lineage(data: bytes) -> bytes:
    lines = data[: data.index(b"\n\n")].split(b"\n")
    base = next(line for line in lines if line.endswith(b"models/base/1.0.0"))
    return data.replace(base + b"\n", b"")


def traversal(data: bytes) -> bytes:
    return data.replace(b"refs/pacha/models/m/1.0.0\n", b"refs/pacha/models/../../../m/1.0.0\n")


@pytest.mark.parametrize(
    "spoil", [cut, flipped, without_pack, moved_ref, other_bytes, missing_lineage, traversal], ids=lambda f: f.__name__
)
def test_a_damaged_or_forged_one_changes_nothing(
    there: Registry, bundle: Path, spoil: Callable[[bytes], bytes]
) -> None:
    bundle.write_bytes(spoil(bundle.read_bytes()))
    before = state(there)
    with pytest.raises(VerificationFailed) as refused:
        there.import_bundle(bundle)
    assert refused.value.hint
    assert state(there) == before


@pytest.mark.damaged
def test_forged_bytes_of_a_payload(here: Registry, there: Registry, bundle: Path, tmp_path: Path) -> None:
    """A payload whose tree is as its commit says, but whose record says another: made with stock git."""
    forged = tmp_path / "forged.git"
    subprocess.run(["git", "clone", "-q", "--mirror", bundle, forged], check=True, capture_output=True)
    blob = git(forged, "hash-object", "-w", "--stdin", stdin=b"evil")
    tree = git(forged, "mktree", stdin=f"100644 blob {blob}\tmanifest\n".encode())
    commit = git(forged, "commit-tree", tree, "-m", "blake3:" + "0" * 64)
    git(forged, "update-ref", "refs/pacha/payload/models/m/1.0.0", commit)
    git(forged, "bundle", "create", "-q", str(bundle), "--all")
    before = state(there)
    with pytest.raises(VerificationFailed, match="not those that its record says"):
        there.import_bundle(bundle)
    assert state(there) == before


def test_no_such_file(there: Registry, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        there.import_bundle(tmp_path / "nothing")
    with pytest.raises(PachaError):
        there.import_bundle(tmp_path)
    with pytest.raises(Corrupt, match="no Git bundle"):
        there.import_bundle(put(tmp_path / "text", b"hello\n"))


def test_it_tells_how_far_it_is(here: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacha_git.git.wire.bundles._REPORT_SECONDS", 0.001)
    told: list[tuple[str, int, int | None]] = []

    def progress(what: str, done: int, total: int | None, unit: str = "bytes") -> None:
        told.append((what, done, total))

    here.create_bundle(tmp_path / "x.bundle", progress=progress)
    assert told
    assert {(what, total) for what, _, total in told} == {("write x.bundle", None)}
