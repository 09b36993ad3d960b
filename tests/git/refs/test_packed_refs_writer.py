"""Many refs written straight into the packed file are there for stock git, beside what was there before."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pacha_git.errors import PachaError
from pacha_git.git.refs import packed_refs_writer
from pacha_git.git.refs.packed_refs_writer import write_packed
from pacha_git.git.refs.refs import RefMoved, Refs, RefUpdate
from pacha_git.gitobjects.oid import Oid

SEEN = "refs/remotes/origin/pacha/models"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "--bare", ".")
    tree = git(tmp_path, "hash-object", "-t", "tree", "-w", "/dev/null")
    commit = git(tmp_path, "commit-tree", "-m", "one", tree)
    git(tmp_path, "update-ref", "refs/heads/main", commit)
    return tmp_path


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout.strip()


def commit_of(repo: Path) -> Oid:
    return Oid(git(repo, "rev-parse", "refs/heads/main"))


def all_refs(repo: Path) -> dict[str, str]:
    listed = git(repo, "for-each-ref", "--format=%(refname) %(objectname) %(*objectname)")
    return dict(line.split(" ", 1) for line in listed.splitlines())


def test_what_was_packed_stays_with_its_tags(repo: Path) -> None:
    commit = commit_of(repo)
    git(repo, "tag", "-a", "-m", "x", "v1", commit)
    git(repo, "tag", "light", commit)
    git(repo, "pack-refs", "--all")
    (repo / "packed-refs").chmod(0o664)
    before = all_refs(repo)
    write_packed(repo, {f"{SEEN}/m{number}": commit for number in range(3)}, ())
    assert all_refs(repo) == before | {f"{SEEN}/m{number}": f"{commit} " for number in range(3)}
    assert (repo / "packed-refs").stat().st_mode & 0o777 == 0o664
    assert not (repo / "packed-refs.lock").exists()
    git(repo, "fsck", "--strict")


@pytest.mark.parametrize(
    ("packed", "loose", "new"),
    [
        ([], [], ["a", "a-b", "a/b/c"]),
        ([], ["a"], ["a/b/c"]),
        ([], ["a/b/c"], ["a"]),
        (["a"], [], ["a-b", "a/b/c"]),
        (["a-b", "a/b/c"], [], ["a"]),
    ],
)
def test_a_ref_is_no_folder_of_refs(repo: Path, packed: list[str], loose: list[str], new: list[str]) -> None:
    commit = commit_of(repo)
    if packed:
        assert write_packed(repo, {f"{SEEN}/{name}": commit for name in packed}, ())
    before = all_refs(repo)
    with pytest.raises(PachaError, match="at once"):
        write_packed(repo, {f"{SEEN}/{name}": commit for name in new}, [f"{SEEN}/{name}" for name in loose])
    assert not (repo / "packed-refs.lock").exists()
    assert all_refs(repo) == before


def test_gits_own_lock_is_waited_for(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_refs_writer, "_WAIT_SECONDS", 0.1)
    (repo / "packed-refs.lock").touch()
    with pytest.raises(PachaError, match=r"packed-refs\.lock"):
        write_packed(repo, {f"{SEEN}/a": commit_of(repo)}, ())
    assert (repo / "packed-refs.lock").exists()


@pytest.mark.parametrize("head", ["# pack-refs with: peeled \n", "# pack-refs with: peeled fully-peeled \n", ""])
def test_a_file_of_another_form_is_left_to_git(repo: Path, head: str) -> None:
    commit, refs = commit_of(repo), Refs(repo)
    (repo / "packed-refs").write_text(f"{head}{commit} refs/heads/z\n{commit} refs/heads/a\n")
    refs.update(many(commit))
    assert len(all_refs(repo)) == 603
    assert refs.count_loose() == 601


def test_a_file_that_was_cut_off_is_not_written_on(repo: Path) -> None:
    commit = commit_of(repo)
    cut = f"# pack-refs with: peeled fully-peeled sorted \n{commit} refs/heads/cut"
    (repo / "packed-refs").write_text(cut)
    with pytest.raises(PachaError, match="unterminated"):
        Refs(repo).update(many(commit))
    assert (repo / "packed-refs").read_text() == cut


def many(commit: Oid, old: Oid | None = None) -> list[RefUpdate]:
    return [RefUpdate(f"{SEEN}/m{number}", commit, old) for number in range(600)]


def test_many_last_seen_copies_take_no_file_each(repo: Path) -> None:
    commit, refs = commit_of(repo), Refs(repo)
    git(repo, "update-ref", f"{SEEN}/m7", commit)
    with pytest.raises(RefMoved):
        refs.update(many(commit))  # of m7 a file says otherwise
    assert len(all_refs(repo)) <= 601
    git(repo, "update-ref", "-d", f"{SEEN}/m7")
    write_packed(repo, {f"{SEEN}/m8": commit}, ())
    with pytest.raises(RefMoved):
        refs.update([RefUpdate(f"{SEEN}/n{number}", commit, None) for number in range(600)] + many(commit)[8:9])
    assert all_refs(repo).keys() <= {"refs/heads/main", *(update.ref for update in many(commit))}
    git(repo, "pack-refs", "--all")
    (repo / "packed-refs").unlink()
    git(repo, "update-ref", "refs/heads/main", commit)
    refs.update([*many(commit), RefUpdate("refs/pacha/models/m/1.0.0", commit, None)])
    assert len(all_refs(repo)) == 602
    assert refs.count_loose() == 1


def test_refs_of_our_own_go_by_a_transaction_unless_the_repository_is_new(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, refs = commit_of(repo), Refs(repo)
    monkeypatch.setattr(packed_refs_writer, "write_packed", lambda *_: pytest.fail("written without git's locks"))
    refs.update([RefUpdate(f"refs/pacha/models/m{number}/1.0.0", commit, None) for number in range(500)])
    assert refs.count_loose() == 1
    monkeypatch.undo()
    refs.is_new = True
    refs.update([RefUpdate(f"refs/pacha/models/n{number}/1.0.0", commit, None) for number in range(500)])
    assert refs.count_loose() == 1
    assert len(all_refs(repo)) == 1001


KILLED = """
import os, signal, sys
from pathlib import Path
from pacha_git.git.refs.packed_refs_writer import write_packed
Path.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write_packed(Path(sys.argv[1]), {"refs/remotes/origin/a": sys.argv[2]}, ())
"""


def test_what_the_killed_left_is_in_nobodys_way(repo: Path) -> None:
    commit = commit_of(repo)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(repo), commit], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (repo / "packed-refs.lock").exists()
    Refs(repo).update([RefUpdate("refs/heads/more", commit, None)])
    assert not (repo / "packed-refs.lock").exists()
    git(repo, "pack-refs", "--all")
