"""Holds git's own locks of many refs at once: whoever has ``REF.lock`` alone may move that ref.

Each is a link to one file of ours that the living process has locked: to make a file for each would take ten times as
long, and what a process left behind that died is known by it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from posixpath import dirname
from typing import AnyStr, Final

from pacha_git.system import locks
from pacha_git.system.disk import make_folders

_LOCK: Final = "pacha/refs.lock"
# Where whoever is alone may write what is to become packed-refs: no prune and no sweep of packs looks there.
PACKED: Final = "pacha/refs.packed"
# Less than git allows in the name of a ref; the rest is for git to judge.
_NAME: Final = re.compile(r"refs(/(?!.*\.(lock|)(/|$))[A-Za-z0-9_+-][A-Za-z0-9._+-]*){2,}")
_TRIES: Final = 5


@contextmanager
def alone(git_dir: Path) -> Iterator[bool]:
    """Be the only process of ours that may write ``PACKED``, once the others are done; yields whether that can be."""
    with locks.exclusive(git_dir / _LOCK):
        yield _begin(git_dir)


@contextmanager
def locked(git_dir: Path, refs: Collection[str], new: Collection[str]) -> Iterator[str | None]:
    """Be alone, and hold the locks of refs, and of what may be no ref beside those of them that are new.

    Yields:
        Nothing (an empty text) if they are held; else the ref whose lock somebody has now, and none of ours is kept
        while the caller waits for it. None: that can't be done here, git is to be asked.
    """
    if not all(_NAME.fullmatch(ref) and ".." not in ref for ref in refs):
        yield None
        return
    with alone(git_dir) as mine:
        taken: list[str] = []
        try:
            # Who takes refs/a.lock has seen that there is no refs/a/b, or will see it.
            yield _take(git_dir, sorted({*refs, *folders_above(new)}), taken) if mine else None
        finally:
            for ref in taken:
                with suppress(FileNotFoundError):
                    os.unlink(f"{git_dir}/{ref}.lock")  # noqa: PTH108 — there are thousands
            _drop_empty(git_dir, taken)


def folders_above(refs: Iterable[AnyStr]) -> set[AnyStr]:
    """Tell what may be no ref because it is a folder of these; ``refs`` itself never is one."""
    found: set[AnyStr] = set()
    for ref in refs:
        folder = dirname(ref)
        while folder not in found and (above := dirname(folder)):
            found.add(folder)
            folder = above
    return found


def _begin(git_dir: Path) -> bool:
    """Whether there is nothing of the dead, and our file is young: who looks for locks that were left goes by age."""
    try:
        _free(git_dir)
        os.utime(git_dir / _LOCK)
    except OSError:
        return False  # it is another user's, or has been removed just now
    return True


def _take(git_dir: Path, refs: Iterable[str], taken: list[str]) -> str | None:
    """Take locks: the first ref whose lock somebody has, if any; None if the rest is for git to judge."""
    source = f"{git_dir}/{_LOCK}"
    for ref in refs:
        for _ in range(_TRIES):
            try:
                os.link(source, f"{git_dir}/{ref}.lock")
                taken.append(ref)
                break
            except FileExistsError:
                return ref
            except FileNotFoundError:
                try:
                    make_folders((git_dir / ref).parent)
                except OSError:
                    return None  # a ref stands where a folder should
            except OSError:
                return None  # a file system without links
        else:
            return None
    return ""


def _drop_empty(git_dir: Path, refs: Iterable[str]) -> None:
    """Remove folders of refs that have none, as git does: whoever makes a lock there makes the folder again."""
    for folder in {ref.rpartition("/")[0] for ref in refs}:
        with suppress(OSError):  # it has something
            while folder.count("/") > 1:
                (git_dir / folder).rmdir()
                folder = folder.rpartition("/")[0]


def free_left(git_dir: Path) -> int:
    """Free the locks that a process left which died while it held some; returns how many."""
    if not any(_is_linked(f"{git_dir}/{name}") for name in (_LOCK, PACKED)):
        return 0
    with locks.exclusive(git_dir / _LOCK, wait=False) as free:
        return _free(git_dir) if free else 0


def _is_linked(path: str) -> bool:
    """Tell whether it has another name, which is some lock's."""
    try:
        return os.stat(path).st_nlink > 1  # noqa: PTH116 — before each and every transaction
    except OSError:
        return False


def _free(git_dir: Path) -> int:
    count = 0
    lock, packed = git_dir / "packed-refs.lock", git_dir / PACKED
    with suppress(FileNotFoundError):
        if lock.samefile(packed):
            lock.unlink()
            count += 1
    packed.unlink(missing_ok=True)
    mine = os.stat(git_dir / _LOCK)  # noqa: PTH116 — by the same means as above
    if mine.st_nlink < 2:
        return count
    for folder, _, files in os.walk(git_dir / "refs"):
        for name in files:
            path = Path(folder, name)
            with suppress(FileNotFoundError):
                if name.endswith(".lock") and os.path.samestat(path.stat(), mine):
                    path.unlink()
                    count += 1
    return count
