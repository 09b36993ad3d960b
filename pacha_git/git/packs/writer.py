"""Writes new objects as packs, durable before anybody can see them. It has never heard of a model."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final

from pacha_git.git.packs.entry import ObjectKind, PreparedEntry, prepare
from pacha_git.git.packs.files import storing
from pacha_git.git.packs.key_table import KeyTable
from pacha_git.git.packs.part import PackPart
from pacha_git.gitobjects.oid import OID_BYTES, Oid
from pacha_git.system.disk import Buffer, sync_folder

_FEW: Final = 512


class PackWriter:
    """New objects on their way into a pack, or two (see ``expect``); a context that removes them unless finished.

    Any thread may add. Objects become visible all at once, in ``finish``.

    Args:
        objects: The ``objects`` folder of a repository.
        reason: Written into the ``.keep`` that protects the pack until ``release``.

    Attributes:
        bytes_stored: Bytes that the objects take in packs so far.
        packs: What ``finish`` returned; None before.

    Raises:
        PachaError: from every method, when the disk is full or refuses.
    """

    def __init__(self, objects: Path, *, reason: str) -> None:
        self._folder = objects / "pack"
        self._reason = reason
        self._lock = Lock()
        self._oids = KeyTable(OID_BYTES)
        self._parts: list[PackPart] = []
        self.bytes_stored = 0
        self.packs: tuple[Path, ...] | None = None
        with storing(self._folder):
            self._folder.mkdir(exist_ok=True)
            self._parts.append(PackPart(self._folder))

    def __enter__(self) -> PackWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def __contains__(self, oid: bytes) -> bool:
        """Tell whether the object of this raw id was added."""
        return oid in self._oids

    def __len__(self) -> int:
        """Tell how many objects were added."""
        return len(self._oids)

    def expect(self, objects: int) -> None:
        """Say that at least so many more objects are likely to come, which makes ``finish`` faster.

        That many get a pack of their own, whose checksum is ready when they are; a hint that was too high costs no more
        than one that was never given.
        """
        with self._lock, storing(self._folder):
            if objects >= _FEW and not len(self._parts[-1]):
                self._parts.pop().discard()
                self._parts.append(PackPart(self._folder, objects))

    def add(self, kind: ObjectKind, body: Buffer) -> Oid:
        """Append an object, once; returns its id. ``body`` must stay as it is until ``finish``."""
        prepared = prepare(kind, body)
        self.add_prepared(prepared)
        return Oid.of_raw(prepared.oid)

    def add_prepared(self, *objects: PreparedEntry, after: Callable[[], object] | None = None) -> None:
        """Append objects in order, leaving out those that were added before.

        Args:
            objects: Their bytes must stay as they are until ``after`` is called.
            after: Called in any thread, once all of them are hashed and written; never, if that fails.
        """
        with self._lock, storing(self._folder):
            first = len(self._parts) - 1
            for prepared in objects:
                if self._oids.add(prepared.oid):
                    self.bytes_stored += prepared.stored
                    self._append(prepared)
            parts = self._parts[first:]
            call = after and _once_by_all(after, len(parts))
            for part in parts:
                if call:
                    part.after(call)
                part.write(everything=part.full)

    def _append(self, prepared: PreparedEntry) -> None:
        part = self._parts[-1]
        part.add(prepared)
        if part.full:
            self._parts.append(PackPart(self._folder))

    def finish(self) -> tuple[Path, ...]:
        """Make the objects durable and visible, under a ``.keep``.

        Returns:
            The ``.pack`` files; none if nothing was added, and then nothing is left.
        """
        if self.packs is not None:
            return self.packs
        with self._lock, storing(self._folder):
            if not len(self._parts[-1]):
                self._parts.pop().discard()
            for step in (PackPart.seal, PackPart.sync):
                for part in self._parts:
                    step(part)
            packs = tuple(part.publish(self._reason) for part in self._parts)
            if packs:
                sync_folder(self._folder)
            self.packs = packs
            for part in self._parts:
                part.close()
        return packs

    def release(self) -> None:
        """Lift the protection, now that refs hold the objects (or that none will)."""
        for part in self._parts:
            part.release()

    def abort(self) -> None:
        """Remove what was written. After ``finish`` only the protection goes: others may rely on the packs by now."""
        for part in self._parts:
            part.release() if self.packs is not None else part.discard()


def _once_by_all(call: Callable[[], object], callers: int) -> Callable[[], object]:
    """Tell what so many call, from any thread, and what calls on when the last of them did."""
    called = count(1)
    return lambda: call() if next(called) == callers else None
