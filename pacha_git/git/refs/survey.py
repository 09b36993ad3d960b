"""Reads all refs of a repository, going on past whatever is damaged, and rewrites or removes what is.

The other readers raise at the first thing that is no ref: an answer with a ref left out would be a wrong answer. This
one is for those who list damage and mend it. What a ref ought to be, it can't know.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.git.packs.files import storing
from pacha_git.git.refs import locks, packed_refs_file
from pacha_git.gitobjects.oid import OID_DIGITS, OID_PATTERN, Oid
from pacha_git.system.disk import sync_folder

_OID: Final = re.compile(OID_PATTERN.encode() + rb"\Z")
_LINE: Final = re.compile(rb"(%s) (refs/[^\n]+)\Z" % OID_PATTERN.encode())
# git-check-ref-format: what no name of a ref has.
_BAD_NAME: Final = re.compile(rb"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|/$|\.$")
_LONGEST: Final = 4096
_WAIT_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class DamagedRef:
    """A ref that leads nowhere, or a line that is none.

    Attributes:
        ref: Its name, as far as it can be read; empty if it can't.
        text: What stands where an oid should.
        packed: Whether it is a line of packed-refs; else a file of its own.
        problem: What is wrong, for people.
    """

    ref: str
    text: bytes
    packed: bool
    problem: str


@dataclass(slots=True)
class Survey:
    """All that stands in the files of refs.

    Attributes:
        refs: Where each ref stands that can be read.
        packed: What packed-refs says of those that it names.
        loose: Those that lie in files of their own.
        damaged: What can't be read.
        packed_problem: What is wrong with packed-refs as a whole; empty if nothing is.
    """

    refs: dict[str, Oid] = field(default_factory=dict)
    packed: dict[str, Oid] = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)
    damaged: list[DamagedRef] = field(default_factory=list)
    packed_problem: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether all of it can be read, and stands in order."""
        return not self.damaged and not self.packed_problem

    def problems(self) -> list[str]:
        """Tell what is wrong, one line each."""
        packed = [f"packed-refs: {self.packed_problem}"] if self.packed_problem else []
        return packed + [f"{each.ref or 'packed-refs'}: {each.problem}" for each in self.damaged]


def is_legal_name(ref: bytes) -> bool:
    """Tell whether Git allows this name of a ref, and it is text: one that is not can't be moved by name."""
    try:
        ref.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return ref.startswith(b"refs/") and not _BAD_NAME.search(ref)


def survey(git_dir: Path) -> Survey:
    """Read every ref.

    Raises:
        PachaError: packed-refs can't be opened.
    """
    found = Survey()
    _read_packed(git_dir / "packed-refs", found)
    found.refs.update(found.packed)
    for ref, path in _files(git_dir):
        _read_loose(ref, path, found)
    return found


def _read_packed(path: Path, found: Survey) -> None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise PachaError(f"{path} can't be read: {error.strerror}", hint="check who may read it") from None
    lines = data.split(b"\n")
    if lines.pop():
        found.packed_problem = "it is cut off in the middle of a line"
    if not data.startswith(b"#") or b" sorted" not in (lines or [b""])[0]:
        found.packed_problem = found.packed_problem or "its first line does not say how it is sorted"
    last = b""
    for number, line in enumerate(lines, 1):
        if (number == 1 and line.startswith(b"#")) or (line.startswith(b"^") and _OID.match(line[1:])):
            continue
        match = _LINE.match(line)
        if match is None or not is_legal_name(match[2]):
            name = line[OID_DIGITS + 1 :]
            ref = name.decode("utf-8") if is_legal_name(name) else ""
            found.damaged.append(DamagedRef(ref, line[:OID_DIGITS], True, f"line {number} of packed-refs is no ref"))
            continue
        if match[2] <= last:
            found.packed_problem = found.packed_problem or f"line {number} is out of order"
        last = match[2]
        found.packed.setdefault(match[2].decode("utf-8", "surrogateescape"), Oid(match[1].decode("ascii")))


def _files(git_dir: Path) -> Iterator[tuple[str, Path]]:
    above = len(str(git_dir)) + 1
    for folder, _, names in os.walk(git_dir / "refs"):
        for name in sorted(names):
            if not name.endswith(".lock"):
                yield f"{folder[above:]}/{name}", Path(folder, name)


def _read_loose(ref: str, path: Path, found: Survey) -> None:
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST)
    except FileNotFoundError:
        return  # packed or deleted meanwhile
    except OSError as error:
        found.damaged.append(DamagedRef(ref, b"", False, f"its file can't be read: {error.strerror}"))
        return
    if text.startswith(b"ref: refs/") and is_legal_name(text[5:].strip()):
        return
    if _OID.match(text.rstrip()):
        found.refs[ref] = Oid(text.rstrip().decode("ascii"))
        found.loose.add(ref)
        return
    problem = "its file is empty" if not text.strip(b"\0\n ") else "its file holds no object id"
    found.damaged.append(DamagedRef(ref, text, False, problem))


def remove_loose(git_dir: Path, ref: str) -> bytes:
    """Remove the file of a damaged ref, under git's own lock of that ref; returns what it held.

    Raises:
        PachaError: another program holds the lock.
    """
    path = git_dir / ref
    lock = path.with_name(path.name + ".lock")
    with storing(git_dir):
        try:
            os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        except FileExistsError:
            raise PachaError(f"{ref} is locked", hint="if no other program is at work here: git pacha doctor") from None
        try:
            held = b""
            with suppress(OSError):
                held = path.read_bytes()[:_LONGEST]
            path.unlink(missing_ok=True)
        finally:
            lock.unlink()
        sync_folder(path.parent)
    return held


def rewrite_packed(git_dir: Path, keep: Mapping[str, Oid]) -> bool:
    """Write packed-refs anew, in order, with these of its refs alone; whether that could be done.

    Raises:
        PachaError: the lock was not free in time, or the disk is full.
    """

    def pieces(data: bytes) -> list[bytes]:
        peeled: dict[bytes, bytes] = {}
        ref = b""
        for line in data.split(b"\n"):
            match = _LINE.match(line)
            if match is not None:
                ref = match[2]
            elif ref and line.startswith(b"^") and _OID.match(line[1:]):
                peeled[ref] = line + b"\n"
        names = sorted((name.encode("utf-8", "surrogateescape"), oid.encode("ascii")) for name, oid in keep.items())
        lines = (b"%s %s\n%s" % (oid, name, peeled.get(name, b"")) for name, oid in names)
        return [packed_refs_file.HEADER, *lines]

    with locks.alone(git_dir) as mine:
        return mine and packed_refs_file.replace(git_dir, pieces, wait_seconds=_WAIT_SECONDS, damaged=True)
