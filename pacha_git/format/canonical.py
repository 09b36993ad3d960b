"""Canonical JSON: one value, one spelling in bytes.

RFC 8785 within the limits of docs/format.md, "Canonical JSON": integers within ±(2^53-1), finite doubles, no
duplicate keys, no lone surrogates, no U+0000. What is too large or not finite is written as a string
(``json_number``).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

import rfc8785

from pacha_git.errors import Corrupt, InvalidInput

MAX_INTEGER: Final = 2**53 - 1
DEPTH: Final = 32

_WRITER: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_SHOWN: Final = 24
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*+\\u0000")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def encode(value: Any, *, depth: int = DEPTH) -> bytes:
    """Write a value of dicts, lists, strings, numbers, booleans and None as canonical JSON.

    Args:
        value: The value.
        depth: How many objects and arrays may lie within one another.

    Raises:
        InvalidInput: it can't be written: too deep, an integer beyond ±(2^53-1), a double that is not finite, a
            key that is no string, a lone surrogate, U+0000, a type that JSON has not.
    """
    try:
        data = write_plain(value) if _is_plain(value, depth) else rfc8785.dumps(value)
    except UnicodeEncodeError as error:
        raise InvalidInput(f"a text is not UTF-8: {_around(error)!a}", hint="write it in UTF-8") from None
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"can't be written as canonical JSON: {error}") from None
    _refuse_nul(data)
    return data


def _around(error: UnicodeEncodeError) -> str:
    """Tell what can't be encoded, with the word that it stands in; not the rest of the document."""
    before, after = error.object[: error.start][-_SHOWN:], error.object[error.end :][:_SHOWN]
    return before.rpartition('"')[2] + error.object[error.start : error.end] + after.partition('"')[0]


def write_plain(value: Any) -> bytes:
    """Write a value of ASCII keys and of numbers that ``_check_leaf`` lets by; quicker than ``encode``, and equal."""
    return _WRITER.encode(value).encode("utf-8")


def decode(data: bytes, *, limit: int, depth: int = DEPTH, what: str = "JSON") -> Any:
    """Read canonical JSON: ``encode(decode(x)) == x``, or it is refused.

    An integer token beyond ±(2^53-1) is read as a double, as RFC 8785 writes 1e20 without an exponent.

    Args:
        data: The bytes.
        limit: The most bytes to look at.
        depth: How many objects and arrays may lie within one another.
        what: What the bytes are, for messages.

    Raises:
        Corrupt: too large, too deep, no JSON, or not in its canonical spelling.
    """
    if len(data) > limit:
        raise Corrupt(f"{what} is larger than {limit} bytes")
    if _nests_beyond(data, depth):
        raise Corrupt(f"{what} is nested deeper than {depth} levels")
    try:
        if data.isascii():
            value = _QUICK_READER.decode(data.decode("ascii"))
            if write_plain(value) == data:
                _refuse_nul(data)
                return value
    except (ValueError, InvalidInput):
        pass  # said below, where everything is looked at
    try:
        value = _READER.decode(data.decode("utf-8"))
        canonical = encode(value, depth=depth)
    except (ValueError, InvalidInput) as error:
        raise Corrupt(f"{what} is not JSON as the format has it: {error}") from None
    if canonical != data:
        raise Corrupt(f"{what} is not in canonical form (RFC 8785)")
    return value


def json_number(value: int | float) -> int | float | str:
    """Bring a number into what canonical JSON can hold: large integers as digits, NaN and infinities as words."""
    if isinstance(value, int):
        return value if abs(value) <= MAX_INTEGER else str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _is_plain(value: Any, depth: int) -> bool:
    """Check a value level by level (no recursion); say whether the quick writer may write it."""
    plain = True
    level: list[Any] = [value]
    for _ in range(depth):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                plain = _check_keys(item) and plain
                below.extend(item.values())
            elif isinstance(item, (list, tuple)):
                below.extend(item)
            else:
                plain = _check_leaf(item) and plain
        if not below:
            return plain
        level = below
    if any(isinstance(item, (dict, list, tuple)) for item in level):
        raise ValueError(f"nested deeper than {depth} levels")
    for leaf in level:
        plain = _check_leaf(leaf) and plain
    return plain


def _check_keys(item: dict[Any, Any]) -> bool:
    ascii_only = True
    for key in item:
        if not isinstance(key, str):
            raise ValueError(f"a key that is no string: {key!r}")
        ascii_only = ascii_only and key.isascii()
    return ascii_only


def _check_leaf(leaf: Any) -> bool:
    if leaf is None or isinstance(leaf, (str, bool)):
        return True
    if isinstance(leaf, int):
        if abs(leaf) > MAX_INTEGER:
            raise ValueError("an integer beyond ±(2^53-1)")
        return True
    if isinstance(leaf, float):
        if not math.isfinite(leaf):
            raise ValueError("a number that is not finite")
        return _is_written_alike(leaf)
    raise ValueError(f"JSON has no {type(leaf).__name__}")


def _is_written_alike(number: float) -> bool:
    """Tell whether Python and ECMAScript write a double alike: the shortest digits, and no exponent."""
    return 1e-4 <= abs(number) < 1e16 and not number.is_integer()


def _refuse_nul(data: bytes) -> None:
    if b"\\u0000" in data and _NUL.search(data):
        raise InvalidInput("can't be written as canonical JSON: U+0000 in a text")


def _nests_beyond(data: bytes, depth: int) -> bool:
    if data.count(b"[") + data.count(b"{") <= depth:
        return False
    level = 0
    # Counted on the bytes: a parser that recurses could run out of stack before it notices.
    for bracket in _STRING.sub(b"", data).translate(None, _NOT_BRACKETS):
        level += 1 if bracket in b"[{" else -1
        if level > depth:
            return True
    return False


def _integer(token: str) -> int | float:
    if len(token) < 16:
        return int(token)
    number = float(token)
    return number if abs(number) > MAX_INTEGER else int(token)


def _refuse_constant(token: str) -> float:
    raise ValueError(f"{token} is no JSON number")


def _plain_double(token: str) -> float:
    number = float(token)
    if not _is_written_alike(number):
        raise ValueError(f"{token} needs a closer look")
    return number


# Of what is ASCII and has no unusual number, the bytes alone say whether it is canonical.
_QUICK_READER: Final = json.JSONDecoder(parse_int=_integer, parse_float=_plain_double, parse_constant=_refuse_constant)
_READER: Final = json.JSONDecoder(parse_int=_integer, parse_constant=_refuse_constant)
