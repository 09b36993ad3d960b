"""Clears what a killed git leaves: locks, half-written packs and indexes, packs without an index. Nothing else may go.

A leftover is older than a minute, and nobody is at work in the repository: no git, and nobody who holds our lock of
collections. Git never waits that long with one of these files, unless it is at work.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from pacha_git.git.packs.files import storing
from pacha_git.system import locks, occupants

_AGE_SECONDS: Final = 60.0
_IN_PACK: Final = re.compile(r"tmp_(pack|idx|rev|mtimes|bitmap|midx)_|\.tmp-\d+-pack-|multi-pack-index.*\.lock\Z")
_LOOSE: Final = "[0-9a-f][0-9a-f]/tmp_obj_*"
# Git writes it under packed-refs.lock, and refuses for ever to write it again if it is there.
PACKED_REFS_NEW: Final = "packed-refs.new"
_GC_LOCK: Final = "pacha/gc.lock"


class Cleared(NamedTuple):
    """What became of leftovers: files that were removed or mended, and those that stay, with why."""

    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    why: str = ""


def find(git_dir: Path) -> list[Path]:
    """Give every leftover that is old enough; a pack without its index is one at any age, for it stops every repack."""
    locked = [*git_dir.glob("*.lock"), *(git_dir / "refs").rglob("*.lock"), git_dir / PACKED_REFS_NEW]
    candidates = [*locked, *_of_objects(git_dir / "objects")]
    return sorted({*filter(is_old, candidates), *orphans(git_dir / "objects/pack")})


def in_packs(git_dir: Path) -> bool:
    """Tell whether there is one among the packs: a single look at one folder, for those who ask often."""
    folder = git_dir / "objects/pack"
    return bool(orphans(folder)) or any(map(is_old, _of_packs(folder)))


def is_old(path: Path) -> bool:
    """Tell whether a file is there, and older than git ever keeps such a one."""
    try:
        return time.time() - path.lstat().st_mtime > _AGE_SECONDS
    except OSError:
        return False


def _of_objects(objects: Path) -> Iterator[Path]:
    yield from _of_packs(objects / "pack")
    yield from objects.glob(_LOOSE)
    yield from objects.glob("tmp_obj_*")
    yield from (objects / "info").rglob("*.lock")


def _of_packs(folder: Path) -> list[Path]:
    return [folder / name for name in _names(folder) if _IN_PACK.match(name)]


def orphans(folder: Path) -> list[Path]:
    """The packs that have no index, and the indexes that have no pack: the other half was never made, or went first."""
    names = _names(folder)
    found = []
    for name in names:
        stem, _, suffix = name.rpartition(".")
        other = {"pack": "idx", "idx": "pack"}.get(suffix)
        if other is not None and name.startswith("pack-") and f"{stem}.{other}" not in names:
            found.append(folder / name)
    return found


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))  # noqa: PTH208 — asked after every change
    except FileNotFoundError:
        return set()


def clear(git_dir: Path, paths: Iterable[Path] | None = None, *, alone: bool = False) -> Cleared:
    """Remove leftovers, or say why they stay.

    Args:
        git_dir: The repository.
        paths: Which; None for all that are found.
        alone: Whether the caller holds our lock of collections.

    Raises:
        PachaError: one can't be removed, or a pack not be given its index.
    """
    left = [path for path in paths if is_old(path)] if paths is not None else find(git_dir)
    if not left:
        return Cleared()
    names = tuple(str(path.relative_to(git_dir)) for path in left)
    if why := occupants.unseen(git_dir):
        return Cleared(kept=names, why=why)
    if alone:
        return _clear(git_dir, left, names)
    with locks.exclusive(git_dir / _GC_LOCK, wait=False) as mine:
        if mine is None:
            return Cleared(kept=names, why="another git-pacha is at work here")
        return _clear(git_dir, left, names)


def _clear(git_dir: Path, left: list[Path], names: tuple[str, ...]) -> Cleared:
    if occupants.at_work_in(git_dir):
        return Cleared(kept=names, why="a program is at work here")
    packs = [path for path in left if path.name.startswith("pack-") and path.suffix in (".pack", ".idx")]
    with storing(git_dir):
        for path in left:
            # What somebody began meanwhile is young again.
            if path not in packs and is_old(path):
                with suppress(FileNotFoundError):
                    path.unlink()
    if packs:
        from pacha_git.git.packs.check import mend_packs  # seldom needed, and long to load

        mend_packs(git_dir / "objects", git_dir / "pacha/damaged", thorough=False)
    return Cleared(removed=names)


def how_to_remove(git_dir: Path, cleared: Cleared) -> str:
    """Return the command for a person who knows that nobody is at work."""
    return "rm " + " ".join(str(git_dir / name) for name in cleared.kept) if cleared.kept else ""
