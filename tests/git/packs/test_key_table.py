"""Rows found by their keys."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pacha_git.git.packs.key_table import KeyTable

# Few enough bytes that keys come twice.
ROWS = st.lists(st.tuples(st.binary(min_size=2, max_size=2), st.binary(min_size=3, max_size=3)), max_size=300)


@given(ROWS)
def test_it_is_a_dict_in_which_the_first_wins(rows: list[tuple[bytes, bytes]]) -> None:
    table, plain = KeyTable(2, 3), dict[bytes, bytes]()
    for key, value in rows:
        assert table.add(key, value) is (key not in plain)
        plain.setdefault(key, value)
    assert list(table) == list(plain.items())
    assert len(table) == len(plain)
    for number in range(256):
        key = bytes([0, number])
        assert (key in table) is (key in plain)
        assert table.get(key) == plain.get(key)


def test_it_grows() -> None:
    chance = random.Random(1)
    keys = [chance.randbytes(20) for _ in range(5000)]
    table = KeyTable(20)
    assert all(table.add(key) for key in keys)
    assert not any(table.add(key) for key in keys)
    assert [key for key, _ in table] == keys
    assert chance.randbytes(20) not in table
