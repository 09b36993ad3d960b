"""Stock git beside us: it repacks, clones and restores a registry, and everything in it stays what it was."""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from pacha_git import Conflict, PachaError, Registry
from pacha_git.git.refs import refs as git_refs
from tests.making import all_verify, contents, folder, fsck, git, noise, put, recipe, refs

FILES = {
    "weights.bin": noise(3_000_000, 1), "deep/er/more.bin": noise(700_000, 2), "config.json": b'{"a": 1}', "empty": b"",
    ".gitattributes": b"* text eol=crlf\n", "crlf.txt": b"a\r\nb\n" * 9, "ü": b"u", "chunky.txt": b"line\r\n" * 90_000,
}  # fmt: skip


@pytest.fixture
def full(registry_path: Path, tmp_path: Path) -> Registry:
    """A registry with something of everything."""
    registry = Registry.init(registry_path)
    files = folder(tmp_path / "data", FILES)
    registry.datasets.register("d/ata", files, version="1.0.0", purpose="to be kept")
    registry.recipes.register(recipe(tmp_path / "r.toml"))
    registry.models.register("m", files / "weights.bin", version="1.0.0", data="d/ata", recipe="train")
    (files / "weights.bin").write_bytes(FILES["weights.bin"] + noise(200_000, 3))
    registry.models.register("m", files / "weights.bin", version="1.1.0", lineage=["fine-tuned-from=m@1.0.0"])
    registry.models.stage("m@1.1.0", "production", reason="best")
    registry.models.alias("m", "champion", version="1.0.0")
    registry.models.tag("m@1.0.0", ["a=b"])
    return registry


def check(path: Path, tmp_path: Path, name: str = "out") -> None:
    """Everything verifies, reads, and is what was put in."""
    registry = Registry.open(path)
    all_verify(registry)
    fsck(path)
    assert contents(registry.datasets.download("d/ata", tmp_path / name)) == FILES
    assert registry.models.get("m@production").version == "1.1.0"
    assert registry.models.get("m@champion").tags == {"a": "b"}
    assert [node.name for node in registry.models.lineage("m").nodes] == ["m", "m", "d/ata", "train"]


@pytest.mark.parametrize(
    "commands",
    [
        [["gc", "--prune=now"]],
        [["repack", "-adf"]],
        [["repack", "-adf", "--depth=50", "--window=50"], ["prune-packed"], ["pack-refs", "--all"], ["prune"]],
        [["multi-pack-index", "write"], ["multi-pack-index", "expire"], ["repack", "-A", "-d"]],
        [["gc", "--aggressive", "--cruft", "--prune=now"], ["commit-graph", "write", "--reachable"]],
    ],
    ids=lambda commands: commands[0][0] + commands[0][1],
)
def test_everything_verifies_after_stock_git_has_tidied_up(
    full: Registry, tmp_path: Path, commands: list[list[str]]
) -> None:
    for command in commands:
        git(full.path, *command)
    check(full.path, tmp_path)
    again = full.models.register("again", tmp_path / "data" / "weights.bin", version="1.0.0")
    assert again.new_bytes == 0
    assert b"".join(full.models.cat("again")) == FILES["weights.bin"] + noise(200_000, 3)


def test_unpacked_into_loose_objects_it_reads_the_same(full: Registry, tmp_path: Path) -> None:
    for pack in list((full.path / "objects" / "pack").glob("*.pack")):
        data = pack.read_bytes()
        for suffix in (".idx", ".pack"):
            pack.with_suffix(suffix).unlink()
        git(full.path, "unpack-objects", "-q", stdin=data)
    check(full.path, tmp_path)
    full.models.stage("m@1.0.0", "staging")
    full.models.register("again", tmp_path / "data" / "weights.bin", version="1.0.0")
    check(full.path, tmp_path, "out2")


def test_everything_verifies_in_a_mirror(full: Registry, tmp_path: Path) -> None:
    for number, url in enumerate([str(full.path), f"file://{full.path}"]):
        mirror = tmp_path / f"mirror{number}.git"
        subprocess.run(["git", "clone", "--quiet", "--mirror", url, str(mirror)], check=True)
        assert refs(mirror) == refs(full.path)
        check(mirror, tmp_path, f"out{number}")
        made = Registry.open(mirror)
        made.models.stage("m@1.0.0", "staging")
        made.models.register("m", put(tmp_path / "new"), version="2.0.0")
        assert made.models.get("m").version == "2.0.0"


def test_a_bundle_of_stock_git_is_a_backup(full: Registry, tmp_path: Path) -> None:
    git(full.path, "bundle", "create", str(tmp_path / "backup"), "--all")
    restored = Registry.init(tmp_path / "restored.git")
    git(restored.path, "fetch", "--quiet", str(tmp_path / "backup"), "+refs/*:refs/*")
    check(restored.path, tmp_path)


@pytest.mark.parametrize("file", ["weights.bin", "deep/er/more.bin", "chunky.txt"])
def test_stock_git_alone_restores_a_chunked_file(full: Registry, tmp_path: Path, file: str) -> None:
    tree = f"refs/pacha/payload/datasets/d/ata/1.0.0:chunked/{file}"
    one = f"git -c core.autocrlf=false archive {tree} | tar xO > {tmp_path}/one"
    two = f"git ls-tree -r {tree} | cut -c13-52 | xargs -n1 git cat-file blob > {tmp_path}/two"
    for line in (one, two):
        subprocess.run(["bash", "-euo", "pipefail", "-c", line], cwd=full.path, check=True)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == FILES[file]


def test_stock_git_alone_restores_a_file_that_is_stored_whole(full: Registry) -> None:
    shown = subprocess.run(
        ["git", "-C", str(full.path), "cat-file", "blob", "refs/pacha/payload/datasets/d/ata/1.0.0:blobs/crlf.txt"],
        check=True, capture_output=True,
    )  # fmt: skip
    assert shown.stdout == FILES["crlf.txt"]


def test_git_log_shows_where_a_version_came_from(full: Registry) -> None:
    log = git(full.path, "log", "--format=%s", "refs/pacha/models/m/1.1.0").splitlines()
    assert log[0] == "model m 1.1.0"
    assert set(log) == {"model m 1.1.0", "model m 1.0.0", "dataset d/ata 1.0.0", "recipe train 1.0.0"}
    form = "--format=%(trailers:key=Pacha-Lineage,valueonly)"
    trailers = git(full.path, "log", "-1", form, "refs/pacha/models/m/1.1.0")
    assert trailers.strip() == "fine-tuned-from model m 1.0.0"


def test_reading_goes_on_while_another_program_repacks(full: Registry, tmp_path: Path) -> None:
    stop = threading.Event()
    failed: list[str] = []

    def repack() -> None:
        while not stop.is_set():
            for command in (["repack", "-adq"], ["multi-pack-index", "write"], ["gc", "-q", "--prune=now"]):
                done = subprocess.run(["git", f"--git-dir={full.path}", *command], capture_output=True, check=False)
                if done.returncode:
                    failed.append(done.stderr.decode())

    program = threading.Thread(target=repack)
    program.start()
    try:
        for turn in range(12):
            assert contents(full.datasets.download("d/ata", tmp_path / f"out{turn}")) == FILES
            assert full.models.get("m@champion").version == "1.0.0"
            assert [each.ok for each in full.verify(["model:m@1.1.0"])] == [True]
    finally:
        stop.set()
        program.join()
    assert failed == []


def test_writing_goes_on_while_another_program_repacks(full: Registry, tmp_path: Path) -> None:
    """Stock git knows nothing of our locks, but spares what is young; so what is relied on is made young."""
    stop = threading.Event()

    def repack() -> None:
        while not stop.is_set():
            command = ["git", f"--git-dir={full.path}", "gc", "-q", "--prune=1.hour.ago"]
            subprocess.run(command, capture_output=True, check=False)

    program = threading.Thread(target=repack)
    program.start()
    try:
        for turn in range(10):
            data = put(tmp_path / "new", noise(1_000_000, turn // 2) + noise(300_000, 100 + turn))
            version = f"1.{turn}.0"
            full.models.register("n", data, version=version)
            full.models.stage(f"n@{version}", "staging")
            if turn % 3 == 2:
                full.models.remove(f"n@{version}", reason="to be freed")
                for pack in (full.path / "objects" / "pack").glob("pack-*.pack"):
                    with suppress(FileNotFoundError):
                        os.utime(pack, (0, 0))
    finally:
        stop.set()
        program.join()
    check(full.path, tmp_path)


def test_a_stale_lock_on_a_ref_is_told_and_doctor_removes_it(
    full: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_refs, "_WAIT_SECONDS", 0.1)
    lock = put(full.path / "refs/notes/pacha/models/m/_events.lock", b"")
    before = refs(full.path)
    with pytest.raises(PachaError, match="locked") as caught:
        full.models.stage("m@1.0.0", "staging")
    assert "git pacha doctor" in caught.value.hint
    assert refs(full.path) == before
    assert [f.state for f in full.doctor() if f.check == "locks"] == ["ok"], "a young lock may be alive"
    os.utime(lock, (0, 0))
    assert [f.state for f in full.doctor() if f.check == "locks"] == ["fixed"]
    full.models.stage("m@1.0.0", "staging")


def test_locks_that_one_of_us_left_are_removed_at_once(full: Registry) -> None:
    file = put(full.path / "pacha/refs.lock", b"")
    left = [full.path / "refs/pacha/models/new/1.0.0.lock", full.path / "packed-refs.lock"]
    left[0].parent.mkdir(parents=True)
    left[0].hardlink_to(file)
    left[1].hardlink_to(put(full.path / "pacha/refs.packed", b"# half"))
    [finding] = [f for f in full.doctor() if f.check == "locks"]
    assert (finding.state, finding.message) == ("fixed", "removed 2 locks that a killed program left behind")
    assert not any(lock.exists() for lock in left)
    assert not (full.path / "pacha/refs.packed").exists()


def test_what_a_dead_writer_left_is_swept_and_a_strange_keep_is_not(full: Registry) -> None:
    packs = full.path / "objects" / "pack"
    some = next(packs.glob("pack-*.pack"))
    dead = put(some.with_suffix(".keep"), b"pacha writes: register model:x@1.0.0\n")
    half = put(packs / "tmp_pacha_0123456789abcdef.pack", b"PACK")
    [finding] = [f for f in full.doctor() if f.check == "temporaries"]
    assert finding.state == "fixed"
    assert not dead.exists()
    assert not half.exists()
    strange = put(some.with_suffix(".keep"), b"kept by its owner\n")
    full.doctor()
    full.gc(grace_days=0)
    assert strange.exists()
    assert some.exists()
    strange.unlink()


def test_a_stray_shallow_file_is_told_and_removed(full: Registry) -> None:
    put(full.path / "shallow", (refs(full.path)["refs/pacha/root"] + "\n").encode())
    assert any("shallow" in problem for problem in full.fsck().problems)
    assert [f.state for f in full.doctor() if f.check == "shallow"] == ["fixed"]
    assert full.fsck().problems == ()


def test_settings_that_were_changed_are_put_right(full: Registry) -> None:
    git(full.path, "config", "gc.auto", "1")
    git(full.path, "config", "--unset", "core.fsync")
    full.doctor()
    assert git(full.path, "config", "gc.auto") == "0"
    assert git(full.path, "config", "core.fsync") == "all"


def test_a_ref_that_stock_git_took_meanwhile_is_a_conflict(full: Registry, tmp_path: Path) -> None:
    git(full.path, "update-ref", "refs/pacha/models/n/1.0.0", "refs/pacha/models/m/1.0.0")
    with pytest.raises(Conflict, match="exists already"):
        full.models.register("n", put(tmp_path / "n"), version="1.0.0")
    git(full.path, "update-ref", "-d", "refs/pacha/models/n/1.0.0")
