"""Reads the head of an array of NumPy, and passes the numbers by.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
"""

from __future__ import annotations

import ast
import struct
from typing import Any, Final

from pacha_git.inspectors.facts import Facts, Tensor
from pacha_git.inspectors.pickled.machine import Machine
from pacha_git.inspectors.source import Damaged, Source
from pacha_git.inspectors.streams import SourceStream, Stream

MAGIC: Final = b"\x93NUMPY"
_LONGEST_HEAD: Final = 1 << 16


def read_npy(source: Source) -> Facts:
    """Read type and shape of one array.

    Raises:
        Damaged: its head can't be read.
    """
    stream = SourceStream(source)
    tensor, objects, order, length = read_head(stream)
    order_told = {"fortran_order": order} if order else {}
    if objects:
        followed = Machine(SourceStream(source, length)).follow()
        warnings = ("cut short: its objects have no end",) if followed.ended == "broken" else ()
        return Facts("npy", (tensor,), order_told, True, tuple(followed.imports), warnings)
    expected = length + tensor.parameters * _item_size(tensor.dtype)
    short = _item_size(tensor.dtype) and expected > source.size
    warnings = (f"cut short: its array ends at {expected}, the file at {source.size}",) if short else ()
    return Facts("npy", (tensor,), order_told, warnings=warnings)


def read_head(stream: Stream) -> tuple[Tensor, bool, bool, int]:
    """Type and shape; whether it holds objects, which are a pickle; whether the innermost dimension comes first.

    Last, how long the head is.

    Raises:
        Damaged: it can't be read.
    """
    start = stream.read(8)
    if start[:6] != MAGIC or len(start) < 8:
        raise Damaged("no array of NumPy")
    form = "<H" if start[6] == 1 else "<I"
    raw = stream.read(struct.calcsize(form))
    length = struct.unpack(form, raw)[0] if len(raw) == struct.calcsize(form) else 0
    if len(raw) < struct.calcsize(form):
        raise Damaged("its head is cut short")
    if length > _LONGEST_HEAD:
        # Not even NumPy reads such a head unless it is told to.
        raise Damaged(f"a head of {length} bytes")
    try:
        head = ast.literal_eval(stream.read(length).decode("utf-8" if start[6] == 3 else "latin-1").strip())
        shape, descr = tuple(head["shape"]), head["descr"]
        if not all(type(size) is int and 0 <= size < 2**60 for size in shape) or len(shape) > 64:
            raise ValueError
        order = bool(head.get("fortran_order"))
    except (ValueError, SyntaxError, KeyError, TypeError, AttributeError, RecursionError, MemoryError):
        raise Damaged("its head can't be read") from None
    objects = "O" in str(descr) if isinstance(descr, str) else "'|O" in str(descr) or "'O" in str(descr)
    return Tensor(_dtype(descr), shape), objects, order, len(start) + len(raw) + length


def _dtype(descr: Any) -> str:
    if not isinstance(descr, str):
        return "record"
    kinds = {
        "f": "float",
        "i": "int",
        "u": "uint",
        "c": "complex",
        "b": "bool",
        "O": "object",
        "U": "str",
        "S": "bytes",
    }
    kind, size = descr.lstrip("<>|=")[:1], descr.lstrip("<>|=")[1:]
    if kind not in kinds or not size.isdigit():
        return {"O": "object"}.get(kind, descr)
    return kinds[kind] if kind in "bO" else kinds[kind] + str(int(size) * (8 if kind in "fiuc" else 1))


def _item_size(dtype: str) -> int:
    digits = dtype.lstrip("abcdefghijklmnopqrstuvwxyz")
    return 1 if dtype == "bool" else int(digits) // 8 if digits.isdigit() and not dtype.startswith(("str", "by")) else 0
