"""Reads the heads of NumPy's arrays (``.npy``, and ``.npz`` with several) and of PyTorch's zip files.

Formats: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html and
https://docs.pytorch.org/docs/stable/notes/serialization.html. No array is read, and no pickle loaded.
"""

from __future__ import annotations

import ast
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from pacha_git.inspectors.facts import Facts, Tensor
from pacha_git.inspectors.pickles import scan
from pacha_git.inspectors.source import Damaged, Source, SourceFile

NPY_MAGIC: Final = b"\x93NUMPY"
ZIP_MAGIC: Final = b"PK\x03\x04"
_LONGEST_HEAD: Final = 10_000  # as numpy itself bounds it
_MOST_ENTRIES: Final = 20_000
_MOST_ARRAYS: Final = 512
_MOST_PICKLE: Final = 4 << 20


def read_npy(source: Source) -> Facts:
    """Read type and shape of one array.

    Raises:
        Damaged: its head can't be read.
    """
    file = io.BufferedReader(SourceFile(source))
    tensor, objects, order = _npy_head(file)
    expected = file.tell() + tensor.parameters * _item_size(tensor.dtype)
    short = not objects and _item_size(tensor.dtype) and expected > source.size
    warnings = (f"cut short: its array ends at {expected}, the file at {source.size}",) if short else ()
    return Facts("npy", (tensor,), {"fortran_order": order} if order else {}, runs_code=objects, warnings=warnings)


def _npy_head(file: IO[bytes]) -> tuple[Tensor, bool, bool]:
    """Type and shape; whether it holds objects, which are a pickle; whether the innermost dimension comes first."""
    start = file.read(8)
    if start[:6] != NPY_MAGIC or len(start) < 8:
        raise Damaged("no array of NumPy")
    form = "<H" if start[6] == 1 else "<I"
    raw = file.read(struct.calcsize(form))
    length = struct.unpack(form, raw)[0] if len(raw) == struct.calcsize(form) else _LONGEST_HEAD + 1
    if length > _LONGEST_HEAD:
        raise Damaged("its head is cut short, or longer than NumPy reads")
    try:
        head = ast.literal_eval(file.read(length).decode("utf-8" if start[6] == 3 else "latin-1").strip())
        shape, descr = tuple(head["shape"]), head["descr"]
        if not all(type(size) is int and 0 <= size < 2**60 for size in shape) or len(shape) > 64:
            raise ValueError
        order = bool(head.get("fortran_order"))
    except (ValueError, SyntaxError, KeyError, TypeError, AttributeError, RecursionError, MemoryError):
        raise Damaged("its head can't be read") from None
    objects = "O" in str(descr) if isinstance(descr, str) else "'|O" in str(descr) or "'O" in str(descr)
    return Tensor(_dtype(descr), shape), objects, order


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


def read_zip(source: Source) -> Facts | None:
    """Read a zip file that PyTorch or NumPy wrote; None if it is another.

    Raises:
        Damaged: it can't be read.
    """
    with _refusing(), zipfile.ZipFile(SourceFile(source)) as archive:
        entries = archive.infolist()
        if len(entries) > _MOST_ENTRIES:
            raise Damaged(f"{len(entries)} entries")
        pickles = [entry for entry in entries if entry.filename.endswith("/data.pkl") or entry.filename == "data.pkl"]
        if pickles:
            return _torch(archive, entries, pickles[0])
        if entries and all(entry.filename.endswith(".npy") for entry in entries):
            return _npz(archive, entries)
        return None


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError, ValueError) as error:
        raise Damaged(f"its zip directory can't be read: {error}") from None


def _npz(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> Facts:
    tensors, objects, names = [], False, []
    for entry in entries[:_MOST_ARRAYS]:
        with archive.open(entry) as file:
            tensor, pickled, _ = _npy_head(file)
        tensors.append(tensor)
        names.append(entry.filename.removesuffix(".npy"))
        objects |= pickled
    return Facts("npz", tuple(tensors), {"arrays": names}, runs_code=objects)


def _torch(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], data: zipfile.ZipInfo) -> Facts:
    folder = data.filename.removesuffix("data.pkl")
    with archive.open(data) as file:
        scanned = scan(io.BytesIO(file.read(_MOST_PICKLE)))
    names = {entry.filename.removeprefix(folder) for entry in entries}
    metadata: dict[str, Any] = {"storages": sum(name.startswith("data/") for name in names)}
    if "constants.pkl" in names:
        metadata["torchscript"] = True
    if "version" in names:
        with archive.open(folder + "version") as file:
            metadata["version"] = file.read(16).decode("ascii", "replace").strip()
    warnings = () if scanned.complete else ("its data.pkl is cut short or damaged",)
    return Facts("pytorch", tuple(scanned.tensors), metadata, True, tuple(scanned.imports), warnings)
