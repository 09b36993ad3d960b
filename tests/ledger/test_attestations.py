from __future__ import annotations

import pytest

from pacha_git.format.event import Event, Statement
from pacha_git.ledger import Attestations, fold_attestations
from pacha_git.ledger.statements import card, datasheet, describe, endorse, evaluate, tag, tombstone
from pacha_git.vocabulary.kinds import Kind
from tests.ledger.samples import NAME, altered, commit, event, notes, target


def attested(*events: Event) -> Attestations:
    return fold_attestations(notes(*events), kind=Kind.MODEL, name=NAME)


def test_nothing_is_attested() -> None:
    found = attested()
    about = found.about(commit(1))
    assert (about.tags, about.description, about.card, about.datasheet) == ({}, None, None, None)
    assert (about.endorsements, about.evaluations, about.tombstones) == ([], [], [])
    assert (found.tips, found.void, about.tombstones, about.revokes) == ((), (), [], [])


def test_tags_stand_over_those_of_the_record() -> None:
    first = event(tag("domain", "finance"), 1, number=1)
    changed = event(tag("domain", "risk"), 1, first, number=2)
    gone = event(tag("owner", None), 1, changed, number=3)
    found = attested(first, changed, gone).about(commit(1))
    assert found.tags == {"domain": "risk", "owner": None}
    assert found.tags_over({"owner": "ada", "a": "1", "domain": "old"}) == {"a": "1", "domain": "risk"}


def test_texts_are_the_newest_each_in_its_own_register() -> None:
    said = [event(make(f"{make.__name__} 1"), 1, number=1) for make in (describe, card, datasheet)]
    newer = event(card("card 2"), 1, *said, number=2)
    found = attested(*said, newer)
    about = found.about(commit(1))
    assert (about.description, about.card, about.datasheet) == ("describe 1", "card 2", "datasheet 1")
    assert found.tips == (newer.hash,)


def test_versions_do_not_mix() -> None:
    found = attested(event(describe("one"), 1), event(describe("two"), 2))
    assert [found.about(commit(number)).description for number in (1, 2, 3)] == ["one", "two", None]


def test_of_concurrent_texts_the_greater_id_is_shown() -> None:
    early, late = event(describe("early"), 1, number=1), event(describe("late"), 1, number=2)
    assert attested(late, early).about(commit(1)).description == "late"


def test_one_later_text_does_not_outweigh_two_that_built_on_each_other() -> None:
    first = event(card("first"), 1, number=1)
    second = event(card("second"), 1, first, number=2)
    unaware = event(card("unaware"), 1, number=9)
    assert attested(first, second, unaware).about(commit(1)).card == "second"


def test_endorsements_evaluations_and_tombstones_add_up() -> None:
    said = [
        event(endorse(), 1, number=1),
        event(endorse("record"), 1, number=2),
        event(evaluate(target(9, kind="dataset", name="transactions"), {"acc": 0.5, "loss": "NaN"}), 1, number=3),
        event(tombstone(), 1, number=4, reason="personal data"),
        event(tombstone(), 1, number=5),
    ]
    found = attested(*said)
    about = found.about(commit(1))
    assert about.endorsements == said[:2]
    assert about.evaluations == said[2:3]
    assert [one.reason for one in about.tombstones] == ["personal data", ""]
    assert about.evaluations[0].fields["metrics"] == {"acc": 0.5, "loss": "NaN"}
    assert [at for at, about in found.of.items() if about.tombstones] == [commit(1)]


def test_what_adds_up_is_never_overridden() -> None:
    said = [event(endorse(), 1, number=1)]
    for number in range(2, 6):
        said.append(event(endorse(), 1, said[-1], number=number))
    assert attested(*said).about(commit(1)).endorsements == said


VOID = {
    "a stage": Statement("stage", {"from": "development", "to": "staging"}),
    "a tag without key": Statement("tag", {"value": "x"}),
    "a tag without value": Statement("tag", {"key": "x"}),
    "a tag of a number": Statement("tag", {"key": "x", "value": 1}),
    "no text": Statement("describe", {}),
    "a card that is no text": Statement("card", {"text": ["x"]}),
    "a card too long": Statement("card", {"text": "x" * (512 * 1024 + 1)}),
    "a datasheet too long in bytes": Statement("datasheet", {"text": "é" * (256 * 1024 + 1)}),
    "no scope": Statement("endorse", {}),
    "metrics of no numbers": Statement("evaluate", {"data": {}, "metrics": {"acc": True}}),
    "no metrics": Statement("evaluate", {"data": {}}),
    "no data": Statement("evaluate", {"metrics": {}}),
    "another type": Statement("sticker", {}),
}


@pytest.mark.parametrize("statement", VOID.values(), ids=VOID)
def test_void(statement: Statement) -> None:
    wrong = event(statement, 1)
    found = attested(wrong)
    assert found.void == ((commit(1), wrong),)
    assert found.of == {}
    assert found.tips == (wrong.hash,)


def test_void_if_it_speaks_of_another_name() -> None:
    wrong = altered(event(tombstone(), 1), target=target(1, name="other").model_dump())
    assert attested(wrong).void == ((commit(1), wrong),)
    assert attested(wrong).of == {}


def test_the_longest_card() -> None:
    text = "é" * (256 * 1024)
    assert attested(event(card(text), 1)).about(commit(1)).card == text
