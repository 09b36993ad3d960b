"""Reads TOML that somebody else may have written, within the bounds of docs/format.md 17.

``tomllib`` itself has none: a hexadecimal integer may have a million digits, which no reader can print, and a key of
many parts takes time in the square of their number.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

DEPTH: Final = 64
KEY_PARTS: Final = 64
DIGITS: Final = 4096
LEAST, GREATEST = -(2**63), 2**64 - 1

_LONG_KEY: Final = re.compile(r"(?<![A-Za-z0-9_-])(?:[A-Za-z0-9_-]++[ \t]*+\.[ \t]*+){64}")
# Texts and comments may hold any dots; a quoted part of a key is a text, too.
_TEXT: Final = re.compile(
    r'"""(?:[^\\"]|\\.|"(?!""))*+"{3,5}'
    r"|\'\'\'(?:[^\']|\'(?!\'\'))*+\'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|\'[^\'\n]*+\'"
    r"|(\#[^\n]*+)",
    re.DOTALL,
)


def loads(text: str) -> dict[str, Any]:
    """Read a TOML document.

    Raises:
        ValueError: it is no TOML, or beyond a bound: an integer beyond 64 bits, a number of over 4,096 digits, a key of
            over 64 parts, values nested deeper than 64 levels.
    """
    if text.count(".") >= KEY_PARTS and _LONG_KEY.search(_TEXT.sub(lambda m: "" if m[1] else "k", text)):
        raise ValueError(f"a key of over {KEY_PARTS} parts")
    try:
        values = tomllib.loads(text, parse_float=_double)
    except RecursionError:
        raise ValueError(f"nested deeper than {DEPTH} levels") from None
    _check(values)
    return values


def _double(token: str) -> float:
    if len(token) > DIGITS:
        raise ValueError(f"a number of over {DIGITS} digits")
    return float(token)


def _check(values: dict[str, Any]) -> None:
    """Look at every value, level by level: what was read may be nested too deep for a recursion."""
    level: list[Any] = [values]
    for _ in range(DEPTH + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif type(item) is int and not LEAST <= item <= GREATEST:
                raise ValueError("an integer beyond 64 bits")
        if not below:
            return
        level = below
    raise ValueError(f"nested deeper than {DEPTH} levels")
