"""Shows somebody else's text so that nothing acts upon it: controls, line separators and turned text become escapes.

This is the one place that says which letters are harmful. The terminal, JSON documents, plots, skeletons and logs all
go through it.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Final

# What could move a terminal's cursor, hide text, break a line or turn it around: C0, DEL, C1, line separators,
# bidirectional marks, surrogates. Tab and line feed are left to ``one_line``.
_HARMFUL: Final = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"


@cache
def _anywhere() -> re.Pattern[str]:
    # Compiled when a text needs it: nearly all are plain, and every start-up would wait for it.
    return re.compile(f"[{_HARMFUL}]")


@cache
def _in_a_line() -> re.Pattern[str]:
    return re.compile(f"[{_HARMFUL}\t\n]")


def clean(text: str) -> str:
    """Escape what a terminal would act upon; line ends (of Windows too, as ours) and tabs stay."""
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return _anywhere().sub(_escaped, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Escape what a terminal would act upon, line ends and tabs too."""
    return text if text.isascii() and text.isprintable() else _in_a_line().sub(_escaped, text)


def clean_json(text: str) -> str:
    """Escape the same in JSON text, by JSON's own escapes: whoever parses it reads what stood there."""
    return text if text.isascii() and "\x7f" not in text else _anywhere().sub(_escaped_in_json, text)


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape", "surrogatepass").decode("ascii")


def _escaped_in_json(match: re.Match[str]) -> str:
    return json.dumps(match.group())[1:-1]
