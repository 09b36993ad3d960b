"""How a result says itself in JSON values; it knows no result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol

Json = dict[str, Any]


class Progress(Protocol):
    """Called as work goes on: ``done`` of ``total`` (None: not known) units, bytes unless ``unit`` says otherwise."""

    def __call__(self, what: str, done: int, total: int | None, unit: str = "bytes") -> None:
        """Report one step."""


def plain(value: Any, leave_out: Sequence[str] = ()) -> Json:
    """Turn a result into JSON values, tuples into lists."""
    return {f.name: jsonable(getattr(value, f.name)) for f in fields(value) if f.name not in leave_out}


def jsonable(value: Any) -> Any:
    """Tuples as lists, mappings as dicts, all the way down."""
    if isinstance(value, Mapping):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [jsonable(item) for item in value]
    return value
