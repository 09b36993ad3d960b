"""Reads the head of a safetensors file: https://huggingface.co/docs/safetensors; the tensors it refuses to touch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pacha_git.inspectors.facts import Facts, Tensor
from pacha_git.inspectors.source import Damaged, Source, Unseen

_LONGEST_HEAD: Final = 16 << 20
_BITS: Final = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
    "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


def is_safetensors(source: Source) -> bool:
    """Whether it begins like one: the length of a head, and the brace that opens it.

    A head of 128 bytes makes the first byte 0x80, as in a pickle; the brace tells them apart.
    """
    start = source.some(0, 9)
    return len(start) == 9 and start[8:] == b"{" and 2 <= int.from_bytes(start[:8], "little") <= 100_000_000


def read_safetensors(source: Source) -> Facts:
    """Read its tensors and metadata.

    Raises:
        Damaged: the head is cut short or can't be read.
    """
    length = int.from_bytes(source.at(0, 8), "little")
    if 8 + length > source.size:
        raise Damaged(f"cut short: its head ends at {8 + length}, the file at {source.size}")
    if length > _LONGEST_HEAD:
        raise Unseen(f"a head of {length >> 20} MiB, too large to look at")
    head = _json(source.at(8, length))
    metadata: Any = next((value for name, value in head if name == "__metadata__"), {})
    entries = {name: entry for name, entry in head if name != "__metadata__"}
    tensors, spans = [], []
    warnings = _twice(head)
    for name, entry in entries.items():
        try:
            tensor, span = _tensor(entry)
        except (KeyError, TypeError, ValueError):
            raise Damaged(f"the entry of tensor {name[:80]!r} can't be read") from None
        if tensor.dtype in _BITS and tensor.parameters * _BITS[tensor.dtype] != 8 * (span[1] - span[0]):
            warnings.append(f"tensor {name[:80]!r} has {span[1] - span[0]} bytes, which its type and shape don't make")
        tensors.append(_unpacked(name, tensor, entries))
        spans.append(span)
    warnings += _span_problems(sorted(spans), source.size - 8 - length)
    shown = metadata if isinstance(metadata, dict) else {}
    return Facts("safetensors", tuple(tensors), shown, warnings=tuple(warnings))


def _json(data: bytes) -> list[tuple[str, Any]]:
    outermost: list[tuple[str, Any]] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        outermost[:] = pairs  # the outermost object is the last that ends
        return dict(pairs)

    try:
        head = json.loads(data, object_pairs_hook=keep)
    except (ValueError, RecursionError):
        raise Damaged("its head is no JSON") from None
    if not isinstance(head, dict):
        raise Damaged("its head is no JSON object")
    return outermost


def _twice(head: list[tuple[str, Any]]) -> list[str]:
    seen: set[str] = set()
    twice = [name for name, _ in head if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    return [f"tensor {name[:80]!r} is named twice in its head" for name in dict.fromkeys(twice)][:4]


def _unpacked(name: str, tensor: Tensor, entries: Mapping[str, Any]) -> Tensor:
    """A tensor of bytes that bitsandbytes packed two weights into, as the state beside it says."""
    if tensor.dtype == "U8" and any(f"{name}.quant_state.bitsandbytes__{kind}" in entries for kind in ("nf4", "fp4")):
        return replace(tensor, packed=2)
    return tensor


def _tensor(entry: Any) -> tuple[Tensor, tuple[int, int]]:
    shape = tuple(entry["shape"])
    begin, end = entry["data_offsets"]
    if not all(type(number) is int and number >= 0 for number in (*shape, begin, end)) or len(shape) > 64:
        raise ValueError
    return Tensor(str(entry["dtype"]), shape), (begin, end)


def _span_problems(spans: list[tuple[int, int]], data: int) -> list[str]:
    position = 0
    for begin, end in spans:
        if begin != position or end < begin:
            return ["its tensors leave gaps, or lie over one another"]
        position = end
    if position > data:
        return [f"cut short: its tensors need {position} bytes, and {data} are there"]
    return [] if position == data else [f"{data - position} bytes stand behind its last tensor"]
