"""Which version is in which stage, and what each alias names: the fold of the events of one name.

It knows the lines alone. Order and duplication of lines don't matter, and folding the union of two sides gives both
sides the same. The rule is docs/format.md, "The fold".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from pacha_git.format.event import Event
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.graph import Node, build_graph
from pacha_git.ledger.registers import EventStatus, Register, RegisterClaim, Registers, Ruling
from pacha_git.ledger.stages import INITIAL, LEGAL
from pacha_git.ledger.standing import FoldState, Held, extended, held_again, held_in, standing_of
from pacha_git.ledger.statements import read_alias, read_stage
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Alias
from pacha_git.vocabulary.stages import Stage

_LEGAL_WORDS: Final = frozenset((origin.value, target.value) for origin, target in LEGAL)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One event in the history of a name.

    Attributes:
        event: The event.
        commit: The record it is annotated on.
        status: What became of it.
        crossing: Legal, but it and the event that sets the same stage or alias now were made without knowing of each
            other.
    """

    event: Event
    commit: Oid
    status: EventStatus
    crossing: bool

    @property
    def overridden(self) -> bool:
        """Whether it is no part of what holds now and how that came about: void, illegal, or lost to a concurrent one.

        What is not overridden reads as a story without gaps: each stage event begins where the last one of that
        version ended. Every crossing event is overridden; one that lost a race which a later event has settled is
        overridden and no longer crossing.
        """
        return self.status is not EventStatus.EFFECTIVE

    def row(self, signed_by: str | None = None) -> dict[str, Any]:
        """Return the keys of ``history --json``, as the event says them: the ``version`` of a void one may be anything.

        Args:
            signed_by: Whose signature over it was found good, if any.
        """
        event = self.event
        stage, alias = event.type == "stage", event.type == "alias"
        return {
            "at": event.at,
            "by": event.by,
            "version": event.version,
            "type": event.type,
            "from": (event.text("from") or None) if stage else None,
            "to": (event.text("to") or None) if stage else None,
            "alias": event.text("name") if alias else None,
            "op": event.text("op") if alias else None,
            "reason": event.reason,
            "overridden": self.overridden,
            "crossing": self.crossing,
            "signed_by": signed_by,
        }


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the events of one name come to.

    Attributes:
        stages: The stage of each record commit that has an effective stage event; the others are in development.
        aliases: What each alias that is set names.
        tips: What the next event's ``after`` must be.
        standing: The same as it is kept.
        words: The event that sets the stage of each record commit and each alias: by ``("stage", commit)`` and
            ``("alias", alias)``.
    """

    stages: Mapping[Oid, Stage]
    aliases: Mapping[Alias, Oid]
    tips: tuple[str, ...]
    standing: FoldState
    fold_all: Callable[[], tuple[LedgerEntry, ...]] = field(repr=False, compare=False)
    words: Mapping[tuple[str, ...], Event] = field(default_factory=dict)

    @property
    def history(self) -> tuple[LedgerEntry, ...]:
        """Every event, each after all that it knew of; where there is a choice, by id."""
        return self.fold_all()

    def words_of(self, commit: Oid) -> dict[str, Event]:
        """Return the events that set the stage and the aliases of a version: by ``stage`` and ``aliases.NAME``."""
        found = {f"aliases.{alias}": self.words["alias", alias] for alias in self.aliases_of(commit)}
        if ("stage", commit) in self.words:
            found["stage"] = self.words["stage", commit]
        return found

    def stage(self, commit: Oid) -> Stage:
        """Return the stage of a version, by its record commit."""
        return self.stages.get(commit, INITIAL)

    def aliases_of(self, commit: Oid) -> list[Alias]:
        """Return the aliases of a version, by its record commit, sorted."""
        return sorted(alias for alias, named in self.aliases.items() if named == commit)


def fold(notes: Mapping[Oid, Iterable[bytes]], *, kind: Kind, name: str) -> Ledger:
    """Fold the events of a name.

    Args:
        notes: Per annotated record commit, its lines (``notes.parse_note``), in any order, any number of times.
        kind: The kind that the notes ref spells.
        name: The name that the notes ref spells.

    Raises:
        PachaError: the events were made to be tangled (``graph.EFFORT``). Fold what was fetched before taking it over.
    """
    graph = build_graph(notes, kind=kind, name=name)
    registers = Registers(graph, _claim, _allows)
    history = tuple(_entry(ruling) for ruling in registers.rulings)
    held = held_in(registers)
    return _ledger(held, standing_of(registers, held, graph.tips), lambda: history)


def ledger_of(standing: FoldState, fold_all: Callable[[], tuple[LedgerEntry, ...]]) -> Ledger:
    """Return a ledger from what holds; its history is asked for when it is needed.

    Raises:
        ValueError: it is no such standing.
    """
    return _ledger(held_again(standing, _claim), standing, fold_all)


def _ledger(held: Iterable[Held], standing: FoldState, fold_all: Callable[[], tuple[LedgerEntry, ...]]) -> Ledger:
    stages: dict[Oid, Stage] = {}
    aliases: dict[Alias, Oid] = {}
    words: dict[Register, Event] = {}
    for _, event, claim, _ in held:
        what, key = claim.register
        words[claim.register] = event
        if what == "stage":
            stages[Oid(key)] = Stage(claim.value or "")
        elif claim.value is not None:
            aliases[Alias(key)] = Oid(claim.value)
    return Ledger(
        MappingProxyType(stages), MappingProxyType(aliases), standing.tips, standing, fold_all, MappingProxyType(words)
    )


def go_on(standing: FoldState, events: Iterable[tuple[Oid, Event]]) -> FoldState | None:
    """Tell what holds after further events; None if only a fold can say."""
    return extended(standing, events, _claim, _allows)


def _claim(node: Node) -> RegisterClaim | None:
    event = node.event
    if event.type == "stage":
        origin, target = read_stage(event)
        return RegisterClaim(("stage", node.commit), target, expected=origin)
    change = read_alias(event) if event.type == "alias" else None
    if change is None:
        return None
    return RegisterClaim(("alias", change.alias), node.commit if change.op == "set" else None)


def _allows(claim: RegisterClaim, held: str | None) -> bool:
    if claim.register[0] == "alias":
        return True
    return claim.expected == (held or INITIAL.value) and (claim.expected, claim.value) in _LEGAL_WORDS


def _entry(ruling: Ruling) -> LedgerEntry:
    return LedgerEntry(ruling.node.event, ruling.node.commit, ruling.status, ruling.crossing)
