from __future__ import annotations

from itertools import pairwise

import pytest

from pacha_git.errors import PachaError
from pacha_git.ledger import LEGAL, steps
from pacha_git.vocabulary.stages import Stage
from tests.ledger.samples import commit, ledger, move

DEV, STAGING, PROD, ARCHIVED = Stage
WAYS = {
    (DEV, DEV): [],
    (DEV, STAGING): [(DEV, STAGING)],
    (DEV, PROD): [(DEV, STAGING), (STAGING, PROD)],
    (DEV, ARCHIVED): [(DEV, ARCHIVED)],
    (STAGING, DEV): [(STAGING, DEV)],
    (STAGING, STAGING): [],
    (STAGING, PROD): [(STAGING, PROD)],
    (STAGING, ARCHIVED): [(STAGING, ARCHIVED)],
    (PROD, DEV): None,
    (PROD, STAGING): [(PROD, STAGING)],
    (PROD, PROD): [],
    (PROD, ARCHIVED): [(PROD, ARCHIVED)],
    (ARCHIVED, DEV): [(ARCHIVED, DEV)],
    (ARCHIVED, STAGING): None,
    (ARCHIVED, PROD): None,
    (ARCHIVED, ARCHIVED): [],
}
TO = {DEV: [], STAGING: ["dev"], PROD: ["dev", "staging"], ARCHIVED: ["dev"]}


def test_all_pairs_are_there() -> None:
    assert len(WAYS) == 16


@pytest.mark.parametrize(("origin", "target"), WAYS)
def test_steps_of_every_pair(origin: Stage, target: Stage) -> None:
    expected = WAYS[origin, target]
    if expected is not None:
        assert steps(origin, target) == expected
        return
    with pytest.raises(PachaError, match=f"no way from {origin.value} to {target.value}") as caught:
        steps(origin, target)
    assert caught.value.exit_code == 1
    assert "first" in caught.value.hint


@pytest.mark.parametrize(("origin", "target"), WAYS)
def test_a_lone_event_of_every_pair_is_legal_exactly_if_it_is_a_way(origin: Stage, target: Stage) -> None:
    words = [*TO[origin], origin.value]
    events = []
    for number, (here, there) in enumerate(pairwise(words)):
        events.append(move(here, there, 1, *events[-1:], number=number))
    events.append(move(origin.value, target.value, 1, *events[-1:], number=9))
    legal = WAYS[origin, target] == [(origin, target)]
    assert legal == ((origin, target) in LEGAL)
    found = ledger(*events)
    assert found.stage(commit(1)) is (target if legal else origin)
    assert [entry.status.value for entry in found.history][-1] == ("effective" if legal else "illegal")


def test_the_hint_names_the_ways_there_are() -> None:
    with pytest.raises(PachaError) as caught:
        steps(PROD, DEV)
    assert caught.value.hint == "from production it goes to staging or archived first"
