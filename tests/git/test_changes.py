from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from pacha_git.errors import PachaError
from pacha_git.format.commits import SYSTEM_IDENTITY
from pacha_git.git.changes import Changes, SharedObjectGone, changing
from pacha_git.git.refs.refs import RefMoved
from pacha_git.git.repo import GitRepository
from pacha_git.git.stock import gc_under_way
from pacha_git.gitobjects.commits import commit_bytes
from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import tree_bytes
from tests.making import git, refs, temporaries


@pytest.fixture
def repo(tmp_path: Path) -> GitRepository:
    return GitRepository.create(tmp_path / "repo.git")


def commit(changes: Changes, text: str) -> Oid:
    """A commit of one file."""
    tree = changes.add("tree", tree_bytes([("100644", b"file", changes.add("blob", text.encode()))]))
    return changes.add(
        "commit", commit_bytes(tree=tree, parents=(), identity=SYSTEM_IDENTITY, seconds=0, message="m\n")
    )


def test_what_is_about_to_change_reads_as_if_it_were_done_and_only_here(repo: GitRepository) -> None:
    other = GitRepository(repo.path)
    with changing(repo, "test") as changes:
        oid = commit(changes, "x")
        changes.move("refs/x/a", oid, None)
        assert repo.ref("refs/x/a") == oid
        assert repo.refs_below("refs/x/") == {"refs/x/a": oid}
        assert repo.read_as(oid, "commit").startswith(b"tree ")
        assert other.ref("refs/x/a") is None
        assert not other.has(oid)
    assert other.ref("refs/x/a") == oid
    assert git(repo.path, "show", "refs/x/a:file") == "x"
    assert temporaries(repo.path) == []


def test_an_error_leaves_nothing(repo: GitRepository) -> None:
    with pytest.raises(KeyError), changing(repo, "test") as changes:  # noqa: PT012 — the whole block must not have been
        changes.move("refs/x/a", commit(changes, "x"), None)
        raise KeyError
    assert refs(repo.path) == {}
    assert list((repo.path / "objects/pack").iterdir()) == []
    assert repo.overlay is None


def test_an_error_in_an_inner_block_takes_back_the_inner_block(repo: GitRepository) -> None:
    done: list[str] = []
    with changing(repo, "outer") as outer:
        first, second = commit(outer, "1"), commit(outer, "2")
        outer.move("refs/x/a", first, None)
        outer.afterwards(lambda: done.append("outer"))
        with pytest.raises(KeyError), changing(repo, "inner") as inner:  # noqa: PT012 — as above
            assert inner is outer
            inner.move("refs/x/a", second, first)
            inner.move("refs/x/b", second, None)
            inner.afterwards(lambda: done.append("inner"))
            raise KeyError
        assert repo.ref("refs/x/a") == first
        assert repo.ref("refs/x/b") is None
    assert refs(repo.path) == {"refs/x/a": first}
    assert done == ["outer"]


def test_moving_twice_expects_what_was_there_at_first(repo: GitRepository) -> None:
    with changing(repo, "test") as changes:
        first = commit(changes, "1")
        changes.move("refs/x/a", first, None)
    with changing(repo, "test") as changes:
        second, third = commit(changes, "2"), commit(changes, "3")
        changes.move("refs/x/a", second, first)
        changes.move("refs/x/a", third, second)
    assert refs(repo.path) == {"refs/x/a": third}
    with changing(repo, "test") as changes:
        changes.move("refs/x/a", first, third)
        changes.move("refs/x/a", third, first)
    assert refs(repo.path) == {"refs/x/a": third}


def test_a_ref_that_moved_meanwhile_is_resolved_or_refused(repo: GitRepository) -> None:
    with changing(repo, "test") as changes:
        one, two, three = (commit(changes, text) for text in "123")
        changes.move("refs/x/keep", one, None)
        changes.move("refs/y/keep", two, None)
        changes.move("refs/z/keep", three, None)
    with changing(repo, "test") as changes:
        changes.move("refs/x/a", one, None)
        changes.resolve_with("refs/x/", lambda changes, update, now: three if now == two else None)
        git(repo.path, "update-ref", "refs/x/a", two)
    assert refs(repo.path)["refs/x/a"] == three
    with pytest.raises(RefMoved), changing(repo, "test") as changes:  # noqa: PT012 — refused at the end of the block
        changes.move("refs/x/b", one, None)
        changes.move("refs/y/b", one, None)
        changes.resolve_with("refs/x/", lambda changes, update, now: three)
        git(repo.path, "update-ref", "refs/y/b", two)
    assert "refs/x/b" not in refs(repo.path)


def test_a_ref_that_is_held_must_not_move(repo: GitRepository) -> None:
    with changing(repo, "test") as changes:
        one, two = commit(changes, "1"), commit(changes, "2")
        changes.move("refs/x/held", one, None)
        changes.move("refs/x/other", two, None)
    with pytest.raises(SharedObjectGone), changing(repo, "test") as changes:  # noqa: PT012 — as above
        changes.hold("refs/x/held", one)
        changes.move("refs/x/new", two, None)
        git(repo.path, "update-ref", "refs/x/held", two)
    assert "refs/x/new" not in refs(repo.path)
    with changing(repo, "test") as changes:
        changes.hold("refs/x/held", two)
        changes.move("refs/x/new", two, None)
    assert refs(repo.path)["refs/x/new"] == two


def test_an_object_that_is_here_is_not_written_again(repo: GitRepository) -> None:
    with changing(repo, "test") as changes:
        changes.move("refs/x/a", commit(changes, "x"), None)
    with changing(repo, "test") as changes:
        again = commit(changes, "x")
        assert changes.stored_bytes == 0
        changes.move("refs/x/b", again, None)
    assert len(list((repo.path / "objects/pack").glob("*.pack"))) == 1


def test_what_was_pruned_meanwhile_is_no_success(repo: GitRepository) -> None:
    with changing(repo, "test") as changes:
        oid = commit(changes, "x")
    with pytest.raises(SharedObjectGone) as caught, changing(repo, "test") as changes:  # noqa: PT012 — as above
        assert commit(changes, "x") == oid
        changes.move("refs/x/a", oid, None)
        for file in (repo.path / "objects/pack").iterdir():
            file.unlink()
    assert "again" in caught.value.hint
    assert refs(repo.path) == {}


def test_what_is_relied_on_is_copied_while_a_gc_runs(repo: GitRepository) -> None:
    with changing(repo, "test") as changes:
        oid = commit(changes, "x")
    [old] = (repo.path / "objects/pack").glob("*.pack")
    pid = repo.path / "gc.pid"
    pid.write_text(f"{os.getpid()} {socket.gethostname()}")
    with changing(repo, "test") as changes:
        commit(changes, "x")
        changes.move("refs/x/a", oid, None)
    pid.unlink()
    for suffix in (".idx", ".pack"):
        old.with_suffix(suffix).unlink()
    assert git(repo.path, "show", "refs/x/a:file") == "x"


def test_what_is_relied_on_is_copied_from_a_file_of_another_user(
    repo: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    with changing(repo, "test") as changes:
        changes.move("refs/x/a", commit(changes, "same"), None)
    monkeypatch.setattr("pacha_git.git.packs.reader._touch", lambda path: False)
    with changing(repo, "test") as changes:
        changes.move("refs/x/b", commit(changes, "same"), None)
    assert len(list(repo.objects.glob("pack/pack-*.pack"))) == 2
    assert not list(repo.objects.glob("pack/*.keep"))
    assert temporaries(repo.path) == []
    assert git(repo.path, "fsck", "--full", "--strict") == ""


def test_a_gc_is_told_by_its_file(tmp_path: Path) -> None:
    assert not gc_under_way(tmp_path)
    here, program = socket.gethostname(), subprocess.Popen(["true"])
    program.wait()
    for text, runs in (
        (f"{os.getpid()} {here}", True), (f"{program.pid} {here}", False), (f"{program.pid} elsewhere", True),
        ("nonsense", True), ("", True),
    ):  # fmt: skip
        (tmp_path / "gc.pid").write_text(text)
        assert gc_under_way(tmp_path) is runs, text
    os.utime(tmp_path / "gc.pid", (0, 0))
    assert not gc_under_way(tmp_path)


def test_the_settings_of_a_shared_repository_are_the_groups_too(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        GitRepository.create(tmp_path / "r.git", shared=True)
    finally:
        os.umask(before)
    info = tmp_path / "r.git" / "info"
    assert info.stat().st_mode & 0o070 == 0o070
    assert (info / "attributes").stat().st_mode & 0o060 == 0o060


def test_settings_that_are_right_are_left_alone_and_others_that_can_t_be_written_are_one_error(
    repo: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    GitRepository.create(repo.path)
    (repo.path / "info/attributes").unlink()
    with pytest.raises(PachaError, match="Permission denied"):
        GitRepository.create(repo.path)
