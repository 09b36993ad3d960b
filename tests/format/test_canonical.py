from __future__ import annotations

import sys

import pytest

from pacha_git.errors import Corrupt, InvalidInput
from pacha_git.format import canonical


def test_the_sorting_of_keys_is_that_of_rfc_8785() -> None:
    # Section 3.2.3: by UTF-16 code units, so that U+1F600 (D83D DE00) comes before U+FB33.
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    expected = '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"\U0001f600":5,"\ufb33":3}'
    assert canonical.encode(value) == expected.encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (333333333.33333329, "333333333.3333333"),
        (1e30, "1e+30"),
        (4.50, "4.5"),
        (2e-3, "0.002"),
        (0.000000000000000000000000001, "1e-27"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (123456789012345680000.0, "123456789012345680000"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740991, "9007199254740991"),
        (-9007199254740991, "-9007199254740991"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (9.999999999999997e22, "9.999999999999997e+22"),
    ],
)
def test_numbers_are_written_as_ecmascript_writes_them(value: float, text: str) -> None:
    assert canonical.encode(value) == text.encode()
    assert canonical.decode(text.encode(), limit=100) == value


def test_texts_are_escaped_as_little_as_can_be() -> None:
    assert canonical.encode('\x01\b\t\n\f\r"\\/\x7f\u2028é€\U0001f600') == (
        '"\\u0001\\b\\t\\n\\f\\r\\"\\\\/\x7f\u2028é€\U0001f600"'.encode()
    )


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        -(2**53),
        float("nan"),
        float("inf"),
        "\ud800",
        {"\udfff": 1},
        "a\0b",
        {"a\0": 1},
        ["\\\0"],
        {1: 2},
        {None: 2},
        {1, 2},
        b"bytes",
        object(),
        {"deep": 1.5, "\ud800": 2},
    ],
)
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        canonical.encode(value)


def test_a_backslash_before_u0000_as_text_is_no_nul() -> None:
    assert canonical.decode(canonical.encode("\\u0000"), limit=100) == "\\u0000"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" 1",
        b"1\n",
        b"\xef\xbb\xbf1",
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a": 1}',
        b"[1,]",
        b"01",
        b"-0",
        b"1.0",
        b"1e2",
        b"1E400",
        b"1e400",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b'"\\u0041"',
        b'"\\/"',
        b'"\\ud800"',
        b'"\\ud83d\\ude00"',
        b'"\\u0000"',
        b'"\\u001F"',
        b'"\\u0009"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"unended',
        b"'a'",
        b"9007199254740993",
        b"1" + b"0" * 400,
        b"9" * 5000,
        b"true false",
        b"nul",
    ],
    ids=lambda data: repr(data)[:24],
)
def test_bytes_that_are_not_canonical_are_refused(data: bytes) -> None:
    with pytest.raises(Corrupt):
        canonical.decode(data, limit=10_000)


def test_an_integer_beyond_the_safe_ones_is_read_as_a_double() -> None:
    value = canonical.decode(b"100000000000000000000", limit=100)
    assert (type(value), value) == (float, 1e20)
    assert type(canonical.decode(b"9007199254740991", limit=100)) is int


@pytest.mark.parametrize("depth", [1, 2, 32])
def test_depth_counts_arrays_and_objects(depth: int) -> None:
    inner = b"[" * depth + b"]" * depth
    assert canonical.encode(canonical.decode(inner, limit=1000, depth=depth), depth=depth) == inner
    with pytest.raises(Corrupt, match="deeper"):
        canonical.decode(b"[" + inner + b"]", limit=1000, depth=depth)
    value: object = 1
    for _ in range(depth):
        value = {"a": value}
    assert canonical.encode(value, depth=depth)
    for too_deep in ([value], [[value]], [[], value]):
        with pytest.raises(InvalidInput, match="deeper"):
            canonical.encode(too_deep, depth=depth)


@pytest.mark.parametrize(
    "data",
    [b"[" * 1_000_000, b'{"a":' * 200_000, b'["' + b"[" * 100, b'"\\' * 100_000],
    ids=lambda data: repr(data)[:8],
)
def test_hostile_nesting_ends_in_an_answer(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    # A program that raised the limit must not be brought to overflow its stack.
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000_000)
    try:
        with pytest.raises(Corrupt):
            canonical.decode(data, limit=2**20)
    finally:
        sys.setrecursionlimit(before)


def test_brackets_within_texts_are_not_nesting() -> None:
    value = ["[{" * 50, {'"]\\"[[': "\\"}] * 20
    assert canonical.decode(canonical.encode(value), limit=10_000, depth=2) == value


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(InvalidInput, match="deeper"):
        canonical.encode(value)


def test_the_size_is_looked_at_first() -> None:
    assert canonical.decode(b"[]", limit=2) == []
    with pytest.raises(Corrupt, match="larger than 1 bytes"):
        canonical.decode(b"[]", limit=1)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (3, 3),
        (0.5, 0.5),
        (2**53, "9007199254740992"),
        (-(10**30), "-1" + "0" * 30),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_json_number_brings_every_number_into_json(number: float, written: object) -> None:
    assert canonical.json_number(number) == written
    assert canonical.decode(canonical.encode(canonical.json_number(number)), limit=100) == written
