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
_LONGEST_TEXT: Final = 1 << 20
_NUMBERS: Final = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_WIDTHS: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
_TYPES: Final = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K",
    12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S",
    20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
    29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip

# Numbers in a block, and its bytes; of other types the size is not known here.
_BLOCKS: Final = {
    "F32": (1, 4), "F16": (1, 2), "BF16": (1, 2), "F64": (1, 8), "I8": (1, 1), "I16": (1, 2), "I32": (1, 4),
    "I64": (1, 8), "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34),
    "Q2_K": (256, 84), "Q3_K": (256, 110), "Q4_K": (256, 144), "Q5_K": (256, 176), "Q6_K": (256, 210),
    "Q8_K": (256, 292),
}  # fmt: skip


def read_gguf(source: Source) -> Facts:
    """Read its keys and tensors.

    Raises:
        Damaged: the head is cut short, or asks for more than any real one has.
    """
    cursor = Cursor(source, 4)
    (version,) = cursor.unpack("<I")
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
    """What a tensor takes; 1 if its type is not known."""
    numbers, size = _BLOCKS.get(tensor.dtype, (0, 0))
    return tensor.parameters // numbers * size if numbers else 1


def _string(cursor: Cursor) -> str:
    (length,) = cursor.unpack("<Q")
    if length > _LONGEST_TEXT:
        raise Damaged(f"a text of {length} bytes")
    return cursor.take(length).decode("utf-8", "replace")


def _value(cursor: Cursor, kind: int) -> Any:
    if kind in _NUMBERS:
        return cursor.unpack(_NUMBERS[kind])[0]
    if kind == _STRING:
        return _string(cursor)
    if kind == _ARRAY:
        return _array(cursor)
    raise Damaged(f"a value of type {kind}, which is not known here")


def _array(cursor: Cursor) -> str:
    """Vocabularies and scores: how many there are is enough."""
    kind, count = cursor.unpack("<IQ")
    if kind in _WIDTHS:
        cursor.skip(_WIDTHS[kind] * count)
        return f"[{count} numbers]"
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
    return Tensor(_TYPES.get(kind, f"type {kind}"), shape[::-1]), offset
