"""Laws of the ledger: replicas, partial exchange and forged lines come to one outcome, and it is the format's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pacha_git.format.event import Event, Statement, compose
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger import EventStatus, encode_note, merge_notes, parse_note, union
from pacha_git.ledger.statements import alias_event, stage_event
from pacha_git.vocabulary.names import Alias
from pacha_git.vocabulary.stages import Stage
from tests.ledger.reference import Fold
from tests.ledger.samples import NAME, altered, commit, envelope, event_id, folded, move, notes, outcome, point, target

Notes = dict[Oid, bytes]

STAGES = st.sampled_from(list(Stage))
ALIASES = st.sampled_from([Alias("champion"), Alias("rollback")])
STATEMENTS = st.one_of(
    st.builds(stage_event, STAGES, STAGES),
    st.builds(alias_event, ALIASES, st.sampled_from(["set", "set", "unset"])),
    st.just(Statement("sticker", {})),
)
FORGERIES = st.sampled_from(
    [{}, {}, {}, {"id": event_id(1)}, {"target": None}, {"type": ["stage"]}, {"name": "latest"}]
)
NOTES = st.dictionaries(
    st.integers(1, 3).map(commit), st.lists(st.binary(max_size=3), max_size=5).map(b"\n".join), max_size=3
)


@st.composite
def tangles(draw: st.DrawFn, *, most: int = 14) -> list[Event]:
    """Events of few versions, each knowing of any of those before; most claim what their past allows."""
    events: list[Event] = []
    for number in range(draw(st.integers(0, most))):
        known = draw(st.lists(st.sampled_from(events), max_size=3)) if events else []
        of = draw(st.integers(1, 2))
        statement = draw(STATEMENTS)
        if statement.type == "stage" and draw(st.booleans()):
            before = folded(notes(*_past(known, events))).stage(commit(of))
            statement = stage_event(before, Stage(statement.fields["to"]))
        after = [one.hash for one in known] + draw(st.sampled_from([[], [], ["0" * 64]]))
        ids = st.one_of(st.just(number), st.integers(0, 3)).map(event_id)
        made = compose(statement, envelope(target(of), after), event_id=draw(ids))
        events.append(altered(made, **draw(FORGERIES)))
    return list(dict.fromkeys(events))


def _past(known: list[Event], events: list[Event]) -> list[Event]:
    hashes = {one.hash for one in known}
    past = []
    for one in reversed(events):
        if one.hash in hashes:
            past.append(one)
            hashes.update(one.after)
    return past


def tree(events: list[Event]) -> Notes:
    return {of: encode_note(lines) for of, lines in _annotated(events).items()}


def _annotated(events: list[Event]) -> Mapping[Oid, list[bytes]]:
    found: dict[Oid, list[bytes]] = {}
    for one in events:
        found.setdefault(Oid(one.commit or commit(1)), []).append(one.line)
    return found


def outcome_of(notes_tree: Notes) -> tuple[object, ...]:
    return outcome(folded({of: parse_note(note) for of, note in notes_tree.items()}))


@given(tangles())
def test_the_fold_is_what_the_format_says(events: list[Event]) -> None:
    agrees_with_the_format(_annotated(events))


@given(st.randoms(use_true_random=False))
def test_so_it_is_of_larger_tangles(dice: Random) -> None:
    events: list[Event] = []
    for number in range(60):
        known = dice.sample(events, min(len(events), dice.randrange(4)))
        before = folded(notes(*_past(known, events))).stage(commit(1))
        made = [
            point(dice.choice(["champion", "canary"]), dice.randrange(3), *known, number=dice.randrange(60)),
            move(before.value, dice.choice(list(Stage)).value, 1, *known, number=number),
        ]
        events.append(dice.choice(made))
    agrees_with_the_format(_annotated(events))


def agrees_with_the_format(lines: Mapping[Oid, list[bytes]]) -> None:
    found = folded(lines)
    expected = Fold({str(of): list(note) for of, note in lines.items()}, "model", NAME)
    assert {of: stage.value for of, stage in found.stages.items()} == expected.stages()
    assert found.aliases == expected.aliases()
    assert list(found.tips) == expected.tips
    assert {entry.event.hash: entry.status.value for entry in found.history} == expected.statuses()
    assert {entry.event.hash for entry in found.history if entry.crossing} == expected.crossing()


@given(tangles(), st.randoms(use_true_random=False))
def test_order_and_duplication_do_not_matter(events: list[Event], dice: Random) -> None:
    lines = [(of, line) for of, note in _annotated(events).items() for line in note] * 2
    dice.shuffle(lines)
    shuffled: dict[Oid, list[bytes]] = {}
    for of, line in lines:
        shuffled.setdefault(of, []).append(line)
    assert outcome(folded(shuffled)) == outcome(folded(_annotated(events)))


@given(NOTES, NOTES, NOTES)
def test_union_is_a_semilattice(one: Notes, two: Notes, three: Notes) -> None:
    assert merge_notes(one, two) == merge_notes(two, one)
    assert merge_notes(merge_notes(one, two), three) == merge_notes(one, merge_notes(two, three))
    merged = merge_notes(one, two)
    assert merge_notes(merged, merged) == merge_notes(merged, one) == merged


@given(st.binary(max_size=40))
def test_a_note_reads_back_as_its_union_with_itself(data: bytes) -> None:
    assert encode_note(parse_note(data)) == union(data) == union(data, data)


@given(tangles(), tangles())
def test_the_history_holds_every_event_once_and_after_what_it_knew_of(one: list[Event], two: list[Event]) -> None:
    merged = merge_notes(tree(one), tree(two))
    history = folded({of: parse_note(note) for of, note in merged.items()}).history
    places = {entry.event.hash: place for place, entry in enumerate(history)}
    assert len(places) == len(history) == len({*one, *two})
    for entry in history:
        assert all(places[parent] < places[entry.event.hash] for parent in entry.event.after if parent in places)


@given(tangles())
def test_what_holds_reads_as_a_story_without_gaps(events: list[Event]) -> None:
    found = folded(_annotated(events))
    for of in (1, 2):
        stage = "development"
        for entry in found.history:
            if entry.commit == commit(of) and entry.event.type == "stage" and not entry.overridden:
                assert entry.row()["from"] == stage
                stage = entry.row()["to"]
        assert found.stage(commit(of)).value == stage


@given(tangles())
def test_crossing_is_legal_and_overridden(events: list[Event]) -> None:
    for entry in folded(_annotated(events)).history:
        assert entry.overridden == (entry.status is not EventStatus.EFFECTIVE)
        assert not entry.crossing or entry.status is EventStatus.OVERRIDDEN


@given(tangles(), tangles(most=6), st.data())
def test_other_registers_change_nothing(events: list[Event], others: list[Event], data: st.DataObject) -> None:
    before = folded(_annotated(events))
    added = list(events)
    for number, one in enumerate(others):
        known = data.draw(st.lists(st.sampled_from(added), max_size=2)) if added else []
        origin, to = one.text("from"), one.text("to")
        strangers = [
            point("canary", 5, *known, number=number),
            move(origin or "dev", to or "staging", 5, *known, number=number),
        ]
        added.append(data.draw(st.sampled_from(strangers)))
    after = folded(_annotated(added))
    assert {of: stage for of, stage in after.stages.items() if of != commit(5)} == before.stages
    assert {alias: of for alias, of in after.aliases.items() if alias != "canary"} == before.aliases
    strange = {one.hash for one in added} - {one.hash for one in events}
    assert tuple(entry for entry in after.history if entry.event.hash not in strange) == before.history


@given(tangles(), st.integers(0, 14))
def test_legality_never_changes(events: list[Event], count: int) -> None:
    earlier = {entry.event.hash: entry.status for entry in folded(_annotated(events[:count])).history}
    for entry in folded(_annotated(events)).history:
        status = earlier.get(entry.event.hash)
        for verdict in (EventStatus.VOID, EventStatus.ILLEGAL):
            assert status is None or (status is verdict) == (entry.status is verdict)


@given(st.integers(2, 6), st.data())
def test_a_line_that_ignores_the_last_two_honest_ones_undoes_nothing(length: int, data: st.DataObject) -> None:
    words = ["dev", "staging", "prod", "archived"]
    honest: list[Event] = []
    for number in range(length):
        honest.append(move(words[number % 4], words[(number + 1) % 4], 1, *honest[-1:], number=10 + number))
    expected = folded(notes(*honest)).stage(commit(1))
    known = honest[: data.draw(st.integers(0, length - 2))]
    stage = folded(notes(*known)).stage(commit(1))
    to, number = data.draw(STAGES), data.draw(st.sampled_from([0, 11, 10**6]))
    forged = move(stage.value, to.value, 1, *known[-1:], number=number, at="1970-01-01T00:00:00Z")
    assert folded(notes(*honest, forged)).stage(commit(1)) is expected


@dataclass
class Replica:
    """A registry that says what its own fold allows, and takes over what others have."""

    held: Notes = field(default_factory=dict)

    def say(self, of: int, wish: Stage | Alias, number: int) -> None:
        known = folded({key: parse_note(note) for key, note in self.held.items()})
        statement = alias_event(wish, "set") if isinstance(wish, Alias) else stage_event(known.stage(commit(of)), wish)
        made = compose(statement, envelope(target(of), known.tips), event_id=event_id(number))
        self.held = merge_notes(self.held, {commit(of): made.line + b"\n"})

    def take(self, other: Replica) -> None:
        self.held = merge_notes(self.held, other.held)


ACTIONS = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 2), st.one_of(STAGES, ALIASES), st.booleans())


@given(st.lists(ACTIONS, max_size=16))
def test_replicas_converge(actions: list[tuple[int, int, int, Stage | Alias, bool]]) -> None:
    replicas = [Replica(), Replica(), Replica()]
    for number, (actor, other, of, wish, speaks) in enumerate(actions):
        if speaks:
            replicas[actor].say(of, wish, number)
        else:
            replicas[actor].take(replicas[other])
    for one in replicas * 2:
        for two in replicas:
            one.take(two)
    outcomes = [outcome_of(one.held) for one in replicas]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    expected = Fold({str(of): parse_note(note) for of, note in replicas[0].held.items()}, "model", NAME)
    stages, aliases, tips, _ = outcomes[0]
    assert {of: stage.value for of, stage in stages.items()} == expected.stages()  # type: ignore[attr-defined]
    assert (aliases, list(tips)) == (expected.aliases(), expected.tips)  # type: ignore[call-overload]


@given(st.lists(ACTIONS, max_size=12))
def test_what_the_last_writer_said_to_all_holds(actions: list[tuple[int, int, int, Stage | Alias, bool]]) -> None:
    replicas = [Replica(), Replica(), Replica()]
    for number, (actor, _, of, wish, _) in enumerate(actions):
        replicas[actor].say(of, wish, number)
    last = Replica()
    for one in replicas:
        last.take(one)
    last.say(3, Alias("champion"), 0)
    found = folded({of: parse_note(note) for of, note in last.held.items()})
    assert found.aliases["champion"] == commit(3)
    assert len(found.tips) == 1
