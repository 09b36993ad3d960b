"""Which stored bytes may be relied on unread: those in packs that are, to the nanosecond, as when last known good.

Registering what is stored already must cost no more than hashing it, and yet must heal a chunk that was damaged on
disk. So a pack that somebody touched, or that this index has never seen, is read before it is relied on; what is bad is
written again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

import blake3

from pacha_git.errors import PachaError
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.store.payload.index import DedupIndex
from pacha_git.system.process import CommandFailed

Marks = dict[str, tuple[int, int]]


class Soundness:
    """What may be relied on, for one registration.

    Args:
        repo: Where.
        index: What is known of its packs.
        damaged: Raw oids of what was found damaged and is written again; added to.
    """

    def __init__(self, repo: GitRepository, index: DedupIndex, damaged: set[bytes]) -> None:
        self._repo = repo
        self._index = index
        self._damaged = damaged
        self._touched = False

    @cached_property
    def _remembered(self) -> Marks:
        return self._index.pack_marks(self._found)

    @cached_property
    def _found(self) -> Marks:
        return pack_marks(self._repo)

    @cached_property
    def _sound_packs(self) -> frozenset[str]:
        return frozenset(name for name, mark in self._found.items() if self._remembered.get(name) == mark)

    @property
    def all_packs(self) -> bool:
        """Whether every pack is as it was, so that a whole file may be relied on without looking at its chunks."""
        return self._found.keys() == self._sound_packs

    def known_chunks(self, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Raw digests → raw oids of chunks that are here, sound, and protected from a gc for now."""
        claimed = self._index.known_chunks(digests)
        gone = self._repo.packs.missing(claimed.values(), durable=True)
        gone |= self._freshen([oid for oid in claimed.values() if oid not in gone])
        return {digest: oid for digest, oid in claimed.items() if oid not in gone and self._is_sound(digest, oid)}

    def forgotten_chunks(self, chunks: Mapping[bytes, bytes]) -> set[bytes]:
        """Raw oids → raw digests of chunks unknown to the index; the oids that are here, sound, protected for now."""
        here = chunks.keys() - self._repo.packs.missing(chunks, durable=True)
        here -= self._freshen(here)
        return {oid for oid in here if self._reads_as(chunks[oid], oid)}

    def _freshen(self, oids: Collection[bytes]) -> set[bytes]:
        self.look()
        self._touched = self._touched or bool(oids)
        return self._repo.packs.freshen(oids)

    def _is_sound(self, digest: bytes, oid: bytes) -> bool:
        location = self._repo.packs.find_durable(Oid.of_raw(oid))
        if location is not None and location.pack.path.stem in self._sound_packs:
            return True
        return self._reads_as(digest, oid)

    def _reads_as(self, digest: bytes, oid: bytes) -> bool:
        try:
            if blake3.blake3(self._repo.read_as(Oid.of_raw(oid), "blob")).digest() == digest:
                return True
        except PachaError:
            pass  # damaged or gone: it is written again
        self._damaged.add(oid)
        return False

    def remembering(self) -> Callable[[Iterable[Path]], None]:
        """Look at the packs now, before they are touched; what is returned remembers them, and those written since."""
        self.look()
        return lambda written: self.remember(pack.stem for pack in written)

    def look(self) -> None:
        """See which packs are as they were; what we touch afterwards counts as that."""
        _ = self._sound_packs

    def remember(self, written: Iterable[str]) -> None:
        """Once all is durable: sound packs still are, under the times that our touching gave them, and so are new ones.

        Args:
            written: Names of packs, as ``pack-<hex>``.
        """
        good = self._sound_packs.union(written)
        now = {name: mark for name, mark in pack_marks(self._repo).items() if name in good}
        self._index.mark_packs({name: mark for name, mark in now.items() if self._remembered.get(name) != mark})

    def remember_touched(self, written: Iterable[str]) -> None:
        """The same if any was touched here; else what the repository has ``vouch`` do is all there is to do."""
        if self._touched:
            self.remember(written)

    def heal(self) -> None:
        """Once damaged chunks are written again: leave their damaged copies out of the packs."""
        if not self._damaged:
            return
        # Git reuses no entry whose checksum is wrong: it reads a sound copy instead. Where there is none, of an object
        # that we did not write, all stays as it is, and fsck tells.
        with suppress(CommandFailed), repacking(self._repo, self._index):
            self._repo.git("repack", "-a", "-d", "--keep-unreachable", "--quiet", "--no-write-bitmap-index")
        self._damaged.clear()


@contextmanager
def repacking(repo: GitRepository, index: DedupIndex) -> Iterator[None]:
    """Packs that Git writes within, out of those that were here, are sound: it checks every entry that it copies."""
    before = pack_marks(repo).keys()
    yield
    after = pack_marks(repo)
    index.mark_packs({name: mark for name, mark in after.items() if name not in before})
    index.forget_packs(before - after.keys())


def mark_read(repo: GitRepository, index: DedupIndex, before: Marks) -> None:
    """Packs of which every byte was just read and found right are sound, if they are still as they were ``before``."""
    after = pack_marks(repo)
    index.mark_packs({name: mark for name, mark in before.items() if after.get(name) == mark})


def pack_marks(repo: GitRepository) -> Marks:
    """Pack name → size and mtime in ns, as they are now."""
    marks: Marks = {}
    try:
        with os.scandir(repo.objects / "pack") as entries:
            for entry in entries:
                if entry.name.startswith("pack-") and entry.name.endswith(".pack"):
                    status = entry.stat()
                    marks[entry.name[: -len(".pack")]] = (status.st_size, status.st_mtime_ns)
    except FileNotFoundError:
        pass  # nothing was ever stored
    return marks
