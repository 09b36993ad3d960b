"""One version as the catalogue has it, and how it is found there: by kind, name or ref, in the order of versions.

It knows the tables' columns.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple, TypeAlias

SignerNote: TypeAlias = tuple[str, str, str]
"""Of a good signature: the public key, what it was made for, and when."""

HERE: Final = (
    "(v.kind = 'recipe' OR EXISTS (SELECT 1 FROM ref r WHERE r.ref = 'refs/pacha/payload/' || substr(v.ref, 12)))"
)
"""The SQL condition that the bytes of a ``version v`` are here; a recipe is in its record."""
_COLUMNS: Final = (
    "v.ref, v.kind, v.name, v.version, v.oid, v.size, v.created_at, v.description, v.signer, v.shown, v.shown_last"
)
_BORN: Final = "development"
_NOTHING: Final[Mapping[str, Any]] = {}
NO_FOLD: Final[Mapping[str, Any]] = {
    "stages": {}, "aliases": {}, "tags": {}, "descriptions": {}, "removed": {}, "endorsed": {},
}  # fmt: skip


class Fold:
    """What the events of one name come to, by the commits of its versions."""

    def __init__(self, value: Mapping[str, Any]) -> None:
        self.stages: Mapping[str, str] = value["stages"]
        self.tags: Mapping[str, Mapping[str, str | None]] = value["tags"]
        self.descriptions: Mapping[str, str] = value["descriptions"]
        self.removals: Mapping[str, Mapping[str, Any]] = value["removed"]
        self.removed = frozenset(self.removals)
        self.endorsed: Mapping[str, list[SignerNote]] = value["endorsed"]
        self._aliases: Mapping[str, str] = value["aliases"]

    @cached_property
    def aliases(self) -> Mapping[str, tuple[str, ...]]:
        """The aliases of each version that has any."""
        found: dict[str, tuple[str, ...]] = {}
        for alias, commit in sorted(self._aliases.items()):
            found[commit] = (*found.get(commit, ()), alias)
        return found

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """The versions of which anything is said."""
        said = (self.stages, self.tags, self.descriptions, self.removed, self.endorsed, self.aliases)
        return frozenset().union(*said)


class Row(NamedTuple):
    """One version; small, for there may be a hundred thousand.

    Attributes:
        ref: Its ref.
        kind: As records spell it.
        name: Its name.
        version: Its version.
        commit: The record commit.
        size: Bytes, of the payload or of the document that it is.
        created_at: When it was registered.
        registered_description: As it was registered.
        signer: The public key whose good signature the record bears, if any.
        shown: What a list shows of it as it was registered: JSON, up to who signed it.
        shown_last: The rest of that JSON, after who signed it and whether its bytes are here.
        here: Whether its bytes are here.
        fold: What the events of its name come to.
    """

    ref: str
    kind: str
    name: str
    version: str
    commit: str
    size: int
    created_at: str
    registered_description: str
    signer: str | None
    shown: str
    shown_last: str
    here: int
    fold: Fold

    @property
    def is_as_registered(self) -> bool:
        """Whether nothing was said of it since."""
        return self.commit not in self.fold.mentioned

    @property
    def stage(self) -> str:
        """Where it stands now."""
        return self.fold.stages.get(self.commit, _BORN)

    @property
    def aliases(self) -> tuple[str, ...]:
        """What names it now."""
        return self.fold.aliases.get(self.commit, ())

    @property
    def description(self) -> str:
        """As it stands now."""
        return self.fold.descriptions.get(self.commit, self.registered_description)

    @property
    def removed(self) -> bool:
        """Whether its payload was removed for good."""
        return self.commit in self.fold.removed

    @property
    def payload(self) -> Literal["here", "thin", "removed"]:
        """Whether the bytes are here, thin or removed."""
        return "removed" if self.removed else "here" if self.here else "thin"

    @property
    def signers(self) -> tuple[SignerNote, ...]:
        """Who signed the record, then who endorsed it."""
        own = [(self.signer, "git", self.created_at)] if self.signer else []
        return tuple((key, namespace, at) for key, namespace, at in [*own, *self.fold.endorsed.get(self.commit, ())])

    @property
    def tags(self) -> dict[str, str]:
        """As they stand now, sorted."""
        return self.tags_over(self.registered()["tags"])

    def tags_over(self, registered: Mapping[str, str]) -> dict[str, str]:
        """Return the tags as they stand now, sorted, over those that it was registered with."""
        tags = {**registered, **self.fold.tags.get(self.commit, _NOTHING)}
        return {key: value for key, value in sorted(tags.items()) if value is not None}

    def registered(self) -> dict[str, Any]:
        """Tell what a list shows of it as it was registered, as values; parsed anew by every call."""
        value: dict[str, Any] = json.loads(f'{self.shown}null, "payload": "here"{self.shown_last}')
        return value


def rows(connection: sqlite3.Connection, clause: str, values: tuple[Any, ...]) -> Iterator[Row]:
    """Yield the versions that an SQL condition on ``version v`` holds for, by name and then ascending by SemVer."""
    folds: dict[tuple[str, str], Fold] = {}
    query = f"SELECT {_COLUMNS}, {HERE} FROM version v WHERE {clause} ORDER BY v.kind, v.name, v.version_key"
    for found in connection.execute(query, values):
        name = found[1:3]
        fold = folds.get(name)
        if fold is None:
            said = connection.execute("SELECT fold FROM name WHERE kind = ? AND name = ?", name).fetchone()
            fold = folds[name] = Fold(json.loads(said[0]) if said else NO_FOLD)
        yield Row._make((*found, fold))
