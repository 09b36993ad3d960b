from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacha_git.errors import Corrupt
from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import FILE_MODE, TREE_MODE, parse_tree, tree_bytes

NAMES = st.binary(min_size=1, max_size=8).filter(
    lambda name: not {*b"/\0"} & {*name} and name not in (b".", b"..", b".git")
)
OIDS = st.binary(min_size=20, max_size=20).map(Oid.of_raw)


@given(st.dictionaries(NAMES, st.tuples(st.sampled_from([FILE_MODE, TREE_MODE]), OIDS), max_size=6))
@settings(max_examples=50)
def test_what_is_written_is_what_is_read(entries: dict[bytes, tuple[str, Oid]]) -> None:
    body = tree_bytes([(mode, name, oid) for name, (mode, oid) in entries.items()])
    read = parse_tree(body)
    assert {entry.name: (entry.mode, entry.oid) for entry in read} == entries
    assert all(entry.is_tree == (entry.mode == TREE_MODE) for entry in read)
    for cut in {1, len(body) // 2, len(body) - 1} - {0, len(body)}:
        if 0 < cut < len(body) and cut not in _ends(body):
            with pytest.raises(Corrupt):
                parse_tree(body[:cut])


def _ends(body: bytes) -> set[int]:
    """Where entries end."""
    ends, at = {0}, 0
    while at < len(body):
        at = body.index(b"\0", at) + 21
        ends.add(at)
    return ends


@pytest.mark.parametrize("head", [b"100644 \0", b"mode a\0", b"100644 a/b\0", b"\0", b" a\0", b"100644 a", b"100644"])
def test_what_is_no_tree(head: bytes) -> None:
    with pytest.raises(Corrupt):
        parse_tree(head + b"x" * 20)
    with pytest.raises(Corrupt):
        parse_tree(head)
