"""One event as the line of a note: its envelope, its id, its hash and its limits.

It knows one line at a time. The format is docs/format.md, "Events".
"""

from __future__ import annotations

import os
import re
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import blake3

from pacha_git.errors import Corrupt, InvalidInput
from pacha_git.format import canonical
from pacha_git.format.grammar import check_identity, timestamp
from pacha_git.format.record import Target

LINE_LIMIT: Final = 2**20
ENVELOPE_KEYS: Final = frozenset({"id", "registry", "target", "after", "at", "by", "reason", "type", "sig"})

_EVENT_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
HASH: Final = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Event:
    """A line that parses. Two are equal if their lines are.

    Reading is lenient: apart from ``after``, a key that is missing or of another type reads as empty, for such a line
    is a node of the graph all the same. Whether it sets anything is the ledger's to say.

    Attributes:
        line: The bytes, without the LF.
        hash: BLAKE3 of ``line``, bare hex, as ``after`` writes it.
        id: The UUIDv7 before the TAB.
        body: The JSON object, with every key, known or not.
    """

    line: bytes
    hash: str = field(compare=False)
    id: str = field(compare=False)
    body: Mapping[str, Any] = field(compare=False, repr=False)

    def text(self, key: str) -> str:
        """Return the text under a key; empty if there is none."""
        return _text(self.body, key)

    @property
    def own_id(self) -> bool:
        """Whether the JSON repeats the id of the line."""
        return self.body.get("id") == self.id

    @property
    def type(self) -> str:
        """What sort of event it is: ``stage``, ``alias``, ``tag`` and so on."""
        return self.text("type")

    @property
    def at(self) -> str:
        """When it was made, by the clock of whoever made it."""
        return self.text("at")

    @property
    def by(self) -> str:
        """Who made it, ``Name <email>``, as they said themselves."""
        return self.text("by")

    @property
    def reason(self) -> str:
        """Why; empty if that was not said."""
        return self.text("reason")

    @property
    def registry(self) -> str:
        """The UUID of the registry it was made in; no fold reads it."""
        return self.text("registry")

    @property
    def sig(self) -> str | None:
        """The armored SSH signature over ``signed_part``, if signed."""
        return self.text("sig") or None

    @property
    def kind(self) -> str:
        """The kind of its target."""
        return _text(self._target, "kind")

    @property
    def name(self) -> str:
        """The name of its target."""
        return _text(self._target, "name")

    @property
    def version(self) -> str:
        """The version of its target, as it says itself; what counts is ``commit``."""
        return _text(self._target, "version")

    @property
    def record(self) -> str:
        """The record address of its target, as it says itself."""
        return _text(self._target, "record")

    @property
    def commit(self) -> str:
        """The record commit that it is about."""
        return _text(self._target, "commit")

    @property
    def after(self) -> tuple[str, ...]:
        """The hashes of the lines that were newest when it was made."""
        return tuple(self.body["after"])

    @property
    def fields(self) -> dict[str, Any]:
        """What its type adds to the envelope."""
        return {key: value for key, value in self.body.items() if key not in ENVELOPE_KEYS}

    @property
    def _target(self) -> Mapping[str, Any]:
        target = self.body.get("target")
        return target if isinstance(target, dict) else {}


@dataclass(frozen=True, slots=True)
class Statement:
    """What an event says, apart from of what, by whom and when: a type and the keys of that type."""

    type: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Envelope:
    """Of what, by whom, when, why, and knowing what.

    Attributes:
        registry: UUID of the registry it is made in.
        target: The version it is about.
        after: The hashes of all newest lines known in the same notes ref.
        at: ``YYYY-MM-DDTHH:MM:SSZ``.
        by: ``Name <email>``.
        reason: Why, or nothing.
    """

    registry: str
    target: Target
    after: Sequence[str]
    at: str
    by: str
    reason: str = ""

    def following(self, event: Event) -> Envelope:
        """Return the same, for an event made right after ``event`` (which must be signed by now, if it is to be)."""
        return replace(self, after=(event.hash,))


def compose(statement: Statement, envelope: Envelope, *, event_id: str | None = None) -> Event:
    """Make an event.

    Args:
        statement: What it says.
        envelope: Of what, by whom, when.
        event_id: Its UUIDv7; None for a new one.

    Raises:
        InvalidInput: a bad time, identity or ``after``, or a line over ``LINE_LIMIT``.
    """
    timestamp(envelope.at)
    if not _are_hashes(list(envelope.after)):
        raise InvalidInput("not the hashes of lines: " + ", ".join(envelope.after)[:200])
    return _event_of({
        **statement.fields,
        "id": event_id or new_event_id(),
        "registry": envelope.registry,
        "target": envelope.target.model_dump(),
        "after": sorted(set(envelope.after)),
        "at": envelope.at,
        "by": check_identity(envelope.by),
        "reason": envelope.reason,
        "type": statement.type,
    })  # fmt: skip


def encode_event(body: Mapping[str, Any]) -> bytes:
    """Write the line of an event, without its LF: its id, a TAB, and the canonical JSON of ``body``.

    Raises:
        InvalidInput: its id is no UUIDv7, it can't be written as canonical JSON, or the line is over ``LINE_LIMIT``
            bytes.
    """
    event_id = _text(body, "id")
    if not _EVENT_ID.match(event_id):
        raise InvalidInput(f"not the id of an event (a UUIDv7): {event_id[:80]!r}")
    line = event_id.encode() + b"\t" + canonical.encode(dict(body))
    if len(line) > LINE_LIMIT:
        raise InvalidInput(f"an event of {len(line)} bytes: the most is {LINE_LIMIT}", hint="shorten its text")
    return line


def parse_line(line: bytes) -> Event | None:
    """Read a line of a note; None if it doesn't parse.

    It parses if it is at most ``LINE_LIMIT`` bytes: a UUIDv7, a TAB, then canonical JSON, an object whose ``after``
    is an array of strings of 64 lowercase hex digits.

    Args:
        line: The line, without its LF.
    """
    if len(line) > LINE_LIMIT:
        return None
    head, tab, data = line.partition(b"\t")
    event_id = head.decode("ascii", "replace")
    if not tab or not _EVENT_ID.match(event_id):
        return None
    try:
        body = canonical.decode(data, limit=LINE_LIMIT, what="an event")
    except Corrupt:
        return None
    if not isinstance(body, dict) or not _are_hashes(body.get("after")):
        return None
    return Event(line, line_hash(line), event_id, body)


def line_hash(line: bytes) -> str:
    """Return the BLAKE3 of a line without its LF, signature and all: 64 hex digits, as ``after`` writes them."""
    return blake3.blake3(line).hexdigest()


def signed_part(line: bytes) -> bytes:
    """Tell what a signature (namespace ``pacha-event``) is over: the line as it would be without ``sig``.

    Law: ``signed_part(with_signature(e, s).line) == e.line`` for an unsigned e.

    Raises:
        Corrupt: the line is no event.
    """
    event = parse_line(line)
    if event is None:
        raise Corrupt(f"not the line of an event: {line[:80]!r}")
    body = {key: value for key, value in event.body.items() if key != "sig"}
    return event.id.encode() + b"\t" + canonical.encode(body)


def with_signature(event: Event, armored: str) -> Event:
    """Return the same event, carrying a signature; a line of its own, with a hash of its own.

    Raises:
        InvalidInput: it makes the line too long.
    """
    return _event_of({**event.body, "sig": armored})


def _event_of(body: dict[str, Any]) -> Event:
    line = encode_event(body)
    return Event(line, line_hash(line), body["id"], body)


def _are_hashes(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and HASH.match(text) for text in value)


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""


class _Ids:
    """UUIDv7s, ascending (RFC 9562, section 6.2, method 1: a counter of 12 bits within the millisecond)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self, milliseconds: int) -> uuid.UUID:
        with self._lock:
            # 60 bits, milliseconds then counter: a full counter or a clock set back simply runs ahead of the clock.
            self._last = max(milliseconds << 12, self._last + 1)
            tick = self._last
        low = int.from_bytes(os.urandom(8), "big") >> 2
        return uuid.UUID(int=(tick >> 12) << 80 | 0x7 << 76 | (tick & 0xFFF) << 64 | 0b10 << 62 | low)


_ids: Final = _Ids()


def new_event_id() -> str:
    """Return a new UUIDv7; within a process each is greater than the one before, whatever the clock does."""
    return str(_ids.next(time.time_ns() // 1_000_000))
