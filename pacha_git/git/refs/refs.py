"""Reads the refs of a bare repository with the files backend, and moves them by compare-and-swap.

Reading is our own: a look-up among 100,000 packed refs is a bisection, with no library to load. Every transaction is
``git update-ref --stdin``, which locks and checks: all or nothing, and then durable; but for many last-seen copies of a
remote's refs, and all of a clone, which come before. It has never heard of a model.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from pacha_git.errors import Conflict, Corrupt, PachaError
from pacha_git.git.refs.packed_refs import PackedRefs
from pacha_git.gitobjects.oid import Oid
from pacha_git.system.disk import sync_file_system
from pacha_git.system.process import CommandFailed, run
from pacha_git.vocabulary.names import gist

if TYPE_CHECKING:
    from pacha_git.git.refs.transactions import Transactions

# What only writes is loaded when something is written: most commands read.

_ABSENT: Final = "0" * 40
_WAIT_MS: Final = "20000"
# A ref transaction waits for another instead of failing, and is on the disk before it is acknowledged.
_OPTIONS: Final = (
    "-c", f"core.filesRefLockTimeout={_WAIT_MS}", "-c", f"core.packedRefsTimeout={_WAIT_MS}",
    "-c", "core.fsyncMethod=fsync", "-c", "core.logAllRefUpdates=false", "-c", "core.warnAmbiguousRefs=false",
)  # fmt: skip
_SYNC_EACH: Final = ("-c", "core.fsync=all")
_SYNC_LATER: Final = ("-c", "core.fsync=none")
_UPDATE: Final = ("update-ref", "-z", "--stdin")
_MANY: Final = 16
_VERY_MANY: Final = 500
_LONGEST_REF: Final = 4096
_MOST_HOPS: Final = 4


class RefUpdate(NamedTuple):
    """One step of a transaction: ``old`` is what must stand there now (None: nothing), ``new`` None deletes.

    With ``new`` equal to ``old`` nothing moves, but the transaction fails if the ref is not at ``old``.
    """

    ref: str
    new: Oid | None
    old: Oid | None


class RefMoved(Conflict):
    """A ref was not where the transaction expected it; nothing of the transaction was done."""


class Refs:
    """The refs of one repository folder.

    Attributes:
        is_new: To be set by whoever is making the repository, as long as nobody else knows of it.
    """

    def __init__(self, git_dir: Path) -> None:
        self._dir = git_dir
        self._packed = PackedRefs(git_dir / "packed-refs")
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
        """Where a ref stands; None if it does not exist."""
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
        finally:
            os.close(file)
        # One of another program: ours never lead to another, and there it ends where git ends.
        aim = text[4:].strip().decode("utf-8", "surrogateescape")
        if not hops or not aim.startswith("refs/") or ".." in aim:
            return None
        return self._loose(aim, hops - 1) or self._packed.now().get(aim)

    def below(self, prefix: str) -> dict[str, Oid]:
        """All refs whose name begins with ``prefix`` (which ends in ``/``), sorted by name."""
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
        """Of what comes right after a prefix (ending in ``/``) in names of refs: what has the ``gist`` of this."""
        wanted = gist(segment)
        found = self._packed.now().alike_below(prefix).get(wanted, set())
        try:
            with os.scandir(f"{self._dir}/{prefix}") as entries:
                names = [entry.name for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return set(found)
        return found.union(name for name in names if gist(name) == wanted)

    def count_loose(self) -> int:
        """How many refs lie in files of their own."""
        return _count_files(f"{self._dir}/refs")

    def loose_below(self, prefix: str) -> dict[str, Oid]:
        """The refs below a prefix that lie in files of their own; there are few, for ``pack`` gathers them."""
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
        """A text that changes whenever the packed file does."""
        return self._packed.now().stamp

    def update(self, updates: Sequence[RefUpdate]) -> None:
        """Carry out all updates or none, and return when they are durable.

        Raises:
            RefMoved: a ref was not at its ``old``; nothing was done, but for some of very many last-seen copies.
            PachaError: git could not write (a full disk, a stale lock).
        """
        if not updates:
            return
        from pacha_git.git.refs import locks as reflocks

        reflocks.free_left(self._dir)
        try:
            updates = self._remember(updates)
            if len(updates) > _MANY:
                self._update_many(updates)
            elif updates:
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
        if self._create_packed(updates):
            return
        from pacha_git.git.refs.transactions import prepared

        with prepared(self._git(*_SYNC_LATER, *_UPDATE), _commands(updates)) as transaction:
            # Every new value lies in a lock file, so what ``commit`` renames is on the disk already.
            sync_file_system(self._dir)
            transaction.commit()
            sync_file_system(self._dir)

    def _create_packed(self, updates: Sequence[RefUpdate]) -> bool:
        """Put new refs into the packed file at once; whether that could be done."""
        new = {update.ref: update.new for update in updates if update.new is not None and update.old is None}
        if not all(update.ref in new or update.new == update.old for update in updates):
            return False  # a file of its own would hide the new value of a ref that exists
        from pacha_git.git.refs import locks as reflocks
        from pacha_git.git.refs import packed_refs_new

        with reflocks.locked(self._dir, [update.ref for update in updates]) as mine:
            # Whatever is not as it should be, git says better, or waits for.
            if not mine or any(self.get(update.ref) != update.old for update in updates):
                return False
            return packed_refs_new.add(self._dir, new, wait_seconds=int(_WAIT_MS) / 1000)

    def _why(self, updates: Sequence[RefUpdate], error: CommandFailed) -> PachaError:
        for update in updates:
            now = self.get(update.ref)
            if now != update.old:
                return RefMoved(f"{update.ref} is at {now or 'nothing'}, not at {update.old or 'nothing'}")
        if ".lock" in error.stderr and "File exists" in error.stderr:
            return PachaError(f"a ref is locked: {error.message}", hint="if no other pacha runs here: git pacha doctor")
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
        from pacha_git.git.refs import locks as reflocks

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
        return f"verify {update.ref}\0{update.old or _ABSENT}\0".encode()
    if update.new is None:
        return f"delete {update.ref}\0{update.old}\0".encode()
    if update.old is None:
        return f"create {update.ref}\0{update.new}\0".encode()
    return f"update {update.ref}\0{update.new}\0{update.old}\0".encode()


def _loose_oid(ref: str, text: bytes) -> Oid:
    try:
        return Oid.parse(text.decode("ascii").strip())
    except (PachaError, UnicodeDecodeError):
        raise Corrupt(f"the file of {ref} holds no object id", hint="git pacha fsck says what is damaged") from None
