"""Moves refs by ourselves while their locks are held: in one step of ``packed-refs``, so that nobody sees some of them.

A ref's own file hides its line, so it is packed first where it stands; then one rename moves all. It knows when git
would do more than write values, or would refuse; then it does nothing, and git is to be asked. What the refs are, it
knows only as far as some may be seen before others.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from posixpath import dirname
from typing import Final

from pacha_git.git.packs.files import storing
from pacha_git.git.refs import packed_refs_file
from pacha_git.git.refs.locks import folders_above
from pacha_git.git.refs.packed_refs import PackedRefsSnapshot
from pacha_git.git.refs.update import RefUpdate
from pacha_git.gitobjects.oid import OID_PATTERN, Oid
from pacha_git.system.disk import make_folders, sync_folder, whole_file, write_all
from pacha_git.system.process import CommandFailed, run

KindOf = Callable[[Oid], str]
"""The type of an object; empty if it is not here."""

LAST_SEEN: Final = "refs/remotes/"
# Where git would run a program with each transaction, or keep it elsewhere.
_HOOKS: Final = r"^(core\.hookspath|hook\..*)$"
_HOOK: Final = "reference-transaction"
_HOOKS_SECONDS: Final = 2.0
_NO_SUCH_KEY: Final = 1
_BRIEFLY: Final = 2.0
_FEW: Final = 16
# By measurement: up to here to write the file anew takes no longer than to sync two files of their own.
_SMALL: Final = 256 << 10

_hooked: dict[Path, tuple[tuple[int, int], float, bool]] = {}


def move(
    git_dir: Path, updates: Sequence[RefUpdate], *, kind_of: KindOf | None, wait_seconds: float, first: str
) -> bool:
    """Carry out updates, all at once and durable; their locks are held, and each ref is at its ``old``.

    Args:
        git_dir: The repository.
        updates: In the order in which they may be seen, if they are seen one by one.
        kind_of: Looks up few objects faster than git does.
        wait_seconds: How long others may hold the lock of the packed file.
        first: See ``NameRules.first``.

    Returns:
        Whether that was done. Nothing was if git would do more than that, or refuse it.

    Raises:
        PachaError: the disk is full, or the lock was not free in time.
    """
    changed = [update for update in updates if update.new != update.old]
    loose = [update for update in changed if os.path.isfile(f"{git_dir}/{update.ref}")]  # noqa: PTH113 — thousands
    if not _is_plain(git_dir, changed, loose, kind_of):
        return False
    if not _may_be_seen_in_turn(changed, first):
        return _move_at_once(git_dir, changed, loose, wait_seconds)
    if _packed_size(git_dir) > _SMALL:
        return _write_each(git_dir, changed)
    try:
        return _move_at_once(git_dir, changed, loose, min(wait_seconds, _BRIEFLY))
    except packed_refs_file.PackedRefsBusy:
        return _write_each(git_dir, changed)  # a git that was killed may have left that lock: it needs no other


def in_order(updates: Iterable[RefUpdate], first: str) -> list[RefUpdate]:
    """Return the one order in which all of us lock and move refs: what promises nothing first, else by name."""
    return sorted(updates, key=lambda update: (not update.ref.startswith(first), update.ref))


def _may_be_seen_in_turn(changed: Sequence[RefUpdate], first: str) -> bool:
    """Tell whether each step on the way may stand: what moves first and last-seen copies say nothing by themselves."""
    telling = [update for update in changed if not update.ref.startswith((first, LAST_SEEN))]
    return len(changed) <= _FEW and len(telling) <= 1 and all(update.new is not None for update in changed)


# Whether git would do the same ----------------------------------------------------------------------------------------


def _is_plain(git_dir: Path, changed: Sequence[RefUpdate], loose: Sequence[RefUpdate], kind_of: KindOf | None) -> bool:
    """Tell whether all that git does to carry this out is to write down where the refs stand."""
    folders = {update.ref.rpartition("/")[0] for update in changed}
    if any(os.path.exists(f"{git_dir}/logs/{folder}") for folder in folders):  # noqa: PTH110 — thousands
        return False
    if any(_leads_elsewhere(f"{git_dir}/{update.ref}") for update in loose) or _is_hooked(git_dir):
        return False
    # An object that is not here gets no ref; and of a tag, git writes down what it stands for too.
    new = {update.new for update in changed if update.new is not None}
    old = {update.old for update in loose if update.old is not None} - new
    kinds = _kinds(git_dir, [*new, *old], kind_of)
    return set(kinds[: len(new)]) <= {"commit"} and "tag" not in kinds


def _leads_elsewhere(path: str) -> bool:
    if os.path.islink(path):  # noqa: PTH114 — thousands
        return True
    with open(path, "rb") as file:  # noqa: PTH123 — thousands
        return file.read(4) == b"ref:"


def _is_hooked(git_dir: Path) -> bool:
    """Tell whether a program is to run with each transaction. It is asked before each, so an answer holds a moment."""
    if _is_program(git_dir / "hooks" / _HOOK):
        return True
    config = (git_dir / "config").stat()
    stamp, now = (config.st_mtime_ns, config.st_size), time.monotonic()
    before, until, answer = _hooked.get(git_dir, (stamp, 0.0, False))
    if now > until or before != stamp:
        answer = _is_hooked_elsewhere(git_dir)
        _hooked[git_dir] = stamp, now + _HOOKS_SECONDS, answer
    return answer


def _is_hooked_elsewhere(git_dir: Path) -> bool:
    try:
        listed = run(["git", f"--git-dir={git_dir}", "config", "--type=path", "--get-regexp", _HOOKS]).stdout
    except CommandFailed as error:
        return error.status != _NO_SUCH_KEY
    for line in listed.decode("utf-8", "surrogateescape").splitlines():
        key, _, value = line.partition(" ")
        # Which folder one that is no whole path begins at depends on where a git was started.
        if key != "core.hookspath" or any(_is_program(at / value / _HOOK) for at in (git_dir, Path.cwd())):
            return True
    return False


def _is_program(path: Path) -> bool:
    return os.access(path, os.X_OK)


def _kinds(git_dir: Path, oids: Sequence[Oid], kind_of: KindOf | None) -> list[str]:
    if kind_of is not None and len(oids) <= _FEW:
        return [kind_of(oid) for oid in oids]
    asked = b"".join(oid.encode("ascii") + b"\n" for oid in oids)
    said = run(["git", f"--git-dir={git_dir}", "cat-file", "--batch-check=%(objecttype)"], stdin=asked).stdout
    return said.decode("ascii").splitlines()


# One by one, where the packed file is large ---------------------------------------------------------------------------


def _write_each(git_dir: Path, changed: Sequence[RefUpdate]) -> bool:
    """Give each ref a file of its own, one durable before the next is seen."""
    mode = (git_dir / "HEAD").stat().st_mode & 0o666
    clash = _clash(PackedRefsSnapshot("", _read(git_dir)), {u.ref.encode("ascii") for u in changed if u.old is None})
    if clash or not all(_is_free(f"{git_dir}/{update.ref}") for update in changed if update.old is None):
        return False
    with storing(git_dir):
        for update in changed:
            path = git_dir / update.ref
            fresh = [new.parent for new in reversed(make_folders(path.parent))]  # where they have their names
            with whole_file(path, room=git_dir / "pacha") as descriptor:
                os.fchmod(descriptor, mode)
                write_all(descriptor, [f"{update.new}\n".encode("ascii")])
            for folder in fresh:
                sync_folder(folder)
    return True


# All at once ----------------------------------------------------------------------------------------------------------


def _move_at_once(git_dir: Path, changed: Sequence[RefUpdate], loose: Sequence[RefUpdate], wait_seconds: float) -> bool:
    """Let one rename of the packed file move all; whether that could be done."""
    if loose and not _pack(git_dir, loose, wait_seconds):
        return False
    lines = _lines((update.ref, update.new) for update in changed)
    created = [update.ref for update in changed if update.old is None]
    return packed_refs_file.replace(
        git_dir,
        lambda data: _merged(data, lines),
        wait_seconds=wait_seconds,
        still_right=lambda: all(_is_free(f"{git_dir}/{ref}") for ref in created),
    )


def _pack(git_dir: Path, loose: Sequence[RefUpdate], wait_seconds: float) -> bool:
    """Let refs stand in the packed file alone, where they stand anyway; whether that could be done."""
    lines = _lines((update.ref, update.old) for update in loose)
    if not packed_refs_file.replace(git_dir, lambda data: _merged(data, lines), wait_seconds=wait_seconds):
        return False
    for update in loose:
        with suppress(FileNotFoundError):  # git packed it, too
            os.unlink(f"{git_dir}/{update.ref}")  # noqa: PTH108 — thousands
    for folder in {(git_dir / update.ref).parent for update in loose}:
        sync_folder(folder)
    return True


def _lines(refs: Iterable[tuple[str, Oid | None]]) -> list[tuple[bytes, bytes]]:
    """Ref and where it is to stand, nothing if nowhere, in the order of the file."""
    return sorted((ref.encode("ascii"), (oid or "").encode("ascii")) for ref, oid in refs)


def _merged(data: bytes, lines: Collection[tuple[bytes, bytes]]) -> list[bytes] | None:
    """Give the pieces of the file with lines (ref, oid or nothing) where they belong; None if that is for git to do."""
    old = PackedRefsSnapshot("", data)
    pieces: list[bytes] = []
    created: set[bytes] = set()
    at = 0
    for start, ref, oid in _places(old, lines):
        pieces.append(data[at:start])
        at = _after(data, start) if old.ref_at(start) == ref else start
        if oid:
            pieces += (oid, b" ", ref, b"\n")
            if at == start:
                created.add(ref)
    return None if created and _clash(old, created) else [*pieces, data[at:]]


def _after(data: bytes, start: int) -> int:
    """Tell where the line of the next ref begins."""
    end = data.index(b"\n", start) + 1
    return data.index(b"\n", end) + 1 if data[end : end + 1] == b"^" else end


def _places(old: PackedRefsSnapshot, lines: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[int, bytes, bytes]]:
    """Where each line belongs: the offset of the first one not before it. Most stand side by side: one look will do."""
    start, following = -1, b""
    for ref, oid in lines:
        if start < 0 or (following and following < ref):
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


def _is_free(path: str) -> bool:
    """Tell whether a new ref can have its place; folders that hold nothing are in nobody's way."""
    if not os.path.lexists(path):
        return True
    for folder, _, _ in os.walk(path, topdown=False):
        with suppress(OSError):
            os.rmdir(folder)  # noqa: PTH106 — thousands
    return not os.path.lexists(path)


def _packed_size(git_dir: Path) -> int:
    try:
        return (git_dir / "packed-refs").stat().st_size
    except FileNotFoundError:
        return 0


def _read(git_dir: Path) -> bytes:
    try:
        return (git_dir / "packed-refs").read_bytes() or packed_refs_file.HEADER
    except FileNotFoundError:
        return packed_refs_file.HEADER
