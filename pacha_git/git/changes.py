"""New objects and ref moves that become durable together: one pack, one ref transaction.

The order makes it safe: objects on the disk, shared ones protected and seen again, refs moved, protection lifted.
It has never heard of a model.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

from pacha_git.errors import Conflict, Corrupt, NotFound, PachaError
from pacha_git.git.packs.files import adopt
from pacha_git.git.packs.writer import PackWriter
from pacha_git.git.refs.refs import RefMoved, RefUpdate
from pacha_git.git.refs.staged import StagedRefs
from pacha_git.git.repo import GitRepository, ObjectType
from pacha_git.git.stock import gc_under_way
from pacha_git.gitobjects.oid import Oid, git_oid
from pacha_git.system import locks

GC_LOCK: Final = "pacha/gc.lock"
_TRIES: Final = 8

T = TypeVar("T")
Resolver = Callable[["Changes", RefUpdate, Oid | None], Oid | None]


class SharedObjectGone(Conflict):
    """An object that was here when we relied on it is gone: another program pruned it. Doing it again works."""


def retried(repo: GitRepository, work: Callable[[bool], T], also: tuple[type[PachaError], ...] = ()) -> T:
    """Do a change again where an object that it relied on was pruned before it was durable.

    Args:
        repo: The repository; within a larger change of this thread nothing is done again.
        work: Makes the change, from the beginning; told whether it may rely on what was found to be here before.
        also: Further errors after which it is worth another try.

    Raises:
        SharedObjectGone: every time.
    """
    worth_another: tuple[type[PachaError], ...] = (SharedObjectGone, *also)
    for rely in (True, False):
        try:
            return work(rely)
        except worth_another:
            if repo.overlay is not None:
                raise
    return work(False)


@contextmanager
def changing(repo: GitRepository, reason: str) -> Iterator[Changes]:
    """Collect new objects and ref moves; they become durable together when the outermost block of this thread ends.

    An exception leaves everything as it was (within a larger block: what this one had added).

    Raises:
        RefMoved, SharedObjectGone: as ``Changes.commit``.
    """
    outer = repo.overlay
    if isinstance(outer, Changes):
        with outer.savepoint():
            yield outer
        return
    changes = Changes(repo, reason)
    repo.overlay = changes
    try:
        with changes:
            yield changes
            changes.commit()
    finally:
        repo.overlay = None
    if repo.settle is not None:
        repo.settle()


class Changes:
    """What is about to happen to one repository; see ``changing``."""

    def __init__(self, repo: GitRepository, reason: str) -> None:
        self._repo = repo
        self._reason = reason
        self._writer: PackWriter | None = None
        self._stack = ExitStack()
        self._shared: set[Oid] = set()
        self._resolvers: dict[str, Resolver] = {}
        self._after: list[Callable[[], None]] = []
        self._locked: set[Path] = set()
        self._looked = False
        self.packs: list[Path] = []
        self.damaged: set[bytes] = set()
        self.pending: dict[Oid, tuple[str, bytes]] = {}
        self.moved = StagedRefs(repo.rules.alike)

    def __enter__(self) -> Changes:
        # Our own gc waits for us, so that nothing we find present is freed before a ref holds it.
        self._stack.enter_context(locks.shared(self._repo.path / GC_LOCK))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.abort()
        self._stack.close()
        # What is done afterwards mostly speaks of these changes: let go of one another.
        self._after.clear()
        self._resolvers.clear()

    def lock(self, path: Path) -> bool:
        """Hold a lock alone until these changes end; waits for others to leave it. False: it was held before."""
        if path in self._locked:
            return False
        self._stack.enter_context(locks.exclusive(path))
        self._locked.add(path)
        return True

    @property
    def writer(self) -> PackWriter:
        """The pack that new objects go to, for those who write many."""
        if self._writer is None:
            self._writer = PackWriter(self._repo.objects, reason=self._reason)
        return self._writer

    @property
    def stored_bytes(self) -> int:
        """Bytes that the new objects take in the pack so far."""
        return self._writer.bytes_stored if self._writer is not None else 0

    def add(self, kind: ObjectType, body: bytes) -> Oid:
        """Write an object unless it is here already and can be read; returns its id."""
        oid = git_oid(kind, body)
        if oid in self.pending:
            return oid
        if self._can_share(oid):
            self._shared.add(oid)
        else:
            self.writer.add(kind, body)
        self.pending[oid] = (kind, body)
        return oid

    def _can_share(self, oid: Oid) -> bool:
        # A pack that came after the first look costs at most a copy of a small object, and every look a scan.
        again, self._looked = not self._looked, True
        if self._repo.packs.find_durable(oid, again=again) is None:
            return False
        try:
            self._repo.packs.read(oid)
        except (Corrupt, NotFound):
            self.damaged.add(oid.raw)  # to write it again is to repair it
            return False
        return True

    def rely_on(self, oids: Iterable[Oid]) -> None:
        """Say that objects which are here already will be held by what is written now."""
        self._shared.update(oids)

    def take_in(self, packs: Iterable[Path]) -> None:
        """Move packs that were checked elsewhere on this file system in here, at once; protected until we are done."""
        for pack in packs:
            kept = adopt(pack, self._repo.objects, self._reason)
            self._stack.callback(kept.discard)
            self.packs.append(kept.path.with_suffix(".pack"))

    def move(self, ref: str, new: Oid | None, old: Oid | None) -> None:
        """Move a ref from ``old`` (None: it must not exist) to ``new`` (None: delete it)."""
        before = self.moved.get(ref)
        self.moved.put(RefUpdate(ref, new, before.old if before else old))

    def hold(self, ref: str, at: Oid) -> None:
        """Let the changes fail if this ref has moved: what hangs from it is relied on."""
        if ref not in self.moved:
            self.moved.put(RefUpdate(ref, at, at))

    def resolve_with(self, prefix: str, resolver: Resolver) -> None:
        """Tell what to do when a ref below ``prefix`` has moved meanwhile: the resolver gives its new oid, or None."""
        self._resolvers[prefix] = resolver

    def afterwards(self, action: Callable[[], None]) -> None:
        """Do something once all is durable; nothing if it never is."""
        self._after.append(action)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Take back ref moves and later actions of the block if it raises (objects it wrote are left to gc)."""
        mark, actions = self.moved.mark(), len(self._after)
        try:
            yield
        except BaseException:
            self.moved.back_to(mark)
            del self._after[actions:]
            raise

    def commit(self) -> None:
        """Make everything durable.

        Raises:
            RefMoved: a ref was elsewhere and nobody could resolve it; nothing has happened.
            SharedObjectGone: see there; nothing has happened.
        """
        vouch = self._repo.vouch() if self._repo.vouch is not None else None
        with ExitStack() as protection:
            if self._shared and gc_under_way(self._repo.path):
                self._copy(self._shared)
                self._shared.clear()
            self._finish(protection)
            self._protect(protection)
            for attempt in range(_TRIES):
                try:
                    self._repo.refs.update(self.moved.updates)
                    break
                except RefMoved:
                    if attempt == _TRIES - 1 or not self._resolve():
                        raise
                    self._finish(protection)
                    time.sleep(random.uniform(0, 0.02 * 2**attempt))
        if vouch is not None:
            vouch(self.packs)
        self._repo.overlay = None
        for action in self._after:
            action()

    def _finish(self, protection: ExitStack) -> None:
        """Make the pack durable and visible, protected until the stack is left; garbage if no ref came to hold it."""
        writer, self._writer = self._writer, None
        if writer is not None:
            protection.enter_context(writer)
            self.packs += writer.finish()

    def _protect(self, protection: ExitStack) -> None:
        """Make what is relied on young, and see that it is here: a gc that begins now spares it."""
        old = self._repo.packs.freshen(oid.raw for oid in self._shared) if self._shared else ()
        if old:
            # The file is another user's, if it is there at all.
            self._copy(Oid(raw.hex()) for raw in old)
            self._finish(protection)

    def _copy(self, oids: Iterable[Oid]) -> None:
        """Write what is relied on anew: a gc that has begun already may have decided to free it."""
        for oid in sorted(oids):
            try:
                kind, body = self._repo.packs.read(oid)
            except NotFound:
                raise SharedObjectGone(
                    f"{oid} vanished meanwhile (did git gc run?)", hint="try the command again"
                ) from None
            self.writer.add(kind, body)  # type: ignore[arg-type]

    def _resolve(self) -> bool:
        """Ask the resolvers about every ref that moved; whether all of them are settled."""
        moved = [(u, now) for u in self.moved.updates if (now := self._repo.refs.get(u.ref)) != u.old]
        held = [update.ref for update, _ in moved if update.new == update.old]
        if held:
            raise SharedObjectGone(
                f"{held[0]} moved meanwhile, and its bytes were relied on", hint="try the command again"
            )
        for update, now in moved:
            resolver = next((r for prefix, r in self._resolvers.items() if update.ref.startswith(prefix)), None)
            new = resolver(self, update, now) if resolver is not None else None
            if new is None:
                return False
            self.moved.put(RefUpdate(update.ref, new, now))
        return bool(moved)
