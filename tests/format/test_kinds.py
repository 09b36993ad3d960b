from __future__ import annotations

import pytest

from pacha_git.errors import InvalidInput
from pacha_git.format.kinds import ITEM_ROOTS, KINDS, RELATIONS, check_relation, grows
from pacha_git.format.record import RECORD_TYPES
from pacha_git.vocabulary.kinds import VERSIONED_KINDS, Kind


def test_everything_that_is_replicated_is_declared_once() -> None:
    assert tuple(KINDS) == tuple(Kind)
    versioned = {kind: declaration for kind, declaration in KINDS.items() if not declaration.grows}
    assert tuple(versioned) == VERSIONED_KINDS
    assert {kind.value: declaration.record for kind, declaration in versioned.items()} == dict(RECORD_TYPES)
    assert all(declaration.kind is kind for kind, declaration in KINDS.items())


def test_what_moves_on_is_known_by_its_ref() -> None:
    assert grows("refs/pacha/runs/0190b7a6-0000-7000-8000-000000000000")
    assert not grows("refs/pacha/models/runs/1.0.0")
    assert not grows("refs/pacha/payload/runs/0190b7a6-0000-7000-8000-000000000000")
    assert ITEM_ROOTS == ("refs/pacha/models/", "refs/pacha/datasets/", "refs/pacha/recipes/", "refs/pacha/runs/")


def test_a_primary_document_is_one_of_the_documents_and_stands_for_a_payload() -> None:
    for declaration in KINDS.values():
        assert declaration.has_payload == (declaration.primary_document is None)
        assert declaration.primary_document is None or declaration.primary_document in declaration.documents


def test_relations_say_what_a_bare_target_is() -> None:
    assert RELATIONS["trained-on"] is RELATIONS["evaluated-on"] is Kind.DATASET
    assert RELATIONS["generated-by"] is Kind.RECIPE
    assert RELATIONS["merged-from"] is None
    assert len(RELATIONS) == 9
    assert all(declaration.relations <= RELATIONS.keys() for declaration in KINDS.values())


def test_a_kind_carries_the_edges_it_has_a_use_for() -> None:
    for relation in RELATIONS:
        check_relation(Kind.MODEL, relation)
    check_relation(Kind.DATASET, "derived-from")
    check_relation(Kind.RECIPE, "trained-on")
    with pytest.raises(InvalidInput, match="a dataset carries no edge 'pruned-from'"):
        check_relation(Kind.DATASET, "pruned-from")
    with pytest.raises(InvalidInput, match="unknown relation 'made-from'") as caught:
        check_relation(Kind.MODEL, "made-from")
    assert "derived-from" in caught.value.hint
