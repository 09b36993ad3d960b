"""Where payloads lie: what every place for bytes can do, and Git, the one that every registry has.

Verbs ask a ``PayloadStore`` for bytes and never a ref or an object, so that another place is another class here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.vocabulary.ids import PAYLOAD_ROOT

if TYPE_CHECKING:
    from pacha_git.chunking.layout import Layout
    from pacha_git.format.record import Content
    from pacha_git.git.changes import Changes
    from pacha_git.progress import Progress
    from pacha_git.store.payload.index import DedupIndex
    from pacha_git.store.payload.reader import Payload
    from pacha_git.store.payload.sources import FoundFile
    from pacha_git.store.payload.writer import WrittenPayload


class PayloadStore(Protocol):
    """Keeps payloads, each under the ref of what it belongs to (``refs/pacha/payload/…``)."""

    def has(self, ref: str) -> bool:
        """Say whether a payload is held here under this ref: whole, and kept until it is let go."""

    def held(self) -> Mapping[str, Oid]:
        """List all that are held here: the payload commit by ref."""

    def read(self, content: Content) -> Payload:
        """Open a payload that is held; nothing is read before something of it is asked for."""

    def write(
        self,
        changes: Changes,
        files: Sequence[FoundFile],
        progress: Progress | None,
        *,
        use_known: bool = True,
        layout: Layout | None = None,
    ) -> WrittenPayload:
        """Store files as a payload; it is on the disk when the changes are durable.

        Args:
            changes: What it becomes durable with.
            files: What to store.
            progress: Is told how far it is.
            use_known: Whether what is known to be here already may be relied on.
            layout: How to cut them; None for what the registry uses now.

        Raises:
            PachaError: a file can't be read, or is not what it was when it was found.
        """

    def hold(self, changes: Changes, ref: str, written: WrittenPayload) -> None:
        """Keep what was written under a ref, from the moment on that the changes are durable.

        What stood there gives way: without its record a payload says nothing.
        """


class GitPayloads:
    """Payloads as commits of the registry's own repository.

    Args:
        repo: The repository.
        index: What is known to be stored.
        layout: Says how files are cut now; it is asked each time, for another process may move a registry on.
    """

    def __init__(self, repo: GitRepository, index: DedupIndex, layout: Callable[[], Layout]) -> None:
        self._repo = repo
        self._layout = layout
        self._index = index

    def has(self, ref: str) -> bool:
        """See ``PayloadStore``."""
        return self._repo.ref(ref) is not None

    def held(self) -> Mapping[str, Oid]:
        """See ``PayloadStore``."""
        return self._repo.refs_below(PAYLOAD_ROOT)

    def read(self, content: Content) -> Payload:
        """See ``PayloadStore``."""
        from pacha_git.store.payload.reader import Payload

        return Payload(self._repo, content)

    def write(
        self,
        changes: Changes,
        files: Sequence[FoundFile],
        progress: Progress | None,
        *,
        use_known: bool = True,
        layout: Layout | None = None,
    ) -> WrittenPayload:
        """See ``PayloadStore``."""
        from pacha_git.store.payload.writer import PayloadWriter

        return PayloadWriter(
            self._repo, changes, self._index, use_known=use_known, layout=layout or self._layout()
        ).write(files, progress)

    def hold(self, changes: Changes, ref: str, written: WrittenPayload) -> None:
        """See ``PayloadStore``."""
        changes.move(ref, written.commit, self._repo.ref(ref))
        changes.resolve_with(ref, lambda _changes, update, _now: update.new)
        changes.afterwards(lambda: written.remember(self._index, ref, changes.packs))
