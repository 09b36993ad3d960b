from __future__ import annotations

import json
from typing import Any

import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from pacha_git.errors import Corrupt
from pacha_git.format import canonical

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
INTEGERS = st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
PLAIN = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
    max_leaves=20,
)


@given(VALUES)
@example({"\U00010000": 1, "\uffff": 2})
@example(-0.0)
@example(1e16)
def test_decode_takes_back_what_encode_wrote(value: Any) -> None:
    data = canonical.encode(value)
    again = canonical.decode(data, limit=10**6)
    assert again == value
    assert canonical.encode(again) == data


@given(VALUES)
def test_encode_is_rfc_8785(value: Any) -> None:
    assert canonical.encode(value) == rfc8785.dumps(value)


@given(PLAIN)
def test_the_quick_writer_writes_the_same(value: Any) -> None:
    assert canonical.write_plain(value) == rfc8785.dumps(value)


@given(VALUES)
def test_a_reader_with_doubles_alone_reads_the_same(value: Any) -> None:
    assert json.loads(canonical.encode(value), parse_int=float) == value


@given(VALUES, st.integers(0), st.binary(max_size=2), st.integers(0, 3))
def test_one_value_has_one_spelling(value: Any, at: int, put: bytes, cut: int) -> None:
    data = canonical.encode(value)
    at %= len(data) + 1
    changed = data[:at] + put + data[at + cut :]
    try:
        other = canonical.decode(changed, limit=10**6)
    except Corrupt:
        return
    assert canonical.encode(other) == changed


@given(st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_arbitrary_bytes_are_refused_or_canonical(data: bytes) -> None:
    try:
        value = canonical.decode(data, limit=40)
    except Corrupt:
        return
    assert canonical.encode(value) == data
