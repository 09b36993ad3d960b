"""What is known of a file from its head: its format, its tensors, what it says of itself, and what is dubious about it.

Everything in it is bounded, so that a record can hold it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

MOST_SHAPES: Final = 48
MOST_METADATA: Final = 48
MOST_IMPORTS: Final = 48
_LONGEST_TEXT: Final = 400
_LONGEST_SHAPE: Final = 16
_DEEPEST: Final = 16
_MOST_BITS: Final = 4096
_MOST_NUMBER: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: its type as the format names it, and its shape, outermost first.

    Attributes:
        dtype: The type.
        shape: The shape.
        packed: How many numbers one element holds, where several are packed into one.
    """

    dtype: str
    shape: tuple[int, ...]
    packed: int = 1

    @property
    def parameters(self) -> int:
        """How many numbers it has."""
        return prod(self.shape) * self.packed


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says of itself.

    Attributes:
        format: One of those in docs/formats.md.
        tensors: Those that its head names; None if the format has none, or they are not told.
        metadata: Other things it says: texts, numbers, truth values, lists of these.
        runs_code: Whether loading it runs code that it brings along.
        imports: What a pickle imports when it is loaded, as ``module.name``.
        warnings: What does not hold together: a head that is cut short or lies.
        needs: Other files that it is nothing without, by their paths from its own folder, with the bytes that each
            must have. They are no part of what a record keeps.
    """

    format: str
    tensors: tuple[Tensor, ...] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    runs_code: bool = False
    imports: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    needs: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As a record keeps it: shapes counted, long texts and lists cut; what is empty is left out."""
        value: dict[str, Any] = {"format": self.format}
        if self.tensors is not None:
            value |= _tensors_json(self.tensors)
        if self.metadata:
            value["metadata"] = _metadata_json(self.metadata)
        if self.runs_code:
            value["runs_code"] = True
        if self.imports:
            value["imports"] = [_text(name) for name in self.imports[:MOST_IMPORTS]]
        if self.warnings:
            value["warnings"] = [_text(warning) for warning in self.warnings[:8]]
        return value


def _tensors_json(tensors: Sequence[Tensor]) -> dict[str, Any]:
    parameters: Counter[str] = Counter()
    shapes: Counter[Tensor] = Counter()
    for tensor in tensors:
        parameters[tensor.dtype] += tensor.parameters
        shapes[tensor] += 1
    largest = sorted(shapes.items(), key=lambda item: -item[0].parameters * item[1])
    return {
        "parameters": _number(sum(parameters.values())),
        "tensors": len(tensors),
        "dtypes": {_text(dtype): _number(count) for dtype, count in sorted(parameters.items())},
        "shapes": [
            {
                "dtype": _text(tensor.dtype),
                "shape": [_number(size) for size in tensor.shape[:_LONGEST_SHAPE]],
                "count": n,
            }
            for tensor, n in largest[:MOST_SHAPES]
        ],
    }


def _metadata_json(metadata: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
    return {_text(_word(key)): _plain(value, depth) for key, value in list(metadata.items())[:MOST_METADATA]}


def _word(key: Any) -> str:
    return key if isinstance(key, str) else str(_plain(key))


def _plain(value: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return _number(value)
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, Mapping):
        return _metadata_json(value, depth + 1)
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [_plain(item, depth + 1) for item in list(value)[:MOST_METADATA]]
    return _text(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def _number(value: int) -> int | str:
    # Canonical JSON holds no larger integers; as digits nothing is lost.
    if abs(value) <= _MOST_NUMBER:
        return value
    return str(value) if value.bit_length() <= _MOST_BITS else f"a number of {value.bit_length()} bits"


def _text(value: str) -> str:
    text = value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
