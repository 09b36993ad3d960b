from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacha_git.errors import PachaError
from pacha_git.git.refs import moves
from pacha_git.git.refs.refs import RefMoved, Refs, RefUpdate
from pacha_git.gitobjects.oid import Oid
from tests import needed
from tests.git.stock import bare, git

SEGMENT = st.text("ab-.1Z", min_size=1, max_size=4).filter(
    lambda text: not text.startswith((".", "-")) and not text.endswith((".", ".lock")) and ".." not in text
)
NAMES = st.sets(st.lists(SEGMENT, min_size=1, max_size=3).map(lambda parts: "refs/x/" + "/".join(parts)), max_size=40)

FEW = st.sets(
    st.lists(st.sampled_from(["a", "b", "a-", "b.1"]), min_size=1, max_size=3).map(
        lambda parts: "refs/x/" + "/".join(parts)
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return bare(tmp_path / "repo.git")


def commit(repo: Path, text: str = "x") -> Oid:
    tree = git(repo, "mktree", stdin=b"").decode().strip()
    return Oid(git(repo, "commit-tree", "-m", text, tree).decode().strip())


def by_git(repo: Path) -> dict[str, str]:
    lines = git(repo, "for-each-ref", "--format=%(refname) %(objectname)").decode().splitlines()
    return dict(line.split(" ") for line in lines)


def creations(oid: Oid, count: int = 40, name: str = "n") -> list[RefUpdate]:
    return [RefUpdate(f"refs/x/{name}{number}/v", oid, None) for number in range(count)]


def created(repo: Path, refs: Mapping[str, Oid], wait_seconds: float) -> bool:
    updates = [RefUpdate(ref, oid, None) for ref, oid in refs.items()]
    return moves.move(repo, updates, kind_of=None, wait_seconds=wait_seconds, first="refs/pacha/payload/")


def loose(repo: Path) -> list[Path]:
    return [path for path in (repo / "refs").rglob("*") if path.is_file()]


def beside(names: set[str]) -> list[str]:
    """Those that can stand beside one another."""
    return sorted(name for name in names if not any(other.startswith(name + "/") for other in names))


def test_many_new_refs_are_in_the_packed_file_and_nowhere_else(repo: Path) -> None:
    one, two = commit(repo, "1"), commit(repo, "2")
    refs = Refs(repo)
    refs.update([RefUpdate("refs/x/before", one, None)])
    refs.update([*creations(two), RefUpdate("refs/x/before", one, one)])
    assert loose(repo) == []
    assert refs.below("refs/") == by_git(repo) == {"refs/x/before": one} | {each.ref: two for each in creations(two)}
    assert not list((repo / "refs").rglob("*.lock"))
    assert not (repo / "pacha/refs.packed").exists()
    with pytest.raises(RefMoved):
        refs.update(creations(one))
    for moved in (RefUpdate("refs/x/before", two, two), RefUpdate("refs/x/nowhere", two, two)):
        with pytest.raises(RefMoved):
            refs.update([*creations(two, name="none"), moved])
    assert len(by_git(repo)) == 41
    git(repo, "update-ref", "refs/x/before", two)  # in a file of its own, which would hide what is packed
    moved, gone = RefUpdate("refs/x/before", one, two), RefUpdate("refs/x/n0/v", None, two)
    refs.update([*creations(two, name="more"), moved, gone])
    assert by_git(repo) == refs.below("refs/")
    assert (refs.get("refs/x/before"), refs.get("refs/x/n0/v"), refs.get("refs/x/more0/v")) == (one, None, two)
    assert loose(repo) == []


@given(old=NAMES, new=NAMES)
@settings(max_examples=25)
def test_the_file_is_to_the_byte_what_git_writes(
    tmp_path_factory: pytest.TempPathFactory, old: set[str], new: set[str]
) -> None:
    repo = bare(tmp_path_factory.mktemp("refs") / "r.git")
    names = beside(old | new)
    oid, other = commit(repo), commit(repo, "other")
    there = [name for name in names if name in old]
    git(repo, "update-ref", "--stdin", stdin="".join(f"create {name} {oid}\n" for name in there).encode())
    git(repo, "tag", "-a", "-m", "peeled", "t", oid)
    git(repo, "pack-refs", "--all")
    fresh = {name: other for name in names if name not in old}
    if not fresh:
        return
    assert created(repo, fresh, 5)
    ours = (repo / "packed-refs").read_bytes()
    assert by_git(repo).items() >= (dict.fromkeys(there, oid) | fresh).items()
    git(repo, "update-ref", "refs/zz", oid)
    git(repo, "pack-refs", "--all")
    assert (repo / "packed-refs").read_bytes() == ours + f"{oid} refs/zz\n".encode()


def told(repo: Path) -> list[str]:
    """What Git told a hook; the newest say `preparing` before `prepared`."""
    return [word for word in (repo / "said").read_text().split() if word != "preparing"]


def test_where_git_would_do_more_than_write_git_does_it(repo: Path) -> None:
    oid = commit(repo)
    refs = Refs(repo)
    hook = repo / "hooks/reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\necho "$1" >> {repo}/said\n')
    hook.chmod(0o755)
    refs.update(creations(oid, name="a"))
    assert told(repo) == ["prepared", "committed"]
    hook.unlink()
    shutil.copytree(repo / "hooks", repo / "hooked")
    (repo / "hooked/reference-transaction").write_text(f'#!/bin/sh\necho "$1" >> {repo}/said\n')
    (repo / "hooked/reference-transaction").chmod(0o755)
    git(repo, "config", "core.hooksPath", str(repo / "hooked"))
    refs.update(creations(oid, name="h"))
    git(repo, "config", "--unset", "core.hooksPath")
    assert told(repo) == ["prepared", "committed"] * 2
    assert len(by_git(repo)) == len(loose(repo))
    git(repo, "tag", "-a", "-m", "t", "t", oid)
    tag = Oid(git(repo, "rev-parse", "refs/tags/t").decode().strip())
    refs.update([*creations(oid, name="c"), RefUpdate("refs/tags/u", tag, None)])
    log = repo / "logs/refs/x/d0/v"
    log.parent.mkdir(parents=True)
    log.touch()
    refs.update(creations(oid, name="d"))
    assert str(oid) in log.read_text()
    assert len(by_git(repo)) == len(loose(repo)) == 4 * 40 + 2
    (repo / "packed-refs").symlink_to(repo / "elsewhere")
    refs.update(creations(oid, name="l"))
    (repo / "packed-refs").unlink()
    assert len(by_git(repo)) == len(loose(repo))
    (repo / "packed-refs").write_text("# pack-refs with: peeled \n")
    refs.update(creations(oid, name="e"))
    assert len(by_git(repo)) == len(loose(repo))


def test_a_file_that_was_cut_off_is_not_written_on(repo: Path) -> None:
    oid = commit(repo)
    cut = f"# pack-refs with: peeled fully-peeled sorted \n{oid} refs/a/b"
    (repo / "packed-refs").write_text(cut)
    with pytest.raises(PachaError, match="unterminated"):
        Refs(repo).update(creations(oid))
    assert (repo / "packed-refs").read_text() == cut


def test_nobody_is_passed_over_who_has_the_lock(repo: Path) -> None:
    oid = commit(repo)
    new = {each.ref: oid for each in creations(oid)}
    lock = repo / "packed-refs.lock"
    lock.touch()
    with pytest.raises(PachaError, match=r"packed-refs\.lock") as caught:
        created(repo, new, 0.1)
    assert "doctor" in caught.value.hint
    assert by_git(repo) == {}
    assert lock.read_bytes() == b""
    timer = threading.Timer(0.2, lock.unlink)
    timer.start()
    assert created(repo, new, 20)
    assert by_git(repo) == new
    assert not (repo / "pacha/refs.packed").exists()


def test_whoever_takes_the_lock_right_after_us_keeps_it(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    oid = commit(repo)
    rename = Path.rename

    def at_once(self: Path, target: Path) -> None:
        rename(self, target)
        (repo / "packed-refs.lock").write_text("theirs")

    monkeypatch.setattr(Path, "rename", at_once)
    assert created(repo, {each.ref: oid for each in creations(oid)}, 5)
    assert (repo / "packed-refs.lock").read_text() == "theirs"


def test_what_others_pack_meanwhile_is_kept(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    oid = commit(repo)
    link = os.link
    turns: list[int] = []

    def late(*arguments: Path) -> None:
        if not str(arguments[1]).endswith("packed-refs.lock"):
            link(*arguments)
            return
        if not turns:
            git(repo, "update-ref", "refs/x/between", oid)
            git(repo, "pack-refs", "--all")
        turns.append(1)
        link(*arguments)

    monkeypatch.setattr("pacha_git.git.refs.packed_refs_file.os.link", late)
    Refs(repo).update(creations(oid))
    assert len(turns) == 2
    assert by_git(repo) == {"refs/x/between": oid} | {each.ref: oid for each in creations(oid)}


@given(old=FEW, packed=st.booleans(), new=FEW)
@settings(max_examples=60)
def test_what_git_takes_is_taken_and_what_it_refuses_refused(
    tmp_path_factory: pytest.TempPathFactory, old: set[str], packed: bool, new: set[str]
) -> None:
    repo = bare(tmp_path_factory.mktemp("refs") / "r.git")
    oid, other = commit(repo), commit(repo, "other")
    git(repo, "update-ref", "--stdin", stdin="".join(f"create {name} {oid}\n" for name in beside(old)).encode())
    if packed:
        git(repo, "pack-refs", "--all")
    judge = repo.with_name("judge.git")
    shutil.copytree(repo, judge)
    asked = "".join(f"create {name} {other}\n" for name in sorted(new))
    done = subprocess.run(["git", "-C", judge, "update-ref", "--stdin"], input=asked.encode(), capture_output=True)
    try:
        Refs(repo).update([RefUpdate(name, other, None) for name in sorted(new)])
    except PachaError:
        assert done.returncode
    else:
        assert not done.returncode
        assert {path.name for path in loose(repo)} <= (set() if packed else {name.split("/")[-1] for name in old})
    assert by_git(repo) == by_git(judge)
    assert not list((repo / "refs").rglob("*.lock"))


def test_no_folder_is_left_that_holds_nothing(repo: Path) -> None:
    oid = commit(repo)
    Refs(repo).update(creations(oid))
    assert list((repo / "refs/x").iterdir()) == []


def test_a_lock_of_another_is_waited_for(repo: Path) -> None:
    oid = commit(repo)
    lock = repo / f"{creations(oid)[5].ref}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    timer = threading.Timer(0.3, lock.unlink)
    timer.start()
    Refs(repo).update(creations(oid))
    timer.join()
    assert by_git(repo) == {each.ref: oid for each in creations(oid)}


def test_of_two_that_create_one_ref_exactly_one_succeeds(repo: Path) -> None:
    one, two = commit(repo, "1"), commit(repo, "2")
    for turn in range(12):
        ours = creations(one, 20, f"t{turn}-")
        argv = ["git", "-C", str(repo), "update-ref", ours[-1 - turn].ref, two, "0" * 40]
        stock = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        try:
            if turn % 2:
                stock.wait()
            Refs(repo).update(ours)
        except RefMoved:
            assert stock.wait() == 0
            assert {ref: oid for ref, oid in by_git(repo).items() if f"/t{turn}-" in ref} == {ours[-1 - turn].ref: two}
        else:
            assert stock.wait() != 0
            assert by_git(repo).items() >= {each.ref: one for each in ours}.items()


def test_a_lock_of_the_packed_file_that_was_left_stops_no_small_change(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "_BRIEFLY", 0.1)
    one, two = commit(repo, "1"), commit(repo, "2")
    refs = Refs(repo)
    refs.update([RefUpdate("refs/x/moves", one, None)])
    (repo / "packed-refs.lock").touch()
    refs.update([RefUpdate("refs/x/new", one, None)])
    refs.update([RefUpdate("refs/x/moves", two, one)])
    assert by_git(repo) == refs.below("refs/") == {"refs/x/moves": two, "refs/x/new": one}
    (repo / "packed-refs.lock").unlink()
    refs.update([RefUpdate("refs/x/moves", one, two), RefUpdate("refs/x/new", two, one)])
    assert by_git(repo) == {"refs/x/moves": one, "refs/x/new": two}
    assert loose(repo) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from pacha_git.git.refs import moves, packed_refs_file
from pacha_git.git.refs.refs import Refs, RefUpdate
at = sys.argv[3]

def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(*{"locked": (moves, "move"), "packed": (Path, "rename"), "done": (packed_refs_file, "sync_folder")}[at], killed)
Refs(Path(sys.argv[1])).update([RefUpdate(f"refs/x/n{number}/v", sys.argv[2], None) for number in range(40)])
"""


@pytest.mark.parametrize("at", ["locked", "packed", "done"])
def test_what_the_killed_left_locked_is_free_again(repo: Path, at: str) -> None:
    oid = commit(repo)
    program = [sys.executable, "-c", KILLED, str(repo), str(oid), at]
    assert subprocess.run(program, env=environment(), check=False).returncode == -signal.SIGKILL
    assert len(list((repo / "refs").rglob("v.lock"))) == 40
    assert (repo / "packed-refs.lock").exists() == (at == "packed")
    all_of_them = {each.ref: oid for each in creations(oid)}
    assert by_git(repo) == (all_of_them if at == "done" else {})
    git(repo, "update-ref", "refs/x/n0/other", oid)  # no other ref is in the way of stock git
    Refs(repo).update([RefUpdate("refs/x/n0/other", None, oid)])
    assert not list((repo / "refs").rglob("*.lock"))
    assert not (repo / "packed-refs.lock").exists()
    if at != "done":
        Refs(repo).update(creations(oid))
    assert by_git(repo) == all_of_them


def test_stock_git_beside_it_loses_nothing(repo: Path) -> None:
    oid = commit(repo)
    over = threading.Event()
    made: dict[str, str] = {}

    def stock() -> None:
        number = 0
        while not over.is_set():
            git(repo, "update-ref", f"refs/x/stock/{number}", oid, "0" * 40)
            made[f"refs/x/stock/{number}"] = oid
            git(repo, "pack-refs", "--all")
            if number % 3 == 2:
                git(repo, "update-ref", "-d", f"refs/x/stock/{number - 1}")
                del made[f"refs/x/stock/{number - 1}"]
            number += 1

    thread = threading.Thread(target=stock)
    thread.start()
    try:
        for turn in range(12):
            Refs(repo).update(creations(oid, 20, f"t{turn}-"))
    finally:
        over.set()
        thread.join()
    ours = {each.ref: oid for turn in range(12) for each in creations(oid, 20, f"t{turn}-")}
    assert by_git(repo) == made | ours


def test_what_the_killed_left_locked_keeps_nobody_from_tidying(repo: Path) -> None:
    oid = commit(repo)
    program = [sys.executable, "-c", KILLED, str(repo), str(oid), "packed"]
    assert subprocess.run(program, env=environment(), check=False).returncode == -signal.SIGKILL
    git(repo, "prune", "--expire=now")
    Refs(repo).pack()
    assert {path.name for path in repo.rglob("*.lock")} == {"refs.lock"}
    assert not (repo / "pacha/refs.packed").exists()


def test_a_copy_of_what_the_killed_left_can_be_written(repo: Path) -> None:
    oid = commit(repo)
    Refs(repo).update(creations(oid))
    (repo / "pacha/refs.packed").write_text("left")
    Refs(repo).update(creations(oid, name="more"))
    assert len(by_git(repo)) == 80


def test_where_our_file_is_another_s_git_does_it(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    oid = commit(repo)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("pacha_git.git.refs.locks.os.utime", refuse)
    Refs(repo).update(creations(oid))
    assert len(by_git(repo)) == len(loose(repo)) == 40


@pytest.mark.parametrize("theirs", ["refs/x/n3", "refs/x/n3/v/below"])
def test_who_has_begun_to_make_a_ref_where_a_folder_would_be_is_seen(repo: Path, theirs: str) -> None:
    oid = commit(repo)
    argv = ["git", "-C", str(repo), "update-ref", "--stdin"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as stock:
        assert stock.stdin is not None
        assert stock.stdout is not None
        stock.stdin.write(f"start\ncreate {theirs} {oid}\nprepare\n")
        assert [stock.stdout.readline() for _ in range(2)] == ["start: ok\n", "prepare: ok\n"]
        timer = threading.Timer(0.3, stock.stdin.write, ["commit\n"])
        timer.start()  # whoever is first is waited for
        with pytest.raises(PachaError):
            Refs(repo).update(creations(oid))
        timer.join()
        stock.stdin.close()
        assert stock.stdout.read() == "commit: ok\n"
    assert by_git(repo) == {theirs: oid}


def test_a_ref_below_one_of_ours_that_comes_at_the_last_moment_is_seen(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oid = commit(repo)
    move = moves.move

    def late(*arguments: Any, **options: Any) -> bool:
        git(repo, "update-ref", "refs/x/n3/v/below", oid)
        return move(*arguments, **options)

    monkeypatch.setattr(moves, "move", late)
    with pytest.raises(PachaError):
        Refs(repo).update(creations(oid))
    assert by_git(repo) == {"refs/x/n3/v/below": oid}


BATCH = """
import sys
from pathlib import Path
from pacha_git.git.refs.refs import Refs, RefUpdate
Refs(Path(sys.argv[1])).update([RefUpdate(f"refs/x/n{number}", sys.argv[2], None) for number in range(30)])
"""


def test_it_is_on_the_disk_before_it_has_its_name_and_before_it_is_acknowledged(repo: Path, tmp_path: Path) -> None:
    strace = needed.program("strace", "strace")
    calls = "trace=fsync,fdatasync,link,linkat,rename,renameat,renameat2"
    trace = tmp_path / "trace"
    subprocess.run(
        [strace, "-y", "-e", calls, "-o", str(trace), sys.executable, "-c", BATCH, str(repo), str(commit(repo))],
        check=True, env=environment(),
    )  # fmt: skip
    steps = [line for line in trace.read_text().splitlines() if "packed-refs" in line or "fsync(" in line]
    written, linked, named, folder = steps
    assert written.startswith("fsync(")
    assert "refs.packed" in written
    assert linked.startswith("link")
    assert linked.count(str(repo / "packed-refs.lock")) == 1
    assert named.startswith("rename")
    assert named.count(f'{repo / "packed-refs"}"') == 1
    assert folder.startswith("fsync(")
    assert f"<{repo}>" in folder


def environment() -> Mapping[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
