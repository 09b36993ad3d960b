"""Keeps packs and loose refs few, so that every look-up stays fast however many small changes there were.

It knows when it pays to gather them; what may be thrown away is gc's to decide, and nothing is thrown away here.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.git import leftovers
from pacha_git.git.changes import GC_LOCK
from pacha_git.git.repo import GitRepository
from pacha_git.store.payload.index import DedupIndex
from pacha_git.store.payload.soundness import Marks, pack_marks, repacking
from pacha_git.system import locks
from pacha_git.system.disk import write_whole

MOST_PACKS: Final = 24
MOST_LARGE_PACKS: Final = 256
MOST_LOOSE_REFS: Final = 500
# To write a large pack again takes long, and helps look-ups no more than a small one does.
LARGE_BYTES: Final = 32 << 20
VERY_LARGE_BYTES: Final = 1 << 30
_FAILED: Final = "pacha/upkeep.failed"


def tidy(repo: GitRepository, index: DedupIndex) -> None:
    """Gather packs and loose refs if there are many; cheap when there are few, and never in the way of a writer.

    What can't be done now (somebody writes, the disk is full) is left to the next change; what failed is noted.
    """
    try:
        if leftovers.in_packs(repo.path):
            leftovers.clear(repo.path)
        if _too_many(pack_marks(repo)):
            _gather_packs(repo, index)
        if repo.refs.count_loose() > MOST_LOOSE_REFS:
            repo.refs.pack()
    except PachaError as error:
        _note_failure(repo.path, error.message)
    else:
        forget_failures(repo.path)


def failures(git_dir: Path) -> tuple[int, str]:
    """Tell how many times running upkeep has failed, and why the last time."""
    try:
        count, _, message = (git_dir / _FAILED).read_text("utf-8", "replace").partition(" ")
        return int(count), message.strip()
    except (OSError, ValueError):
        return 0, ""


def _note_failure(git_dir: Path, message: str) -> None:
    with suppress(OSError):  # it is only a memory
        write_whole(git_dir / _FAILED, f"{failures(git_dir)[0] + 1} {message}\n".encode())


def forget_failures(git_dir: Path) -> None:
    """Say that upkeep works again."""
    with suppress(OSError):
        (git_dir / _FAILED).unlink(missing_ok=True)


def _too_many(packs: Marks) -> bool:
    return len(packs) - len(_left_alone(packs)) > MOST_PACKS


def _left_alone(packs: Marks) -> set[str]:
    """Return the large ones, unless there are very many of them: then those that nobody would write again."""
    large: set[str] = set()
    for limit in (LARGE_BYTES, VERY_LARGE_BYTES):
        large = {name for name, (size, _) in packs.items() if size >= limit}
        if len(large) <= MOST_LARGE_PACKS:
            break
    return large


def _gather_packs(repo: GitRepository, index: DedupIndex) -> None:
    # Writers hold this lock shared while they rely on what they found here.
    with locks.exclusive(repo.path / GC_LOCK, wait=False) as free:
        packs = pack_marks(repo)
        if free and _too_many(packs):
            with repacking(repo, index):
                # Without a window there is no search for deltas: chunks have none, and the rest is small. A bitmap, and
                # what servers without programs want to know, would take a walk over everything: gc makes them.
                repo.git(
                    "-c", "repack.writeBitmaps=false",
                    "repack", "-n", "--geometric=2", "-d", "--quiet", "--window=0", "--write-midx",
                    *(f"--keep-pack={name}.pack" for name in sorted(_left_alone(packs))),
                    keeps=free,
                )  # fmt: skip
