"""What each field of a recipe may hold, as a table of rules; it knows values alone, neither lines nor names.

The fields are those of pacha's training recipes. A boolean is no number, and a float is no whole number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from pacha_git.format.documents.toml_lines import KeyPath

Check: TypeAlias = Callable[[Any], str]

COMPONENTS: Final = {"optimizer": "optimizer_type", "scheduler": "scheduler_type", "loss": "loss_type"}
PARAMETER_TABLES: Final[tuple[tuple[str, str], ...]] = (
    ("hyperparameters", "custom"),
    *((component, "params") for component in COMPONENTS),
)
_TAGS: Final[Mapping[str, tuple[type, ...]]] = {
    "Float": (float, int),
    "Int": (int,),
    "Bool": (bool,),
    "String": (str,),
    "List": (list,),
}


def unwrapped(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with pacha's tagged parameters, as in ``dropout = { Float = 0.1 }``, replaced by what they hold."""
    result = dict(values)
    for outer, inner in PARAMETER_TABLES:
        table = result.get(outer)
        if isinstance(table, dict) and isinstance(table.get(inner), dict):
            result[outer] = {**table, inner: {key: _untagged(value) for key, value in table[inner].items()}}
    return result


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((tag, held),) = value.items()
    if tag not in _TAGS or type(held) not in _TAGS[tag]:
        return value
    return float(held) if tag == "Float" else _untagged(held)


def field_problems(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Yield each field that holds what it may not, with what it must be."""
    for path, check in _RULES.items():
        found, value = _look_up(values, path)
        problem = check(value) if found else ""
        if problem:
            yield path, f"{problem}, not {_shown(value)}"
    for path in PARAMETER_TABLES:
        found, table = _look_up(values, path)
        if found and isinstance(table, dict):
            for key, value in table.items():
                problem = _parameter(value)
                if problem:
                    yield (*path, key), f"{problem}, not {_shown(value)}"


def _look_up(values: Mapping[str, Any], path: tuple[str, ...]) -> tuple[bool, Any]:
    value: Any = values
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return False, None
        value = value[key]
    return True, value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _text(value: Any) -> str:
    return "" if isinstance(value, str) and "\0" not in value else "must be a text"


def _table(value: Any) -> str:
    return "" if isinstance(value, dict) else "must be a table"


def _boolean(value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _text_or_table(value: Any) -> str:
    return "" if isinstance(value, (str, dict)) else "must be a text or a table"


def _list_of_steps(value: Any) -> str:
    good = isinstance(value, list) and all(isinstance(item, (str, dict)) for item in value)
    return "" if good else "must be a list of texts"


def _list_of_texts(value: Any) -> str:
    good = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return "" if good else "must be a list of texts"


def _list_or_table(value: Any) -> str:
    return "" if isinstance(value, (list, dict)) else "must be a list or a table"


def _table_of_texts(value: Any) -> str:
    good = isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
    return "" if good else "must be a table of texts"


def _date(value: Any) -> str:
    return "" if isinstance(value, str) or hasattr(value, "isoformat") else "must be a date"


def _table_of_tables(value: Any) -> str:
    good = isinstance(value, dict) and all(isinstance(item, dict) for item in value.values())
    return "" if good else "must be a table for each metric, as in [metrics.accuracy]"


def _whole(least: int, most: int = 2**63 - 1) -> Check:
    def check(value: Any) -> str:
        good = type(value) is int and least <= value <= most
        return "" if good else f"must be a whole number of at least {least}"

    return check


def _number(*, above: float | None = None, least: float | None = None) -> Check:
    bound = f" above {above:g}" if above is not None else f" of at least {least:g}"

    def check(value: Any) -> str:
        good = type(value) in (int, float) and math.isfinite(value)
        good = good and (above is None or value > above) and (least is None or value >= least)
        return "" if good else f"must be a number{bound}"

    return check


def _component(type_key: str) -> Check:
    def check(value: Any) -> str:
        if isinstance(value, str):
            return ""
        if not isinstance(value, dict):
            return "must be a table with a type, or a text"
        named = value.get("type", value.get(type_key))
        return "" if isinstance(named, str) else "must have a type, a text"

    return check


def _parameter(value: Any) -> str:
    if isinstance(value, list):
        return "" if not any(map(_parameter, value)) else "must be a list of numbers, booleans, texts or lists"
    return "" if type(value) in (int, float, bool, str) else "must be a number, boolean, text or list"


_RULES: Final[Mapping[tuple[str, ...], Check]] = {
    ("id",): _text,
    ("created_at",): _date,
    ("description",): _text,
    ("architecture",): _text_or_table,
    ("hyperparameters",): _table,
    ("hyperparameters", "learning_rate"): _number(above=0),
    ("hyperparameters", "batch_size"): _whole(1),
    ("hyperparameters", "epochs"): _whole(1),
    ("hyperparameters", "weight_decay"): _number(least=0),
    ("hyperparameters", "max_grad_norm"): _number(above=0),
    ("hyperparameters", "warmup_steps"): _whole(0),
    ("hyperparameters", "custom"): _table,
    **{(component,): _component(type_key) for component, type_key in COMPONENTS.items()},
    **{(component, "params"): _table for component in COMPONENTS},
    ("preprocessing",): _list_of_steps,
    ("augmentation",): _list_of_steps,
    ("random_seed",): _whole(0, 2**64 - 1),
    ("deterministic",): _boolean,
    ("dependencies",): _list_or_table,
    ("dependencies", "system_deps"): _list_of_texts,
    ("dependencies", "env_vars"): _table_of_texts,
    ("hardware",): _table,
    ("hardware", "min_cpu_cores"): _whole(0),
    ("hardware", "min_ram_gb"): _number(least=0),
    ("hardware", "gpu"): _table,
    ("hardware", "gpu", "count"): _whole(0),
    ("hardware", "gpu", "min_vram_gb"): _number(least=0),
    ("hardware", "gpu", "compute_capability"): _text,
    ("hardware", "estimated_duration_secs"): _number(least=0),
    ("metrics",): _table_of_tables,
    ("extra",): _table,
}
