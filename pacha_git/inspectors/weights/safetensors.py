"""Reads the head of a safetensors file: https://huggingface.co/docs/safetensors; the tensors it refuses to touch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pacha_git.inspectors.facts import Facts, Tensor
from pacha_git.inspectors.source import Damaged, Source, Unseen

_LONGEST_HEAD: Final = 20 << 20
_LARGEST_JSON: Final = 3 << 20
# An entry as libraries write it, with any white space between its tokens.
_SPACE: Final = rb"[ \t\r\n]{0,8}"
_ENTRY: Final = re.compile(
    _SPACE.join(
        [rb"\{", rb'"dtype"', b":", rb'"([A-Z0-9_]{1,16})"', b",", rb'"shape"', b":", rb"\[([0-9, \t\r\n]{0,400})\]",
         b",", rb'"data_offsets"', b":", rb"\[", rb"([0-9]{1,16})", b",", rb"([0-9]{1,16})", rb"\]", rb"\}"]
    )
)  # fmt: skip
_BITS: Final = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
    "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


def read_safetensors(source: Source) -> Facts:
    """Read its tensors and metadata.

    Raises:
        Damaged: the head is cut short or can't be read.
    """
    length = int.from_bytes(source.at(0, 8), "little")
    if 8 + length > source.size:
        raise Damaged(f"cut short: its head ends at {8 + length}, the file at {source.size}")
    if length > _LONGEST_HEAD:
        raise Unseen(f"a head of {length >> 20} MiB")
    if length > _LARGEST_JSON:
        return _read_large(source, length)
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


def _read_large(source: Source, length: int) -> Facts:
    """Read the tensors of a head that would take too much memory as JSON, entry by entry as the library writes them.

    Raises:
        Unseen: it is written otherwise.
    """
    alike: dict[Tensor, Tensor] = {}
    tensors, spans = [], []
    for match in _ENTRY.finditer(source.at(8, length)):
        shape = tuple(map(int, re.findall(rb"[0-9]{1,16}", match[2])))
        tensor = Tensor(match[1].decode("ascii"), shape)
        tensors.append(alike.setdefault(tensor, tensor))
        spans.append((int(match[3]), int(match[4])))
    if not tensors or _span_problems(sorted(spans), source.size - 8 - length):
        raise Unseen(f"a head of {length >> 20} MiB")
    return Facts("safetensors", tuple(tensors))


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
    """Return a tensor of bytes that bitsandbytes packed two weights into, as the state beside it says."""
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
