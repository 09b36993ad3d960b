"""Which files on disk become a payload, and under which paths; it reads folders and no file's bytes.

The rules are the contract's: one file keeps its name, a folder gives the paths below it, of several each lies under its
own last name.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

from pacha_git.errors import InvalidInput, NotFound, PachaError
from pacha_git.format.paths import check_paths, is_dot_git
from pacha_git.store.payload.gitignore import Patterns, lines_of
from pacha_git.store.payload.litter import litter_kind, may_be_litter

IGNORE_FILE: Final = ".pachaignore"
_MARK: Final = Struct("<5Q")
# File systems have times before 1970 and after 2262, which a signed word of nanoseconds does not hold.
_WORD: Final = 2**64 - 1


class NotRegular(PachaError):
    """A link, or a device or pipe, where only regular files are stored."""


class FoundFile(NamedTuple):
    """A regular file to be stored; small, for there may be hundreds of thousands.

    Attributes:
        path: In the payload.
        location: Where it lies.
        mode: ``644`` or ``755``.
        size: Bytes, by its stat.
        mark: Its device, inode, size, mtime and ctime in ns: two that are equal are the same file, unchanged.
    """

    path: str
    location: str
    mode: str
    size: int
    mark: bytes


def source_file(path: str, location: str, status: os.stat_result) -> FoundFile:
    """Return a file by its stat."""
    size, mtime, ctime = status.st_size, status.st_mtime_ns & _WORD, status.st_ctime_ns & _WORD
    mark = _MARK.pack(status.st_dev, status.st_ino, size, mtime, ctime)
    return FoundFile(path, location, "755" if status.st_mode & stat.S_IXUSR else "644", size, mark)


def is_still(file: FoundFile, now: os.stat_result) -> bool:
    """Tell whether an open file is, by its stat, the one that was found; its mode or number of links may be another."""
    _, inode, size, mtime, _ = _MARK.unpack(file.mark)
    return bool((now.st_size, now.st_mtime_ns & _WORD, now.st_ino) == (size, mtime, inode))


def touched_ns(mark: bytes) -> int:
    """When a file was last changed, in contents or otherwise, in ns since 1970; far in the future if it was before."""
    _, _, _, mtime, ctime = _MARK.unpack(mark)
    return int(max(mtime, ctime))


@dataclass(frozen=True, slots=True)
class Sources:
    """What was found, sorted by path, and what a person should be told about what was left out.

    ``is_folder``: whether it comes back as a folder, because one was given, or several paths.
    """

    files: tuple[FoundFile, ...]
    notices: tuple[str, ...] = ()
    is_folder: bool = False


_Rules = tuple[tuple[int, Patterns], ...]
"""Patterns, those that decide first before others, each with how much of a path lies above the folder they are of."""


@dataclass(slots=True)
class _Folder:
    """A folder to be looked into: where it lies, its path from the root of the walk, the folders that it lies in.

    ``rules`` are those of the ``.pachaignore`` files of these folders, the lowest first.
    """

    location: str
    path: str
    above: tuple[tuple[int, int], ...]
    rules: _Rules = ()


@dataclass(slots=True)
class _FolderWalk:
    """One of the paths that were given, and what was found there so far."""

    prefix: str
    follow: bool
    excluded: _Rules
    included: Patterns | None
    keep_litter: bool
    files: list[FoundFile]
    notices: list[str] = field(default_factory=list)
    litter: dict[str, list[str]] = field(default_factory=dict)
    pending: deque[_Folder] = field(default_factory=deque)

    def leaves_out(self, path: str, location: str, is_folder: bool, rules: _Rules) -> bool:
        shown = os.fsencode(path)
        if self.included is not None and self.included.decide(shown, is_folder=is_folder):
            return False
        for base, patterns in (*self.excluded, *rules):
            decided = patterns.decide(shown[base:], is_folder=is_folder)
            if decided is not None:
                return decided
        folder, _, name = location.rpartition("/")
        kind = None if self.keep_litter else litter_kind(folder or "/", name, is_folder=is_folder)
        if kind is not None:
            self.litter.setdefault(kind, []).append(self.prefix + path)
        return kind is not None

    def told(self) -> list[str]:
        """Tell what a person should be told of what was left out."""
        if not self.litter:
            return self.notices
        import shlex  # seldom needed

        return self.notices + [
            f"left out {found[0]}{f' and {len(found) - 1} more' if len(found) > 1 else ''}: {kind} "
            f"(--include {shlex.quote(found[0].rpartition('/')[2])} stores it)"
            for kind, found in self.litter.items()
        ]


def find(
    paths: Sequence[Path],
    *,
    exclude: Sequence[str] = (),
    include: Sequence[str] = (),
    follow_symlinks: bool = False,
    keep_litter: bool = False,
) -> Sources:
    """Find the files that PATH… names.

    Args:
        paths: Files and folders as given.
        exclude: gitignore patterns, which go before those of the ``.pachaignore`` files in folders.
        include: gitignore patterns of what is never left out, whatever else says so.
        follow_symlinks: Whether a link inside a folder stands for what it points to.
        keep_litter: Whether what programs leave behind (``litter``) is taken like everything else.

    Raises:
        NotFound: a path does not exist.
        InvalidInput: paths that can't lie beside one another, or are no UTF-8.
        PachaError: a link or a device in a folder, something unreadable, or nothing to store.
    """
    if not paths:
        raise InvalidInput("no file or folder given", hint="name what to register after the name")
    excluded = ((0, Patterns(map(os.fsencode, exclude))),) if exclude else ()
    included = Patterns(map(os.fsencode, include)) if include else None
    files: list[FoundFile] = []
    notices: list[str] = []
    for path in paths:
        prefix = _own_name(path) + "/" if len(paths) > 1 else ""
        walk = _FolderWalk(prefix, follow_symlinks, excluded, included, keep_litter, files)
        _find_at(path, walk)
        notices.extend(walk.told())
    if not files:
        raise PachaError(f"nothing to store in {paths[0]}: no file in it", hint="an empty folder can't be registered")
    files.sort(key=attrgetter("path"))  # by code points, which is by the bytes of UTF-8
    check_paths([file.path for file in files])
    return Sources(tuple(files), tuple(notices), is_folder=len(paths) > 1 or paths[0].is_dir())


def _own_name(path: Path) -> str:
    return path.name or path.resolve().name


def _find_at(path: Path, walk: _FolderWalk) -> None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: no file system could have such a name
        raise NotFound(f"no such file or folder: {str(path)!r}", hint="check the spelling") from None
    except OSError as error:
        raise PachaError(f"can't read {path}: {error.strerror}") from None
    if stat.S_ISREG(status.st_mode):
        _take(_own_name(path), str(path), status, walk)
    elif stat.S_ISDIR(status.st_mode):
        walk.pending.append(_Folder(str(path), "", (_identity(status),)))
        while walk.pending:
            _look_into(walk.pending.popleft(), walk)
    else:
        raise PachaError(f"{path} is neither a file nor a folder", hint="only regular files can be stored")


def _take(path: str, location: str, status: os.stat_result, walk: _FolderWalk) -> None:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise PachaError(f"the name of {os.fsencode(location)!r} is not UTF-8", hint="rename the file") from None
    walk.files.append(source_file(path, location, status))


def _look_into(folder: _Folder, walk: _FolderWalk) -> None:
    try:
        entries = sorted(os.scandir(folder.location), key=attrgetter("name"))
    except OSError as error:
        raise PachaError(f"can't read the folder {folder.location}: {error.strerror}") from None
    rules = folder.rules
    if any(entry.name == IGNORE_FILE for entry in entries):
        rules = ((len(os.fsencode(folder.path)), _ignore_file(Path(folder.location))), *rules)
    takes_all = not rules and not walk.excluded
    for entry in entries:
        path = folder.path + entry.name
        try:
            status = entry.stat(follow_symlinks=False)
            plain = takes_all and stat.S_ISREG(status.st_mode)
            if plain and not is_dot_git(entry.name) and not may_be_litter(entry.name):
                _take(walk.prefix + path, entry.path, status, walk)  # nearly all are such
            else:
                _look_at(entry, status, folder, rules, walk)
        except FileNotFoundError:
            raise PachaError(
                f"{entry.path} vanished while it was looked at", hint="try again when nothing writes there"
            ) from None
        except PermissionError:
            raise PachaError(f"can't read {entry.path}: no permission") from None


def _look_at(
    entry: os.DirEntry[str], status: os.stat_result, folder: _Folder, rules: _Rules, walk: _FolderWalk
) -> None:
    path = folder.path + entry.name
    if stat.S_ISLNK(status.st_mode) and walk.follow:
        try:
            status = entry.stat()
        except FileNotFoundError:
            if walk.leaves_out(path, entry.path, False, rules):
                return
            raise NotRegular(f"{entry.path} is a link that leads nowhere", hint="--exclude leaves it out") from None
    is_folder = stat.S_ISDIR(status.st_mode)
    if is_dot_git(entry.name):
        walk.notices.append(f"left out {walk.prefix}{path}: Git's own")
    elif walk.leaves_out(path, entry.path, is_folder, rules):
        pass
    elif stat.S_ISLNK(status.st_mode):
        raise NotRegular(
            f"{entry.path} is a symbolic link",
            hint="--follow-symlinks stores what it points to; --exclude leaves it out",
        )
    elif is_folder:
        if _identity(status) in folder.above:
            raise NotRegular(f"{entry.path} leads back to a folder that it lies in", hint="--exclude leaves it out")
        walk.pending.append(_Folder(entry.path, path + "/", (*folder.above, _identity(status)), rules))
    elif stat.S_ISREG(status.st_mode):
        _take(walk.prefix + path, entry.path, status, walk)
    else:
        raise NotRegular(f"{entry.path} is no regular file", hint="--exclude leaves it out")


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _ignore_file(folder: Path) -> Patterns:
    file = folder / IGNORE_FILE
    try:
        return Patterns(lines_of(file.read_bytes()) if file.is_file() else ())
    except OSError as error:
        raise PachaError(f"can't read {file}: {error.strerror}") from None
