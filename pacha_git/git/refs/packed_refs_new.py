"""Puts many new refs straight into ``packed-refs``, in one step, while their locks are held.

It knows when git would do more than write a value, or would refuse; then it does nothing, and git is to be asked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from posixpath import dirname
from typing import Final

from pacha_git.git.refs import packed_refs_file
from pacha_git.git.refs.locks import folders_above
from pacha_git.git.refs.packed_refs import PackedRefsSnapshot
from pacha_git.gitobjects.oid import OID_PATTERN, Oid
from pacha_git.system.process import CommandFailed, run

# What lets git run a hook, give rights to a group, or keep refs elsewhere.
_MORE: Final = r"^(core\.(hookspath|sharedrepository)|hook\..*|extensions\.refstorage)$"
_HOOK: Final = "hooks/reference-transaction"


def add(git_dir: Path, new: Mapping[str, Oid], *, wait_seconds: float) -> bool:
    """Create refs, all at once and durable; their locks are held, and none of them exists.

    Args:
        git_dir: The repository.
        new: Where they stand.
        wait_seconds: How long others may hold the lock of the packed file.

    Returns:
        Whether that was done. Nothing was if git would do more than that, or refuse it.

    Raises:
        PachaError: the disk is full, or the lock was not free in time.
    """
    if not _plain(git_dir, new):
        return False
    lines = sorted((ref.encode("ascii"), oid.encode("ascii")) for ref, oid in new.items())

    def still_right() -> bool:
        return not any(os.path.lexists(f"{git_dir}/{ref}") for ref in new)  # a folder of refs, or of none

    def make(data: bytes) -> list[bytes] | None:
        return _merged(data, lines)

    return packed_refs_file.replace(git_dir, make, wait_seconds=wait_seconds, still_right=still_right)


def _plain(git_dir: Path, new: Mapping[str, Oid]) -> bool:
    """Tell whether all that git does to create these refs is to write down where they stand."""
    folders = {ref.rpartition("/")[0] for ref in new}
    if (git_dir / _HOOK).exists() or any((git_dir / "logs" / folder).exists() for folder in folders):
        return False
    git = ["git", f"--git-dir={git_dir}"]
    with suppress(CommandFailed):  # as it ends when there is none of them
        run([*git, "config", "--get-regexp", _MORE])
        return False
    # An object that is not here gets no ref; and of a tag, git writes down what it stands for too.
    asked = b"".join(oid.encode("ascii") + b"\n" for oid in set(new.values()))
    kinds = run([*git, "cat-file", "--batch-check=%(objecttype)"], stdin=asked).stdout
    return set(kinds.splitlines()) == {b"commit"}


def _merged(data: bytes, lines: Collection[tuple[bytes, bytes]]) -> list[bytes] | None:
    """Return the pieces of the file with lines (ref, oid) put in where they belong; None if that is for git to do."""
    old = PackedRefsSnapshot("", data)
    if _clash(old, {ref for ref, _ in lines}):
        return None
    pieces: list[bytes] = []
    at = 0
    for start, ref, oid in _places(old, lines):
        if old.ref_at(start) == ref:
            return None
        pieces += (data[at:start], oid, b" ", ref, b"\n")
        at = start
    return [*pieces, data[at:]]


def _places(old: PackedRefsSnapshot, lines: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[int, bytes, bytes]]:
    """Where each line belongs: the offset of the first one after it. Most stand side by side, so one look will do."""
    start, following = -1, b""
    for ref, oid in lines:
        if start < 0 or (following and following <= ref):
            start = old.first_at_or_after(ref)
            following = old.ref_at(start)
        yield start, ref, oid


def _clash(old: PackedRefsSnapshot, new: Collection[bytes]) -> bool:
    """Tell whether one would be both a ref and a folder of refs."""
    above = folders_above(new)
    if not above.isdisjoint(new) or any(old.get(folder.decode("ascii")) is not None for folder in above):
        return True
    for folder in {dirname(ref) for ref in new}:
        block = old.block(folder.decode("ascii") + "/")
        below = re.findall(rb"^%s (" % OID_PATTERN.encode() + re.escape(folder) + rb"/[^/\n]+)/", block, re.MULTILINE)
        if not set(below).isdisjoint(new):
            return True
    return False
