"""Counts the tensors that PyTorch rebuilds while a pickle is loaded, from the calls that the pickle makes.

Two names for the same numbers count once. The functions are those of torch/_utils.py and torch/_tensor.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

from pacha_git.inspectors.facts import Tensor
from pacha_git.inspectors.pickled.machine import PERSISTENT, UNKNOWN, Call, Named

MOST_TENSORS: Final = 500_000
_MOST_SIZE: Final = 2**48
_STORAGES: Final = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128", "QInt8Storage": "qint8", "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32", "QUInt4x2Storage": "quint4x2", "QUInt2x4Storage": "quint2x4", "UntypedStorage": "bytes",
}  # fmt: skip
_TORCH_TYPES: Final = {
    "float": "float32", "double": "float64", "half": "float16", "long": "int64", "int": "int32", "short": "int16",
    "chalf": "complex32", "cfloat": "complex64", "cdouble": "complex128",
}  # fmt: skip
_PACKED: Final = {"float4_e2m1fn_x2": 2, "quint4x2": 2, "quint2x4": 4}
_BYTES: Final = {
    "float32": 4, "float64": 8, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1,
    "bool": 1, "complex64": 8, "complex128": 16, "complex32": 4, "qint8": 1, "quint8": 1, "qint32": 4, "bytes": 1,
    "quint4x2": 1, "quint2x4": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Storage:
    """Numbers in a row, which tensors are views of: its key among the file's storages, and its size in elements."""

    key: str
    dtype: str
    elements: int

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.elements * _BYTES.get(self.dtype, 1)


@dataclass(slots=True)
class Tensors:
    """What the calls of a pickle rebuild; give ``on_call`` to the machine that follows it."""

    found: list[Tensor] = field(default_factory=list)
    storages: dict[str, Storage] = field(default_factory=dict)
    _views: set[int] = field(default_factory=set)
    _alike: dict[Tensor, Tensor] = field(default_factory=dict)

    def on_call(self, call: Call) -> Any:
        """Take note of a call; what it returns stands for the result."""
        if call.of is PERSISTENT:
            return self._storage(call.args) or call
        of, args = call.of, call.args
        if type(of) is Named and of.name == "OrderedDict" and args == ():
            return UNKNOWN  # one beside every tensor
        if type(of) is not Named or not of.name.startswith("_rebuild") or type(args) is not tuple:
            return call
        if of.name == "_rebuild_from_type_v2" and len(args) >= 3:
            return self.on_call(Call(args[0], args[2]))
        if of.name == "_rebuild_meta_tensor_no_storage" and len(args) >= 2:
            self._take(_dtype(args[0]), args[1], None)
        elif len(args) >= 4 and type(args[0]) is Storage:
            dtype = _dtype(args[6]) if of.name == "_rebuild_tensor_v3" and len(args) >= 7 else args[0].dtype
            self._take(dtype, args[2], (args[0].key, args[1]))
        return UNKNOWN  # a tensor is noted, and need not be held

    def _storage(self, said: Any) -> Storage | None:
        """Tell what a persistent id stands for: ``("storage", type, key, device, elements)``."""
        if type(said) is not tuple or len(said) < 5 or said[0] != "storage" or type(said[4]) is not int:
            return None
        kind = said[1].name if type(said[1]) is Named else ""
        storage = Storage(str(said[2]), _STORAGES.get(kind, "bytes"), said[4])
        if len(self.storages) < MOST_TENSORS:
            self.storages[storage.key] = storage
        return storage

    def _take(self, dtype: str, shape: Any, where: tuple[str, Any] | None) -> None:
        if type(shape) is not tuple or not all(type(size) is int and 0 <= size < _MOST_SIZE for size in shape):
            return
        if where is not None:
            view = hash((where[0], where[1] if type(where[1]) is int else 0, prod(shape)))
            if view in self._views:
                return
            self._views.add(view)
        if len(self.found) < MOST_TENSORS:
            made = Tensor(dtype, shape, _PACKED.get(dtype, 1))
            self.found.append(self._alike.setdefault(made, made))


def _dtype(value: Any) -> str:
    name = value.name if type(value) is Named else "?"
    return _TORCH_TYPES.get(name, name)
