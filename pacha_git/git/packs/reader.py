"""All packs of a repository, read straight from the disk while other programs repack it.

It knows packs, alternates and loose files by name, leaves reading anything but packs to a fallback, and has never heard
of a model.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar
from weakref import WeakSet

from pacha_git.errors import REPAIR, Corrupt, NotFound, PachaError
from pacha_git.git.packs.files import TEMPORARY
from pacha_git.git.packs.pack import PIECE_LIMIT, Location, OpenFiles, Pack, TooLarge
from pacha_git.gitobjects.oid import Oid, object_hash

Fallback = Callable[[Oid], tuple[str, bytes]]
T = TypeVar("T")

_TRIES: Final = 5
_OPEN_PACKS: Final = 32
_ALTERNATES_DEPTH: Final = 5
# A folder may change again within the clock tick of its mtime. File systems that count nanoseconds tick as the kernel
# does, at most every 10 ms; others count whole seconds, or two.
_FINE_TICK_NS: Final = 20_000_000
_COARSE_TICK_NS: Final = 3_000_000_000
# What this process lacks says nothing of the pack.
_SHORT: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class PackSet:
    """The packs of a repository and of its alternates. Threads may share one.

    Args:
        objects: The ``objects`` folder.
        fallback: Reads an object that is in no pack; raises NotFound if there is none.
    """

    def __init__(self, objects: Path, fallback: Fallback) -> None:
        self._objects = objects
        self._fallback = fallback
        self._lock = Lock()
        self._packs: tuple[Pack, ...] = ()
        self._files = OpenFiles(_OPEN_PACKS)
        self._recent: Pack | None = None
        self._damaged: dict[Path, Corrupt] = {}
        self._folders: tuple[Path, ...] = ()
        self._watched: tuple[Path, ...] = ()
        self._marks: tuple[int, ...] | None = None
        _alive.add(self)

    def begin_anew(self) -> None:
        """In a process that was forked off: as ``OpenFiles.begin_anew``."""
        self._lock = Lock()
        self._files.begin_anew()

    # Finding -----------------------------------------------------------------------------------------------------

    def find(self, oid: Oid) -> Location | None:
        """Tell where an object lies; None if it is in no pack."""
        return next(self._look_up(oid.raw, durable=False), None)

    def find_durable(self, oid: Oid, *, again: bool = True) -> Location | None:
        """Return the same, without cruft packs: what lies only there may be pruned, and can't be protected.

        Args:
            oid: The object.
            again: Whether to look for new packs if it is in none that is known: a scan of the folder.
        """
        return next(self._look_up(oid.raw, durable=True, again=again), None)

    def missing(self, oids: Iterable[bytes], *, durable: bool = False) -> set[bytes]:
        """Return those of the raw ids that are neither in a pack nor loose; ``durable`` as in ``find_durable``."""
        wanted = set(oids)
        if not wanted:
            return wanted
        self._refresh()
        for pack in self._packs:
            if wanted and not (durable and pack.cruft):
                wanted -= _held(pack, wanted)
        return wanted - self._loose(wanted).keys()

    def freshen(self, oids: Iterable[bytes]) -> set[bytes]:
        """Set the times of the files that hold these raw ids to now, which keeps a gc from pruning them.

        Returns:
            The ids that could not be protected so, because they are not here or lie where we may not write; store
            them again.
        """
        wanted = set(oids)
        if not wanted:
            return wanted
        self._refresh()
        for pack in self._packs:
            held = set() if pack.cruft or not wanted else _held(pack, wanted)
            if held and _touch(pack.path):
                wanted -= held
        return wanted - {oid for oid, path in self._loose(wanted).items() if _touch(path)}

    # Reading -----------------------------------------------------------------------------------------------------

    def read(self, oid: Oid, most: int | None = None) -> tuple[str, bytes]:
        """Type and body of an object, its id recomputed. A damaged copy is passed over if another is sound.

        Args:
            oid: Which.
            most: Bytes that it may have; None for any number.

        Raises:
            NotFound: it is not here.
            Corrupt: no sound copy is here; or (``TooLarge``) it has more than ``most``.
        """
        damage: Corrupt | None = None
        for _ in range(_TRIES):
            vanished = False
            for location in self._look_up(oid.raw, durable=False):
                try:
                    return _checked(oid, *location.pack.read(location.offset, most))
                except FileNotFoundError:
                    vanished = True
                except TooLarge:
                    raise
                except Corrupt as error:
                    damage = error
                except OSError as error:
                    if error.errno in _SHORT:
                        raise PachaError(
                            f"{location.pack.path} can't be read: {error.strerror}",
                            hint="raise the limit on open files (ulimit -n), or close other programs",
                        ) from error
                    damage = Corrupt(f"{location.pack.path} can't be read: {error.strerror}")
            if vanished:
                self.rescan()
            elif damage is None or not self._refresh():
                break
        try:
            return _checked(oid, *self._fallback(oid))
        except (NotFound, Corrupt) as error:
            damage = damage or self._unreadable()
            if damage is None:
                raise
            raise Corrupt(f"object {oid} is damaged: {damage.message}", hint=REPAIR) from error

    def _unreadable(self) -> Corrupt | None:
        """Why an object may be missing: a pack without its index, or with one that can't be read; None: no reason."""
        for folder in self._folders:
            entries = _names(folder / "pack")
            for name in entries:
                stem, _, suffix = name.rpartition(".")
                if suffix == "pack" and not name.startswith(TEMPORARY) and stem + ".idx" not in entries:
                    return Corrupt(f"{folder}/pack/{name} has no index")
        return next(iter(self._damaged.values()), None)

    def read_many(self, oids: Iterable[Oid]) -> Iterator[bytes]:
        """Bodies of objects in the order asked for, read ahead by two threads; memory stays bounded.

        Ids are not recomputed: this is for payloads, whose BLAKE3 the caller compares. None may be over
        ``PIECE_LIMIT``.

        Raises:
            NotFound, Corrupt: as ``read``.
        """
        return self.work_through(oids, lambda body: body)

    def work_through(self, oids: Iterable[Oid], work: Callable[[bytes], T]) -> Iterator[T]:
        """Return the same, with something done to each body by the thread that has read it."""
        from pacha_git.git.packs.read_ahead import read_ahead  # threads are not for every command to load

        return read_ahead(oids, self.find, lambda oid: self.read(oid, PIECE_LIMIT)[1], work)

    def read_sound(self, oids: Iterable[Oid]) -> Iterator[bytes | None]:
        """As ``read_many``, with None in place of what is damaged or not here."""
        from pacha_git.git.packs.read_ahead import read_ahead

        return read_ahead(oids, self.find, self._read_if_sound, lambda body: body)

    def _read_if_sound(self, oid: Oid) -> bytes | None:
        try:
            return self.read(oid, PIECE_LIMIT)[1]
        except (NotFound, Corrupt):
            return None

    # Keeping up --------------------------------------------------------------------------------------------------

    def rescan(self) -> None:
        """Look for packs that came or went. Those that went can still be read by whoever is in the middle of it."""
        with self._lock:
            self._folders = tuple(_with_alternates(self._objects))
            self._watched = tuple(folder / name for folder in self._folders for name in ("pack", "info/alternates"))
            marks = tuple(map(_mtime, self._watched))
            now = time.time_ns()
            self._damaged = {}
            known = {(str(pack.index_path), pack.inode): pack for pack in self._packs}
            found = [entry for folder in self._folders for entry in _indexes(folder / "pack")]
            new = [
                pack
                for path, inode, cruft in found
                if (path, inode) not in known and (pack := self._pack(Path(path), inode, cruft))
            ]
            self._packs = (*new, *(pack for key in found if (pack := known.get(key[:2])) is not None))
            if self._recent not in self._packs:
                self._recent = None
            settled = all(now - mark > (_FINE_TICK_NS if mark % 1_000_000 else _COARSE_TICK_NS) for mark in marks)
            self._marks = marks if settled else None

    def _pack(self, index_path: Path, inode: int, cruft: bool) -> Pack | None:
        """Give a pack; None if it went meanwhile or its index is damaged, which leaves its objects to other copies."""
        try:
            return Pack(index_path, inode=inode, cruft=cruft, files=self._files)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._damaged[index_path] = Corrupt(f"{index_path} can't be read: {error.strerror}")
        except Corrupt as error:
            self._damaged[index_path] = error
        return None

    def _refresh(self) -> bool:
        """Rescan if anything may have changed since; whether it did."""
        if self._marks is not None and self._marks == tuple(map(_mtime, self._watched)):
            return False
        self.rescan()
        return True

    def _look_up(self, oid: bytes, *, durable: bool, again: bool = True) -> Iterator[Location]:
        """All places of a raw id, that in the pack of the last hit first; if there is none, packs may have changed."""
        found = False
        for _ in range(2):
            for pack in self._recent_first():
                offset = -1 if durable and pack.cruft else pack.find(oid)
                if offset >= 0:
                    found, self._recent = True, pack
                    yield Location(pack, offset)
            if found or not again or not self._refresh():
                return

    def _recent_first(self) -> Iterator[Pack]:
        recent = self._recent
        if recent is not None:
            yield recent
        for pack in self._packs:
            if pack is not recent:
                yield pack

    def _loose(self, oids: Iterable[bytes]) -> dict[bytes, Path]:
        """Return those of the raw ids that are loose objects, with their files."""
        wanted: dict[str, list[bytes]] = {}
        for oid in oids:
            wanted.setdefault(f"{oid[0]:02x}", []).append(oid)
        found: dict[bytes, Path] = {}
        for folder in self._folders if wanted else ():
            for fan in wanted.keys() & _names(folder).keys():
                names = _names(folder / fan)
                found |= {oid: folder / fan / oid.hex()[2:] for oid in wanted[fan] if oid.hex()[2:] in names}
        return found


_alive: WeakSet[PackSet] = WeakSet()


def _in_child() -> None:
    for packs in list(_alive):
        packs.begin_anew()


os.register_at_fork(after_in_child=_in_child)


def _with_alternates(objects: Path, depth: int = 0) -> Iterator[Path]:
    """Yield an ``objects`` folder and those that it borrows from, each once removed or more."""
    yield objects
    try:
        lines = (objects / "info" / "alternates").read_bytes().splitlines()
    except OSError:
        return
    for line in lines if depth < _ALTERNATES_DEPTH else ():
        folder = objects / os.fsdecode(line)
        if line and not line.startswith(b"#") and folder.is_dir():
            yield from _with_alternates(folder, depth + 1)


def _indexes(folder: Path) -> Iterator[tuple[str, int, bool]]:
    """Yield the packs in a folder: path of the index, its inode, and whether the pack is cruft."""
    # No path objects: who registers something small comes by several times, and most packs are known.
    entries = _names(folder)
    for name, inode in entries.items():
        stem, _, suffix = name.rpartition(".")
        if suffix == "idx" and not name.startswith(TEMPORARY) and stem + ".pack" in entries:
            yield f"{folder}/{name}", inode, stem + ".mtimes" in entries


def _names(folder: Path) -> dict[str, int]:
    """Tell what is in a folder, with inodes; nothing if there is none."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.inode() for entry in entries}
    except FileNotFoundError:
        return {}


def _held(pack: Pack, wanted: set[bytes]) -> set[bytes]:
    """Tell which of the raw ids a pack holds. A look-up costs about four times as much as passing by an entry."""
    if pack.index.count < 4 * len(wanted):
        return {oid for oid in pack.index.oids() if oid in wanted}
    return {oid for oid in wanted if pack.find(oid) >= 0}


def _touch(path: Path) -> bool:
    try:
        os.utime(path)
    except OSError:
        return False
    return True


def _mtime(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 — each look-up of an object that is not here asks
    except OSError:
        return 0


def _checked(oid: Oid, kind: str, body: bytes) -> tuple[str, bytes]:
    hashed = object_hash(b"%s %d\x00" % (kind.encode(), len(body)))
    hashed.update(body)
    if hashed.digest() != oid.raw:
        raise Corrupt(f"object {oid} has another id once it is read", hint=REPAIR)
    return kind, body
