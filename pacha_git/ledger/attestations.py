"""What was said of a name's versions after they were registered: tags, texts, endorsements, evaluations, tombstones.

It knows the lines alone, folded as events are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pacha_git.format.event import Event
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.graph import Node, build_graph
from pacha_git.ledger.registers import RegisterClaim, Registers, anything
from pacha_git.ledger.standing import FoldState, Held, extended, held_again, held_in, standing_of
from pacha_git.ledger.statements import read_tag, read_text, reads_as_addition
from pacha_git.vocabulary.kinds import Kind


@dataclass(slots=True)
class Attested:
    """What is attested of one version.

    Attributes:
        tags: Tags that were set (text) or taken away (None) since it was registered.
        description: The text in place of the record's description, if any.
        card: The text in place of the record's card, if any.
        datasheet: The text in place of the record's datasheet, if any.
        endorsements: Who vouched for it; all of them, each after those it knew of, as in the next two.
        evaluations: What was measured of it.
        tombstones: Who says that its payload is removed; which of them count is for ``removals`` to say.
        revokes: Who took a tombstone back; likewise.
        words: The event that set each word in force, by ``WORD`` or ``tags.KEY``.
    """

    tags: dict[str, str | None] = field(default_factory=dict)
    description: str | None = None
    card: str | None = None
    datasheet: str | None = None
    endorsements: list[Event] = field(default_factory=list)
    evaluations: list[Event] = field(default_factory=list)
    tombstones: list[Event] = field(default_factory=list)
    revokes: list[Event] = field(default_factory=list)
    words: dict[str, Event] = field(default_factory=dict)

    def document(self, file: str) -> str | None:
        """Return the text in place of a document of the record, by its file name; None if there is none."""
        return {"card.md": self.card, "datasheet.md": self.datasheet}.get(file)

    def tags_over(self, recorded: Mapping[str, str]) -> dict[str, str]:
        """Return the tags of a version, from those of its record, sorted by key."""
        tags = {**recorded, **self.tags}
        return {key: value for key, value in sorted(tags.items()) if value is not None}


@dataclass(frozen=True, slots=True)
class Attestations:
    """What the attestations of one name come to.

    Attributes:
        of: Per record commit of which something is attested.
        tips: What the next attestation's ``after`` must be.
        void: The lines that set nothing, each with the record it is annotated on; honest writers make none.
        effective: The other lines, likewise; both only of a whole fold, not of a standing that went on.
    """

    of: Mapping[Oid, Attested]
    tips: tuple[str, ...]
    standing: FoldState
    void: tuple[tuple[Oid, Event], ...] = ()
    effective: tuple[tuple[Oid, Event], ...] = ()

    def about(self, commit: Oid) -> Attested:
        """Tell what is attested of a version, by its record commit; nothing is an empty value."""
        return self.of.get(commit) or Attested()


def fold_attestations(notes: Mapping[Oid, Iterable[bytes]], *, kind: Kind, name: str) -> Attestations:
    """Fold the attestations of a name; arguments and errors as in ``fold``."""
    graph = build_graph(notes, kind=kind, name=name)
    registers = Registers(graph, _claim)
    void = tuple((ruling.node.commit, ruling.node.event) for ruling in registers.rulings if ruling.claim is None)
    effective = tuple((each.node.commit, each.node.event) for each in registers.rulings if each.claim is not None)
    held = held_in(registers)
    return replace(_attestations(held, standing_of(registers, held, graph.tips), void), effective=effective)


def attestations_of(standing: FoldState) -> Attestations:
    """Return the attestations from what holds.

    Raises:
        ValueError: it is no such standing.
    """
    return _attestations(held_again(standing, _claim), standing, ())


def _attestations(held: Iterable[Held], standing: FoldState, void: tuple[tuple[Oid, Event], ...]) -> Attestations:
    of: dict[Oid, Attested] = {}
    # An addition is the only claim to its register, so it is its winner too: all in the order of the graph.
    for commit, event, claim, _ in held:
        _take(of.setdefault(commit, Attested()), event, claim)
    return Attestations(of, standing.tips, standing, void)


def go_on(standing: FoldState, events: Iterable[tuple[Oid, Event]]) -> FoldState | None:
    """Tell what holds after further attestations; None if only a fold can say."""
    return extended(standing, events, _claim, anything)


def _claim(node: Node) -> RegisterClaim | None:
    event = node.event
    if event.type == "tag":
        change = read_tag(event)
        return None if change is None else RegisterClaim(("tag", node.commit, change.key), change.value)
    if event.type in ("describe", "card", "datasheet"):
        text = read_text(event)
        return None if text is None else RegisterClaim((event.type, node.commit), text)
    return RegisterClaim((event.type, event.hash), None) if reads_as_addition(event) else None


def _take(attested: Attested, event: Event, claim: RegisterClaim) -> None:
    match event.type:
        case "tag":
            attested.tags[claim.register[2]] = claim.value
            attested.words[f"tags.{claim.register[2]}"] = event
        case "describe":
            attested.description = claim.value
            attested.words["description"] = event
        case "card":
            attested.card = claim.value
            attested.words["card"] = event
        case "datasheet":
            attested.datasheet = claim.value
            attested.words["datasheet"] = event
        case "endorse":
            attested.endorsements.append(event)
        case "evaluate":
            attested.evaluations.append(event)
        case "tombstone":
            attested.tombstones.append(event)
        case "revoke":
            attested.revokes.append(event)
