from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacha_git.errors import Corrupt
from pacha_git.format.commits import SYSTEM_IDENTITY
from pacha_git.git.changes import changing
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.store.notes import descends, merge_tips, note_blobs, read_note, read_notes, write_notes
from tests.making import git

ONE, TWO, THREE = (Oid(digit * 40) for digit in "123")
LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"d\n"]), unique=True, min_size=1).map(
    lambda ls: b"".join(sorted(ls))
)
NOTES = st.dictionaries(st.sampled_from([ONE, TWO, THREE]), LINES, min_size=1)


@pytest.fixture
def repo(tmp_path: Path) -> GitRepository:
    return GitRepository.create(tmp_path / "repo.git")


def write(repo: GitRepository, tip: Oid | None, notes: dict[Oid, bytes], seconds: int = 1) -> Oid:
    with changing(repo, "test") as changes:
        return write_notes(repo, changes, tip, notes, identity=SYSTEM_IDENTITY, seconds=seconds, message="test\n")


def merge(repo: GitRepository, ours: Oid, theirs: Oid) -> Oid:
    with changing(repo, "test") as changes:
        return merge_tips(repo, changes, ours, theirs)


def lines(notes: dict[Oid, bytes]) -> dict[Oid, set[bytes]]:
    return {oid: set(note.splitlines()) for oid, note in notes.items()}


def united(*all_notes: dict[Oid, bytes]) -> dict[Oid, set[bytes]]:
    result: dict[Oid, set[bytes]] = {}
    for notes in all_notes:
        for oid, some in lines(notes).items():
            result.setdefault(oid, set()).update(some)
    return result


def test_stock_git_reads_the_notes(repo: GitRepository) -> None:
    blob = Oid(git(repo.path, "hash-object", "-w", "--stdin", stdin=b"x"))
    tip = write(repo, None, {blob: b"first\nsecond\n"})
    git(repo.path, "update-ref", "refs/notes/test", tip)
    assert git(repo.path, "notes", "--ref=test", "show", blob) == "first\nsecond"
    assert git(repo.path, "ls-tree", "-r", "--name-only", tip) == f"{blob[:2]}/{blob[2:]}"


@pytest.mark.parametrize("fan", [[], [2], [2, 2], [4], [1, 1]])
def test_any_fan_out_is_read_and_written_on(repo: GitRepository, fan: list[int]) -> None:
    blob = git(repo.path, "hash-object", "-w", "--stdin", stdin=b"one\n")
    path, rest = [], str(ONE)
    for width in fan:
        path.append(rest[:width])
        rest = rest[width:]
    tree = git(repo.path, "mktree", "--missing", stdin=f"100644 blob {blob}\t{rest}\n".encode())
    for part in reversed(path):
        tree = git(repo.path, "mktree", stdin=f"040000 tree {tree}\t{part}\n".encode())
    tip = Oid(git(repo.path, "-c", "user.name=a", "-c", "user.email=b", "commit-tree", "-m", "other", tree))
    assert read_notes(repo, tip) == {ONE: b"one\n"}
    assert read_note(repo, tip, ONE) == b"one\n"
    new = write(repo, tip, {TWO: b"two\n"})
    assert read_notes(repo, new) == {ONE: b"one\n", TWO: b"two\n"}
    assert {len(name.split("/")[0]) for name in git(repo.path, "ls-tree", "-r", "--name-only", new).split()} == {2}
    assert descends(repo, new, tip)


@pytest.mark.parametrize("name", ["x" * 38, "11", "1" * 41, "README"])
def test_what_is_no_notes_tree(repo: GitRepository, name: str) -> None:
    blob = git(repo.path, "hash-object", "-w", "--stdin", stdin=b"one\n")
    tree = git(repo.path, "mktree", stdin=f"100644 blob {blob}\t{name}\n".encode())
    tip = Oid(git(repo.path, "-c", "user.name=a", "-c", "user.email=b", "commit-tree", "-m", "other", tree))
    with pytest.raises(Corrupt):
        read_notes(repo, tip)


def test_an_empty_note_is_dropped(repo: GitRepository) -> None:
    tip = write(repo, None, {ONE: b"a\n", TWO: b"b\n"})
    assert read_notes(repo, write(repo, tip, {ONE: b""})) == {TWO: b"b\n"}
    assert read_notes(repo, write(repo, tip, {ONE: b"", TWO: b""})) == {}
    assert (read_notes(repo, None), read_note(repo, None, ONE)) == ({}, b"")


@given(base=NOTES, ours=NOTES, theirs=NOTES, third=NOTES)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_merging_loses_no_line_and_comes_to_the_same_tip_whoever_merges(
    repo: GitRepository,
    base: dict[Oid, bytes],
    ours: dict[Oid, bytes],
    theirs: dict[Oid, bytes],
    third: dict[Oid, bytes],
) -> None:
    root = write(repo, None, base, 1)
    a, b, c = write(repo, root, ours, 2), write(repo, root, theirs, 3), write(repo, None, third, 4)
    merged = merge(repo, a, b)
    assert merged == merge(repo, b, a)
    assert lines(read_notes(repo, merged)) == united(read_notes(repo, a), read_notes(repo, b))
    assert merge(repo, merged, a) == merge(repo, a, merged) == merged
    assert merge(repo, merged, merged) == merged
    one, other = merge(repo, merged, c), merge(repo, merge(repo, b, c), a)
    assert lines(read_notes(repo, one)) == lines(read_notes(repo, other))
    assert note_blobs(repo, one) == note_blobs(repo, other)


def test_a_tip_that_has_all_of_the_other_is_the_merge(repo: GitRepository) -> None:
    first = write(repo, None, {ONE: b"a\n"})
    second = write(repo, first, {ONE: b"a\nb\n", TWO: b"c\n"})
    assert merge(repo, first, second) == merge(repo, second, first) == second


def test_a_line_that_a_later_tip_lacks_comes_back(repo: GitRepository) -> None:
    """As when somebody edits notes with stock git: a deletion never wins."""
    first = write(repo, None, {ONE: b"a\nb\n", TWO: b"c\n"})
    later = write(repo, first, {ONE: b"b\n", TWO: b""})
    merged = merge(repo, later, first)
    assert lines(read_notes(repo, merged)) == {ONE: {b"a", b"b"}, TWO: {b"c"}}
    assert merged not in (first, later)
