from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pacha_git.git.refs import transactions
from pacha_git.git.refs.refs import RefMoved, Refs, RefUpdate
from pacha_git.gitobjects.oid import Oid
from pacha_git.system.process import Child, begin
from tests.git.stock import bare, git


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return bare(tmp_path / "repo.git")


@pytest.fixture
def oid(repo: Path) -> Oid:
    return Oid(git(repo, "hash-object", "-w", "--stdin", stdin=b"x").decode().strip())


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list[Child]:
    """The programs that are started."""
    found: list[Child] = []

    def start(argv: Sequence[str]) -> Child:
        found.append(begin(argv))
        return found[-1]

    monkeypatch.setattr(transactions, "begin", start)
    return found


def create(refs: Refs, name: str, oid: Oid) -> None:
    refs.update([RefUpdate(f"refs/x/{name}", oid, None)])


def names(repo: Path) -> set[str]:
    return set(git(repo, "for-each-ref", "--format=%(refname:lstrip=2)").decode().split())


def gone(program: Child, seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while program.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    return program.poll() is not None


def test_one_program_serves_many_transactions(repo: Path, oid: Oid, programs: list[Child]) -> None:
    refs = Refs(repo)
    for number in range(20):
        create(refs, str(number), oid)
    assert len(programs) == 1
    assert names(repo) == set(map(str, range(20)))


def test_it_is_not_kept_for_ever(repo: Path, oid: Oid, programs: list[Child], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "_MOST_TURNS", 3)
    monkeypatch.setattr(transactions, "_IDLE_SECONDS", 0.2)
    refs = Refs(repo)
    for number in range(7):
        create(refs, str(number), oid)
    assert len(programs) >= 3
    assert all(gone(program) for program in programs)
    create(refs, "after", oid)
    assert "after" in names(repo)


def test_it_ends_with_the_registry(repo: Path, oid: Oid, programs: list[Child]) -> None:
    refs = Refs(repo)
    create(refs, "a", oid)
    gc.disable()
    try:
        del refs
        assert gone(programs[0], 0.5)
    finally:
        gc.enable()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_one_that_was_ended_meanwhile_is_started_anew(
    repo: Path, oid: Oid, programs: list[Child], how: signal.Signals
) -> None:
    refs = Refs(repo)
    create(refs, "a", oid)
    programs[0].send_signal(how)
    create(refs, "b", oid)
    programs[1].send_signal(how)
    assert gone(programs[1])
    with pytest.raises(RefMoved):
        create(refs, "b", oid)
    create(refs, "c", oid)
    assert names(repo) == {"a", "b", "c"}


def test_after_a_refusal_all_goes_on(repo: Path, oid: Oid) -> None:
    refs = Refs(repo)
    create(refs, "a", oid)
    for _ in range(3):
        with pytest.raises(RefMoved):
            create(refs, "a", oid)
    create(refs, "b", oid)
    assert names(repo) == {"a", "b"}


def test_a_process_that_was_forked_off_has_its_own(repo: Path, oid: Oid) -> None:
    refs = Refs(repo)
    create(refs, "parent", oid)
    child = os.fork()
    if not child:
        try:
            create(refs, "child", oid)
        finally:
            os._exit(0 if (repo / "refs/x/child").exists() else 1)
    assert os.waitpid(child, 0)[1] == 0
    create(refs, "again", oid)
    assert names(repo) == {"parent", "child", "again"}


def test_a_fork_while_a_thread_looks_whether_it_is_idle_goes_on(repo: Path, oid: Oid) -> None:
    refs = Refs(repo)
    create(refs, "a", oid)
    (kept,) = refs._transactions._idle
    looking, enough = threading.Event(), threading.Event()

    def look() -> None:
        with kept.ended._cond:  # type: ignore[attr-defined]
            looking.set()
            enough.wait()

    thread = threading.Thread(target=look)
    thread.start()
    looking.wait()
    child = os.fork()
    if not child:
        os._exit(0)
    enough.set()
    thread.join()
    until = time.monotonic() + 10
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < until:
        time.sleep(0.01)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended == (child, 0)


KILLED = """
import os, signal, sys, time
from pathlib import Path
from pacha_git.git.refs.transactions import prepared
argv = ["git", "--git-dir", sys.argv[1], "update-ref", "-z", "--stdin"]
with prepared(argv, f"create refs/x/b\\0{sys.argv[2]}\\0".encode()):
    assert Path(sys.argv[1], "refs/x/b.lock").exists()
    forked = os.fork()
    if not forked:
        os.close(1)
        time.sleep(60)
        os._exit(0)
    print(forked, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_who_is_killed_leaves_no_lock_even_if_a_child_of_his_lives_on(repo: Path, oid: Oid) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(repo), str(oid)], stdout=subprocess.PIPE, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    try:
        assert done.returncode == -signal.SIGKILL
        until = time.monotonic() + 10
        while list(repo.rglob("*.lock")) and time.monotonic() < until:
            time.sleep(0.02)
        assert not list(repo.rglob("*.lock"))
        assert names(repo) == set()
    finally:
        os.kill(int(done.stdout), signal.SIGKILL)
