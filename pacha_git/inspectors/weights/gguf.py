"""Reads the head of a GGUF file and refuses to touch the tensors.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

from typing import Any, Final

from pacha_git.inspectors.facts import Facts, Tensor
from pacha_git.inspectors.source import Cursor, Damaged, Source

_MOST_TENSORS: Final = 131_072
_MOST_KEYS: Final = 65_536
_MOST_ITEMS: Final = 4_000_000
_MOST_ARRAYS: Final = 10_000
_DEEPEST: Final = 4
_LONGEST_TEXT: Final = 1 << 20
_NUMBERS: Final = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_WIDTHS: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
# The type by its number, how many numbers a block of it has, and its bytes (gguf.GGML_QUANT_SIZES).
_TYPES: Final[dict[int, tuple[str, int, int]]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip
_BLOCKS: Final = {name: (numbers, size) for name, numbers, size in _TYPES.values()}


def read_gguf(source: Source) -> Facts:
    """Read its keys and tensors.

    Raises:
        Damaged: the head is cut short, or asks for more than any real one has.
    """
    cursor = Cursor(source, 4)
    (version,) = cursor.unpack("<I")
    if version in (2 << 24, 3 << 24):  # for a machine of the other byte order, where nearly nobody loads it
        return Facts("gguf", metadata={"version": version >> 24, "byte_order": "big"})
    if version not in (2, 3):
        raise Damaged(f"GGUF of version {version}, which is not known here")
    tensors, keys = cursor.unpack("<QQ")
    if tensors > _MOST_TENSORS or keys > _MOST_KEYS:
        raise Damaged(f"it claims {tensors} tensors and {keys} keys")
    metadata: dict[str, Any] = {}
    for _ in range(keys):
        key = _string(cursor)
        metadata[key] = _value(cursor, *cursor.unpack("<I"))
    found = [_tensor(cursor) for _ in range(tensors)]
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 8 <= alignment <= 1 << 20:
        raise Damaged(f"an alignment of {alignment}")
    data = -(-cursor.position // alignment) * alignment
    last = max((data + offset + _bytes(tensor) for tensor, offset in found), default=0)
    warnings = (f"cut short: its tensors end at {last}, the file at {source.size}",) if last > source.size else ()
    shown = {"version": version, **{key: value for key, value in metadata.items() if key != "general.alignment"}}
    return Facts("gguf", tuple(tensor for tensor, _ in found), shown, warnings=warnings)


def _bytes(tensor: Tensor) -> int:
    """Tell what a tensor takes; 1 if its type is not known."""
    numbers, size = _BLOCKS.get(tensor.dtype, (0, 0))
    return -(-tensor.parameters // numbers) * size if numbers else 1


def _string(cursor: Cursor) -> str:
    (length,) = cursor.unpack("<Q")
    if length > _LONGEST_TEXT:  # a tokenizer as JSON, say
        cursor.skip(length)
        return f"[a text of {length} bytes]"
    return cursor.take(length).decode("utf-8", "replace")


def _value(cursor: Cursor, kind: int) -> Any:
    if kind in _NUMBERS:
        return cursor.unpack(_NUMBERS[kind])[0]
    if kind == _STRING:
        return _string(cursor)
    if kind == _ARRAY:
        return _array(cursor)
    raise Damaged(f"a value of type {kind}, which is not known here")


def _array(cursor: Cursor, depth: int = 0) -> str:
    """Vocabularies and scores: how many there are is enough."""
    kind, count = cursor.unpack("<IQ")
    if kind in _WIDTHS:
        cursor.skip(_WIDTHS[kind] * count)
        return f"[{count} numbers]"
    if kind == _ARRAY and count <= _MOST_ARRAYS and depth < _DEEPEST:
        for _ in range(count):
            _array(cursor, depth + 1)
        return f"[{count} arrays]"
    if kind != _STRING or count > _MOST_ITEMS:
        raise Damaged("an array of what no tool writes")
    cursor.skip_texts(count)
    return f"[{count} texts]"


def _tensor(cursor: Cursor) -> tuple[Tensor, int]:
    _string(cursor)
    (dimensions,) = cursor.unpack("<I")
    if dimensions > 8:
        raise Damaged(f"a tensor of {dimensions} dimensions")
    shape = cursor.unpack(f"<{dimensions}Q")
    kind, offset = cursor.unpack("<IQ")
    # GGUF counts from the innermost dimension.
    return Tensor(_TYPES[kind][0] if kind in _TYPES else f"type {kind}", shape[::-1]), offset
