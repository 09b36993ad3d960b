"""Tells files of records and databases by their heads: Avro, TFRecord, SQLite, DuckDB, ORC, ExecuTorch's programs.

Formats: https://avro.apache.org/docs/current/specification, https://www.tensorflow.org/tutorials/load_data/tfrecord,
https://sqlite.org/fileformat2.html, https://duckdb.org/docs/stable/internals/storage.html,
https://docs.pytorch.org/executorch/stable/pte-file-format.html.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

from pacha_git.inspectors.facts import Facts
from pacha_git.inspectors.source import Cursor, Damaged, Source

_MOST_BLOCKS: Final = 100_000
_LARGEST_SCHEMA: Final = 4 << 20
_MOST_RECORDS: Final = 50_000
_AVRO_TYPES: Final = {
    "record": "struct", "array": "list", "boolean": "bool", "bytes": "binary", "long": "int64", "int": "int32",
}  # fmt: skip
_CRC32C_POLYNOMIAL: Final = 0x82F63B78


def read_avro(source: Source) -> Facts:
    """Read the schema of an Avro file, and count its rows by the heads of its blocks.

    Raises:
        Damaged: it is cut short.
    """
    cursor = Cursor(source, 4)
    head: dict[str, bytes] = {}
    while count := _long(cursor):
        if count < 0:
            _long(cursor)
        for _ in range(min(abs(count), 1000)):
            key = cursor.take(_size(cursor, 1 << 16)).decode("utf-8", "replace")
            head[key] = cursor.take(_size(cursor, _LARGEST_SCHEMA))
    mark = cursor.take(16)
    said: dict[str, Any] = {"codec": head.get("avro.codec", b"null").decode("utf-8", "replace")}
    said |= _avro_columns(head.get("avro.schema", b""))
    rows = blocks = 0
    while cursor.position < cursor.end and blocks < _MOST_BLOCKS:
        rows += max(0, _long(cursor))
        cursor.skip(max(0, _long(cursor)))
        if cursor.take(16) != mark:
            raise Damaged("one of its blocks does not end where it should")
        blocks += 1
    return Facts("avro", None, {**said, **({"rows": rows} if blocks < _MOST_BLOCKS else {"rows_at_least": rows})})


def _long(cursor: Cursor) -> int:
    value = cursor.varint()
    return (value >> 1) ^ -(value & 1)


def _size(cursor: Cursor, most: int) -> int:
    size = _long(cursor)
    if not 0 <= size <= most:
        raise Damaged("its head can't be read")
    return size


def _avro_columns(schema: bytes) -> dict[str, Any]:
    try:
        said = json.loads(schema)
    except (ValueError, RecursionError):
        raise Damaged("its schema is no JSON") from None
    fields = said.get("fields") if isinstance(said, dict) else None
    if not isinstance(fields, list):
        return {}
    return {
        "columns": {str(each.get("name")): _avro_type(each.get("type")) for each in fields if isinstance(each, dict)}
    }


def _avro_type(kind: Any) -> str:
    if isinstance(kind, list):
        kinds = [_avro_type(each) for each in kind if each != "null"]
        return kinds[0] if len(kinds) == 1 else "union"
    if isinstance(kind, dict):
        return str(kind.get("logicalType") or _avro_type(kind.get("type")))
    return _AVRO_TYPES.get(str(kind), str(kind))


def _crc32c_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_CRC32C_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


_CRC_TABLE: Final = _crc32c_table()


def masked_crc(data: bytes) -> int:
    """Return the check sum that TFRecord has beside lengths and records: CRC-32C, rotated and moved."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_tfrecord(source: Source) -> Facts:
    """Count records by their lengths.

    Raises:
        Damaged: a record is cut short, or its length is no length.
    """
    cursor = Cursor(source)
    count = 0
    while cursor.position < cursor.end and count < _MOST_RECORDS:
        length, check = cursor.unpack("<QI")
        if count < 16 and check != masked_crc(length.to_bytes(8, "little")):
            raise Damaged(f"record {count} has a wrong check sum")
        cursor.skip(length + 4)
        count += 1
    return Facts("tfrecord", None, {"records" if cursor.position >= cursor.end else "records_at_least": count})


def read_sqlite(source: Source) -> Facts:
    """Read the head of a database of SQLite.

    Raises:
        Damaged: it is cut short.
    """
    head = source.at(0, 100)
    page = int.from_bytes(head[16:18], "big")
    page = 65_536 if page == 1 else page
    pages, changed, valid_for = (int.from_bytes(head[at : at + 4], "big") for at in (28, 24, 92))
    if page < 512 or page & (page - 1):
        raise Damaged(f"pages of {page} bytes")
    said = {"page_size": page, "pages": pages, "user_version": int.from_bytes(head[60:64], "big")}
    # Only if both counters agree is the number of pages up to date.
    if pages and changed == valid_for and pages * page > source.size:
        raise Damaged(f"cut short: its pages end at {pages * page}, the file at {source.size}")
    return Facts("sqlite", None, said)


def read_duckdb(source: Source) -> Facts:
    """Read the head of a database of DuckDB: its storage version, and which release wrote it."""
    head = source.at(12, 8)
    library = source.some(52, 32).split(b"\0", 1)[0].decode("ascii", "replace")
    said: dict[str, Any] = {"storage_version": int.from_bytes(head, "little")}
    if library.isprintable() and library:
        said["library_version"] = library
    return Facts("duckdb", None, said)


def read_executorch(source: Source) -> Facts:
    """Read the extended header: how long the program is, and where its segments (the weights) begin.

    Raises:
        Damaged: it is cut short.
    """
    head = source.some(0, 64)
    said: dict[str, Any] = {"identifier": head[4:8].decode("ascii")}
    if head[8:10] == b"eh":
        program, segments = struct.unpack_from("<QQ", head.ljust(64, b"\0"), 16)
        data = struct.unpack_from("<Q", head.ljust(64, b"\0"), 32)[0] if head[12] >= 32 else 0
        if max(program, segments + data) > source.size:
            raise Damaged(f"cut short: it ends at {max(program, segments + data)}, the file at {source.size}")
        said |= {"program_bytes": program, "segment_bytes": source.size - segments if segments else 0}
    return Facts("executorch", None, said)


def read_orc(source: Source) -> Facts:
    """Tell a file of ORC.

    Raises:
        Damaged: its foot is not there.
    """
    length = source.at(source.size - 1, 1)[0]
    if source.some(source.size - 1 - length, length)[-3:] != b"ORC":
        raise Damaged("cut short: its foot is not there")
    return Facts("orc")
