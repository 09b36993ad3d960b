"""What a record keeps of what its files say of themselves, whoever wrote it; it refuses to know any format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pacha_git.format.record import Record
from pacha_git.session.results import Json

KEY: Final = "inspected"
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "path": str, "format": str, "parameters": (int, str), "tensors": int, "dtypes": dict, "shapes": list,
    "metadata": dict, "runs_code": bool, "imports": list, "warnings": list,
}  # fmt: skip


def formats_of(record: Record) -> tuple[Json, ...]:
    """Path, format and what else is known of each file; what has another shape is left out."""
    kept = (record.model_extra or {}).get(KEY)
    found = [value for value in kept if isinstance(value, Mapping)] if isinstance(kept, list) else []
    sound = [{key: item for key, item in value.items() if _fits(key, item)} for value in found]
    return tuple(value for value in sound if "path" in value and "format" in value)


def _fits(key: str, item: Any) -> bool:
    return key in _TYPES and isinstance(item, _TYPES[key])
