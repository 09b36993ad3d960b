"""TOML that somebody else wrote is read within bounds, in time that grows with its length alone."""

from __future__ import annotations

import time

import pytest

from pacha_git.format import toml


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 0x" + "F" * 6000, "beyond 64 bits"),
        ("x = [[1, {y = 18446744073709551616}]]", "beyond 64 bits"),
        ("x = -9223372036854775809", "beyond 64 bits"),
        ("x = 1" + "0" * 5000, "limit"),
        ("x = 1." + "0" * 5000, "over 4096 digits"),
        (".".join("a" * 65) + " = 1", "over 64 parts"),
        ("['" + "' . '".join("a" * 65) + "']", "over 64 parts"),
        ("x = " + "[" * 65 + "]" * 65, "deeper than 64"),
        ("x = " + "[" * 5000 + "]" * 5000, "deeper than 64"),
    ],
)
def test_what_is_beyond_a_bound(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        toml.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "x = 18446744073709551615",
        "x = -9223372036854775808",
        "x = 0x" + "0" * 6000 + "F",
        "x = '" + "9" * 6000 + "'",
        "x = '" + "a." * 200 + "'",
        "# " + "a." * 200,
        ".".join("a" * 63) + " = 1",
        "x = " + "[" * 60 + "1" + "]" * 60,
    ],
)
def test_what_is_within_them(text: str) -> None:
    toml.loads(text)


def test_a_key_of_many_parts_takes_no_time() -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match="over 64 parts"):
        toml.loads(".".join("a" for _ in range(400_000)) + " = 1")
    assert time.process_time() - began < 5
