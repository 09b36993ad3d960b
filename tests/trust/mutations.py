"""Damage done to bytes at random; it knows nothing of what they mean."""

from __future__ import annotations

from hypothesis import strategies as st


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with one bit flipped, cut short, with something before, after or within them, or a piece twice."""
    places = st.integers(0, len(data) - 1)
    some = st.binary(min_size=1, max_size=40)
    return st.one_of(
        st.builds(lambda at, bit: data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :], places, st.integers(0, 7)),
        places.map(lambda at: data[:at]),
        some.map(lambda more: data + more),
        some.map(lambda more: more + data),
        st.builds(lambda at, more: data[:at] + more + data[at:], places, some),
        st.builds(lambda a, b: data[:a] + data[b:], places, places),
        st.builds(lambda at, more: data[:at] + more + data[at + len(more) :], places, some),
    ).filter(lambda mutated: mutated != data)
