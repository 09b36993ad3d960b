"""The declaration of each kind: its record, documents, payload and relations; it knows no verb; every verb reads it.

A new kind is a new declaration here, not a subclass elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from pacha_git.errors import InvalidInput
from pacha_git.format.record import DatasetRecord, ModelRecord, RecipeRecord, Record
from pacha_git.vocabulary.ids import REF_ROOT
from pacha_git.vocabulary.kinds import Kind

RELATIONS: Final[Mapping[str, Kind | None]] = MappingProxyType(
    {
        "derived-from": None,
        "fine-tuned-from": None,
        "distilled-from": None,
        "quantized-from": None,
        "pruned-from": None,
        "merged-from": None,
        "trained-on": Kind.DATASET,
        "evaluated-on": Kind.DATASET,
        "generated-by": Kind.RECIPE,
    }
)
"""Each relation, and the kind of a target that does not say its own; None = the kind of what carries the edge."""


class KindDeclaration(NamedTuple):
    """What makes a kind.

    Attributes:
        kind: Which one.
        record: The class of its records; None for runs, which ``format.run`` reads: not every command has a use for it.
        documents: File names of the documents that may lie beside ``record.json``.
        primary_document: The document that *is* the thing, and so must be there; None if its bytes are a payload.
        has_payload: Whether its bytes are a payload.
        relations: The edges it may carry.
        json_document_key: The key under which ``get --json`` shows its document.
        grows: Whether its ref moves on, each commit after the last, as a run's does; that of a version never moves.
    """

    kind: Kind
    record: type[Record] | None
    documents: tuple[str, ...]
    primary_document: str | None
    has_payload: bool
    relations: frozenset[str]
    json_document_key: str
    grows: bool = False


KINDS: Final[Mapping[Kind, KindDeclaration]] = MappingProxyType(
    {
        Kind.MODEL: KindDeclaration(
            kind=Kind.MODEL,
            record=ModelRecord,
            documents=("card.md",),
            primary_document=None,
            has_payload=True,
            relations=frozenset(RELATIONS),
            json_document_key="card",
        ),
        Kind.DATASET: KindDeclaration(
            kind=Kind.DATASET,
            record=DatasetRecord,
            documents=("datasheet.md",),
            primary_document=None,
            has_payload=True,
            relations=frozenset(RELATIONS) - {"fine-tuned-from", "quantized-from", "pruned-from"},
            json_document_key="datasheet",
        ),
        Kind.RECIPE: KindDeclaration(
            kind=Kind.RECIPE,
            record=RecipeRecord,
            documents=("recipe.toml",),
            primary_document="recipe.toml",
            has_payload=False,
            relations=frozenset(["derived-from", "trained-on", "evaluated-on"]),
            json_document_key="recipe",
        ),
        Kind.RUN: KindDeclaration(
            kind=Kind.RUN,
            record=None,
            documents=("params.toml",),
            primary_document=None,
            has_payload=True,
            relations=frozenset(RELATIONS),
            json_document_key="",
            grows=True,
        ),
    }
)
"""Everything that is replicated: the kinds that have versions, and runs."""

ITEM_ROOTS: Final = tuple(f"{REF_ROOT}{kind.plural}/" for kind in KINDS)
"""Where versions and runs have their refs."""

_GROWING: Final = tuple(f"{REF_ROOT}{kind.plural}/" for kind, declared in KINDS.items() if declared.grows)


def grows(ref: str) -> bool:
    """Tell whether what lies under a ref moves on, as a run does."""
    return ref.startswith(_GROWING)


def check_relation(kind: Kind, relation: str) -> None:
    """Check that a version of this kind may carry this edge.

    Raises:
        InvalidInput: an unknown relation, or one that this kind has no use for.
    """
    if relation not in RELATIONS:
        raise InvalidInput(f"unknown relation {relation!r}", hint="one of " + ", ".join(RELATIONS))
    allowed = KINDS[kind].relations
    if relation not in allowed:
        known = ", ".join(word for word in RELATIONS if word in allowed)
        raise InvalidInput(f"a {kind.value} carries no edge {relation!r}", hint=f"one of {known}")
