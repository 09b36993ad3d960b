from __future__ import annotations

import pytest

from pacha_git.errors import InvalidInput
from pacha_git.ledger import encode_note, merge_commit, merge_notes, parse_note, union
from tests.ledger.samples import commit


def test_a_note_is_sorted_lines_each_once() -> None:
    assert encode_note([b"b", b"a", b"b", b"A"]) == b"A\na\nb\n"
    assert encode_note([]) == b""


def test_reading_takes_any_order_repetition_empty_lines_and_a_missing_last_lf() -> None:
    assert parse_note(b"b\n\na\nb\nlast") == [b"a", b"b", b"last"]
    assert parse_note(b"") == []


@pytest.mark.parametrize("line", [b"", b"a\nb"])
def test_what_is_not_one_line_is_refused(line: bytes) -> None:
    with pytest.raises(InvalidInput):
        encode_note([line])


def test_union_keeps_lines_that_are_no_events() -> None:
    assert union(b"rubbish\n", b"\xff\xfe\n", b"rubbish\n") == b"rubbish\n\xff\xfe\n"


def test_a_line_that_one_side_lacks_stays() -> None:
    ours = {commit(1): b"a\nb\n", commit(2): b"c\n"}
    theirs = {commit(1): b"b\n", commit(3): b"d\n"}
    assert merge_notes(ours, theirs) == {commit(1): b"a\nb\n", commit(2): b"c\n", commit(3): b"d\n"}


def test_empty_notes_are_left_out() -> None:
    assert merge_notes({commit(1): b"\n"}, {}) == {}


def test_both_peers_make_the_same_merge_commit() -> None:
    early, late = commit(9), commit(1)
    ours = merge_commit({early: 1_700_000_000, late: 1_700_000_777})
    assert ours == merge_commit({late: 1_700_000_777, early: 1_700_000_000})
    assert (ours.parents, ours.seconds) == ((late, early), 1_700_000_777)
    assert (ours.identity, ours.message) == ("pacha <pacha@invalid>", "merge\n")
