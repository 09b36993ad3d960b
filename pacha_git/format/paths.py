"""Which paths a payload may hold, and how they are spelled in Git trees.

The rules are docs/format.md, "Paths": they hold when registering and when reading what somebody else wrote.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from pacha_git.errors import Corrupt, InvalidInput

_SPECIAL: Final = "~\\:%" + "".join(
    chr(point)
    for first, last in ((0x200C, 0x200F), (0x202A, 0x202E), (0x206A, 0x206F), (0xFEFF, 0xFEFF))
    for point in range(first, last + 1)
)
_PATH_LIMIT: Final = 4096
# A segment that Git or a file system may take for `.git`, less the letters that they ignore; a `\` parts segments too.
_DOT_GIT: Final = r"(?:\.git[. ]*(?::[^/\\]*)?|git~1[. ]*(?:::[^/\\]*)?)"
_IS_DOT_GIT: Final = re.compile(rf"(?:\A|.*\\){_DOT_GIT}(?:\Z|\\)", re.IGNORECASE | re.ASCII | re.DOTALL)
_HAS_DOT_GIT: Final = re.compile(rf"[/\\]{_DOT_GIT}(?=[/\\])", re.IGNORECASE | re.ASCII)
_IGNORED: Final = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_TO_ESCAPE: Final = re.compile(rf"^\.|[{re.escape(_SPECIAL)}]")
_ESCAPED: Final = re.compile(rb"%(..?)?", re.DOTALL)
_HEX: Final = re.compile(rb"[0-9A-F]{2}\Z")


def check_path(path: str) -> None:
    """Check one path: relative, UTF-8, no control character, no segment that is empty, ``.``, ``..`` or ``.git``.

    Raises:
        InvalidInput: with the rule that it breaks.
    """
    problem = _path_problem(path)
    if problem:
        raise InvalidInput(f"bad path {path[:200]!r}: {problem}", hint="rename the file")


def _path_problem(path: str) -> str:
    if not path:
        return "it is empty"
    if len(path) > _PATH_LIMIT:
        return f"it is longer than {_PATH_LIMIT} characters"
    if not path.isprintable() and any(unicodedata.category(char) == "Cc" for char in path):
        return "it has a control character"
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return "it is not UTF-8"
    if path.startswith("/"):
        return "it is absolute"
    for segment in path.split("/"):
        if segment in ("", ".", ".."):
            return f"it has the segment {segment!r}"
        if is_dot_git(segment):
            return f"Git takes {segment!r} for its own .git"
    return ""


def is_dot_git(segment: str) -> bool:
    """Tell whether Git, on some file system, takes a segment for the folder that its configuration and hooks lie in."""
    return _IS_DOT_GIT.match(segment if segment.isascii() else _IGNORED.sub("", segment)) is not None


def check_paths(paths: Iterable[str]) -> None:
    """Check all paths of one payload, each alone and against one another.

    Two clash if they are equal after folding (NFC, case folding, NFC), or one is then a folder above the other.

    Raises:
        InvalidInput: with the path, or the two paths, that can't be.
    """
    every = list(paths)
    if every and _are_plain(every):
        return
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in every:
        check_path(path)
        folded = _fold(path)
        if folded in files:
            raise _clash(path, files[folded])
        files[folded] = path
        _note_folders(folded, path, folders)
    for folded in files.keys() & folders.keys():
        raise _clash(files[folded], folders[folded])


def _are_plain(paths: Sequence[str]) -> bool:
    """Whether all are ASCII and nothing is wrong with any, said of all at once: there may be hundreds of thousands."""
    joined = "/" + "/".join(paths) + "/"
    if not joined.isascii() or _CONTROL.search(joined) or any(segment in joined for segment in ("//", "/./", "/../")):
        return False
    if max(map(len, paths)) > _PATH_LIMIT or _HAS_DOT_GIT.search(joined):
        return False
    files = {path.lower() for path in paths}
    folders = {path.rpartition("/")[0] for path in files}
    below = folders
    while below := {folder.rpartition("/")[0] for folder in below} - folders:
        folders |= below
    return len(files) == len(paths) and files.isdisjoint(folders)


def _note_folders(folded: str, path: str, folders: dict[str, str]) -> None:
    """Note every folder above a path; stop at the first that is known, for so are those above it."""
    folder = folded.rpartition("/")[0]
    while folder and folder not in folders:
        folders[folder] = path
        folder = folder.rpartition("/")[0]


def _fold(path: str) -> str:
    """NFC, case folding, and NFC again (folding can undo it)."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _clash(one: str, other: str) -> InvalidInput:
    if one == other:
        return InvalidInput(f"two files would have the path {one!r} in one version", hint="rename one of them")
    return InvalidInput(
        f"{one!r} and {other!r} can't both be in one version: on some systems they are the same path",
        hint="rename one of them",
    )


def encode_tree_name(segment: str) -> bytes:
    r"""Spell one segment of a path as a name in a Git tree.

    On its UTF-8 bytes, in uppercase hex, these are percent-encoded: a leading ``.``, the characters ``~ \ : %``, and
    the invisible ones that servers refuse. The rest stays.
    """
    return _TO_ESCAPE.sub(_escape, segment).encode("utf-8")


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode("utf-8"))


def decode_tree_name(name: bytes) -> str:
    """Read a name in a Git tree back into the segment: ``decode_tree_name(encode_tree_name(s)) == s``.

    Raises:
        Corrupt: not what ``encode_tree_name`` writes for any segment.
    """
    try:
        segment = _ESCAPED.sub(_unescape, name).decode("utf-8")
    except ValueError:
        raise Corrupt(f"a tree name that is no path of a payload: {name!r}") from None
    if encode_tree_name(segment) != name:
        raise Corrupt(f"a tree name that is not in its one spelling: {name!r}")
    return segment


def _unescape(match: re.Match[bytes]) -> bytes:
    digits = match.group(1) or b""
    if not _HEX.match(digits):
        raise ValueError(digits)
    return bytes.fromhex(digits.decode("ascii"))


def tree_path(path: str) -> list[bytes]:
    """Spell a whole path as the names of the trees and of the entry that lead to it."""
    return [encode_tree_name(segment) for segment in path.split("/")]
