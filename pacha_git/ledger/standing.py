"""What holds now of a name, without how it came about: the lines that won their registers, and the newest ones known.

It is what a fold comes to, cut down to what most commands ask for, and goes on from event to event where each knew of
all before it. It is a memory of the fold and never its replacement: whoever has it may as well fold all lines anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import blake3

from pacha_git.format.event import Event, line_hash, parse_line
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.graph import Node
from pacha_git.ledger.registers import Allows, ClaimOf, Register, RegisterClaim, Registers

_DIGEST: Final = 64
_NUMBERS: Final = "metrics"


class Winner(NamedTuple):
    """A line that sets a register: the record it is annotated on, the line, and how deep it stands (``registers``)."""

    commit: Oid
    line: str
    depth: int


class FoldState(NamedTuple):
    """What holds of a name.

    Attributes:
        tips: What the next event's ``after`` must be.
        winners: In the order of the graph.
        crossing: Register and ``TYPE VERSION`` of each event that was made apart from the one that won.
    """

    tips: tuple[str, ...]
    winners: tuple[Winner, ...]
    crossing: tuple[tuple[Register, str], ...]


class Held(NamedTuple):
    """A line that won, read: its record, the event, what it claims, and how deep it stands."""

    commit: Oid
    event: Event
    claim: RegisterClaim
    depth: int


def held_in(registers: Registers) -> list[Held]:
    """Return the lines that won, in the order of the graph."""
    won = {id(ruling) for ruling in registers.winners.values()}
    return [
        Held(ruling.node.commit, ruling.node.event, ruling.claim, ruling.rank[0])
        for ruling in registers.rulings
        if ruling.claim is not None and id(ruling) in won
    ]


def standing_of(registers: Registers, held: Iterable[Held], tips: Sequence[str]) -> FoldState:
    """Tell what a fold comes to."""
    crossing = tuple(
        (ruling.claim.register, f"{ruling.node.event.type} {ruling.node.event.version}")
        for ruling in registers.rulings
        if ruling.crossing and ruling.claim is not None
    )
    return FoldState(tuple(tips), tuple(map(_winner, held)), crossing)


def _winner(held: Held) -> Winner:
    return Winner(held.commit, held.event.line.decode("utf-8"), held.depth)


def held_again(standing: FoldState, claim_of: ClaimOf) -> list[Held]:
    """Return the lines that won, read again.

    Raises:
        ValueError: one of them can't have won.
    """
    found: list[Held] = []
    for winner in standing.winners:
        event = _known(winner.line)
        claim = None if event is None else claim_of(Node(event, winner.commit, void=False))
        if event is None or claim is None:
            raise ValueError("a line that sets nothing")
        found.append(Held(winner.commit, event, claim, winner.depth))
    return found


def _known(line: str) -> Event | None:
    """Return a line that parsed before: that it is canonical need not be seen again, which takes longest."""
    data = line.encode("utf-8")
    event_id, _, said = line.partition("\t")
    body = json.loads(said)
    # Numbers alone read otherwise there: beyond 2^53 they are doubles.
    return parse_line(data) if _NUMBERS in body else Event(data, line_hash(data), event_id, body)


def extended(
    standing: FoldState, events: Iterable[tuple[Oid, Event]], claim_of: ClaimOf, allows: Allows
) -> FoldState | None:
    """Tell what holds after further events, of which each knew of all before it; None if a fold is to say."""
    by_register = {held.claim.register: held for held in held_again(standing, claim_of)}
    tips, crossing = standing.tips, standing.crossing
    for commit, event in events:
        claim = claim_of(Node(event, commit, void=False))
        if claim is None or tuple(sorted(event.after)) != tips:
            return None
        before = by_register.pop(claim.register, None)
        if not allows(claim, before.claim.value if before is not None else None):
            return None
        by_register[claim.register] = Held(commit, event, claim, 1 + (before.depth if before is not None else 0))
        tips = (event.hash,)
        crossing = tuple(each for each in crossing if each[0] != claim.register)
    return FoldState(tips, tuple(map(_winner, by_register.values())), crossing)


def encode_standing(standing: FoldState, tip: Oid) -> bytes:
    """Return the bytes that are kept of it, for the notes commit that it belongs to; they begin with their own hash."""
    data = json.dumps([tip, *standing], separators=(",", ":")).encode("ascii")
    return blake3.blake3(data).hexdigest().encode("ascii") + data


def decode_standing(data: bytes, tip: Oid) -> FoldState | None:
    """Read them again; None if they are not whole, or belong to another notes commit."""
    digest, body = data[:_DIGEST], data[_DIGEST:]
    if blake3.blake3(body).hexdigest().encode("ascii") != digest:
        return None
    of, tips, winners, crossing = json.loads(body)
    if of != tip:
        return None
    return FoldState(
        tuple(tips),
        tuple(Winner(Oid(commit), line, depth) for commit, line, depth in winners),
        tuple((tuple(register), text) for register, text in crossing),
    )
