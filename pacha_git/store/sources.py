"""Which files on disk become a payload, and under which paths; it reads folders and no file's bytes.

The rules are the contract's: one file keeps its name, a folder gives the paths below it, of several each lies under its
own last name.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pacha_git.errors import InvalidInput, NotFound, PachaError
from pacha_git.schema.paths import check_paths

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE: Final = ".pachaignore"
_GIT: Final = ".git"


class NotRegular(PachaError):
    """A link, or a device or pipe, where only regular files are stored."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A regular file to be stored: its path in the payload, where it lies, its mode (``644``/``755``), and its stat."""

    path: str
    location: str
    mode: str
    status: os.stat_result

    @property
    def size(self) -> int:
        """Bytes, by its stat."""
        return self.status.st_size


@dataclass(frozen=True, slots=True)
class Sources:
    """What was found, sorted by path, and what a person should be told about what was left out."""

    files: tuple[SourceFile, ...]
    notices: tuple[str, ...] = ()


@dataclass(slots=True)
class _Walk:
    follow: bool
    excluded: GitIgnoreSpec | None
    ignored: GitIgnoreSpec | None = None
    notices: list[str] = field(default_factory=list)

    def leaves_out(self, path: str, is_folder: bool) -> bool:
        shown = path + "/" if is_folder else path
        return any(spec is not None and spec.match_file(shown) for spec in (self.excluded, self.ignored))


def find(paths: Sequence[Path], *, exclude: Sequence[str] = (), follow_symlinks: bool = False) -> Sources:
    """Find the files that PATH… names.

    Args:
        paths: Files and folders as given.
        exclude: gitignore patterns, beside those of ``.pachaignore`` in a folder.
        follow_symlinks: Whether a link inside a folder stands for what it points to.

    Raises:
        NotFound: a path does not exist.
        InvalidInput: paths that can't lie beside one another, or are no UTF-8.
        PachaError: a link or a device in a folder, something unreadable, or nothing to store.
    """
    if not paths:
        raise InvalidInput("no file or folder given", hint="name what to register after the name")
    excluded = _spec(exclude) if exclude else None
    files: list[SourceFile] = []
    notices: list[str] = []
    for path in paths:
        walk = _Walk(follow_symlinks, excluded)
        prefix = _own_name(path) + "/" if len(paths) > 1 else ""
        files.extend(_found_at(path, prefix, walk))
        notices.extend(walk.notices)
    if not files:
        raise PachaError(f"nothing to store in {paths[0]}: no file in it", hint="an empty folder can't be registered")
    files.sort(key=lambda file: os.fsencode(file.path))
    check_paths(file.path for file in files)
    return Sources(tuple(files), tuple(notices))


def _own_name(path: Path) -> str:
    return path.name or path.resolve().name


def _found_at(path: Path, prefix: str, walk: _Walk) -> Iterator[SourceFile]:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: no file system could have such a name
        raise NotFound(f"no such file or folder: {str(path)!r}", hint="check the spelling") from None
    except OSError as error:
        raise PachaError(f"can't read {path}: {error.strerror}") from None
    if stat.S_ISREG(status.st_mode):
        yield _file(_own_name(path), str(path), status)
    elif stat.S_ISDIR(status.st_mode):
        walk.ignored = _ignore_file(path)
        yield from _below(str(path), "", prefix, walk, (_identity(status),))
    else:
        raise PachaError(f"{path} is neither a file nor a folder", hint="only regular files can be stored")


def _file(path: str, location: str, status: os.stat_result) -> SourceFile:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise PachaError(f"the name of {os.fsencode(location)!r} is not UTF-8", hint="rename the file") from None
    return SourceFile(path, location, "755" if status.st_mode & stat.S_IXUSR else "644", status)


def _below(
    folder: str, inner: str, prefix: str, walk: _Walk, above: tuple[tuple[int, int], ...]
) -> Iterator[SourceFile]:
    """All files below a folder; ``inner`` is its path from the root of the walk, for patterns."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise PachaError(f"can't read the folder {folder}: {error.strerror}") from None
    for entry in entries:
        path = inner + entry.name
        try:
            yield from _entry(entry, path, prefix, walk, above)
        except FileNotFoundError:
            raise PachaError(
                f"{entry.path} vanished while it was looked at", hint="try again when nothing writes there"
            ) from None
        except PermissionError:
            raise PachaError(f"can't read {entry.path}: no permission") from None


def _entry(
    entry: os.DirEntry[str], path: str, prefix: str, walk: _Walk, above: tuple[tuple[int, int], ...]
) -> Iterator[SourceFile]:
    is_link = entry.is_symlink()
    follow = is_link and walk.follow
    status = entry.stat(follow_symlinks=follow)
    is_folder = stat.S_ISDIR(status.st_mode)
    if entry.name == _GIT:
        walk.notices.append(f"left out {prefix}{path}: Git's own")
        return
    if walk.leaves_out(path, is_folder):
        return
    if is_link and not follow:
        raise NotRegular(
            f"{entry.path} is a symbolic link",
            hint="--follow-symlinks stores what it points to; --exclude leaves it out",
        )
    if is_folder:
        if _identity(status) in above:
            raise NotRegular(f"{entry.path} leads back to a folder that it lies in", hint="--exclude leaves it out")
        yield from _below(entry.path, path + "/", prefix, walk, (*above, _identity(status)))
    elif stat.S_ISREG(status.st_mode):
        yield _file(prefix + path, entry.path, status)
    else:
        raise NotRegular(f"{entry.path} is no regular file", hint="--exclude leaves it out")


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _ignore_file(folder: Path) -> GitIgnoreSpec | None:
    try:
        lines = (folder / IGNORE_FILE).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise PachaError(f"can't read {folder / IGNORE_FILE}: {error}") from None
    return _spec(lines)


def _spec(patterns: Sequence[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # 9 ms to load, and seldom needed

    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise InvalidInput(f"bad exclude pattern: {error}", hint="patterns are those of gitignore") from None
