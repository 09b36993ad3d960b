"""How a result says itself in JSON values; it knows no result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

Json = dict[str, Any]


def plain(value: Any, leave_out: Sequence[str] = ()) -> Json:
    """Turn a result into JSON values, tuples into lists."""
    return {f.name: jsonable(getattr(value, f.name)) for f in fields(value) if f.name not in leave_out}


def jsonable(value: Any) -> Any:
    """Tuples as lists, mappings and values of ours as dicts, all the way down."""
    if isinstance(value, Mapping):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [jsonable(item) for item in value]
    return value.to_json() if hasattr(value, "to_json") else value
