"""Reads the heads of the files of the Rust pacha's own stack: models as ``.apr``, datasets as ``.ald``.

Formats: https://docs.rs/apr-format and https://docs.rs/alimentar (format). Such a file may be encrypted: then
that is all that is said.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pacha_git.inspectors.facts import Facts, Tensor
from pacha_git.inspectors.source import Cursor, Damaged, Source

APR_MAGICS: Final = (b"APR\0", b"APRN")
ALD_MAGIC: Final = b"ALDF"
_MOST_TENSORS: Final = 131_072
_LONGEST_METADATA: Final = 1 << 20
_APR_TYPES: Final = {0: "F32", 1: "F16", 2: "BF16", 3: "F64", 4: "I32", 5: "I64", 6: "I8", 7: "U8"}
_COMPRESSIONS: Final = {0: "none", 1: "zstd 3", 2: "zstd 19", 3: "lz4"}


def read_apr(source: Source) -> Facts:
    """Read a model's version, metadata and tensors.

    Raises:
        Damaged: the head is cut short or can't be read.
    """
    cursor = Cursor(source, 4)
    major, minor = cursor.unpack("<BB")
    if source.at(0, 4) == b"APRN" or major != 2:
        return Facts("apr", metadata={"version": f"{major}.{minor}"})
    flags, count, offset, size, index, data = cursor.unpack("<HIQIQQ")
    said: dict[str, Any] = {"version": f"{major}.{minor}", "flags": flags}
    if size > _LONGEST_METADATA or count > _MOST_TENSORS:
        raise Damaged(f"it claims {count} tensors and {size} bytes of metadata")
    if size:
        said |= _metadata(source.at(offset, size))
    if data > source.size:
        raise Damaged("cut short: its tensors begin behind its end")
    entries = Cursor(source, index, data)
    return Facts("apr", tuple(_tensor(entries) for _ in range(count)), said)


def _metadata(data: bytes) -> dict[str, Any]:
    try:
        said = json.loads(data.rstrip(b"\0"))
    except (ValueError, RecursionError):
        raise Damaged("its metadata is no JSON") from None
    return {key: value for key, value in said.items() if not isinstance(value, dict)} if isinstance(said, dict) else {}


def _tensor(cursor: Cursor) -> Tensor:
    (length,) = cursor.unpack("<H")
    cursor.skip(length)
    kind, dimensions = cursor.unpack("<BB")
    if dimensions > 8:
        raise Damaged(f"a tensor of {dimensions} dimensions")
    shape = cursor.unpack(f"<{dimensions}Q")
    cursor.skip(16)
    return Tensor(_APR_TYPES.get(kind, f"type {kind}"), shape)


def read_ald(source: Source) -> Facts:
    """Read a dataset's version, rows, compression and flags.

    Raises:
        Damaged: the head is cut short.
    """
    cursor = Cursor(source, 4)
    major, minor, kind, metadata, payload, size, compression, flags, schema, rows = cursor.unpack("<BBHIIIBBHQ")
    said: dict[str, Any] = {"version": f"{major}.{minor}", "dataset_type": kind, "rows": rows, "payload_size": payload}
    said |= {"uncompressed_size": size, "compression": _COMPRESSIONS.get(compression, compression)}
    said |= {word: True for bit, word in ((1, "encrypted"), (2, "signed"), (8, "licensed")) if flags & bit}
    short = 32 + metadata + schema + payload > source.size
    return Facts("ald", metadata=said, warnings=("cut short: its payload ends behind its end",) if short else ())
