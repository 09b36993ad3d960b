"""Reads what an ONNX model says of itself, and passes the weights by.

Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. It knows as much of protobuf as it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pacha_git.inspectors.facts import Facts, Tensor
from pacha_git.inspectors.source import Cursor, Damaged, Source, Unseen

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_FIELDS: Final = 600_000
_DEEPEST: Final = 8
_ML_DOMAIN: Final = "ai.onnx.ml"
_LONGEST_TEXT: Final = 1 << 16
_TYPES: Final = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
    17: "float8e4m3fn", 18: "float8e4m3fnuz", 19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4", 22: "int4",
    23: "float4e2m1", 24: "float8e8m0", 25: "uint2", 26: "int2", 27: "float6e2m3", 28: "float6e3m2",
}  # fmt: skip
_MODEL_TEXTS: Final = {2: "producer", 3: "producer_version", 4: "domain"}


@dataclass(slots=True)
class _Found:
    metadata: dict[str, Any] = field(default_factory=dict)
    opsets: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    nodes: int = 0
    graphs: int = 0
    fields: int = 0
    depth: int = 0
    external: dict[str, int] = field(default_factory=dict)


def may_be_onnx(source: Source) -> bool:
    """Tell whether it is named as one, or begins with a version and a producer as one does."""
    if source.name.endswith(".onnx"):
        return True
    start = source.some(0, 64)
    if len(start) < 8 or start[0] != 0x08 or not 0 < start[1] < 32 or start[2] != 0x12 or not 0 < start[3] < 60:
        return False
    return start[4 : 4 + start[3]].isascii() and start[4 : 4 + start[3]].decode("ascii", "replace").isprintable()


def read_onnx(source: Source) -> Facts:
    """Read its producer, operator sets, inputs, outputs and weights.

    Raises:
        Damaged: it is cut short, or no ONNX.
    """
    found = _Found()
    for number, wire, value in _fields(Cursor(source), found):
        if number == 1 and wire == _VARINT:
            found.metadata["ir_version"] = value
        elif number in _MODEL_TEXTS and wire == _BYTES:
            found.metadata[_MODEL_TEXTS[number]] = _text(value)
        elif number == 7 and wire == _BYTES:
            _read_graph(value, found)
        elif number == 8 and wire == _BYTES:
            found.opsets.append(_opset(value, found))
        elif number == 14 and wire == _BYTES:
            pair = {n: _text(inner) for n, w, inner in _fields(value, found) if w == _BYTES}
            found.metadata[pair.get(1, "")] = pair.get(2, "")
    if not found.graphs:
        raise Damaged("no graph in it")
    if found.external:
        found.metadata["external_data"] = sorted(found.external)
    lists = {"opsets": found.opsets, "inputs": found.inputs, "outputs": found.outputs}
    said = {key: value for key, value in {**found.metadata, "nodes": found.nodes, **lists}.items() if value != ""}
    return Facts("onnx", tuple(found.tensors), said, needs=found.external)


def _fields(cursor: Cursor, found: _Found) -> Iterator[tuple[int, int, Any]]:
    """Number, wire type, and value: an integer, or a cursor over bytes that are passed by."""
    while cursor.position < cursor.end:
        found.fields += 1
        if found.fields > _MOST_FIELDS:
            raise Unseen(f"it has over {_MOST_FIELDS} fields")
        tag = cursor.varint()
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            yield number, wire, cursor.varint()
        elif wire == _BYTES:
            length = cursor.varint()
            start = cursor.position
            cursor.skip(length)
            yield number, wire, cursor.within(start, start + length)
        elif wire in (_FIXED32, _FIXED64):
            cursor.skip(4 if wire == _FIXED32 else 8)
            yield number, wire, None
        else:
            raise Damaged("it is no protobuf")


def _text(cursor: Cursor) -> str:
    return cursor.take(min(cursor.end - cursor.position, _LONGEST_TEXT)).decode("utf-8", "replace")


def _opset(cursor: Cursor, found: _Found) -> str:
    domain, version = "ai.onnx", 0
    for number, wire, value in _fields(cursor, found):
        if number == 1 and wire == _BYTES:
            domain = _text(value) or domain
        elif number == 2 and wire == _VARINT:
            version = value
    return f"{domain} {version}"


def _read_graph(cursor: Cursor, found: _Found) -> None:
    found.graphs += 1
    found.depth += 1
    outermost = found.depth == 1
    if found.depth > _DEEPEST:
        raise Damaged("graphs within one another, deeper than any tool writes")
    for number, wire, value in _fields(cursor, found):
        if wire != _BYTES:
            continue
        if number == 1:
            found.nodes += outermost
            _read_node(value, found)
        elif number == 2 and outermost:
            found.metadata["graph"] = _text(value)
        elif number == 5:
            found.tensors.append(_initializer(value, found))
        elif number == 11 and outermost:
            found.inputs.append(_value_info(value, found))
        elif number == 12 and outermost:
            found.outputs.append(_value_info(value, found))
    found.depth -= 1


def _read_node(cursor: Cursor, found: _Found) -> None:
    """Count the weights that a node keeps in its attributes, as those of scikit-learn do, and constants."""
    attributes: list[Cursor] = []
    operator = domain = ""
    for number, wire, value in _fields(cursor, found):
        if number == 5 and wire == _BYTES:
            attributes.append(value)
        elif number == 4 and wire == _BYTES:
            operator = _text(value)
        elif number == 7 and wire == _BYTES:
            domain = _text(value)
    for attribute in attributes:
        _read_attribute(attribute, found, of_ml=domain == _ML_DOMAIN, constant=operator == "Constant")


def _read_attribute(cursor: Cursor, found: _Found, *, of_ml: bool, constant: bool) -> None:
    name, floats = "", 0
    for number, wire, value in _fields(cursor, found):
        if number == 1 and wire == _BYTES:
            name = _text(value)
        elif number in (6, 11) and wire == _BYTES:
            _read_graph(value, found)
        elif number == 7:
            floats += (value.end - value.position) // 4 if wire == _BYTES else 1
        elif number == 5 and wire == _BYTES and (of_ml or constant):
            tensor = _initializer(value, found)
            if of_ml or "float" in tensor.dtype:
                found.tensors.append(tensor)
    # How often a branch was taken is no weight.
    if of_ml and floats and name != "nodes_hitrates":
        found.tensors.append(Tensor("float32", (floats,)))


def _initializer(cursor: Cursor, found: _Found) -> Tensor:
    shape: list[int] = []
    kind = 0
    external: dict[str, str] = {}
    for number, wire, value in _fields(cursor, found):
        if number == 1 and wire == _VARINT:
            shape.append(value)
        elif number == 1 and wire == _BYTES:
            while value.position < value.end:
                shape.append(value.varint())
        elif number == 2 and wire == _VARINT:
            kind = value
        elif number == 13 and wire == _BYTES:
            pair = {n: _text(inner) for n, w, inner in _fields(value, found) if w == _BYTES}
            external[pair.get(1, "")] = pair.get(2, "")
        if len(shape) > 64:
            raise Damaged("a tensor of over 64 dimensions")
    if external.get("location"):
        end = sum(int(external[word][:18]) for word in ("offset", "length") if external.get(word, "").isdecimal())
        found.external[external["location"]] = max(end, found.external.get(external["location"], 0))
    return Tensor(_TYPES.get(kind, f"type {kind}"), tuple(shape))


def _value_info(cursor: Cursor, found: _Found) -> str:
    """Return an input or output as people write it: ``input: float32[batch, 3]``."""
    name, shown = "", ""
    for number, wire, value in _fields(cursor, found):
        if wire != _BYTES:
            continue
        if number == 1:
            name = _text(value)
        elif number == 2:
            shown = "".join(
                _tensor_type(inner, found) for n, w, inner in _fields(value, found) if n == 1 and w == _BYTES
            )
    return f"{name}: {shown}" if shown else name


def _tensor_type(cursor: Cursor, found: _Found) -> str:
    kind, sizes = "", []
    for number, wire, value in _fields(cursor, found):
        if number == 1 and wire == _VARINT:
            kind = _TYPES.get(value, f"type {value}")
        elif number == 2 and wire == _BYTES:
            for inner, width, dimension in _fields(value, found):
                if inner == 1 and width == _BYTES:
                    sizes.append(_dimension(dimension, found))
    return f"{kind}[{', '.join(sizes)}]"


def _dimension(cursor: Cursor, found: _Found) -> str:
    for number, wire, value in _fields(cursor, found):
        if number == 1 and wire == _VARINT:
            return str(value)
        if number == 2 and wire == _BYTES:
            return _text(value)
    return "?"
