"""Takes credentials out of the difference of code, so that what is left still applies.

Added lines lose the values alone. A line that Git compares (context, or taken away) can't be changed, so a file that
has a credential in one is left out, and named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from pacha_git.system import secrets

_FILE: Final = b"diff --git "
_HUNK: Final = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_KEY_BEGIN: Final = re.compile(rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY-----")
_KEY_END: Final = re.compile(rb"-----END (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY-----")


@dataclass(frozen=True, slots=True)
class CleanDiff:
    """A difference without credentials, and the files that it therefore lacks."""

    data: bytes
    left_out: tuple[str, ...]


def clean_diff(diff: bytes) -> CleanDiff:
    """Clean a difference in Git's own format."""
    kept: list[bytes] = []
    left_out: list[str] = []
    for part in _files(diff):
        cleaned = _cleaned(part)
        if cleaned is None:
            left_out.append(_name(part))
        else:
            kept.append(cleaned)
    return CleanDiff(b"".join(kept), tuple(left_out))


def _files(diff: bytes) -> Iterator[bytes]:
    starts = [match.start() for match in re.finditer(rb"^" + _FILE, diff, re.MULTILINE)]
    # A line of content begins with a blank, + or -, so only headers begin so.
    for start, end in pairwise([*starts, len(diff)]):
        yield diff[start:end]


def _name(part: bytes) -> str:
    """Return the path of a file, as its header has it."""
    for prefix in (b"+++ b/", b"--- a/"):
        match = re.search(rb"^" + re.escape(prefix) + rb"(.*)$", part, re.MULTILINE)
        if match is not None:
            return match[1].rstrip(b"\t").decode("utf-8", "replace")
    return part.split(b"\n", 1)[0].rpartition(b" b/")[2].decode("utf-8", "replace")


def _cleaned(part: bytes) -> bytes | None:
    """Return a file's difference less its credentials; None if it then would not apply."""
    if not _HUNK.search(part):
        return part
    lines = _Lines()
    for line in part.splitlines(keepends=True) if b"\r" not in part else _by_line_feeds(part):
        if not lines.take(line):
            return None
    return b"".join(lines.kept)


def _by_line_feeds(part: bytes) -> list[bytes]:
    lines = part.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


@dataclass(slots=True)
class _Lines:
    """The lines of one file's difference as they are kept; knows how many of a hunk are still to come."""

    kept: list[bytes] = field(default_factory=list)
    old: int = 0
    new: int = 0
    in_key: bool = False
    torn: bool = False

    def take(self, line: bytes) -> bool:
        """Keep a line, cleaned; False if it has a credential and can't be."""
        if self.old <= 0 and self.new <= 0:
            match = _HUNK.match(line)
            if match is not None:
                self.old, self.new = (int(count) if count is not None else 1 for count in match.groups())
                line = _clean_heading(line, match.end())
            self.kept.append(line)
            return True
        mark = line[:1]
        self.old -= mark in b" -"
        self.new -= mark in b" +"
        if mark == b"\\":
            self.kept.append(line)
            return True
        body = line[1:].rstrip(b"\n")
        cleaned = self._body(body)
        if self.torn or (cleaned != body and mark != b"+"):
            return False
        self.kept.append(mark + cleaned + line[1 + len(body) :])
        return True

    def _body(self, body: bytes) -> bytes:
        if self.in_key:
            self.in_key = _KEY_END.search(body) is None
            return secrets.MASK.encode() if self.in_key else body
        if _KEY_END.search(body) is not None and _KEY_BEGIN.search(body) is None:
            self.torn = True  # what stands above is the body of a key, of which this hunk lacks the beginning
        begin = _KEY_BEGIN.search(body)
        self.in_key = begin is not None and _KEY_END.search(body, begin.end()) is None
        return secrets.clean_code(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _clean_heading(line: bytes, end: int) -> bytes:
    """Return a hunk's first line repeats a line of the code behind its numbers; Git doesn't compare it."""
    tail = line[end:]
    cleaned = secrets.clean_code(tail.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    return line[:end] + cleaned
