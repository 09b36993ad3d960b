from __future__ import annotations

import random
from itertools import pairwise
from time import process_time

import pytest

from pacha_git.errors import PachaError
from pacha_git.format.event import Event
from pacha_git.ledger import graph
from pacha_git.ledger.graph import Graph, build_graph
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.stages import Stage
from tests.ledger.samples import NAME, commit, ledger, move, notes, outcome, point


def graph_of(events: list[Event]) -> Graph:
    return build_graph(notes(*events), kind=Kind.MODEL, name=NAME)


def chain(length: int) -> list[Event]:
    """One version round and round: staging, development, staging …"""
    words = ["dev", "staging"]
    events: list[Event] = []
    for number in range(length):
        here, there = words[number % 2], words[1 - number % 2]
        events.append(move(here, there, 1, *events[-1:], number=number))
    return events


def tangle(count: int, most: int, seed: int) -> list[Event]:
    """Events each knowing of some of those before."""
    dice = random.Random(seed)
    events: list[Event] = []
    for _ in range(count):
        known = dice.sample(events, min(len(events), dice.randrange(most + 1)))
        events.append(point("champion", dice.randrange(4), *known, number=dice.randrange(count)))
    return events


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("most", [1, 2, 5])
def test_clocks_agree_with_sets(seed: int, most: int) -> None:
    nodes = graph_of(tangle(80, most, seed)).nodes
    pasts: list[set[int]] = []
    for node in nodes:
        pasts.append(set(node.parents).union(*(pasts[parent] for parent in node.parents)))
    for node in nodes:
        assert {other.index for other in nodes if node.follows(other)} == pasts[node.index]


def test_what_follows_in_one_chain_shares_a_clock() -> None:
    nodes = graph_of(chain(50)).nodes
    assert {node.chain for node in nodes} == {0}
    assert len({id(node.clock) for node in nodes}) == 1


def test_replicas_that_meet_again_and_again_need_few_chains() -> None:
    tips: list[Event] = []
    events: list[Event] = []
    for number in range(0, 300, 3):
        fork = [point("champion", of, *tips, number=number + of) for of in range(3)]
        events += fork
        tips = fork
    assert max(node.chain for node in graph_of(events).nodes) == 2


def test_parents_come_first_whatever_their_ids() -> None:
    events: list[Event] = []
    for number in range(40, 0, -1):
        events.append(point("champion", 1, *events[-1:], number=number))
    nodes = graph_of(events[::-1]).nodes
    assert [node.event for node in nodes] == events
    assert all(later.follows(earlier) for earlier, later in pairwise(nodes))


def test_ten_thousand_in_a_row_take_no_second() -> None:
    events = chain(10_000)
    started = process_time()
    found = ledger(*events)
    assert process_time() - started < 1.5
    assert len(found.history) == 10_000
    assert found.stage(commit(1)) is Stage.DEVELOPMENT


def test_no_depth_is_too_deep() -> None:
    events = chain(6_001)
    found = ledger(*events)
    assert found.stage(commit(1)) is Stage.STAGING
    assert found.tips == (events[-1].hash,)


def test_thousands_at_once_and_then_one_that_saw_them_all() -> None:
    root = point("champion", 1, number=0)
    wide = [point("champion", 2, root, number=number) for number in range(1, 3001)]
    last = point("champion", 3, *wide, number=1)
    found = ledger(root, *wide, last, point("champion", 4, last, number=2))
    assert found.aliases == {"champion": commit(4)}
    assert sum(entry.overridden for entry in found.history) == 2999
    assert not any(entry.crossing for entry in found.history)


def test_thousands_on_top_of_thousands_take_few_steps() -> None:
    below = [point("champion", 2, number=number) for number in range(1500)]
    merged = point("champion", 3, *below, number=1500)
    above = [point("champion", 2, merged, number=number) for number in range(1501, 3001)]
    last = point("champion", 1, *above, number=3001)
    built = graph_of([*below, merged, *above, last])
    built.effort.spend(graph.EFFORT - 10 * len(built.nodes))
    assert built.nodes[-1].follows(built.nodes[0])


def test_lines_made_to_be_tangled_meet_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    events = tangle(300, 4, seed=1)
    enough = outcome(ledger(*events))
    monkeypatch.setattr(graph, "EFFORT", 1000)
    monkeypatch.setattr(graph, "EFFORT_PER_NODE", 1)
    with pytest.raises(PachaError, match="too tangled"):
        ledger(*events)
    monkeypatch.setattr(graph, "EFFORT_PER_NODE", 1000)
    assert outcome(ledger(*events)) == enough


def test_the_budget_is_above_what_honest_replicas_need() -> None:
    events: list[Event] = []
    heads: list[list[Event]] = [[] for _ in range(12)]
    dice = random.Random(7)
    for number in range(2000):
        replica = dice.randrange(12)
        known = heads[replica] + (heads[dice.randrange(12)] if dice.random() < 0.3 else [])
        events.append(point("champion", dice.randrange(9), *dict.fromkeys(known), number=number))
        heads[replica] = [events[-1]]
    built = graph_of(events)
    built.effort.spend(graph.EFFORT * 9 // 10)
