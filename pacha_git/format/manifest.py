"""The manifest of a payload: one canonical line per file, and the address of all files together; it reads no file.

The format is docs/format.md, "The manifest" and "Canonical JSON and hashes".
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, pairwise
from json.encoder import encode_basestring
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

import blake3

from pacha_git.errors import Corrupt, InvalidInput
from pacha_git.format import canonical
from pacha_git.format.paths import check_path, check_paths, decode_tree_name, encode_tree_name, tree_path
from pacha_git.gitobjects.oid import OID_PATTERN, Oid
from pacha_git.vocabulary.address import Address

__all__ = [
    "FILE_LIST_CONTEXT",
    "LINE_LIMIT",
    "SIZE_LIMIT",
    "AddressOf",
    "FileLine",
    "check_path",
    "check_paths",
    "content_address",
    "decode_manifest",
    "decode_tree_name",
    "encode_manifest",
    "encode_tree_name",
    "file_line_of_json",
    "list_address",
    "sorted_lines",
    "tree_path",
]

FILE_LIST_CONTEXT: Final = "pacha 1 file list"
LINE_LIMIT: Final = 64 * 2**20
SIZE_LIMIT: Final = 2**48
AddressOf = Literal["file", "list"]

_ROWS_AT_ONCE: Final = 4096
_KEYS: Final = frozenset(["path", "size", "mode", "blake3", "stored", "parts"])
_BLAKE3: Final = re.compile(r"[0-9a-f]{64}\Z")
_OID: Final = re.compile(OID_PATTERN + r"\Z")
_PLAIN: Final = re.compile(
    rb'\{"blake3":"([0-9a-f]{64})","mode":"(644|755)","parts":\[\["([0-9a-f]{40})",([1-9][0-9]{0,13}|0)\]\],'
    rb'"path":"([^"\\\x00-\x1f]*)","size":([0-9]+),"stored":"blob"\}\n'
)
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class FileLine(NamedTuple):
    """One file of a payload.

    Attributes:
        path: The true path, ``/`` between segments.
        size: In bytes.
        mode: ``644`` or ``755``.
        blake3: Of its bytes, 64 hex digits without a prefix.
        stored: ``blob`` (whole) or ``chunked``.
        parts: Oid and size in bytes of each group tree in order, or of the one blob; None in a record's list of files.
        extra: Keys that this release does not know, kept.
    """

    path: str
    size: int
    mode: str
    blake3: str
    stored: str
    parts: tuple[tuple[Oid, int], ...] | None = None
    extra: Mapping[str, Any] = _NOTHING

    def __hash__(self) -> int:
        return hash(self[:-1])

    def as_json(self) -> dict[str, Any]:
        """Return the line as a value for canonical JSON."""
        value = {
            **self.extra,
            "path": self.path,
            "size": self.size,
            "mode": self.mode,
            "blake3": self.blake3,
            "stored": self.stored,
        }
        if self.parts is not None:
            value["parts"] = [list(part) for part in self.parts]
        return value

    def without_parts(self) -> FileLine:
        """Return the line as a record lists it."""
        return self._replace(parts=None)


def file_line_of_json(value: Any) -> FileLine:
    """Read a line, with or without ``parts``.

    Raises:
        Corrupt: with the key that is missing or wrong.
    """
    if not isinstance(value, dict):
        raise Corrupt("a line of files is no JSON object")
    problem = _line_problem(value)
    if problem:
        raise Corrupt(f"bad line for the file {str(value.get('path'))[:200]!r}: {problem}")
    parts = value.get("parts")
    return FileLine(
        path=value["path"],
        size=value["size"],
        mode=value["mode"],
        blake3=value["blake3"],
        stored=value["stored"],
        parts=None if parts is None else tuple((Oid(oid), size) for oid, size in parts),
        extra=_NOTHING if value.keys() <= _KEYS else {key: value[key] for key in value.keys() - _KEYS},
    )


def _line_problem(value: dict[str, Any]) -> str:
    if not isinstance(value.get("path"), str):
        return "path is no text"
    if not _is_size(value.get("size")):
        return "size is no count of bytes"
    if value.get("mode") not in ("644", "755"):
        return "mode is neither 644 nor 755"
    if not _is_hex(value.get("blake3"), _BLAKE3):
        return "blake3 is not 64 hex digits"
    if value.get("stored") not in ("blob", "chunked"):
        return "stored is neither blob nor chunked"
    return _parts_problem(value) if "parts" in value else ""


def _parts_problem(value: dict[str, Any]) -> str:
    parts = value["parts"]
    if not isinstance(parts, list) or not all(_is_part(part) for part in parts):
        return "parts is no list of [git oid, size]"
    if sum(size for _, size in parts) != value["size"]:
        return "the sizes of its parts don't add up to its size"
    if value["stored"] == "blob":
        return "" if len(parts) == 1 else "a file stored whole has one part"
    return "" if parts and all(size for _, size in parts) else "a chunked file has parts, none of them empty"


def _is_part(part: Any) -> bool:
    return isinstance(part, list) and len(part) == 2 and _is_hex(part[0], _OID) and _is_size(part[1])


def _is_hex(value: Any, grammar: re.Pattern[str]) -> bool:
    return isinstance(value, str) and grammar.match(value) is not None


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < SIZE_LIMIT


def sorted_lines(lines: Iterable[FileLine]) -> list[FileLine]:
    """Return the lines in the order of a manifest: by the UTF-8 bytes of their paths, which is by their code points."""
    return sorted(lines, key=itemgetter(0))


def encode_manifest(lines: Iterable[FileLine]) -> bytes:
    """Write a manifest: one canonical JSON object per file, sorted by path bytes, each ending in LF.

    Raises:
        InvalidInput: no line, a line without ``parts``, or paths that can't lie beside one another.
    """
    known = sorted_lines(lines)
    check_paths([line.path for line in known])
    if not known or any(line.parts is None for line in known):
        raise InvalidInput("a manifest has at least one line, and each has parts")
    written = io.BytesIO()
    written.writelines(map(_encode_line, known))
    return written.getvalue()


def _encode_line(line: FileLine) -> bytes:
    if line.extra:
        return canonical.encode(line.as_json()) + b"\n"
    # Of what we know ourselves, only the path needs escapes. By hand it takes a fifth of what a JSON writer takes.
    parts = ",".join([f'["{oid}",{size}]' for oid, size in line.parts or ()])
    path = encode_basestring(line.path)
    return (
        f'{{"blake3":"{line.blake3}","mode":"{line.mode}","parts":[{parts}],"path":{path},'
        f'"size":{line.size},"stored":"{line.stored}"}}\n'
    ).encode()


def decode_manifest(data: bytes) -> list[FileLine]:
    """Read and check a manifest that anybody may have written.

    Raises:
        Corrupt: not canonical, not sorted, a bad line, or paths that can't lie beside one another.
    """
    if not data.endswith(b"\n"):
        raise Corrupt("the manifest does not end in a line feed")
    lines = [_plain_line(line) or _decode_line(line[:-1], number) for number, line in enumerate(io.BytesIO(data), 1)]
    if any(one.path >= other.path for one, other in pairwise(lines)):
        raise Corrupt("the manifest is not sorted by path, or has a path twice")
    _check_paths_read(lines)
    return lines


def _plain_line(data: bytes) -> FileLine | None:
    """A line as nearly all are: of a file stored whole, its path without escapes. None says nothing against a line."""
    match = _PLAIN.fullmatch(data)
    if match is None or match[4] != match[6]:
        return None
    try:
        path = match[5].decode("utf-8")
    except UnicodeDecodeError:
        return None
    size, oid = int(match[6]), Oid(match[3].decode("ascii"))
    return FileLine(path, size, match[2].decode("ascii"), match[1].decode("ascii"), "blob", ((oid, size),))


def _decode_line(data: bytes, number: int) -> FileLine:
    line = file_line_of_json(canonical.decode(data, limit=LINE_LIMIT, what=f"line {number} of the manifest"))
    if line.parts is None:
        raise Corrupt(f"line {number} of the manifest has no parts")
    return line


def _check_paths_read(lines: Sequence[FileLine]) -> None:
    try:
        check_paths([line.path for line in lines])
    except InvalidInput as error:
        raise Corrupt(error.message) from None


def list_address(files: Iterable[FileLine]) -> Address:
    """The address of a list of files: ``derive_key("pacha 1 file list", canonical [[path, mode, size, blake3], …])``.

    Sorted by path bytes. BLAKE3's key derivation mode (its paper, section 2.3) keeps files from having such an address.
    """
    digest = blake3.blake3(b"[", derive_key_context=FILE_LIST_CONTEXT)
    rows = map(_address_row, sorted_lines(files))
    separator = ""
    while few := ",".join(islice(rows, _ROWS_AT_ONCE)):
        digest.update((separator + few).encode("utf-8"))
        separator = ","
    return Address.of_digest(digest.update(b"]").digest())


def _address_row(line: FileLine) -> str:
    return f'[{encode_basestring(line.path)},"{line.mode}",{line.size},"{line.blake3}"]'


def content_address(files: Iterable[FileLine]) -> tuple[Address, AddressOf]:
    """Return the address of a payload: of exactly one non-executable file, its BLAKE3; else that of the list.

    Raises:
        InvalidInput: there is no file.
    """
    lines = list(files)
    if not lines:
        raise InvalidInput("a payload without files", hint="name a file, or a folder that has some")
    if len(lines) == 1 and lines[0].mode == "644":
        return Address.parse(Address.PREFIX + lines[0].blake3), "file"
    return list_address(lines), "list"
