"""Finds out which format a file is of, and has it read; what can't be is a warning, never an error.

It goes by the marks in the file first, and by its name only for formats that have none. A new format is a line in
``_MAGICS`` or ``_GUESSES``, a row of docs/formats.md, and a file in tests/golden/formats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pacha_git.inspectors.containers import tars, zips
from pacha_git.inspectors.containers.archive_formats import read_zip
from pacha_git.inspectors.data import arrow_heads, indexes, parquet, records
from pacha_git.inspectors.facts import Facts
from pacha_git.inspectors.pickled import files as pickles
from pacha_git.inspectors.source import Damaged, Read, Source, Unseen
from pacha_git.inspectors.streams import LimitReached, wrapper_of
from pacha_git.inspectors.weights import boosters, gguf, hdf5, npy, onnx, safetensors, sovereign

Reader = Callable[[Source], Facts | None]

_LEAST: Final = 8
_MAGICS: Final[tuple[tuple[bytes, str, Reader], ...]] = (
    (b"GGUF", "gguf", gguf.read_gguf),
    (npy.MAGIC, "npy", npy.read_npy),
    (zips.MAGIC, "zip", read_zip),
    (sovereign.APR_MAGICS[0], "apr", sovereign.read_apr),
    (sovereign.APR_MAGICS[1], "apr", sovereign.read_apr),
    (sovereign.ALD_MAGIC, "ald", sovereign.read_ald),
    (parquet.MAGIC, "parquet", parquet.read_parquet),
    (arrow_heads.FILE_MAGIC, "arrow", arrow_heads.read_arrow),
    (arrow_heads.FEATHER_1_MAGIC, "arrow", lambda _: Facts("arrow", metadata={"layout": "feather 1"})),
    (hdf5.MAGIC, "hdf5", hdf5.read_hdf5),
    (boosters.UBJ_MAGIC, "booster", boosters.read_xgboost_ubj),
    (boosters.CBM_MAGIC, "booster", boosters.read_catboost),
    (records.AVRO_MAGIC, "avro", records.read_avro),
    (records.SQLITE_MAGIC, "sqlite", records.read_sqlite),
    (b"ORC", "orc", records.read_orc),
)
_GUESSES: Final[tuple[tuple[Callable[[bytes], bool], str, Reader], ...]] = (
    (arrow_heads.may_be_stream, "arrow", arrow_heads.read_arrow),
    (boosters.may_be_lightgbm, "booster", boosters.read_lightgbm),
    (boosters.may_be_json_booster, "booster", boosters.read_json_booster),
    (records.is_executorch, "executorch", records.read_executorch),
    (records.may_be_tfrecord, "tfrecord", records.read_tfrecord),
)
_NAMED: Final = (
    *pickles.NAMES, *pickles.TORCH_NAMES, ".safetensors", ".onnx", ".json", ".z", ".gz", ".bz2", ".xz", ".lzma",
    ".lz4", ".zst", ".zarray", ".zgroup", "_metadata", ".tar",
)  # fmt: skip
# What the first bytes of a file can be at all, unless its name says more; see ``may_say_something``.
_FIRST: Final = frozenset(magic[0] for magic, _, _ in _MAGICS) | frozenset(b"\xff\x80\x08\x1f\x5d\x04\x28\xfdBtZ{x")


def may_say_something(start: bytes, name: str) -> bool:
    """Whether a file is worth a closer look, by its first 512 bytes and its name: quick, and never wrong by a no."""
    return (
        start[:1] in _FIRST_BYTES
        or start[8:9] == b"{"
        or start[4:6] == b"ET"
        or start[257:262] == tars.MARK
        or pickles.may_be_old_pickle(start)
        or start[8:12] == records.DUCKDB_MARK
        or name.lower().endswith(_NAMED)
        or records.may_be_tfrecord(start)
    )


def may_share_more(start: bytes) -> bool:
    """Whether a file may be one that shares more when it is stored otherwise (``sharing``), by its first bytes."""
    return wrapper_of(start) is not None or start.startswith(parquet.MAGIC) or start[257:262] == tars.MARK


def may_run_code(start: bytes, name: str) -> bool:
    """Whether a file may be a pickle, bare, compressed or in an archive, by its first 16 bytes and its name."""
    lowered = name.lower()
    return (
        pickles.begins_pickle(start)
        or pickles.may_be_old_pickle(start)
        or start.startswith(zips.MAGIC)
        or wrapper_of(start) is not None
        or lowered.endswith((*pickles.NAMES, *pickles.TORCH_NAMES))
    )


_FIRST_BYTES: Final = frozenset(bytes([byte]) for byte in _FIRST)


def inspect(read: Read, size: int, name: str) -> Facts | None:
    """Say what a file says of itself.

    Args:
        read: Reads (offset, length) of it; fewer bytes only at its end.
        size: Its bytes.
        name: What it is called.

    Returns:
        None for a file of no known format; what does not hold together stands in ``warnings``.
    """
    return inspect_source(Source(read, size, name))


def inspect_source(source: Source) -> Facts | None:
    """Say what a file says of itself; see ``inspect``."""
    if source.size < _LEAST:
        return None
    # First of all: the length of a safetensors head may look like the beginning of a pickle.
    if safetensors.is_safetensors(source):
        return _read("safetensors", safetensors.read_safetensors, source)
    start = source.some(0, 256)
    for magic, word, reader in _MAGICS:
        if start.startswith(magic):
            return _read(word, reader, source)
    if source.name.endswith(".safetensors"):
        return Facts("safetensors", warnings=("its head is not that of a safetensors file",))
    for fits, word, reader in _GUESSES:
        if fits(start):
            return _read(word, reader, source)
    return _by_name(source, start)


def _by_name(source: Source, start: bytes) -> Facts | None:
    if tars.is_tar(source):
        return _read("tar", tars.read_tar, source)
    if records.is_duckdb(source):
        return _read("duckdb", records.read_duckdb, source)
    wrapper = wrapper_of(start)
    if wrapper is not None:
        found = _read("pickle", lambda _: pickles.read_wrapped(source, wrapper), source)
        return found or _read("packed tar", lambda _: tars.read_packed_tar(source, wrapper), source)
    if pickles.is_pickle(source):
        return _read("pickle", pickles.read_pickle, source)
    if indexes.is_index(source.name):
        return _read("json", indexes.read_index, source)
    if onnx.may_be_onnx(source):
        found = _read("onnx", onnx.read_onnx, source)
        named = source.name.endswith(".onnx")
        return found if named or (found is not None and not found.warnings) else None
    return None


def _read(word: str, reader: Reader, source: Source) -> Facts | None:
    try:
        return reader(source)
    except Unseen as limit:
        return _as_far_as_known(word, source, {"not_looked_at": str(limit)}, ())
    except LimitReached:
        return _as_far_as_known(word, source, {"not_looked_at": "more is packed in it than is unpacked"}, ())
    except Damaged as damage:
        return _as_far_as_known(word, source, {}, (str(damage),))


def _as_far_as_known(word: str, source: Source, said: dict[str, str], warnings: tuple[str, ...]) -> Facts | None:
    # A zip of which nothing is known may be anybody's; what can't be read here may still be loaded elsewhere.
    weights = source.name.endswith(pickles.TORCH_NAMES)
    if word == "packed tar":
        return None  # what is packed there may be anything
    known = word != "zip" or weights or source.name.endswith((".npz", ".keras", ".skops"))
    runs_code = word == "pickle" or (word == "zip" and weights)
    return Facts(word, metadata=said, runs_code=runs_code, warnings=warnings) if known else None
