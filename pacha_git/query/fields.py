"""The fields that ``--where`` may name, what their values are, and when one compares so to another.

It knows one field and one value at a time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from enum import Enum
from typing import Final

from pacha_git.errors import InvalidInput
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.stages import Stage
from pacha_git.vocabulary.versions import Version


class Type(Enum):
    """What the values of a field are, and so how they compare."""

    TEXT = "text"
    NUMBER = "number"
    SIZE = "size"
    DATE = "date"
    VERSION = "version"
    STAGE = "stage"
    KIND = "kind"
    ANY = "any"


FIELDS: Final = {
    "kind": Type.KIND, "name": Type.TEXT, "version": Type.VERSION, "stage": Type.STAGE, "status": Type.TEXT,
    "size": Type.SIZE, "file_count": Type.NUMBER, "created_at": Type.DATE, "finished_at": Type.DATE,
    "created_by": Type.TEXT, "description": Type.TEXT, "address": Type.TEXT, "commit": Type.TEXT,
    "signed_by": Type.TEXT, "payload": Type.TEXT, "alias": Type.TEXT, "recipe": Type.TEXT,
}  # fmt: skip
AREAS: Final = ("metrics", "params", "tags")
_SYNONYMS: Final = {"aliases": "alias", "started_at": "created_at", "registered_at": "created_at"}
_ORDERS: Final = ("<", "<=", ">", ">=")
_LIKE: Final = ("~", "!~")
_NEGATED: Final = {"!=": "=", "!~": "~", "not in": "in"}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)(b?)\Z", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\Z", re.IGNORECASE)
_DATE: Final = re.compile(
    r"(?P<day>\d{4}(?:-\d\d(?:-\d\d)?)?)(?:[T ](?P<time>\d\d:\d\d(?::\d\d)?)(?P<zone>Z|[+-]\d\d:?\d\d)?)?\Z",
    re.IGNORECASE,
)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Field:
    """A field: ``size``, or one of an area, as in ``metrics.acc``."""

    name: str
    type: Type

    @property
    def area(self) -> str:
        """metrics, params or tags; "" for any other."""
        return self.name.split(".", 1)[0] if self.type is Type.ANY else ""

    def check(self, operator: str) -> None:
        """Refuse an operator that makes no sense of its values.

        Raises:
            InvalidInput: such as ``stage > production``.
        """
        if operator in _LIKE and self.type in (Type.NUMBER, Type.SIZE):
            raise InvalidInput(f"{self.name} is a number, which can't contain a text")
        if operator in _ORDERS and self.type in (Type.STAGE, Type.KIND):
            raise InvalidInput(f"a {self.name} is not more or less than another", hint="use =, != or in")


@dataclass(frozen=True, slots=True)
class Operand:
    """What a value is compared to: a number, a span of time (from, up to but without), or a text."""

    text: str
    number: float | None = None
    span: tuple[str, str] | None = None


def field_of(text: str) -> Field:
    """Read the name of a field; the part after ``metrics.``, ``params.`` or ``tags.`` may stand in quotes.

    Raises:
        InvalidInput: there is none of that name.
    """
    area, dot, key = text.partition(".")
    if dot and area.lower() in AREAS:
        key = unquoted(key)
        if not key:
            raise InvalidInput(f"{area} of what?", hint=f"as in {area}.NAME")
        return Field(f"{area.lower()}.{key}", Type.ANY)
    name = _SYNONYMS.get(text.lower(), text.lower())
    if name not in FIELDS:
        known = [*FIELDS, *(f"{area}.NAME" for area in AREAS)]
        near = get_close_matches(name, FIELDS, 1) or get_close_matches(area.lower(), AREAS, 1)
        raise InvalidInput(
            f"no field {text[:40]!r}", hint=f"did you mean {near[0]}?" if near else "one of " + ", ".join(known)
        )
    return Field(name, FIELDS[name])


def unquoted(text: str) -> str:
    r"""Return a text without its quotes; ``\`` in quotes makes the next character stand for itself."""
    return _ESCAPED.sub(r"\1", text[1:-1]) if text[:1] in ("'", '"') and text[-1:] == text[:1] else text


def operand_of(field: Field, operator: str, said: str) -> Operand:
    """Read a value as its field wants it.

    Args:
        field: What it is compared with.
        operator: How.
        said: As typed, quotes included; a number in quotes is a text, where both could be.

    Raises:
        InvalidInput: it is nothing that the field could be.
    """
    text = unquoted(said)
    if operator in _LIKE:
        return Operand(text)
    match field.type:
        case Type.NUMBER:
            return Operand(text, _number(text))
        case Type.SIZE:
            return Operand(text, _size(text))
        case Type.DATE:
            return Operand(text, span=_span(text))
        case Type.VERSION:
            return Operand(str(Version.parse(text)))
        case Type.STAGE:
            return Operand(Stage.parse(text).value)
        case Type.KIND:
            return Operand(Kind.parse(text).value)
        case Type.ANY:
            return Operand(text, float(text) if text == said and _NUMBER.match(text) else None)
        case Type.TEXT:
            return Operand(text)


def _number(text: str) -> float:
    if not _NUMBER.match(text):
        raise InvalidInput(f"{text[:40]!r} is no number")
    return float(text)


def _size(text: str) -> float:
    match = _SIZE.match(text)
    if match is None:
        raise InvalidInput(f"{text[:40]!r} is no number of bytes", hint="as in 1500, 10MiB or 1.5GB")
    power = " kmgtp".index(match[2].lower() or " ")
    return float(match[1]) * float((1024 if match[3] else 1000) ** power)


def _span(text: str) -> tuple[str, str]:
    """Return the time that a date means: a year, a month, a day, a minute or a second."""
    match = _DATE.match(text)
    try:
        if match is None:
            raise ValueError
        return _clock(match) if match["time"] else _calendar(match["day"])
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{text[:40]!r} is no date", hint="as in 2026-07, 2026-07-29 or 2026-07-29T10:12:00Z"
        ) from None


def _calendar(day: str) -> tuple[str, str]:
    year, month, date = [*map(int, day.split("-")), 1, 1][:3]
    begin = datetime(year, month, date, tzinfo=UTC)
    if len(day) == 10:
        end = begin + timedelta(days=1)
    elif len(day) == 7:
        end = (begin + timedelta(days=31)).replace(day=1)
    else:
        end = begin.replace(year=begin.year + 1)
    return _instant(begin), _instant(end)


def _clock(match: re.Match[str]) -> tuple[str, str]:
    zone = match["zone"] or "Z"
    begin = datetime.fromisoformat(f"{match['day']}T{match['time']}{zone.upper()}").astimezone(UTC)
    return _instant(begin), _instant(begin + timedelta(seconds=60 if match["time"].count(":") == 1 else 1))


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def contains(text: str, part: str) -> bool:
    """Tell whether a text contains another, whatever the case of either."""
    return part.casefold() in text.casefold()


def version_key(text: str) -> str:
    """Return a text that sorts as SemVer orders versions; the build counts for nothing.

    Raises:
        InvalidInput: it is no version.
    """
    core, _, rest = str(Version.parse(text)).split("+", 1)[0].partition("-")
    numbers = "".join(map(_sortable, core.split(".")))
    # A release comes after its prereleases; fewer of their parts before more; a number before a word.
    words = "".join(f"0{_sortable(part)}!" if part.isdigit() else f"1{part}!" for part in rest.split(".")) or "~"
    return numbers + (words if rest else "~")


def _sortable(digits: str) -> str:
    return f"{len(digits):03}{digits}"


def holds_for(field: Field, operator: str, operands: Sequence[Operand], text: str, number: float | None) -> bool:
    """Tell whether a value compares so: its text, and the number that it is or reads as.

    Numbers compare with numbers, texts by code point, versions as SemVer orders them, a date as the time that it means.
    """
    if operator in _NEGATED:
        return not holds_for(field, _NEGATED[operator], operands, text, number)
    if operator == "in":
        return any(holds_for(field, "=", [operand], text, number) for operand in operands)
    operand = operands[0]
    if operator == "~":
        return contains(text, operand.text)
    if operand.number is not None:
        return number is not None and not math.isnan(number) and _ordered(operator, number, operand.number)
    if operand.span is not None:
        return _within(operator, text, operand.span)
    if field.type is Type.VERSION and operator != "=":
        return _ordered(operator, version_key(text), version_key(operand.text))
    return _ordered(operator, text, operand.text)


def _within(operator: str, at: str, span: tuple[str, str]) -> bool:
    begin, end = span
    match operator:
        case "=":
            return begin <= at < end
        case "<":
            return at < begin
        case "<=":
            return at < end
        case ">":
            return at >= end
        case _:
            return at >= begin


def _ordered(operator: str, one: float | str, other: float | str) -> bool:
    below, same = one < other, one == other  # type: ignore[operator]
    match operator:
        case "=":
            return same
        case "<":
            return below
        case "<=":
            return below or same
        case ">":
            return not (below or same)
        case _:
            return not below
