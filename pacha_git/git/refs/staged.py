"""Ref moves that are not done yet: looked up and listed as if they were, and taken back to any point.

It knows names of refs and nothing of a disk. Every step costs the same however many moves are staged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pacha_git.git.refs.update import RefUpdate
from pacha_git.gitobjects.oid import Oid


class StagedRefs:
    """The updates of a transaction that is still being put together.

    Args:
        alike: What segments of names come to that can't stand side by side.
    """

    def __init__(self, alike: Callable[[str], str] = str.lower) -> None:
        self._key = alike
        self._updates: dict[str, RefUpdate] = {}
        self._below: dict[str, dict[str, None]] = {}
        self._alike: dict[str, dict[str, dict[str, int]]] = {}
        self._journal: list[tuple[str, RefUpdate | None]] = []

    def __contains__(self, ref: str) -> bool:
        return ref in self._updates

    def __getitem__(self, ref: str) -> Oid | None:
        return self._updates[ref].new

    @property
    def updates(self) -> list[RefUpdate]:
        """All of them, in the order of their refs' first moves."""
        return list(self._updates.values())

    def put(self, update: RefUpdate) -> None:
        """Stage an update in place of one of the same ref."""
        before = self._updates.get(update.ref)
        self._journal.append((update.ref, before))
        self._updates[update.ref] = update
        if before is None:
            for folder, segment in _folders(update.ref):
                self._below.setdefault(folder, {})[update.ref] = None
                alike = self._alike.setdefault(folder, {}).setdefault(self._key(segment), {})
                alike[segment] = alike.get(segment, 0) + 1

    def get(self, ref: str) -> RefUpdate | None:
        """Return the update of a ref, if one is staged."""
        return self._updates.get(ref)

    def below(self, prefix: str) -> Iterator[tuple[str, Oid | None]]:
        """Ref and what it will be, for all staged refs below a prefix that ends in ``/``."""
        return ((ref, self._updates[ref].new) for ref in self._below.get(prefix, ()))

    def alike_below(self, prefix: str, segment: str) -> set[str]:
        """Segments right after a prefix that come to the same as this one."""
        return set(self._alike.get(prefix, {}).get(self._key(segment), ()))

    def mark(self) -> int:
        """Return a point to which ``back_to`` can return."""
        return len(self._journal)

    def back_to(self, mark: int) -> None:
        """Take back everything since a mark."""
        while len(self._journal) > mark:
            ref, before = self._journal.pop()
            if before is not None:
                self._updates[ref] = before
                continue
            del self._updates[ref]
            for folder, segment in _folders(ref):
                del self._below[folder][ref]
                alike = self._alike[folder][self._key(segment)]
                alike[segment] -= 1
                if not alike[segment]:
                    del alike[segment]


def _folders(ref: str) -> Iterator[tuple[str, str]]:
    """Yield every prefix of a ref that ends in ``/``, and what comes next up to a ``/``."""
    at = ref.find("/")
    while at >= 0:
        end = ref.find("/", at + 1)
        yield ref[: at + 1], ref[at + 1 : end if end >= 0 else len(ref)]
        at = end
