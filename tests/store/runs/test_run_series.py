"""Series: every point comes back, the file is small, stock Python reads it as the format says, noise is refused."""

from __future__ import annotations

import contextlib
import json
import math
import random
import tracemalloc
import zlib
from array import array
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacha_git.errors import Corrupt
from pacha_git.store.runs.series import Series, announced, decode_series, encode_series, summaries, summary

STEPS = st.integers(-(2**53), 2**53)
POINTS = st.lists(st.tuples(STEPS, st.integers(0, 2**45), st.floats()), min_size=1, max_size=8)
NAMES = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def of(*points: tuple[int, float]) -> Series:
    steps, values = zip(*points, strict=True)
    return Series(array("q", steps), array("q", range(len(steps))), array("d", values))


def rows(series: Series) -> list[tuple[int, int, str]]:
    return list(zip(series.steps, series.times, map(repr, series.values), strict=True))


@given(st.dictionaries(NAMES, POINTS, max_size=4))
@settings(max_examples=80)
def test_every_point_comes_back(drawn: dict[str, list[tuple[int, int, float]]]) -> None:
    series = {}
    for name, points in drawn.items():
        steps, times, values = zip(*points, strict=True)
        series[name] = Series(array("q", steps), array("q", times), array("d", values))
    read = decode_series(encode_series(series))
    assert {name: rows(each) for name, each in read.items()} == {name: rows(each) for name, each in series.items()}


def test_stock_python_reads_it_by_the_text_of_the_format() -> None:
    data = encode_series({"b": of((0, 0.5), (1, math.inf)), "a": of((7, 1.5), (3, -2.0), (9, 0.25))})
    magic, header, body = data.split(b"\n", 2)
    head = json.loads(header)
    assert magic == b"pacha series 1"
    assert head["metrics"] == [["a", 3], ["b", 2]]
    found: dict[str, Any] = {}
    for name, size in head["columns"]:
        column, body = body[:size], body[size:]
        plain = zlib.decompress(column)
        n = len(plain) // 8
        kind = "d" if name == "values" else "q"
        numbers = array(kind, bytes(plain[k * n + i] for i in range(n) for k in range(8)))
        found[name] = list(numbers) if name == "values" else list(accumulate(numbers))
    assert found["steps"] == [7, 3, 9, 0, 1]
    assert found["values"] == [1.5, -2.0, 0.25, 0.5, math.inf]
    assert body == b""


def test_a_hundred_thousand_points_take_at_most_twelve_bytes_each() -> None:
    noise = random.Random(7)
    count = 100_000
    steps, values = array("q", range(count)), array("d", (noise.random() for _ in range(count)))
    times = array("q", accumulate(noise.randrange(0, 20) for _ in range(count)))
    assert len(encode_series({"loss": Series(steps, times, values)})) < 12 * count


def test_last_is_at_the_highest_step_and_of_several_there_the_one_logged_last() -> None:
    assert summary(of((0, 5.0), (10, 1.0), (10, 2.0), (3, 9.0))) == {"last": 2.0, "min": 1.0, "max": 9.0, "steps": 4}


def test_nan_is_never_least_or_greatest_unless_there_is_nothing_else() -> None:
    assert summary(of((0, math.nan), (1, 1.0), (2, math.nan))) == {"last": "NaN", "min": 1.0, "max": 1.0, "steps": 3}
    assert summary(of((0, math.nan)))["min"] == "NaN"
    assert summary(of((0, math.inf), (1, -math.inf))) == {
        "last": "-Infinity", "min": "-Infinity", "max": "Infinity", "steps": 2,
    }  # fmt: skip


def test_a_metric_without_points_is_left_out() -> None:
    assert summaries({"a": Series(), "b": of((0, 1.0))}).keys() == {"b"}
    assert decode_series(encode_series({"a": Series(), "b": of((0, 1.0))})).keys() == {"b"}


def test_by_step_ascends_and_keeps_the_later_of_two() -> None:
    assert of((5, 1.0), (2, 2.0), (5, 3.0)).by_step() == [(2, 2.0), (5, 3.0)]


SOUND = encode_series({"loss": of((0, 1.0), (1, 0.5))})


@pytest.mark.parametrize(
    "data",
    [
        b"", b"pacha series 1\n", b"pacha series 2\n{}\n", SOUND[:-1], SOUND + b"x", SOUND[:-3] + b"abc",
        SOUND.replace(b'["loss",2]', b'["loss",3]'), SOUND.replace(b'["loss",2]', b'["loss",0]'),
        SOUND.replace(b'["loss",2]', b'["loss",1],["loss",1]'), SOUND.replace(b'"times"', b'"clock"'),
        SOUND.replace(b'["loss",2]', b'["lo\\u0000",2]'), SOUND.replace(b'["loss",2]', b'["loss",9999999999]'),
        b"pacha series 1\n" + b"[" * 100_000 + b"\n",
    ],
    ids=range(13),
)  # fmt: skip
def test_what_is_no_series_is_refused(data: bytes) -> None:
    with pytest.raises(Corrupt):
        decode_series(data)


@given(st.binary(max_size=40), st.integers(0, len(SOUND)))
@settings(max_examples=60)
def test_noise_within_a_series_is_refused_or_read_never_a_crash(noise: bytes, at: int) -> None:
    with contextlib.suppress(Corrupt):
        decode_series(SOUND[:at] + noise + SOUND[at + len(noise) :])


def test_points_that_nobody_announced_are_not_unfolded() -> None:
    """A file of a hundred kilobytes that says it has four million points."""
    count = 4_000_000
    column = zlib.compress(bytes(8 * count), 6)
    head = {"columns": [[name, len(column)] for name in ("steps", "times", "values")], "metrics": [["loss", count]]}
    data = b"pacha series 1\n" + json.dumps(head).encode() + b"\n" + column * 3
    tracemalloc.start()
    with pytest.raises(Corrupt, match="4,000,000 points, and the record of the run says 1"):
        decode_series(data, announced({"loss": {"steps": 1}}))
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()
    assert announced({"loss": {"steps": 1}}, left_out=2) is None
