"""Numbers and times as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.cli.showing.units import counted, instant, share, size


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (87 * 1024**2, "87.0 MiB"),
        (3 * 1024**3, "3.0 GiB"),
        (5000 * 1024**5, "5,000.0 PiB"),
    ],
)
def test_size_has_one_decimal_from_a_kibibyte_on(count: int, text: str) -> None:
    assert size(count) == text


@given(st.integers(0, 2**60))
def test_size_is_never_far_off(count: int) -> None:
    number, unit = size(count).replace(",", "").split()
    factor = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50}[unit]
    assert abs(float(number) * factor - count) <= 0.0501 * factor
    assert float(number) < 1024 or unit == "PiB"


@pytest.mark.parametrize(("count", "words"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (12345, "12,345 files")])
def test_counted_takes_the_plural_but_of_one(count: int, words: str) -> None:
    assert counted(count, "file") == words


def test_counted_of_an_odd_plural() -> None:
    assert counted(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (1, 2, "50 %"),
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 10**6, "under 1 %"),
        (10**6 - 1, 10**6, "over 99 %"),
        (0, 0, "0 %"),
    ],
)
def test_share_is_a_percentage_that_hides_no_rest(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text


def test_instant_leaves_what_is_none() -> None:
    assert instant("2026-07-29T10:12:33Z") == "2026-07-29 10:12 UTC"
    assert instant("yesterday") == "yesterday"
