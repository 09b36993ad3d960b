"""Finds versions and runs by words, stage, tags and comparisons, and says of each why it was found.

It asks the store's search and the catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias, overload

from pacha_git.errors import InvalidInput
from pacha_git.query.where import parse_where
from pacha_git.registry.reading.view import of_row
from pacha_git.session.results import Json, VersionInfo
from pacha_git.session.results.plain import plain
from pacha_git.session.results.runs import RunInfo
from pacha_git.session.session import Session
from pacha_git.store.catalogue.search import Hit, Query
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.stages import Stage

if TYPE_CHECKING:
    from pacha_git.trust.publickey import PublicKey

WORD_LIMIT: Final = 100
DEFAULT_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class Matched:
    """Why something was found: a field, and the piece of its text that has it; what words began stands in brackets."""

    field: str
    snippet: str


@dataclass(frozen=True, slots=True)
class FoundVersion(VersionInfo):
    """A version, and why it was found."""

    matched: tuple[Matched, ...] = ()

    def to_json(self) -> Json:
        """Return the keys of a version, and ``matched``."""
        return VersionInfo.to_json(self) | {"matched": _reasons(self.matched)}


@dataclass(frozen=True, slots=True)
class FoundRun(RunInfo):
    """A run, and why it was found."""

    matched: tuple[Matched, ...] = ()

    def to_json(self) -> Json:
        """Return the keys of a run, and ``matched``."""
        value = {"kind": Kind.RUN.value} | plain(self, leave_out=("environment", "matched"))
        return value | {"matched": _reasons(self.matched)}


Found: TypeAlias = FoundVersion | FoundRun


def _reasons(matched: Sequence[Matched]) -> list[Json]:
    return [{"field": each.field, "snippet": each.snippet} for each in matched]


@dataclass(frozen=True, slots=True)
class SearchResult(Sequence[Found]):
    """What was found, best first: as many as were asked for, of ``total`` in all."""

    items: tuple[Found, ...] = ()
    total: int = 0

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Found]:
        return iter(self.items)

    @overload
    def __getitem__(self, at: int) -> Found: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Found]: ...
    def __getitem__(self, at: int | slice) -> Found | Sequence[Found]:
        return self.items[at]

    def to_json(self) -> list[Json]:
        """Return the items."""
        return [item.to_json() for item in self.items]


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What is searched for, as people say it; see ``Registry.search``."""

    words: Sequence[str] = ()
    kind: str | None = None
    stage: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    where: str | None = None
    limit: int | None = DEFAULT_LIMIT


def search(session: Session, wanted: SearchQuery) -> SearchResult:
    """Search; see ``Registry.search``."""
    query = _query(session, wanted)

    hits, total = session.catalogue.find(query)
    return SearchResult(tuple(_found(session, hits)), total)


def _query(session: Session, wanted: SearchQuery) -> Query:
    words = [word for word in wanted.words if word]
    if len(words) > WORD_LIMIT:
        raise InvalidInput(f"more than {WORD_LIMIT} words to search for")
    if wanted.limit is not None and wanted.limit < 0:
        raise InvalidInput(f"a limit of {wanted.limit}", hint="0 is no limit")
    return Query(
        words=words,
        kind=Kind.parse(wanted.kind) if wanted.kind is not None else None,
        stage=Stage.parse(wanted.stage).value if wanted.stage is not None else None,
        tags=dict(wanted.tags),
        where=parse_where(wanted.where) if wanted.where is not None else None,
        limit=wanted.limit or None,
        principal=_principal(session),
    )


def _principal(session: Session) -> Callable[[str], str]:
    """Names who signed, as ``get`` does: a principal, or the fingerprint of a key that nobody trusts."""

    @cache
    def public(key: str) -> PublicKey:
        from pacha_git.trust.publickey import parse_public  # most searches ask for no signer

        return parse_public(key)

    @cache
    def named(signer: str) -> str:
        key, namespace, at = json.loads(signer)
        return session.settings.signers.principal_of(public(key), namespace=namespace, at=at) or public(key).fingerprint

    return named


def _found(session: Session, hits: Sequence[Hit]) -> Iterator[Found]:
    run_ids = [hit.ref.rpartition("/")[2] for hit in hits if hit.kind == Kind.RUN.value]
    rows = session.catalogue.rows_at([hit.ref for hit in hits if hit.kind != Kind.RUN.value])
    runs = _runs(session, run_ids) if run_ids else {}
    for hit in hits:
        matched = tuple(Matched(name, text) for name, text in hit.matched)
        run = runs.get(hit.ref.rpartition("/")[2])
        if hit.ref in rows:
            yield replace(of_row(FoundVersion, session, rows[hit.ref]), matched=matched)
        elif run is not None:  # else it went while we looked
            yield replace(run, matched=matched)


def _runs(session: Session, run_ids: Sequence[str]) -> dict[str, FoundRun]:
    from pacha_git.registry.runs.view import of_row as run_of_row  # loads what few searches find

    return {row.said["id"]: run_of_row(FoundRun, session, row) for row in session.catalogue.runs(run_ids)}
