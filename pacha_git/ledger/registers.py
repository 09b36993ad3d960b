"""What each register holds: the legal claim of greatest depth.

A register is a key; nodes lay claim to it. Depth of a node = 1 + the greatest depth among the legal claims to the
same register in its past. The legal claim of greatest (depth, id, hash) sets the register, in the whole graph and in
every past alike. No clock is read, so a backdated line can't outvote what was built on without knowing of it. The
rule is docs/format.md, "The fold".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from pacha_git.ledger.graph import Clock, Graph, Node

Register: TypeAlias = tuple[str, ...]
Rank: TypeAlias = tuple[int, str, str]


class EventStatus(Enum):
    """What became of an event.

    Attributes:
        EFFECTIVE: It sets its register, or is what the effective event after it was built on: read in order, the
            effective events of a register are its story, without gaps.
        OVERRIDDEN: Legal, but another one of the same register, made without knowing of it, won.
        VOID: It can set nothing here.
        ILLEGAL: It claims a move that its own past didn't allow.
    """

    EFFECTIVE = "effective"
    OVERRIDDEN = "overridden"
    VOID = "void"
    ILLEGAL = "illegal"


@dataclass(frozen=True, slots=True)
class RegisterClaim:
    """What a node would set a register to.

    Attributes:
        register: Which.
        value: To what; None for nothing.
        expected: What it says that the register held before; None if it doesn't say.
    """

    register: Register
    value: str | None
    expected: str | None = None


Allows: TypeAlias = Callable[[RegisterClaim, str | None], bool]
ClaimOf: TypeAlias = Callable[[Node], RegisterClaim | None]


@dataclass(slots=True, eq=False)
class Ruling:
    """What came of one node.

    Attributes:
        node: Which.
        claim: What it claims; None if it is void.
        before: The ruling on the claim that set the register in its past, if any.
        rank: Depth, id, hash; depth 0 if it is not legal.
        status: What became of it.
        crossing: Legal, and concurrent with the claim that sets the register.
    """

    node: Node
    claim: RegisterClaim | None
    before: Ruling | None = field(default=None, repr=False)
    rank: Rank = (0, "", "")
    status: EventStatus = EventStatus.VOID
    crossing: bool = False

    @property
    def value(self) -> str | None:
        """What it would set its register to."""
        return self.claim.value if self.claim is not None else None


@dataclass(slots=True)
class _Lane:
    """The legal claims to one register in one chain, in order, and their places; depth grows along it."""

    places: list[int] = field(default_factory=list)
    rulings: list[Ruling] = field(default_factory=list)

    def last_until(self, place: int) -> Ruling | None:
        count = bisect_right(self.places, place)
        return self.rulings[count - 1] if count else None


_Lanes: TypeAlias = dict[int, _Lane]


def anything(claim: RegisterClaim, held: str | None) -> bool:
    """Allow whatever is claimed."""
    return True


class Registers:
    """The registers of a graph.

    Args:
        graph: The lines.
        claim_of: What a node that is not void by its envelope claims; None if it can't be read (it is void then).
        allows: Whether a claim is legal where the register holds this (None: nothing).

    Attributes:
        rulings: One per node, in the order of ``graph.nodes``.
        winners: Per register that has a legal claim, the one that sets it.
    """

    def __init__(
        self,
        graph: Graph,
        claim_of: ClaimOf,
        allows: Allows = anything,
    ) -> None:
        self.rulings: list[Ruling] = []
        self.winners: dict[Register, Ruling] = {}
        self._effort = graph.effort
        self._lanes: dict[Register, _Lanes] = {}
        self._found: dict[tuple[Clock, Register], Ruling | None] = {}
        for node in graph.nodes:
            ruling = Ruling(node, None if node.void else claim_of(node))
            self.rulings.append(ruling)
            if ruling.claim is not None:
                self._judge(ruling, ruling.claim, allows)
        for register, winner in self.winners.items():
            _mark(winner, self._lanes[register])

    def _judge(self, ruling: Ruling, claim: RegisterClaim, allows: Allows) -> None:
        before = self._before(ruling.node, claim.register)
        held = before.value if before is not None else None
        ruling.before = before
        if not allows(claim, held):
            ruling.status = EventStatus.ILLEGAL
            return
        event = ruling.node.event
        ruling.rank = (before.rank[0] + 1 if before is not None else 1, event.id, event.hash)
        ruling.status = EventStatus.OVERRIDDEN
        lane = self._lanes.setdefault(claim.register, {}).setdefault(ruling.node.chain, _Lane())
        lane.places.append(ruling.node.place)
        lane.rulings.append(ruling)
        winner = self.winners.get(claim.register)
        if winner is None or winner.rank < ruling.rank:
            self.winners[claim.register] = ruling

    def _before(self, node: Node, register: Register) -> Ruling | None:
        """Return the claim that sets a register in the past of a node."""
        lanes = self._lanes.get(register)
        if lanes is None:
            return None
        # The past is the node's own chain so far, and what its clock says: the same for all that share the clock.
        key = (node.clock, register)
        if key not in self._found:
            self._found[key] = self._within(node.clock.reach, lanes)
        others = self._found[key]
        own = lanes[node.chain].rulings[-1] if node.chain in lanes else None
        return own if others is None or (own is not None and own.rank > others.rank) else others

    def _within(self, reach: list[int], lanes: _Lanes) -> Ruling | None:
        chains = lanes.keys() if len(lanes) < len(reach) else [chain for chain in range(len(reach)) if chain in lanes]
        self._effort.spend(min(len(lanes), len(reach)))
        last = [lanes[chain].last_until(reach[chain]) for chain in chains if chain < len(reach)]
        return max((ruling for ruling in last if ruling is not None), key=lambda ruling: ruling.rank, default=None)


def _mark(winner: Ruling, lanes: _Lanes) -> None:
    """Tell the claims to one register that hold from those that lost, and mark those that crossed with the winner."""
    for lane in lanes.values():
        for ruling in lane.rulings:
            ruling.crossing = ruling is not winner and not winner.node.follows(ruling.node)
    step: Ruling | None = winner
    while step is not None:
        step.status = EventStatus.EFFECTIVE
        step = step.before
