"""On which line of a TOML document each key stands; it knows nothing of values, which ``tomllib`` reads."""

from __future__ import annotations

import re
import tomllib
from typing import Final, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]

# No group is possessive: before 3.11.5 Python matches those wrongly (its issue 106052). The branches are disjoint.
_STRING: Final = (
    r'"""[^"\\]*(?:(?:\\.|"{1,2}(?!"))[^"\\]*)*"{3,5}'
    r"|'''[^']*(?:'{1,2}(?!')[^']*)*'{3,5}"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    r"|'[^'\n]*+'"
)
_KEY_PART: Final = re.compile(rf"[ \t]*({_STRING}|[A-Za-z0-9_-]+)[ \t]*(\.)?", re.DOTALL)
_BETWEEN: Final = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_IN_VALUE: Final = re.compile(rf"{_STRING}|#[^\n]*+|[\[{{]|[\]}}]|\n|[^\[\]{{}}\"'#\n]++", re.DOTALL)


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, of each table header and each key before a ``=``, by path (with its index in an array).

    A key within an inline table or an array is not listed: it stands where the key above it does.

    Args:
        text: A document that ``tomllib`` accepts.
    """
    text = text.replace("\r\n", "\n")
    lines: dict[KeyPath, int] = {}
    last_index: dict[KeyPath, int] = {}
    header: KeyPath = ()
    position, counted, line = 0, 0, 1
    while (position := _skip(_BETWEEN, text, position)) < len(text):
        line += text.count("\n", counted, position)
        counted = position
        brackets = 2 if text.startswith("[[", position) else int(text[position] == "[")
        keys, position = _read_key(text, position + brackets)
        if brackets:
            path = header = _table_path(keys, last_index, is_array=brackets == 2)
            position = text.index("]", position) + brackets
        else:
            path = header + keys
        for length in range(1, len(path) + 1):
            lines.setdefault(path[:length], line)
        position = _end_of_statement(text, position)
    return lines


def line_of(lines: dict[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of a key, or of the nearest key above it; None if there is none."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return position if match is None else match.end()


def _read_key(text: str, position: int) -> tuple[KeyPath, int]:
    keys: list[str] = []
    while (match := _KEY_PART.match(text, position)) is not None:
        keys.append(_unquoted(match[1]))
        position = match.end()
        if match[2] is None:
            break
    return tuple(keys), position


def _unquoted(key: str) -> str:
    return str(tomllib.loads(f"key = {key}")["key"]) if key[0] in "\"'" else key


def _table_path(keys: KeyPath, last_index: dict[KeyPath, int], *, is_array: bool) -> KeyPath:
    """Return the path of a table header; below an array of tables it is that of the newest element."""
    path: KeyPath = ()
    for key in keys[:-1]:
        path = (*path, key)
        if path in last_index:
            path = (*path, last_index[path])
    path = (*path, keys[-1])
    if not is_array:
        return path
    last_index[path] = last_index.get(path, -1) + 1
    return (*path, last_index[path])


def _end_of_statement(text: str, position: int) -> int:
    """Return the end of the line on which a value ends; lines within brackets and strings don't count."""
    depth = 0
    while (match := _IN_VALUE.match(text, position)) is not None:
        token = match[0]
        if token == "\n" and depth == 0:
            return position
        depth += (token in ("[", "{")) - (token in ("]", "}"))
        position = match.end()
    return position
