"""Reads the refs of a bare repository with the files backend, and moves them by compare-and-swap.

Reading is our own: a look-up among 100,000 packed refs is a bisection, with no library to load. A transaction holds
git's own locks and moves all of its refs by one rename (``moves``); where git would do more than that, such as run a
hook, it is ``git update-ref --stdin``, which moves them one by one. It has never heard of a model.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pacha_git.errors import REPAIR, Conflict, Corrupt, PachaError
from pacha_git.git.refs.packed_refs import PackedRefs
from pacha_git.git.refs.rules import PLAIN, NameRules
from pacha_git.git.refs.update import RefUpdate as RefUpdate
from pacha_git.gitobjects.oid import NO_OID, Oid
from pacha_git.system.disk import sync_file_system
from pacha_git.system.process import CommandFailed, run

if TYPE_CHECKING:
    from pacha_git.git.refs.transactions import Transactions

# What only writes is loaded when something is written: most commands read.

_WAIT_SECONDS: Final = 20.0
_LOCKED: Final = "if no other pacha runs here: git pacha doctor"
# A ref transaction waits for another instead of failing, and is on the disk before it is acknowledged.
_OPTIONS: Final = (
    "-c", f"core.filesRefLockTimeout={_WAIT_SECONDS * 1000:.0f}",
    "-c", f"core.packedRefsTimeout={_WAIT_SECONDS * 1000:.0f}",
    "-c", "core.fsyncMethod=fsync", "-c", "core.logAllRefUpdates=false", "-c", "core.warnAmbiguousRefs=false",
)  # fmt: skip
_SYNC_EACH: Final = ("-c", "core.fsync=all")
_SYNC_LATER: Final = ("-c", "core.fsync=none")
_UPDATE: Final = ("update-ref", "-z", "--stdin")
_OF_PACKED: Final = ("packed-refs.lock", "packed-refs.new")
_MANY: Final = 16
_VERY_MANY: Final = 500
_LONGEST_REF: Final = 4096
_MOST_HOPS: Final = 4


class RefMoved(Conflict):
    """A ref was not where the transaction expected it; nothing of the transaction was done."""


class Refs:
    """The refs of one repository folder.

    Args:
        git_dir: The folder.
        kind_of: The type of an object, empty if it is not here; without, git is asked.
        going_on: Whether what is no ref counts as absent: for those who list damage by other means.

    Attributes:
        is_new: To be set by whoever is making the repository, as long as nobody else knows of it.
    """

    def __init__(
        self,
        git_dir: Path,
        kind_of: Callable[[Oid], str] | None = None,
        rules: NameRules = PLAIN,
        *,
        going_on: bool = False,
    ) -> None:
        self._dir = git_dir
        self._kind_of = kind_of
        self._rules = rules
        self._going_on = going_on
        self._packed = PackedRefs(git_dir / "packed-refs", going_on=going_on)
        self.is_new = False

    @cached_property
    def _transactions(self) -> Transactions:
        from pacha_git.git.refs.transactions import Transactions

        return Transactions(self._git(*_SYNC_EACH, *_UPDATE))

    def close(self) -> None:
        """Let go of files and programs; the next use opens anew."""
        self._packed.close()
        transactions: Transactions | None = self.__dict__.pop("_transactions", None)
        if transactions is not None:
            transactions.close()

    def get(self, ref: str) -> Oid | None:
        """Tell where a ref stands; None if it does not exist."""
        # Loose first: pack-refs writes the packed file before it unlinks a loose one, so nothing can fall between.
        return self._loose(ref) or self._packed.now().get(ref)

    def _loose(self, ref: str, hops: int = _MOST_HOPS) -> Oid | None:
        # A path object would take longer than all the rest, and a listing does this for hundreds.
        try:
            file = os.open(f"{self._dir}/{ref}", os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            text = os.read(file, _LONGEST_REF)
            if not text.startswith(b"ref:"):
                return _loose_oid(ref, text)
        except IsADirectoryError:
            return None
        except Corrupt:
            if self._going_on:
                return None
            raise
        finally:
            os.close(file)
        # One of another program: ours never lead to another, and there it ends where git ends.
        aim = text[4:].strip().decode("utf-8", "surrogateescape")
        if not hops or not aim.startswith("refs/") or ".." in aim:
            return None
        return self._loose(aim, hops - 1) or self._packed.now().get(aim)

    def below(self, prefix: str) -> dict[str, Oid]:
        """Return all refs whose name begins with ``prefix`` (which ends in ``/``), sorted by name."""
        loose = dict(self._walk(prefix))
        found = self._packed.now().below(prefix)
        if not loose:
            return found
        found.update(loose)
        return dict(sorted(found.items()))

    def _walk(self, prefix: str) -> Iterator[tuple[str, Oid]]:
        above = len(str(self._dir)) + 1
        for folder, _, files in os.walk(str(self._dir / prefix)):
            base = folder[above:]
            for file in files:
                ref = f"{base}/{file}"
                oid = None if file.endswith(".lock") else self._loose(ref)
                if oid is not None:
                    yield ref, oid

    def alike_below(self, prefix: str, segment: str) -> set[str]:
        """Of what comes right after a prefix (ending in ``/``) in names of refs: what comes to the same."""
        wanted = self._rules.alike(segment)
        found = self._packed.now().alike_below(prefix, self._rules.alike).get(wanted, set())
        try:
            with os.scandir(f"{self._dir}/{prefix}") as entries:
                names = [entry.name for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return set(found)
        return found.union(name for name in names if self._rules.alike(name) == wanted)

    def count_loose(self) -> int:
        """Tell how many refs lie in files of their own."""
        return _count_files(f"{self._dir}/refs")

    def loose_below(self, prefix: str) -> dict[str, Oid]:
        """Return the refs below a prefix that lie in files of their own; there are few, for ``pack`` gathers them."""
        return dict(self._walk(prefix))

    def lines_below(self, prefix: str) -> set[bytes]:
        """``oid ref`` of all refs below a prefix, unread: for comparing very many."""
        packed = self._packed.now()
        lines = set(packed.block(prefix).split(b"\n"))
        for ref, oid in self._walk(prefix):
            lines.discard(_line(ref, packed.get(ref)))
            lines.add(_line(ref, oid))
        return lines - {b""}

    def packed_stamp(self) -> str:
        """Return a text that changes whenever the packed file does."""
        return self._packed.now().stamp

    def update(self, updates: Sequence[RefUpdate]) -> None:
        """Carry out all updates or none, and return when they are durable.

        Raises:
            RefMoved: a ref was not at its ``old``; nothing was done, but for some of very many last-seen copies.
            PachaError: git could not write (a full disk, a stale lock).
        """
        if not updates:
            return
        from pacha_git.git.refs import moves

        updates = self._remember(moves.in_order(updates, self._rules.first))
        if updates and not self._move(updates):
            self._leave_to_git(updates)

    def _move(self, updates: Sequence[RefUpdate]) -> bool:
        """Carry out updates in one step, once nobody else holds one of their locks; False if git is to be asked."""
        from pacha_git.git.leftovers import clear
        from pacha_git.git.packs.files import storing
        from pacha_git.git.refs import locks as reflocks
        from pacha_git.git.refs import moves

        until = time.monotonic() + _WAIT_SECONDS
        every, new = [update.ref for update in updates], [update.ref for update in updates if update.old is None]
        while True:
            with storing(self._dir), reflocks.locked(self._dir, every, new) as busy:
                if busy is None:
                    return False
                if not busy:
                    self._refuse_moved(updates)
                    return moves.move(
                        self._dir,
                        updates,
                        kind_of=self._kind_of,
                        wait_seconds=_WAIT_SECONDS,
                        first=self._rules.first,
                    )
            clear(self._dir, [self._dir / f"{busy}.lock"], alone=True)
            # None of ours is held while we wait, so two never wait for one another.
            if time.monotonic() > until:
                raise PachaError(
                    f"a ref is locked: {self._dir}/{busy}.lock was not free for {_WAIT_SECONDS:.0f} s", hint=_LOCKED
                )
            time.sleep(random.uniform(0.001, 0.05))

    def _refuse_moved(self, updates: Sequence[RefUpdate]) -> None:
        for update in updates:
            now = self.get(update.ref)
            if now != update.old:
                raise RefMoved(f"{update.ref} is at {now or 'nothing'}, not at {update.old or 'nothing'}")

    def _leave_to_git(self, updates: Sequence[RefUpdate]) -> None:
        from pacha_git.git.refs import locks as reflocks

        reflocks.free_left(self._dir)
        try:
            if len(updates) > _MANY:
                self._update_many(updates)
                return
            folders = self._folders_to_change(updates)
            self._transactions.carry_out(_commands(updates))
            for folder in folders:
                _sync_folder(folder)
        except CommandFailed as error:
            raise self._why(updates, error) from None

    def _remember(self, updates: Sequence[RefUpdate]) -> Sequence[RefUpdate]:
        """Pack many refs at once that nobody can be moving: last-seen copies, or all of a repository that is new.

        Returns:
            The updates that are left.

        Raises:
            RefMoved: as ``update``.
        """
        if len(updates) < _VERY_MANY:
            return updates
        from pacha_git.git.refs import packed_refs_writer

        root = "refs/" if self.is_new else packed_refs_writer.ROOT
        loose = self.loose_below(root)
        packed = self._packed.now().below(root)
        seen: dict[str, Oid] = {}
        rest: list[RefUpdate] = []
        for update in updates:
            if update.new is None or not update.ref.startswith(root) or update.ref in loose:
                rest.append(update)
            elif packed.get(update.ref) != update.old:
                raise RefMoved(f"{update.ref} is not at {update.old or 'nothing'}")
            else:
                seen[update.ref] = update.new
        done = not seen or packed_refs_writer.write_packed(self._dir, seen, loose)
        return rest if done else updates

    def _git(self, *arguments: str) -> list[str]:
        return ["git", *_OPTIONS, f"--git-dir={self._dir}", *arguments]

    def _update_many(self, updates: Sequence[RefUpdate]) -> None:
        """The same with one sync where each file of its own would take one."""
        from pacha_git.git.refs.transactions import prepared

        with prepared(self._git(*_SYNC_LATER, *_UPDATE), _commands(updates)) as transaction:
            # Every new value lies in a lock file, so what ``commit`` renames is on the disk already.
            sync_file_system(self._dir)
            transaction.commit()
            sync_file_system(self._dir)

    def _why(self, updates: Sequence[RefUpdate], error: CommandFailed) -> PachaError:
        try:
            self._refuse_moved(updates)
        except RefMoved as moved:
            return moved
        if ".lock" in error.stderr and "File exists" in error.stderr:
            return PachaError(f"a ref is locked: {error.message}", hint=_LOCKED)
        return PachaError(f"git could not move the refs: {error.stderr.strip()[-400:]}")

    def _folders_to_change(self, updates: Sequence[RefUpdate]) -> list[Path]:
        """The folders in which names will come or go, the lowest first: git fsyncs a ref's file, not what names it."""
        folders: set[Path] = set()
        for update in updates:
            folder = (self._dir / update.ref).parent
            while update.new != update.old and folder != self._dir and folder not in folders:
                folders.add(folder)
                if folder.is_dir():
                    break  # it has a name already
                folder = folder.parent
        return sorted(folders, key=lambda path: -len(path.parts))

    def pack(self) -> None:
        """Move loose refs into the packed file."""
        from pacha_git.git import leftovers
        from pacha_git.git.refs import locks as reflocks

        leftovers.clear(self._dir, [self._dir / name for name in _OF_PACKED], alone=True)
        reflocks.free_left(self._dir)
        run(self._git(*_SYNC_EACH, "pack-refs", "--all"))


def _count_files(folder: str) -> int:
    # After every change somebody asks, and os.walk would take half as long again.
    try:
        with os.scandir(folder) as entries:
            return sum(_count_files(entry.path) if entry.is_dir(follow_symlinks=False) else 1 for entry in entries)
    except FileNotFoundError:
        return 0  # emptied and removed meanwhile


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return  # emptied by a deletion meanwhile: there is nothing to keep
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(ref: str, oid: Oid | None) -> bytes:
    return f"{oid} {ref}".encode("utf-8", "surrogateescape")


def _commands(updates: Sequence[RefUpdate]) -> bytes:
    return b"".join(map(_command, updates))


def _command(update: RefUpdate) -> bytes:
    if update.new == update.old:
        return f"verify {update.ref}\0{update.old or NO_OID}\0".encode()
    if update.new is None:
        return f"delete {update.ref}\0{update.old}\0".encode()
    if update.old is None:
        return f"create {update.ref}\0{update.new}\0".encode()
    return f"update {update.ref}\0{update.new}\0{update.old}\0".encode()


def _loose_oid(ref: str, text: bytes) -> Oid:
    try:
        return Oid.parse(text.decode("ascii").strip())
    except (PachaError, UnicodeDecodeError):
        raise Corrupt(f"the file of {ref} holds no object id", hint=REPAIR) from None
