"""The lines of a notes ref as a graph: what each knew of when it was made.

Nodes are lines, edges are ``after``; a hash can't form a cycle. Whether one node lies in the past of another is
answered in constant
time: the nodes are laid out in few chains (each node after all before it in its chain), and a node's clock holds how
    far its past reaches into each (vector clocks: Fidge 1988, Mattern 1989). Nodes that learnt of nothing but their
    own chain share one clock, so a history without concurrency takes linear time and space, and one written by w
    replicas about w times that.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.format.event import Event, parse_line
from pacha_git.gitobjects.oid import Oid
from pacha_git.vocabulary.kinds import Kind

EFFORT: Final = 2 * 10**7
EFFORT_PER_NODE: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """How far a past reaches into each chain; equal to itself alone, so that it can be a key.

    Attributes:
        reach: Per chain, the place of the last node in the past; 0 if none. Shorter than the number of chains if the
            rest is 0.
    """

    reach: list[int]


_NOTHING: Final = Clock([])


@dataclass(slots=True, eq=False)
class Node:
    """One line that parses.

    Attributes:
        event: What it says.
        commit: The record it is annotated on; of several, the one that it speaks of.
        void: It sets nothing: its target or its id are not what they must be here.
        parents: Indices of the nodes that its ``after`` names and that are here.
        index: Its place in ``Graph.nodes``.
        chain: Which chain it lies in.
        place: Where in the chain, from 1.
        clock: What of the other chains lies in its past.
    """

    event: Event
    commit: Oid
    void: bool
    parents: list[int] = field(default_factory=list)
    index: int = -1
    chain: int = -1
    place: int = 0
    clock: Clock = _NOTHING

    def follows(self, other: Node) -> bool:
        """Tell whether ``other`` lies in its past."""
        if self.chain == other.chain:
            return other.place < self.place
        return other.chain < len(self.clock.reach) and other.place <= self.clock.reach[other.chain]


class Effort:
    """A budget of elementary steps, so that lines made to be tangled can't take all time and memory."""

    def __init__(self, nodes: int) -> None:
        self._left = max(EFFORT, EFFORT_PER_NODE * nodes)

    def spend(self, steps: int) -> None:
        """Take steps from it.

        Raises:
            PachaError: none are left.
        """
        self._left -= steps
        if self._left < 0:
            raise PachaError(
                "these events are too tangled to fold: too many were made without knowing of each other",
                hint="leave out what brought them: fetch from another remote, or see who pushed them with git log",
            )


@dataclass(frozen=True, slots=True)
class Graph:
    """All lines of a notes ref that parse.

    Attributes:
        nodes: Parents before children; among those that could come next, the least (id, hash) first. So adding lines
            that nobody here knew of never reorders the others.
        tips: The hashes that no other line names in its ``after``, sorted: what the next event's ``after`` must be.
        effort: What may still be spent on this graph.
    """

    nodes: list[Node]
    tips: tuple[str, ...]
    effort: Effort


def build_graph(notes: Mapping[Oid, Iterable[bytes]], *, kind: Kind, name: str) -> Graph:
    """Lay out the lines of a notes ref.

    Args:
        notes: Per annotated record commit, its lines without LF, in any order, any number of times.
        kind: The kind that the ref spells.
        name: The name that the ref spells.

    Raises:
        PachaError: over ``EFFORT`` steps (or ``EFFORT_PER_NODE`` per line): a history made to be tangled.
    """
    annotated: dict[bytes, set[Oid]] = {}
    for oid, lines in notes.items():
        for line in lines:
            annotated.setdefault(line, set()).add(oid)
    events = {event.hash: event for event in map(parse_line, annotated) if event is not None}
    found = {key: _node(event, annotated[event.line], kind, name) for key, event in events.items()}
    named = {key for event in events.values() for key in event.after}
    nodes = _in_order(found)
    effort = Effort(len(nodes))
    chains = _Chains(nodes, effort)
    for node in nodes:
        chains.add(node)
    return Graph(nodes, tuple(sorted(found.keys() - named)), effort)


def _node(event: Event, annotated: set[Oid], kind: Kind, name: str) -> Node:
    own = event.commit in annotated and event.kind == kind.value and event.name == name and event.own_id
    return Node(event, Oid(event.commit) if event.commit in annotated else min(annotated), void=not own)


def _in_order(found: Mapping[str, Node]) -> list[Node]:
    """Sort parents before children (Kahn), by (id, hash) where there is a choice, and fill in indices and parents."""
    children: dict[str, list[Node]] = {}
    waiting: dict[str, int] = {}
    for key, node in found.items():
        parents = {parent for parent in node.event.after if parent in found}
        waiting[key] = len(parents)
        for parent in parents:
            children.setdefault(parent, []).append(node)
    ready = [(node.event.id, key) for key, node in found.items() if not waiting[key]]
    heapq.heapify(ready)
    nodes: list[Node] = []
    while ready:
        _, key = heapq.heappop(ready)
        node = found[key]
        node.index = len(nodes)
        nodes.append(node)
        for child in children.get(key, ()):
            child.parents.append(node.index)
            waiting[child.event.hash] -= 1
            if not waiting[child.event.hash]:
                heapq.heappush(ready, (child.event.id, child.event.hash))
    return nodes


class _Chains:
    """The chains laid so far; ``add`` each node after its parents."""

    def __init__(self, nodes: list[Node], effort: Effort) -> None:
        self._nodes = nodes
        self._effort = effort
        self._ends: list[int] = []
        self._clocks: dict[tuple[int, ...], Clock] = {(): _NOTHING}
        self._tried: dict[Clock, int] = {}

    def add(self, node: Node) -> None:
        """Give a node its chain, its place there and its clock."""
        parents = [self._nodes[index] for index in node.parents]
        last = next((parent for parent in parents if self._ends[parent.chain] == parent.place), None)
        if last is not None and len(parents) == 1:
            node.clock = last.clock
        else:
            node.clock = self._clock_after(parents)
        node.chain = self._ended_chain(node.clock) if last is None else last.chain
        self._ends[node.chain] += 1
        node.place = self._ends[node.chain]

    def _clock_after(self, parents: list[Node]) -> Clock:
        key = tuple(parent.index for parent in parents)
        if key not in self._clocks:
            self._clocks[key] = _join(parents, self._effort)
        return self._clocks[key]

    def _ended_chain(self, clock: Clock) -> int:
        """Find a chain that lies wholly in a past, to go on with it; begin one if there is none."""
        # Chains only grow: one that has outgrown this past need never be tried again.
        start = chain = self._tried.get(clock, 0)
        while chain < len(clock.reach) and clock.reach[chain] != self._ends[chain]:
            chain += 1
        self._tried[clock] = chain
        self._effort.spend(chain - start)
        if chain == len(clock.reach):
            chain = len(self._ends)
            self._ends.append(0)
        return chain


def _join(parents: list[Node], effort: Effort) -> Clock:
    """Return the clock of a node that knew of all of ``parents`` and what they knew of."""
    clocks = sorted({id(parent.clock): parent.clock.reach for parent in parents}.values(), key=len)
    reach = list(clocks[-1])
    reach.extend([0] * (1 + max(parent.chain for parent in parents) - len(reach)))
    effort.spend(len(reach))
    for other in clocks[:-1]:
        effort.spend(len(other))
        reach[: len(other)] = [max(pair) for pair in zip(other, reach, strict=False)]
    for parent in parents:
        reach[parent.chain] = max(reach[parent.chain], parent.place)
    return Clock(reach)
