"""Says what patterns of gitignore leave out, exactly as Git does, quirks included.

It follows Git's ``dir.c`` and ``wildmatch.c``, on bytes; ``tests/properties/test_gitignore.py`` compares it with
``git check-ignore``. Change nothing here that this comparison does not hold you to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

_BOM: Final = b"\xef\xbb\xbf"
_SPECIAL: Final = b"*?[\\"
_SLASH: Final = ord("/")
_CLASSES: Final[dict[bytes, Callable[[int], bool]]] = {
    b"alnum": lambda c: chr(c).isascii() and chr(c).isalnum(),
    b"alpha": lambda c: chr(c).isascii() and chr(c).isalpha(),
    b"blank": lambda c: c in b" \t",
    b"cntrl": lambda c: c < 32 or c == 127,
    b"digit": lambda c: c in b"0123456789",
    b"graph": lambda c: 32 < c < 127,
    b"lower": lambda c: c in b"abcdefghijklmnopqrstuvwxyz",
    b"print": lambda c: 32 <= c < 127,
    b"punct": lambda c: 32 < c < 127 and not chr(c).isalnum(),
    b"space": lambda c: c in b" \t\n\v\f\r",
    b"upper": lambda c: c in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"xdigit": lambda c: c in b"0123456789abcdefABCDEF",
}


class _NeverMatches(Exception):
    """The pattern is malformed in a way that lets it match nothing."""


class _Pattern(NamedTuple):
    matches: Callable[[bytes], object]
    negative: bool
    folders_only: bool
    name_only: bool


class Patterns:
    """The patterns of one file, or of one list of words.

    Args:
        patterns: Each without its line end, comments left out; the last that matches decides.
    """

    def __init__(self, patterns: Iterable[bytes]) -> None:
        self._patterns = [_pattern(pattern) for pattern in patterns][::-1]

    def decide(self, path: bytes, *, is_folder: bool) -> bool | None:
        """Tell whether these patterns leave out a path that lies below their folder; None if none of them speaks of it.

        The caller looks into no folder that is left out: nothing in it can be taken back in.
        """
        name = path[path.rfind(b"/") + 1 :]
        for pattern in self._patterns:
            if pattern.folders_only and not is_folder:
                continue
            if pattern.matches(name if pattern.name_only else path):
                return not pattern.negative
        return None


def lines_of(data: bytes) -> list[bytes]:
    """The patterns in a file: lines that are neither empty nor comments, without line ends and blanks at their end."""
    found = []
    for line in data.removeprefix(_BOM).split(b"\n"):
        if line and not line.startswith(b"#"):
            found.append(_trimmed(line.removesuffix(b"\r").partition(b"\0")[0]))
    return found


def _trimmed(line: bytes) -> bytes:
    """Return a line without the blanks at its end that no backslash keeps."""
    end = at = 0
    while at < len(line):
        if line[at : at + 1] == b"\\":
            if at + 1 == len(line):
                return line
            at += 2
            end = at
        else:
            at += 1
            end = end if line[at - 1 : at] == b" " else at
    return line[:end]


def _pattern(text: bytes) -> _Pattern:
    negative = text.startswith(b"!")
    text = text[1:] if negative else text
    folders_only = text.endswith(b"/")
    body = text[:-1] if folders_only else text
    name_only = b"/" not in body
    try:
        matches = _of_name(body) if name_only else _of_path(body)
    except _NeverMatches:
        matches = _nothing
    return _Pattern(matches, negative, folders_only, name_only)


def _nothing(_: bytes) -> bool:
    return False


def _plain_length(text: bytes) -> int:
    """Tell how many bytes stand before the first that means something."""
    return next((at for at, byte in enumerate(text) if byte in _SPECIAL), len(text))


def _of_name(body: bytes) -> Callable[[bytes], object]:
    if _plain_length(body) == len(body):
        return body.__eq__
    if body.startswith(b"*") and _plain_length(body[1:]) == len(body) - 1:
        end = body[1:]
        return lambda name: name.endswith(end)
    return _compiled(body, paths=False)


def _of_path(body: bytes) -> Callable[[bytes], object]:
    body = body.removeprefix(b"/")
    plain = _plain_length(body)
    if plain == len(body):
        return body.__eq__
    # Git compares what stands before the first wildcard by itself, and so takes `a**/b` for `a` and then `**/b`.
    return _compiled(body[plain:], paths=True, before=body[:plain])


# Wildcards ------------------------------------------------------------------------------------------------------------


def _compiled(body: bytes, *, paths: bool, before: bytes = b"") -> Callable[[bytes], object]:
    pieces = list(_pieces(body, paths=paths))
    return re.compile(re.escape(before) + _without_backtracking(pieces) + rb"\Z", re.DOTALL).match


class _Star:
    """A wildcard that takes any number of bytes, of one kind."""

    def __init__(self, any_byte: bytes) -> None:
        self.any_byte = any_byte


_Piece = bytes | _Star
_IN_NAME: Final = _Star(b"[^/]")
_ANYWHERE: Final = _Star(b".")


def _without_backtracking(pieces: list[_Piece]) -> bytes:
    """One expression in which a star before what can be found by its first place never tries a second one.

    As ``fnmatch`` does it: what stands between two stars of one kind may be taken where it is met first. A slash ends
    that, for a star within a name does not reach beyond it.
    """
    found = bytearray()
    at = 0
    while at < len(pieces):
        piece = pieces[at]
        at += 1
        if isinstance(piece, bytes):
            found += piece
            continue
        stop = at
        while stop < len(pieces) and isinstance(pieces[stop], bytes) and not _may_be_slash(pieces[stop]):
            stop += 1
        between = b"".join(part for part in pieces[at:stop] if isinstance(part, bytes))
        if stop < len(pieces) and pieces[stop] is piece:
            found += b"(?>%s*?%s)" % (piece.any_byte, between)
            at = stop
        else:
            found += piece.any_byte + b"*"
    return bytes(found)


def _may_be_slash(piece: _Piece) -> bool:
    return piece == b"/" or (isinstance(piece, bytes) and piece.startswith(b"(?:"))


def _pieces(body: bytes, *, paths: bool) -> Iterator[_Piece]:
    """Yield the parts of a pattern, each as an expression for one byte, or a star."""
    at = 0
    while at < len(body):
        byte = body[at : at + 1]
        if byte == b"\\":
            if at + 1 == len(body):
                raise _NeverMatches
            yield re.escape(body[at + 1 : at + 2])
            at += 2
        elif byte == b"?":
            yield b"[^/]" if paths else b"."
            at += 1
        elif byte == b"*":
            end = at
            while body[end : end + 1] == b"*":
                end += 1
            yield from (star := _stars(body, at, end) if paths else [_ANYWHERE])
            at = end + (1 if star and star[0] == _FOLDERS else 0)
        elif byte == b"[":
            members, at = _set(body, at + 1)
            yield _set_expression(members - {_SLASH} if paths else members)
        else:
            yield re.escape(byte)
            at += 1


_FOLDERS: Final = b"(?:.*/)?"


def _stars(body: bytes, at: int, end: int) -> list[_Piece]:
    """Tell what stars in a path mean: one, or several that don't stand alone between slashes, stay within a name."""
    alone = end - at > 1 and (at == 0 or body[at - 1 : at] == b"/")
    if alone and end == len(body):
        return [_ANYWHERE]
    if alone and body[end : end + 1] == b"/":
        return [_FOLDERS]
    if alone and body[end : end + 2] == b"\\/":
        return [_ANYWHERE]
    return [_IN_NAME]


def _set(body: bytes, at: int) -> tuple[set[int], int]:
    """Return the bytes that a set in brackets matches, and where the pattern goes on behind it."""
    negated = body[at : at + 1] in (b"!", b"^")
    at += negated
    members: set[int] = set()
    before: int | None = None
    first = True
    while first or body[at : at + 1] != b"]":
        first = False
        if at >= len(body):
            raise _NeverMatches
        before, at = _member(body, at, before, members)
    return (set(range(256)) - members if negated else members), at + 1


def _member(body: bytes, at: int, before: int | None, members: set[int]) -> tuple[int | None, int]:
    """Take one member of a set; returns the byte that a range may begin with, and where the set goes on."""
    byte = body[at]
    if byte == ord("\\"):
        return _taken(body, at + 1, members)
    following = body[at + 1 : at + 2]
    if byte == ord("-") and before and following not in (b"", b"]"):
        at += 1
        if following == b"\\":
            at += 1
        if at >= len(body):
            raise _NeverMatches
        members.update(range(before, body[at] + 1))
        return None, at + 1
    if byte == ord("[") and following == b":":
        return _named_class(body, at, members)
    return _taken(body, at, members)


def _taken(body: bytes, at: int, members: set[int]) -> tuple[int, int]:
    if at >= len(body):
        raise _NeverMatches
    members.add(body[at])
    return body[at], at + 1


def _named_class(body: bytes, at: int, members: set[int]) -> tuple[int | None, int]:
    end = body.find(b"]", at + 2)
    if end < 0:
        raise _NeverMatches
    if body[end - 1 : end] != b":" or end - 1 < at + 2:
        return _taken(body, at, members)  # no name after all: a bracket like any other byte
    holds = _CLASSES.get(body[at + 2 : end - 1])
    if holds is None:
        raise _NeverMatches
    members.update(filter(holds, range(128)))
    return None, end + 1


def _set_expression(members: set[int]) -> bytes:
    if not members:
        raise _NeverMatches
    return b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(members)) + b"]"
