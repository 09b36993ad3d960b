"""What a record keeps of what its files say of themselves, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pacha_git.format.record import Record
from pacha_git.session.results import Json

KEY: Final = "inspected"
KEY_OF_MORE: Final = "inspected_more"
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


def more_of(record: Record) -> Json | None:
    """Tell what is known of the files for which the record had no room: how many, of which formats, with what sum."""
    kept = (record.model_extra or {}).get(KEY_OF_MORE)
    if not isinstance(kept, Mapping) or not isinstance(kept.get("files"), int):
        return None
    formats = kept.get("formats")
    sound: Json = {"files": kept["files"], "formats": formats if isinstance(formats, Mapping) else {}}
    sound |= {key: kept[key] for key in ("parameters", "runs_code") if isinstance(kept.get(key), int | str)}
    return sound


def _fits(key: str, item: Any) -> bool:
    return key in _TYPES and isinstance(item, _TYPES[key])
