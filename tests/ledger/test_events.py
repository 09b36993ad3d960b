from __future__ import annotations

import pytest

from pacha_git.format.event import Event, Statement
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger import EventStatus
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Alias
from pacha_git.vocabulary.stages import Stage
from tests.ledger.samples import (
    FIRST_ID,
    LAST_ID,
    altered,
    commit,
    event,
    event_id,
    folded,
    ledger,
    move,
    notes,
    outcome,
    point,
)

CHAMPION = Alias("champion")


def status_of(found: object, one: Event) -> EventStatus:
    return next(entry.status for entry in found.history if entry.event == one)  # type: ignore[attr-defined]


def promoted() -> list[Event]:
    """Version 1 goes to production in two steps, one after the other."""
    first = move("dev", "staging", 1, number=1)
    return [first, move("staging", "prod", 1, first, number=2)]


def test_nothing_is_in_development_and_named_by_nothing() -> None:
    found = ledger()
    assert found.stage(commit(1)) is Stage.DEVELOPMENT
    assert outcome(found) == ({}, {}, (), ())


def test_both_steps_of_a_promotion() -> None:
    steps = promoted()
    found = ledger(*steps)
    assert found.stages == {commit(1): Stage.PRODUCTION}
    assert found.tips == (steps[1].hash,)
    assert [entry.event for entry in found.history] == steps


def test_a_version_back_in_development_has_an_effective_event() -> None:
    first = move("dev", "staging", 1)
    assert ledger(first, move("staging", "dev", 1, first)).stages == {commit(1): Stage.DEVELOPMENT}


def test_an_alias_moves_and_goes() -> None:
    on_one = point("champion", 1, number=1)
    on_two = point("champion", 2, on_one, number=2)
    gone = point("champion", 2, on_two, number=3, op="unset")
    assert ledger(on_one).aliases == {CHAMPION: commit(1)}
    assert ledger(on_one, on_two).aliases == {CHAMPION: commit(2)}
    assert ledger(on_one, on_two).aliases_of(commit(2)) == [CHAMPION]
    assert ledger(on_one, on_two, gone).aliases == {}


def test_the_stage_of_one_version_says_nothing_of_another() -> None:
    steps = promoted()
    found = ledger(*steps, move("dev", "archived", 2, steps[1]))
    assert found.stages == {commit(1): Stage.PRODUCTION, commit(2): Stage.ARCHIVED}


@pytest.mark.parametrize("forged_id", [FIRST_ID, event_id(0), LAST_ID])
def test_one_backdated_line_does_not_undo_two_honest_ones(forged_id: str) -> None:
    steps = promoted()
    forged = altered(move("dev", "archived", 1, at="1999-01-01T00:00:00Z"), id=forged_id)
    found = ledger(*steps, forged)
    assert found.stage(commit(1)) is Stage.PRODUCTION
    assert status_of(found, forged) is EventStatus.OVERRIDDEN


def test_alias_moves_do_not_outvote_stages() -> None:
    steps = promoted()
    busy: list[Event] = []
    for number in range(20):
        busy.append(point("champion", 1, *busy[-1:], number=100 + number))
    late = move("dev", "archived", 1, busy[-1], number=200)
    assert ledger(*steps, *busy, late).stage(commit(1)) is Stage.PRODUCTION


def test_of_two_concurrent_ones_the_greater_id_wins_and_the_other_crosses() -> None:
    root = move("dev", "staging", 1, number=1)
    up, off = move("staging", "prod", 1, root, number=2), move("staging", "archived", 1, root, number=3)
    found = ledger(up, off, root)
    assert found.stage(commit(1)) is Stage.ARCHIVED
    assert found.tips == tuple(sorted([up.hash, off.hash]))
    assert [(entry.status.value, entry.crossing) for entry in found.history] == [
        ("effective", False),
        ("overridden", True),
        ("effective", False),
    ]


def test_of_equal_ids_the_greater_hash_wins() -> None:
    pair = [point("champion", of, number=1) for of in (1, 2)]
    winner = max(pair, key=lambda one: one.hash)
    assert ledger(*pair).aliases == {CHAMPION: winner.commit}


def test_a_race_that_was_settled_no_longer_crosses_and_stays_overridden() -> None:
    root = move("dev", "staging", 1, number=1)
    up, off = move("staging", "prod", 1, root, number=2), move("staging", "archived", 1, root, number=3)
    settled = move("archived", "dev", 1, up, off, number=4)
    found = ledger(root, up, off, settled)
    assert [entry.overridden for entry in found.history] == [False, True, False, False]
    assert not any(entry.crossing for entry in found.history)
    story = [(entry.row()["from"], entry.row()["to"]) for entry in found.history if not entry.overridden]
    assert story == [("development", "staging"), ("staging", "archived"), ("archived", "development")]


def test_legality_is_judged_by_the_own_past() -> None:
    first = move("dev", "staging", 1, number=1)
    unaware = move("staging", "prod", 1, number=2)
    found = ledger(first, unaware)
    assert status_of(found, unaware) is EventStatus.ILLEGAL
    assert found.stage(commit(1)) is Stage.STAGING


def test_an_illegal_event_sets_nothing_and_still_connects() -> None:
    first = move("dev", "staging", 1, number=1)
    wrong = move("prod", "archived", 1, first, number=2)
    after = move("staging", "prod", 1, wrong, number=3)
    found = ledger(first, wrong, after)
    assert [entry.status for entry in found.history] == [
        EventStatus.EFFECTIVE,
        EventStatus.ILLEGAL,
        EventStatus.EFFECTIVE,
    ]
    assert found.tips == (after.hash,)


def test_from_must_be_what_the_past_folds_to() -> None:
    first = move("dev", "staging", 1, number=1)
    assert ledger(first, move("dev", "archived", 1, first, number=2)).stage(commit(1)) is Stage.STAGING


def test_unknown_hashes_count_as_absent() -> None:
    missing = move("dev", "archived", 2, number=1)
    known = altered(move("dev", "staging", 1, number=2), after=sorted([missing.hash, "0" * 64]))
    found = ledger(known)
    assert found.stage(commit(1)) is Stage.STAGING
    assert found.tips == (known.hash,)


def test_what_was_missing_may_come_later() -> None:
    steps = promoted()
    assert status_of(ledger(steps[1]), steps[1]) is EventStatus.ILLEGAL
    assert ledger(*steps).stage(commit(1)) is Stage.PRODUCTION


MALFORMED = {
    "another commit": {"target": {"kind": "model", "name": "team/fraud", "commit": commit(2)}},
    "another kind": {"target": {"kind": "dataset", "name": "team/fraud", "commit": commit(1)}},
    "another name": {"target": {"kind": "model", "name": "team/Fraud", "commit": commit(1)}},
    "no target": {"target": ...},
    "a target that is no object": {"target": "team/fraud@1.1.0"},
    "another type": {"type": "sticker"},
    "no type": {"type": ...},
    "a type that is no text": {"type": ["stage"]},
}


@pytest.mark.parametrize("changes", MALFORMED.values(), ids=MALFORMED)
def test_void(changes: dict[str, object]) -> None:
    first = move("dev", "staging", 1, number=1)
    void = altered(move("staging", "archived", 1, first, number=2), **changes)
    after = move("staging", "prod", 1, void, number=3)
    found = folded({commit(1): [first.line, void.line, after.line]})
    assert [entry.status for entry in found.history] == [EventStatus.EFFECTIVE, EventStatus.VOID, EventStatus.EFFECTIVE]
    assert found.stages == {commit(1): Stage.PRODUCTION}
    assert found.history[1].overridden
    assert found.tips == (after.hash,)


def test_void_if_the_line_has_another_id() -> None:
    line = move("dev", "staging", 1, number=1).line
    found = folded({commit(1): [event_id(2).encode() + line[36:]]})
    assert (found.history[0].status, found.stages) == (EventStatus.VOID, {})


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "latest", "op": "set"},
        {"name": "production", "op": "set"},
        {"name": "Champion", "op": "set"},
        {"name": 7, "op": "set"},
        {"name": "champion", "op": "move"},
        {"name": "champion", "op": ["set"]},
        {"name": "champion"},
        {"op": "set"},
    ],
)
def test_an_alias_event_that_cannot_be_read_is_void(fields: dict[str, object]) -> None:
    found = ledger(event(Statement("alias", fields), 1))
    assert (found.history[0].status, found.aliases) == (EventStatus.VOID, {})


@pytest.mark.parametrize("fields", [{}, {"from": "dev", "to": "staging"}, {"from": "development", "to": ["staging"]}])
def test_a_stage_event_of_other_words_is_illegal(fields: dict[str, object]) -> None:
    found = ledger(event(Statement("stage", fields), 1))
    assert (found.history[0].status, found.stages) == (EventStatus.ILLEGAL, {})


def test_a_line_on_two_records_is_one_node_and_counts_where_it_belongs() -> None:
    first = move("dev", "staging", 2, number=1)
    found = folded({commit(1): [first.line], commit(2): [first.line], commit(3): [first.line]})
    assert found.stages == {commit(2): Stage.STAGING}
    assert [(entry.commit, entry.status) for entry in found.history] == [(commit(2), EventStatus.EFFECTIVE)]


def test_lines_that_do_not_parse_are_no_nodes() -> None:
    first = move("dev", "staging", 1)
    assert outcome(folded({commit(1): [b"rubbish", first.line, first.line + b" "]})) == outcome(ledger(first))


def test_the_kind_and_name_of_the_ref_decide() -> None:
    from pacha_git.ledger import fold

    lines = notes(move("dev", "staging", 1))
    assert fold(lines, kind=Kind.DATASET, name="team/fraud").stages == {}
    assert fold(lines, kind=Kind.MODEL, name="team").stages == {}


def test_history_rows_have_the_keys_of_the_contract() -> None:
    up = move("dev", "staging", 1, number=1, reason="passed")
    named = point("champion", 1, up, number=2)
    assert [entry.row(signer) for entry, signer in zip(ledger(up, named).history, ["ada", None], strict=True)] == [
        {
            "at": "2025-01-02T03:04:05Z", "by": "Ada Lovelace <ada@example.org>", "version": "1.1.0", "type": "stage",
            "from": "development", "to": "staging", "alias": None, "op": None, "reason": "passed",
            "overridden": False, "crossing": False, "signed_by": "ada",
        },
        {
            "at": "2025-01-02T03:04:05Z", "by": "Ada Lovelace <ada@example.org>", "version": "1.1.0", "type": "alias",
            "from": None, "to": None, "alias": "champion", "op": "set", "reason": "",
            "overridden": False, "crossing": False, "signed_by": None,
        },
    ]  # fmt: skip


def test_history_is_by_knowledge_then_by_id_never_by_the_clock() -> None:
    first = move("dev", "staging", 1, number=5, at="2030-01-01T00:00:00Z")
    second = altered(move("staging", "prod", 1, first, at="2001-01-01T00:00:00Z"), id=FIRST_ID)
    other = point("champion", 2, number=7)
    assert [entry.event for entry in ledger(other, second, first).history] == [first, second, other]


def test_history_is_not_reordered_by_what_comes_later() -> None:
    events = [*promoted(), point("champion", 2, number=9)]
    before = [entry.event for entry in ledger(*events).history]
    late = altered(move("dev", "staging", 3, events[0], events[2]), id=FIRST_ID)
    assert [entry.event for entry in ledger(*events, late).history if entry.event != late] == before


def test_a_ledger_cannot_be_changed() -> None:
    found = ledger(*promoted())
    with pytest.raises(TypeError):
        found.stages[Oid(commit(1))] = Stage.ARCHIVED  # type: ignore[index]
