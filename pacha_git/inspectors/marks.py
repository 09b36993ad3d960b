"""The marks by which files of known formats begin, and which reader each is for; quick looks that load no reader.

Every file that is registered goes through here, so this module imports nothing. A new format is a line in ``MAGICS``
or ``GUESSES``, a row of docs/formats.md, and a file in tests/golden/formats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MAGICS: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"GGUF", "gguf", "weights.gguf:read_gguf"),
    (b"\x93NUMPY", "npy", "weights.npy:read_npy"),
    (b"PK\x03\x04", "zip", "containers.archive_formats:read_zip"),
    (b"APR\0", "apr", "weights.sovereign:read_apr"),
    (b"APRN", "apr", "weights.sovereign:read_apr"),
    (b"ALDF", "ald", "weights.sovereign:read_ald"),
    (b"PAR1", "parquet", "data.parquet:read_parquet"),
    (b"ARROW1\0\0", "arrow", "data.arrow_heads:read_arrow"),
    (b"FEA1", "arrow", "data.arrow_heads:read_feather_1"),
    (b"\x89HDF\r\n\x1a\n", "hdf5", "weights.hdf5:read_hdf5"),
    (b"{L\0\0\0\0\0\0\0\x07learner", "booster", "weights.boosters:read_xgboost_ubj"),
    (b"CBM1", "booster", "weights.boosters:read_catboost"),
    (b"Obj\x01", "avro", "data.records:read_avro"),
    (b"SQLite format 3\0", "sqlite", "data.records:read_sqlite"),
    (b"ORC", "orc", "data.records:read_orc"),
    (b"version https://git-lfs.github.com/spec/", "git-lfs pointer", "data.pointers:read_lfs"),
    (b"version https://hawser.github.com/spec/", "git-lfs pointer", "data.pointers:read_lfs"),
    (b"/annex/objects/", "git-annex pointer", "data.pointers:read_annex"),
)
"""Mark, format, and the reader below ``pacha_git.inspectors``, as ``module:function``."""
ZIP, PARQUET = b"PK\x03\x04", b"PAR1"
TAR_MARK: Final = b"ustar"
DUCKDB_MARK: Final = b"DUCK"
PICKLE_NAMES: Final = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")
TORCH_NAMES: Final = (".pt", ".pth", ".ckpt", ".bin", ".model", ".pt2", ".tar", ".nemo")
"""Names of files that are loaded as pickles, in a zip or not."""
_INDEX_NAMES: Final = (".index.json", "zarr.json", "croissant.json", "metadata.json", ".zarray", ".zgroup", "_metadata")
_NAMED: Final = (
    *PICKLE_NAMES, *TORCH_NAMES, *_INDEX_NAMES, ".safetensors", ".onnx", ".gz", ".z", ".bz2", ".xz", ".lzma", ".lz4",
    ".zst",
)  # fmt: skip
_BEGINNINGS: Final = tuple(magic for magic, _, _ in MAGICS)
_WRAPPERS: Final = (
    (b"\x1f\x8b\x08", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)  # fmt: skip
_JSON_BOOSTERS: Final = (b'{"learner":{', b'{"features_info":{', b'{"cat_features_hash"', b'{"model_info":{"cat')
_OLD_JOBLIB: Final = b"ZF0x"


def may_say_something(start: bytes, name: str) -> bool:
    """Tell whether a file is worth a closer look, by its first 512 bytes and its name: never wrong by a no."""
    return (
        start.startswith(_BEGINNINGS)
        or start[8:9] == b"{"  # the head of safetensors, behind its length
        or start[8:12] == DUCKDB_MARK
        or start[257:262] == TAR_MARK
        or start[:1] == b"\x08"  # the first field of an ONNX model
        or any(fits(start) for fits, _, _ in GUESSES)
        or may_run_code(start, name)
        or name.lower().endswith(_NAMED)
    )


def may_run_code(start: bytes, name: str) -> bool:
    """Tell whether a file may be a pickle, bare, compressed or in an archive, by its first bytes and its name."""
    return (
        begins_pickle(start)
        or start.startswith((ZIP, _OLD_JOBLIB))
        or may_be_old_pickle(start)
        or wrapper_of(start) is not None
        or name.lower().endswith((*PICKLE_NAMES, *TORCH_NAMES))
    )


def may_share_more(start: bytes) -> bool:
    """Tell whether a file may be one that shares more when it is stored otherwise (``sharing``), by its first bytes."""
    return wrapper_of(start) is not None or start.startswith(PARQUET) or start[257:262] == TAR_MARK


def begins_pickle(start: bytes) -> bool:
    """Tell whether the first bytes say a protocol and then what may follow it."""
    return len(start) >= 3 and start[0] == 0x80 and 2 <= start[1] <= 5


def may_be_old_pickle(start: bytes) -> bool:
    """Tell whether a file may be a pickle of protocol 0 or 1: a mark, or an import of a module's name by lines."""
    if start[:1] != b"c":
        return start[:1] in (b"(", b"}", b"]")
    return all(line.replace(b".", b"").replace(b"_", b"").isalnum() for line in start[1:].split(b"\n", 2)[:2])


def wrapper_of(start: bytes) -> str | None:
    """By which compressor a file was written, by its first bytes."""
    for mark, name in _WRAPPERS:
        if start.startswith(mark):
            return name
    if len(start) >= 2 and start[0] & 0x0F == 8 and start[0] <= 0x78 and int.from_bytes(start[:2], "big") % 31 == 0:
        return "zlib" if not start[1] & 0x20 else None
    # The old container of LZMA has no mark: properties, a power of two as size of its dictionary, the size or -1.
    if len(start) >= 13 and start[0] == 0x5D and start[1:3] == b"\0\0" and start[5:13] == b"\xff" * 8:
        return "lzma"
    return None


def _may_be_stream(start: bytes) -> bool:
    """Return an Arrow stream: its mark, a length, then a root within it."""
    size, root = int.from_bytes(start[4:8], "little"), int.from_bytes(start[8:12], "little")
    return start.startswith(b"\xff\xff\xff\xff") and 16 <= size <= 16 << 20 and size % 8 == 0 and 4 <= root < size


def _may_be_lightgbm(start: bytes) -> bool:
    return start.startswith((b"tree\nversion=v", b"tree\r\nversion=v"))


def _may_be_json_booster(start: bytes) -> bool:
    """Return a model that XGBoost or CatBoost wrote as JSON."""
    return start.startswith(b"{") and b"".join(start[:200].split()).startswith(_JSON_BOOSTERS)


def _is_executorch(start: bytes) -> bool:
    """Return a program of ExecuTorch: a flat buffer with its mark at offset 4."""
    return start[4:6] == b"ET" and start[6:8].isdigit()


def _may_be_tfrecord(start: bytes) -> bool:
    """Return the length of a record (one of over 4 GiB is none), and the check sum of that length."""
    if len(start) < 12 or start[5:8] != b"\0\0\0":
        return False
    from pacha_git.inspectors.data.records import masked_crc

    return int.from_bytes(start[8:12], "little") == masked_crc(start[:8])


GUESSES: Final[tuple[tuple[Callable[[bytes], bool], str, str], ...]] = (
    (_may_be_stream, "arrow", "data.arrow_heads:read_arrow"),
    (_may_be_lightgbm, "booster", "weights.boosters:read_lightgbm"),
    (_may_be_json_booster, "booster", "weights.boosters:read_json_booster"),
    (_is_executorch, "executorch", "data.records:read_executorch"),
    (_may_be_tfrecord, "tfrecord", "data.records:read_tfrecord"),
)
"""Formats without a mark: whether a file may be one, its format, and the reader."""
