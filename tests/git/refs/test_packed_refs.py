"""The packed file read by bisection says what stock git says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.errors import Corrupt
from pacha_git.git.refs.packed_refs import PackedRefs, PackedRefsSnapshot
from pacha_git.vocabulary.names import gist

SEGMENTS = st.text("abAB.-_019~", min_size=1, max_size=4)
NAMES = st.sets(st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join).map("refs/p/".__add__), max_size=30)


def oid_of(name: str) -> str:
    return name.encode().hex().ljust(40, "0")[:40]


def packed(names: set[str], *, header: bool = True) -> bytes:
    rows = sorted(names, key=str.encode) if header else sorted(names, reverse=True)
    head = b"# pack-refs with: peeled fully-peeled sorted \n" if header else b""
    return head + b"".join(f"{oid_of(name)} {name}\n".encode() for name in rows)


@given(NAMES, NAMES, st.booleans())
def test_look_ups_and_listings_agree_with_the_lines(names: set[str], others: set[str], header: bool) -> None:
    snapshot = PackedRefsSnapshot("x", packed(names, header=header))
    for name in names | others:
        assert snapshot.get(name) == (oid_of(name) if name in names else None)
    for prefix in {"refs/p/", *(name.rpartition("/")[0] + "/" for name in names | others)}:
        assert snapshot.below(prefix) == {name: oid_of(name) for name in names if name.startswith(prefix)}
        segments = {name[len(prefix) :].split("/")[0] for name in names if name.startswith(prefix)}
        found = snapshot.alike_below(prefix, gist)
        assert set().union(*found.values()) == segments
        assert all(key == gist(spelling) for key, spellings in found.items() for spelling in spellings)


def test_peeled_lines_of_tags_are_passed_over(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True, text=True).stdout

    git("init", "-q", ".")
    git("commit", "-q", "--allow-empty", "-m", "one")
    for number in range(9):
        git("tag", "-a", "-m", "x", f"v{number}")
        git("update-ref", f"refs/tags/light{number}", "HEAD")
    git("pack-refs", "--all")
    listed = dict(
        line.split(" ")[::-1] for line in git("for-each-ref", "--format=%(objectname) %(refname)").splitlines()
    )
    refs = PackedRefs(tmp_path / ".git" / "packed-refs").now()
    assert refs.below("refs/") == listed
    assert {ref: refs.get(ref) for ref in listed} == listed


def test_a_change_of_the_file_is_seen_and_a_missing_file_has_no_refs(tmp_path: Path) -> None:
    path = tmp_path / "packed-refs"
    refs = PackedRefs(path)
    assert refs.now().below("refs/") == {}
    path.write_bytes(packed({"refs/p/a"}))
    assert refs.now().get("refs/p/a") == oid_of("refs/p/a")
    path.unlink()
    assert refs.now().get("refs/p/a") is None


def test_noise_is_damage_and_no_answer() -> None:
    with pytest.raises(Corrupt):
        PackedRefsSnapshot("x", b"# pack-refs with: sorted\n" + b"z" * 40 + b" refs/p/a\n").below("refs/p/")
