"""Finds out which format a file is of, and has it read; what can't be is a warning, never an error.

It knows the marks of formats, and refuses to know where the file lies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pacha_git.inspectors import archives, gguf, onnx, parquet, pickles, safetensors, sovereign
from pacha_git.inspectors.facts import Facts
from pacha_git.inspectors.source import Damaged, Read, Source

SUFFIXES: Final = frozenset(
    [
        ".safetensors", ".gguf", ".onnx", ".npy", ".npz", ".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".pt",
        ".pth", ".ckpt", ".bin", ".model", ".apr", ".ald", ".parquet", ".pq", ".arrow", ".feather", ".ipc", ".h5",
        ".hdf5", ".keras",
    ]
)  # fmt: skip
"""Names under which files of these formats are found; other files are passed by where there are many."""

_LEAST: Final = 8
_MAGICS: Final[tuple[tuple[bytes, str, Callable[[Source], Facts | None]], ...]] = (
    (b"GGUF", "gguf", gguf.read_gguf),
    (archives.NPY_MAGIC, "npy", archives.read_npy),
    (archives.ZIP_MAGIC, "zip", archives.read_zip),
    (sovereign.APR_MAGICS[0], "apr", sovereign.read_apr),
    (sovereign.APR_MAGICS[1], "apr", sovereign.read_apr),
    (sovereign.ALD_MAGIC, "ald", sovereign.read_ald),
    (parquet.MAGIC, "parquet", parquet.read_parquet),
    (b"ARROW1\0\0", "arrow", lambda _: Facts("arrow")),
    (b"\x89HDF\r\n\x1a\n", "hdf5", lambda _: Facts("hdf5")),
)


def inspect(read: Read, size: int, name: str) -> Facts | None:
    """Say what a file says of itself.

    Args:
        read: Reads (offset, length) of it; fewer bytes only at its end.
        size: Its bytes.
        name: What it is called.

    Returns:
        None for a file of no known format; what does not hold together stands in ``warnings``.
    """
    if size < _LEAST:
        return None
    source = Source(read, size, name)
    # First of all: the length of a safetensors head may look like the beginning of a pickle.
    if safetensors.is_safetensors(source):
        return _read("safetensors", safetensors.read_safetensors, source)
    start = source.some(0, 16)
    for magic, word, reader in _MAGICS:
        if start.startswith(magic):
            return _read(word, reader, source)
    if source.name.endswith(".safetensors"):
        return Facts("safetensors", warnings=("its head is not that of a safetensors file",))
    if pickles.is_pickle(source):
        return _read("pickle", pickles.read_pickle, source)
    if onnx.may_be_onnx(source):
        found = _read("onnx", onnx.read_onnx, source)
        named = source.name.endswith(".onnx")
        return found if named or (found is not None and not found.warnings) else None
    return None


def _read(word: str, reader: Callable[[Source], Facts | None], source: Source) -> Facts | None:
    try:
        return reader(source)
    except Damaged as damage:
        # A zip of which nothing is known may be anybody's; what can't be read here may still be loaded elsewhere.
        weights = source.name.endswith(pickles.TORCH_NAMES)
        known = word != "zip" or weights or source.name.endswith(".npz")
        runs_code = word == "pickle" or (word == "zip" and weights)
        return Facts(word, runs_code=runs_code, warnings=(str(damage),)) if known else None
