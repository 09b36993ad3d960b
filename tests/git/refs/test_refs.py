from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacha_git.errors import Corrupt, PachaError
from pacha_git.git.refs.refs import RefMoved, Refs, RefUpdate
from pacha_git.gitobjects.oid import Oid
from pacha_git.system.process import CommandFailed
from tests.git.stock import bare, git

SEGMENT = st.text("ab-.1Z", min_size=1, max_size=4).filter(
    lambda text: not text.startswith((".", "-")) and not text.endswith((".", ".lock")) and ".." not in text
)
NAMES = st.lists(SEGMENT, min_size=1, max_size=3).map(lambda parts: "refs/x/" + "/".join(parts))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return bare(tmp_path / "repo.git")


def blob(repo: Path, text: str) -> Oid:
    return Oid(git(repo, "hash-object", "-w", "--stdin", stdin=text.encode()).decode().strip())


def by_git(repo: Path) -> dict[str, str]:
    lines = git(repo, "for-each-ref", "--format=%(refname) %(objectname)").decode().splitlines()
    return dict(line.split(" ") for line in lines)


def create(refs: Refs, **named: Oid) -> None:
    refs.update([RefUpdate(f"refs/x/{name}", oid, None) for name, oid in named.items()])


@given(
    names=st.sets(NAMES, min_size=1, max_size=12).map(
        lambda names: sorted(n for n in names if not any(o.startswith(n + "/") for o in names))
    ),
    packed=st.sets(st.integers(0, 11)),
    asked=NAMES,
)
@settings(max_examples=30)
def test_what_we_read_is_what_git_reads(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], packed: set[int], asked: str
) -> None:
    repo = bare(tmp_path_factory.mktemp("refs") / "r.git")
    oid = blob(repo, "x")
    chosen = "".join(f"create {name} {oid}\n" for at, name in enumerate(names) if at in packed)
    git(repo, "update-ref", "--stdin", stdin=chosen.encode())
    git(repo, "pack-refs", "--all")
    rest = "".join(f"create {name} {oid}\n" for at, name in enumerate(names) if at not in packed)
    git(repo, "update-ref", "--stdin", stdin=rest.encode())
    refs = Refs(repo)
    assert refs.below("refs/") == by_git(repo)
    assert list(refs.below("refs/")) == sorted(names)
    for name in [*names, asked]:
        assert (refs.get(name) is not None) == (name in names)
        prefix = name.rpartition("/")[0] + "/"
        assert list(refs.below(prefix)) == sorted(n for n in names if n.startswith(prefix))


def test_a_packed_file_with_peeled_tags_and_one_that_is_not_sorted(repo: Path) -> None:
    oid = blob(repo, "x")
    tree = git(repo, "mktree", stdin=f"100644 blob {oid}\tf\n".encode()).decode().strip()
    commit = git(repo, "commit-tree", "-m", "c", tree).decode().strip()
    for name in ("a", "b", "zz"):
        git(repo, "tag", "-a", "-m", name, name, commit)
    git(repo, "update-ref", "refs/x/one", commit)
    git(repo, "pack-refs", "--all")
    assert Refs(repo).below("refs/") == by_git(repo)
    packed = repo / "packed-refs"
    assert b"\n^" in packed.read_bytes()
    lines = [line for line in packed.read_text().splitlines() if line[0] not in "#^"]
    packed.write_text("# pack-refs with: peeled fully-peeled \n" + "\n".join(reversed(lines)) + "\n")
    assert Refs(repo).below("refs/") == by_git(repo)
    assert Refs(repo).get("refs/tags/b") == by_git(repo)["refs/tags/b"]


def test_a_loose_ref_hides_the_packed_one(repo: Path) -> None:
    one, two = blob(repo, "1"), blob(repo, "2")
    refs = Refs(repo)
    create(refs, a=one)
    refs.pack()
    assert refs.count_loose() == 0
    refs.update([RefUpdate("refs/x/a", two, one)])
    assert refs.get("refs/x/a") == two
    assert refs.below("refs/x/") == {"refs/x/a": two}
    refs.update([RefUpdate("refs/x/a", None, two)])
    assert refs.get("refs/x/a") is None
    assert refs.below("refs/x/") == by_git(repo) == {}


def test_all_of_a_transaction_or_nothing(repo: Path) -> None:
    one, two = blob(repo, "1"), blob(repo, "2")
    refs = Refs(repo)
    create(refs, a=one, b=one)
    before = by_git(repo)
    for wrong in (
        RefUpdate("refs/x/a", two, None),
        RefUpdate("refs/x/a", two, two),
        RefUpdate("refs/x/a", None, two),
        RefUpdate("refs/x/a", two, two),
        RefUpdate("refs/x/c", two, one),
        RefUpdate("refs/x/c", one, one),
    ):
        for updates in ([RefUpdate("refs/x/new", two, None), wrong], [wrong, RefUpdate("refs/x/b", two, one)]):
            with pytest.raises(RefMoved, match=wrong.ref):
                refs.update(updates)
            assert by_git(repo) == before
    refs.update([RefUpdate("refs/x/a", two, one), RefUpdate("refs/x/b", None, one), RefUpdate("refs/x/n", one, None)])
    assert by_git(repo) == {"refs/x/a": two, "refs/x/n": one}


def test_hundreds_at_once_are_as_whole(repo: Path) -> None:
    one, two = blob(repo, "1"), blob(repo, "2")
    refs = Refs(repo)
    many = [RefUpdate(f"refs/x/n{number}", one, None) for number in range(400)]
    refs.update(many)
    assert len(by_git(repo)) == 400
    with pytest.raises(RefMoved):
        refs.update([*(RefUpdate(each.ref, two, one) for each in many), RefUpdate("refs/x/n0/below", one, one)])
    assert set(by_git(repo).values()) == {one}
    refs.pack()
    assert refs.below("refs/x/") == by_git(repo)


def test_a_ref_below_another_is_an_error_for_people(repo: Path) -> None:
    one = blob(repo, "1")
    refs = Refs(repo)
    create(refs, a=one)
    with pytest.raises(PachaError):
        refs.update([RefUpdate("refs/x/a/b", one, None)])
    assert by_git(repo) == {"refs/x/a": one}


def test_an_object_that_is_not_here_gets_no_ref(repo: Path) -> None:
    with pytest.raises(PachaError):
        Refs(repo).update([RefUpdate("refs/x/a", Oid("1" * 40), None)])
    assert by_git(repo) == {}


def test_of_many_that_create_one_ref_exactly_one_succeeds(repo: Path) -> None:
    oids = [blob(repo, str(number)) for number in range(8)]
    won: list[Oid] = []

    def work(oid: Oid) -> None:
        try:
            Refs(repo).update([RefUpdate("refs/x/only", oid, None)])
            won.append(oid)
        except RefMoved:
            pass

    threads = [threading.Thread(target=work, args=(oid,)) for oid in oids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert by_git(repo) == {"refs/x/only": won[0]}


def test_one_reader_sees_what_others_pack_and_move(repo: Path) -> None:
    one, two = blob(repo, "1"), blob(repo, "2")
    reader = Refs(repo)
    assert reader.get("refs/x/a") is None
    create(Refs(repo), a=one, b=one)
    assert reader.get("refs/x/a") == one
    git(repo, "pack-refs", "--all")
    stamp = reader.packed_stamp()
    assert reader.get("refs/x/b") == one
    git(repo, "update-ref", "refs/x/b", two)
    git(repo, "pack-refs", "--all")
    assert reader.get("refs/x/b") == two
    assert reader.packed_stamp() != stamp
    git(repo, "update-ref", "-d", "refs/x/b")
    assert reader.get("refs/x/b") is None


@pytest.mark.parametrize("data", [b"", b"nonsense\n", b"0" * 39 + b"\n", b"\xff" * 41])
def test_a_loose_file_that_holds_no_id(repo: Path, data: bytes) -> None:
    path = repo / "refs/x/bad"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    with pytest.raises(Corrupt, match="refs/x/bad"):
        Refs(repo).get("refs/x/bad")


def test_a_packed_file_that_is_damaged(repo: Path) -> None:
    oid = blob(repo, "1")
    refs = Refs(repo)
    create(refs, a=oid, b=oid, c=oid)
    refs.pack()
    data = (repo / "packed-refs").read_bytes()
    (repo / "packed-refs").write_bytes(data.replace(oid.encode() + b" refs/x/b", b"?" * 40 + b" refs/x/b"))
    with pytest.raises(Corrupt, match="packed-refs"):
        refs.below("refs/x/")


def test_locks_are_no_refs(repo: Path) -> None:
    oid = blob(repo, "1")
    refs = Refs(repo)
    create(refs, a=oid)
    (repo / "refs/x/a.lock").write_text("")
    (repo / "refs/x/b.lock").write_text(str(oid))
    assert refs.below("refs/") == {"refs/x/a": oid}
    os.remove(repo / "refs/x/a.lock")  # noqa: PTH107 — as another program would


def test_a_ref_that_leads_to_another_is_read_as_git_reads_it(repo: Path) -> None:
    refs, oid = Refs(repo), blob(repo, "x")
    create(refs, loose=oid, packed=oid)
    git(repo, "pack-refs", "--all")
    create(refs, other=oid)
    chain = ["other", *(f"hop{number}" for number in range(6))]
    for name, aim in [
        ("p", "packed"),
        ("l", "other"),
        ("none", "nothing"),
        ("loop", "loop"),
        *zip(chain[1:], chain, strict=False),
    ]:
        git(repo, "symbolic-ref", f"refs/x/{name}", f"refs/x/{aim}")
    (repo / "refs/x/out").write_text("ref: refs/../HEAD\n")
    assert refs.below("refs/") == by_git(repo)
    assert set(refs.below("refs/x/")) == {f"refs/x/{name}" for name in ["loose", "packed", "p", "l", *chain[:5]]}


def test_who_can_t_write_is_told_of_no_lock(repo: Path) -> None:
    said = "fatal: prepare: cannot update ref 'refs/x/a': couldn't write '/r/refs/x/a.lock'"
    error = Refs(repo)._why([], CommandFailed(["git"], 128, said))
    assert "couldn't write" in error.message
    assert "locked" not in error.message
