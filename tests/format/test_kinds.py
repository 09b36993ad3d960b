from __future__ import annotations

import pytest

from pacha_git.errors import InvalidInput
from pacha_git.format.kinds import KINDS, RELATIONS, check_relation
from pacha_git.format.record import RECORD_TYPES
from pacha_git.vocabulary.kinds import VERSIONED_KINDS, Kind


def test_every_versioned_kind_is_declared_once() -> None:
    assert tuple(KINDS) == VERSIONED_KINDS
    assert {kind.value: declaration.record for kind, declaration in KINDS.items()} == dict(RECORD_TYPES)
    assert all(declaration.kind is kind for kind, declaration in KINDS.items())


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
