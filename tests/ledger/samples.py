"""Versions, lines and replicas that the tests of the ledger start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pacha_git.format.event import Envelope, Event, Statement, compose, encode_event, parse_line
from pacha_git.format.record import Target
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger import Ledger, fold
from pacha_git.ledger.statements import alias_event, stage_event
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Alias
from pacha_git.vocabulary.stages import Stage

NAME = "team/fraud"
REGISTRY = "6a1f1d5e-8a43-4c1b-9c55-0d6d1b1f7a01"
BY = "Ada Lovelace <ada@example.org>"
AT = "2025-01-02T03:04:05Z"
LAST_ID = "ffffffff-ffff-7fff-bfff-ffffffffffff"
FIRST_ID = "00000000-0000-7000-8000-000000000000"


def event_id(number: int) -> str:
    """A UUIDv7; greater for a greater number."""
    return f"01900000-{number // 65536:04x}-7000-8000-{number % 65536:012x}"


def commit(number: int) -> Oid:
    return Oid(f"{number:040x}")


def target(number: int, **changes: Any) -> Target:
    """The version 1.<number>.0 of the name, with the commit of that number."""
    values = {
        "kind": "model",
        "name": NAME,
        "version": f"1.{number}.0",
        "record": f"blake3:{number:064x}",
        "commit": commit(number),
    }
    return Target.model_validate({**values, **changes})


def envelope(of: Target, after: Sequence[str] = (), **changes: Any) -> Envelope:
    return Envelope(**{"registry": REGISTRY, "target": of, "after": after, "at": AT, "by": BY, **changes})


def event(statement: Statement, of: int, *after: Event, number: int = 0, **changes: Any) -> Event:
    """An event on version ``of`` that knows of ``after``."""
    made = envelope(target(of), [other.hash for other in after], **changes)
    return compose(statement, made, event_id=event_id(number))


def move(origin: str, to: str, of: int, *after: Event, number: int = 0, **changes: Any) -> Event:
    return event(stage_event(Stage.parse(origin), Stage.parse(to)), of, *after, number=number, **changes)


def point(alias: str, of: int, *after: Event, number: int = 0, op: Any = "set") -> Event:
    return event(alias_event(Alias.parse(alias), op), of, *after, number=number)


def altered(original: Event, **changes: Any) -> Event:
    """The event with other values in its JSON, as somebody else might write it; ``...`` takes a key away."""
    body = {key: value for key, value in {**original.body, **changes}.items() if value is not ...}
    line = encode_event(body)
    parsed = parse_line(line)
    assert parsed is not None
    return parsed


def notes(*events: Event) -> dict[Oid, list[bytes]]:
    """Each event on the commit that it speaks of."""
    found: dict[Oid, list[bytes]] = {}
    for one in events:
        found.setdefault(Oid(one.commit), []).append(one.line)
    return found


def ledger(*events: Event) -> Ledger:
    return folded(notes(*events))


def folded(lines: Mapping[Oid, Iterable[bytes]]) -> Ledger:
    return fold(lines, kind=Kind.MODEL, name=NAME)


def outcome(of: Ledger) -> tuple[object, ...]:
    """All that a ledger says, comparable."""
    return dict(of.stages), dict(of.aliases), of.tips, of.history
