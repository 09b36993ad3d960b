"""The writer: stock git accepts every pack, nothing is seen before it is whole, and the dead leave nothing for long."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest

from pacha_git.errors import PachaError
from pacha_git.git.packs import part as packpart
from pacha_git.git.packs.entry import prepare
from pacha_git.git.packs.files import LockedFile, sweep
from pacha_git.git.packs.writer import PackWriter
from pacha_git.gitobjects.oid import Oid
from pacha_git.system.disk import Buffer
from tests.chunking.samples import bytes_of
from tests.git.stock import bare, files_in, git, hold, packs_of


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return bare(tmp_path / "repo")


def write(repo: Path, *bodies: bytes) -> list[Oid]:
    with PackWriter(repo / "objects", reason="test") as writer:
        oids = [writer.add("blob", body) for body in bodies]
        writer.finish()
    return oids


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run code in a process of its own, which may end badly."""
    head = "import os, sys\nfrom pathlib import Path\nfrom pacha_git.git.packs.writer import PackWriter\n"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", head + textwrap.dedent(code), *arguments]
    return subprocess.run(command, capture_output=True, env=environment, check=False)


@pytest.mark.parametrize("large", [False, True])
def test_stock_git_accepts_the_pack(repo: Path, large: bool) -> None:
    """Small packs are written in one go, large ones in pieces."""
    bodies = [bytes_of(str(number), number * (3000 if large else 3)) for number in range(1, 61)]
    bodies += [b"", b"text " * 10_000, bytes(3_000_000 if large else 3000)]
    with PackWriter(repo / "objects", reason="test") as writer:
        oids = [writer.add("blob", body) for body in bodies]
        tree = writer.add("tree", b"".join(b"100644 %03d\0" % n + oid.raw for n, oid in enumerate(oids)))
        commit = writer.add("commit", f"tree {tree}\nauthor a <b> 0 +0000\ncommitter a <b> 0 +0000\n\nhello\n".encode())
        (pack,) = writer.finish()
        assert pack.stat().st_size == writer.bytes_stored + 32
        assert len(writer) == len(bodies) + 2
    git(repo, "verify-pack", str(pack))
    git(repo, "index-pack", "--strict", "-o", str(repo / "again.idx"), str(pack))
    git(repo, "update-ref", "refs/heads/main", commit)
    git(repo, "fsck", "--full", "--strict")
    for oid, body in zip(oids, bodies, strict=True):
        assert git(repo, "cat-file", "blob", oid) == body


def test_nothing_is_there_before_the_end(repo: Path) -> None:
    with PackWriter(repo / "objects", reason="test") as writer:
        oid = writer.add("blob", bytes_of("x", 5_000_000))
        assert files_in(repo) == [".pack"]
        assert packs_of(repo).find(oid) is None
        assert git(repo, "cat-file", "-t", oid, check=False) == b""
        writer.finish()
        assert packs_of(repo).find(oid) is not None
        assert files_in(repo) == [".idx", ".keep", ".pack"]
    assert files_in(repo) == [".idx", ".pack"]


def test_an_empty_pack_is_no_pack(repo: Path) -> None:
    with PackWriter(repo / "objects", reason="test") as writer:
        assert writer.finish() == ()
    assert files_in(repo) == []


def test_an_object_added_twice_is_stored_once(repo: Path) -> None:
    with PackWriter(repo / "objects", reason="test") as writer:
        oids = {writer.add("blob", b"same"), writer.add("blob", b"same")}
        assert len(writer) == len(oids) == 1
        (oid,) = oids
        assert oid.raw in writer
        assert bytes(20) not in writer
        (pack,) = writer.finish()
    git(repo, "verify-pack", str(pack))


def test_an_exception_leaves_nothing(repo: Path) -> None:
    writer = PackWriter(repo / "objects", reason="test")
    writer.add("blob", bytes_of("x", 5_000_000))
    with pytest.raises(ZeroDivisionError), writer:
        raise ZeroDivisionError
    assert files_in(repo) == []


def test_abort_after_the_end_lifts_only_the_protection(repo: Path) -> None:
    writer = PackWriter(repo / "objects", reason="test")
    oid = writer.add("blob", b"x")
    writer.finish()
    writer.abort()
    assert files_in(repo) == [".idx", ".pack"]
    assert git(repo, "cat-file", "blob", oid) == b"x"


def test_keep_protects_from_a_gc_that_prunes_now(repo: Path) -> None:
    with PackWriter(repo / "objects", reason="register x") as writer:
        oid = writer.add("blob", b"not held by a ref yet")
        (pack,) = writer.finish()
        assert "register x" in pack.with_suffix(".keep").read_text()
        git(repo, "repack", "-adf")
        git(repo, "gc", "--prune=now")
        hold(repo, oid)
    git(repo, "gc", "--prune=now")
    git(repo, "fsck", "--full", "--strict")
    assert git(repo, "cat-file", "blob", oid) == b"not held by a ref yet"


def test_equal_packs_of_two_writers_are_two(repo: Path) -> None:
    """One lifting its protection takes nothing from the other."""
    first, second = (PackWriter(repo / "objects", reason="test") for _ in range(2))
    assert first.add("blob", b"x") == second.add("blob", b"x")
    assert first.finish() != second.finish()
    first.release()
    assert files_in(repo) == [".idx", ".idx", ".keep", ".pack", ".pack"]
    second.release()


def test_a_killed_writer_is_swept_and_a_living_one_is_not(repo: Path) -> None:
    code = """
        writer = PackWriter(Path(sys.argv[1]), reason="test")
        writer.add("blob", os.urandom(3_000_000))
        os.kill(os.getpid(), 9)
    """
    assert run_python(code, str(repo / "objects")).returncode == -signal.SIGKILL
    assert files_in(repo) == [".pack"]
    git(repo, "fsck", "--full", "--strict")
    with PackWriter(repo / "objects", reason="test") as alive:
        oid = alive.add("blob", bytes_of("x", 3_000_000))
        assert len(sweep(repo / "objects")) == 1
        alive.finish()
        assert sweep(repo / "objects") == []
        assert files_in(repo) == [".idx", ".keep", ".pack"]
    assert git(repo, "cat-file", "-s", oid) == b"3000000\n"


def test_the_protection_of_a_dead_process_is_swept(repo: Path) -> None:
    code = """
        writer = PackWriter(Path(sys.argv[1]), reason="test")
        writer.add("blob", b"x")
        writer.finish()
        os._exit(0)
    """
    assert run_python(code, str(repo / "objects")).returncode == 0
    (other,) = write(repo, b"y")
    foreign = repo / "objects" / "pack" / "pack-of-a-pull.keep"
    foreign.write_text("pull of something, to be resumed\n")
    assert files_in(repo) == [".idx", ".idx", ".keep", ".keep", ".pack", ".pack"]
    assert [path.suffix for path in sweep(repo / "objects")] == [".keep"]
    assert foreign.exists()
    assert git(repo, "cat-file", "blob", other) == b"y"


def test_a_pack_that_never_got_its_index_is_swept(repo: Path) -> None:
    write(repo, b"x")
    (index,) = (repo / "objects" / "pack").glob("*.idx")
    index.with_suffix(".keep").write_text("pacha writes: test\n")
    index.unlink()
    assert [path.suffix for path in sweep(repo / "objects")] == [".pack", ".keep"]
    assert files_in(repo) == []


@pytest.mark.parametrize("expected", [0, 600])
def test_a_full_disk_is_one_error_and_leaves_nothing(repo: Path, expected: int) -> None:
    code = """
        import resource
        from pacha_git.errors import PachaError
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, 5_000_000))
        try:
            with PackWriter(Path(sys.argv[1]), reason="test") as writer:
                writer.expect(int(sys.argv[2]))
                for _ in range(30):
                    writer.add("blob", os.urandom(1_000_000))
                writer.finish()
        except PachaError as error:
            print(error.message)
    """
    done = run_python(code, str(repo / "objects"), str(expected))
    assert b"can't store in" in done.stdout, done.stderr.decode()
    assert b"File too large" in done.stdout
    assert files_in(repo) == []


def test_a_disk_that_fills_up_at_the_end_leaves_nothing(repo: Path) -> None:
    """The pack fits, its index does not."""
    code = """
        import resource
        from pacha_git.errors import PachaError
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
        try:
            with PackWriter(Path(sys.argv[1]), reason="test") as writer:
                for number in range(1200):
                    writer.add("blob", b"%d" % number)
                writer.finish()
        except PachaError as error:
            print(error.message)
    """
    done = run_python(code, str(repo / "objects"))
    assert b"can't store in" in done.stdout, done.stderr.decode()
    assert files_in(repo) == []


def test_a_folder_that_may_not_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("")
    with pytest.raises(PachaError, match="can't store"):
        PackWriter(tmp_path / "objects", reason="test")


def test_a_file_that_can_t_be_made_is_that_error_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", others.append)
    with pytest.raises(FileNotFoundError):
        LockedFile(tmp_path / "none" / "file", 0o666)
    assert others == []


def test_a_temporary_that_another_program_prunes_is_one_error(repo: Path) -> None:
    """Git takes the temporaries of others for rubbish when told to prune at once."""
    with PackWriter(repo / "objects", reason="test") as writer:
        writer.add("blob", bytes_of("x", 3_000_000))
        git(repo, "prune", "--expire=now")
        with pytest.raises(PachaError) as caught:
            writer.finish()
    assert "try again" in caught.value.hint
    assert files_in(repo) == []


@pytest.mark.parametrize(("folder", "wanted"), [(0o755, 0o444), (0o2770, 0o440), (0o700, 0o400)])
def test_a_pack_is_as_readable_as_its_folder(repo: Path, folder: int, wanted: int) -> None:
    (repo / "objects" / "pack").chmod(folder)
    before = os.umask(0o077)
    try:
        write(repo, b"x")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (repo / "objects" / "pack").iterdir()} == {wanted}


def test_many_threads_may_add(repo: Path) -> None:
    with PackWriter(repo / "objects", reason="test") as writer:

        def add(thread: int) -> None:
            for number in range(200):
                writer.add("blob", bytes_of(f"{thread % 2}.{number}", 5000))

        threads = [threading.Thread(target=add, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(writer) == 400
        (pack,) = writer.finish()
    git(repo, "verify-pack", str(pack))


def test_a_large_pack_passes_through_little_memory(repo: Path) -> None:
    """Three write-backs happen on the way."""
    body = bytes_of("x", 1_000_000)
    tracemalloc.start()
    try:
        with PackWriter(repo / "objects", reason="test") as writer:
            for number in range(230):
                writer.add("blob", body + b"%d" % number)
            (pack,) = writer.finish()
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    data = pack.read_bytes()
    assert hashlib.sha1(data[:-20]).digest() == data[-20:]


@pytest.mark.parametrize("objects", [600, 1200, 2000])
@pytest.mark.parametrize("size", [20, 9000])
def test_a_hint_makes_no_difference_to_what_is_stored(repo: Path, objects: int, size: int) -> None:
    """Too low, right, and too high."""
    bodies = [bytes_of(str(number), size) for number in range(1200)]
    with PackWriter(repo / "objects", reason="test") as writer:
        writer.expect(objects)
        oids = [writer.add("blob", body) for body in bodies]
        assert files_in(repo) == ([".pack", ".pack"] if objects <= 1200 else [".pack"])
        packs = writer.finish()
        assert writer.finish() == packs
        assert len(packs) == (2 if objects < 1200 else 1)
        assert sum(pack.stat().st_size for pack in packs) == writer.bytes_stored + 32 * len(packs)
        assert files_in(repo).count(".keep") == len(packs)
    for pack in packs:
        git(repo, "verify-pack", str(pack))
    assert list(packs_of(repo).read_many(oids)) == bodies
    assert files_in(repo) == sorted([".idx", ".pack"] * len(packs))


def test_a_hint_that_comes_to_nothing_leaves_nothing(repo: Path) -> None:
    before = threading.active_count()
    with PackWriter(repo / "objects", reason="test") as writer:
        writer.expect(10_000)
        writer.expect(20_000)
        assert writer.finish() == ()
    assert files_in(repo) == []
    with PackWriter(repo / "objects", reason="test") as writer:
        writer.expect(600)
        for number in range(700):
            writer.add("blob", b"%d" % number)
    assert files_in(repo) == []
    assert threading.active_count() == before


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads behind lag far behind."""
    really = packpart.write_all

    def write_all(fd: int, pieces: Sequence[Buffer]) -> None:
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.05)
        really(fd, pieces)

    monkeypatch.setattr(packpart, "write_all", write_all)


@pytest.mark.usefixtures("slowly")
@pytest.mark.parametrize("expected", [0, 520, 560, 640])
def test_bytes_may_change_once_they_are_hashed_and_written(repo: Path, expected: int) -> None:
    """Of a pack that was not declared, is full in the midst of a call, in another, at an end."""
    kept: list[bytes] = []
    oids: list[bytes] = []
    calls = []
    with PackWriter(repo / "objects", reason="test") as writer:
        writer.expect(expected)
        for number in range(4):
            body = bytes_of(str(number), 160 * 20_000)
            view = memoryview(bytearray(body))
            objects = [prepare("blob", view[at : at + 20_000]) for at in range(0, len(view), 20_000)]

            def scribble(view: memoryview = view) -> None:
                calls.append(view)
                view[:] = bytes(len(view))

            writer.add_prepared(*objects, after=scribble)
            kept += [body[at : at + 20_000] for at in range(0, len(body), 20_000)]
            oids += [prepared.oid for prepared in objects]
        packs = writer.finish()
    assert len(calls) == 4
    for pack in packs:
        git(repo, "verify-pack", str(pack))
    assert list(packs_of(repo).read_many(map(Oid.of_raw, oids))) == kept


@pytest.mark.parametrize("where", ["write", "hash"])
@pytest.mark.parametrize("calls", [3, 60])
def test_whatever_fails_behind_is_told_and_nobody_waits_for_ever(
    repo: Path, monkeypatch: pytest.MonkeyPatch, where: str, calls: int
) -> None:
    before = threading.active_count()

    def fail(*_: object) -> None:
        raise MemoryError

    if where == "write":
        monkeypatch.setattr(packpart, "write_all", fail)
    with pytest.raises(MemoryError), PackWriter(repo / "objects", reason="test") as writer:  # noqa: PT012 — either may
        writer.expect(600)
        for number in range(calls):
            writer.add_prepared(prepare("blob", bytes_of(str(number), 1 << 20)), after=fail)
        writer.finish()
    assert files_in(repo) == []
    assert threading.active_count() == before


def test_a_pack_that_could_not_be_written_once_is_not_gone_on_with(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may free some space, and go on with the same batch."""
    really = packpart.write_all

    def full(fd: int, pieces: Sequence[Buffer]) -> None:
        really(fd, pieces[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    with PackWriter(repo / "objects", reason="test") as writer:
        monkeypatch.setattr(packpart, "write_all", full)
        with pytest.raises(PachaError, match="space"):
            writer.add("blob", bytes_of("x", 2_000_000))
        monkeypatch.setattr(packpart, "write_all", really)
        for go_on in (lambda: writer.add("blob", b"more"), writer.finish):
            with pytest.raises(PachaError, match="space"):
                go_on()
    assert files_in(repo) == []
