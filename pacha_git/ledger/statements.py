"""What events and attestations say, type by type: how each is written and how it is read back.

It knows the keys of every type. A statement that can't be read is None: it sets nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from pacha_git.errors import InvalidInput
from pacha_git.format.event import HASH, Event, Statement
from pacha_git.format.record import Target
from pacha_git.vocabulary.names import Alias
from pacha_git.vocabulary.stages import Stage

TEXT_LIMIT: Final = 512 * 2**10
ALIAS_OPS: Final = ("set", "unset")
RECORD_SCOPE: Final = "record"
ADDING_TYPES: Final = ("endorse", "evaluate", "tombstone", "revoke")


class AliasChange(NamedTuple):
    """An alias set on, or taken from, the target."""

    alias: Alias
    op: Literal["set", "unset"]


class TagChange(NamedTuple):
    """A tag set, or taken away (``value`` None)."""

    key: str
    value: str | None


def stage_event(origin: Stage, target: Stage) -> Statement:
    """Say that the target moves from one stage to another."""
    return Statement("stage", {"from": origin.value, "to": target.value})


def alias_event(alias: Alias, op: Literal["set", "unset"]) -> Statement:
    """Say that an alias names the target from now on, or nothing (the target is then what it named)."""
    return Statement("alias", {"name": str(alias), "op": op})


def tag(key: str, value: str | None) -> Statement:
    """Attest a tag; ``value`` None takes it away.

    Raises:
        InvalidInput: the key is empty.
    """
    if not key:
        raise InvalidInput("a tag without a key", hint="as in domain=finance")
    return Statement("tag", {"key": key, "value": value})


def describe(text: str) -> Statement:
    """Attest a description, in place of the one before."""
    return Statement("describe", {"text": text})


def card(text: str) -> Statement:
    """Attest a model card, in place of the one before.

    Raises:
        InvalidInput: it is over ``TEXT_LIMIT`` bytes.
    """
    return Statement("card", {"text": _within_limit(text, "card")})


def datasheet(text: str) -> Statement:
    """Attest a datasheet, in place of the one before.

    Raises:
        InvalidInput: it is over ``TEXT_LIMIT`` bytes.
    """
    return Statement("datasheet", {"text": _within_limit(text, "datasheet")})


def endorse(scope: str = RECORD_SCOPE) -> Statement:
    """Vouch for the target; ``record`` is the record and through it every byte."""
    return Statement("endorse", {"scope": scope})


def evaluate(data: Target, metrics: Mapping[str, int | float | str]) -> Statement:
    """Attest what was measured of the target on a dataset (numbers as in a record: see ``canonical.json_number``)."""
    return Statement("evaluate", {"data": data.model_dump(), "metrics": dict(metrics)})


def tombstone() -> Statement:
    """Say that the payload of the target is removed; the envelope says by whom, when and why."""
    return Statement("tombstone", {})


def revoke(tombstone: str) -> Statement:
    """Take a tombstone back, by the hash of its line."""
    return Statement("revoke", {"of": tombstone})


def read_stage(event: Event) -> tuple[str, str]:
    """Return the words for the two stages of a ``stage`` event, as they stand there; empty for what is no text."""
    return event.text("from"), event.text("to")


def read_alias(event: Event) -> AliasChange | None:
    """Return the alias and what happens to it, of an ``alias`` event."""
    name, op = event.body.get("name"), event.body.get("op")
    if not isinstance(name, str) or op not in ALIAS_OPS:
        return None
    try:
        return AliasChange(Alias.parse(name), op)
    except InvalidInput:
        return None


def read_tag(event: Event) -> TagChange | None:
    """Key and value of a ``tag`` attestation."""
    key, value = event.body.get("key"), event.body.get("value", False)
    if isinstance(key, str) and (value is None or isinstance(value, str)):
        return TagChange(key, value)
    return None


def read_text(event: Event) -> str | None:
    """Return the text of ``describe``, ``card`` or ``datasheet``."""
    text = event.body.get("text")
    if not isinstance(text, str) or (event.type != "describe" and _too_long(text)):
        return None
    return text


def reads_as_addition(event: Event) -> bool:
    """Tell whether it is an ``endorse``, ``evaluate``, ``tombstone`` or ``revoke`` (they only add up) with its keys."""
    if event.type == "endorse":
        return isinstance(event.body.get("scope"), str)
    if event.type == "evaluate":
        return isinstance(event.body.get("data"), dict) and _are_metrics(event.body.get("metrics"))
    if event.type == "revoke":
        return HASH.match(event.text("of")) is not None
    return event.type == "tombstone"


def _too_long(text: str) -> bool:
    return len(text.encode("utf-8", "surrogatepass")) > TEXT_LIMIT


def _within_limit(text: str, what: str) -> str:
    if _too_long(text):
        raise InvalidInput(f"the {what} is over {TEXT_LIMIT // 2**10} KiB", hint="keep long text in the payload")
    return text


def _are_metrics(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(number, (int, float, str)) and not isinstance(number, bool) for number in value.values()
    )
