"""Reads tables with PyArrow, a batch at a time: CSV, JSON lines, Parquet, Arrow and Feather files."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc

from pacha_git.inspectors.columns import MOST_COLUMNS, NULLS, Column, Table, delimiter_of
from pacha_git.inspectors.source import Damaged

_BATCH: Final = 1 << 16
_NAMES: Final = {"double": "float64", "float": "float32", "halffloat": "float16", "large_string": "string"}


def read_with_arrow(file: BinaryIO, path: str, kind: str) -> Table:
    """Read it; see ``tables.read_table``.

    Raises:
        Damaged: it can't be read.
    """
    try:
        schema, batches = _open(file, path, kind)
        if len(schema) > MOST_COLUMNS:
            raise Damaged(f"it has {len(schema)} columns")
        columns = [_ArrowColumn(field.name, field.type) for field in schema]
        rows = 0
        for batch in batches:
            rows += batch.num_rows
            for at, column in enumerate(columns):
                column.see(batch.column(at))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Damaged(" ".join(str(error).split())[:300]) from None
    return Table(rows, tuple(column.column() for column in columns))


def _open(file: BinaryIO, path: str, kind: str) -> tuple[pa.Schema, Iterable[pa.RecordBatch]]:
    if kind == "csv":
        import pyarrow.csv as arrow_csv

        first = file.readline(1 << 20).decode("utf-8", "replace")
        file.seek(0)
        reader = arrow_csv.open_csv(
            file,
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter_of(first, path), newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(null_values=list(NULLS), strings_can_be_null=True),
        )
        return reader.schema, reader
    if kind == "jsonl":
        import pyarrow.json as arrow_json

        reader = arrow_json.open_json(file)
        return reader.schema, reader
    if kind == "parquet":
        import pyarrow.parquet as arrow_parquet

        opened = arrow_parquet.ParquetFile(file)
        return opened.schema_arrow, opened.iter_batches(_BATCH)
    return _open_ipc(file)


def _open_ipc(file: BinaryIO) -> tuple[pa.Schema, Iterable[pa.RecordBatch]]:
    start = file.read(6)
    file.seek(0)
    if start == b"ARROW1":
        opened = pa.ipc.open_file(file)
        return opened.schema, (opened.get_batch(at) for at in range(opened.num_record_batches))
    stream = pa.ipc.open_stream(file)
    return stream.schema, stream


class _ArrowColumn:
    """What the batches of a column told so far."""

    def __init__(self, name: str, dtype: pa.DataType) -> None:
        self._name = name
        self._dtype = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
        self._nulls = 0
        self._least: Any = None
        self._most: Any = None

    def see(self, values: pa.Array) -> None:
        """Take in a batch."""
        self._nulls += values.null_count
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            values = pc.utf8_length(values)
        elif not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
                  or pa.types.is_temporal(values.type) or pa.types.is_decimal(values.type)):  # fmt: skip
            return
        if pa.types.is_duration(values.type) or pa.types.is_float16(values.type):
            return
        if pa.types.is_floating(values.type):
            values = values.filter(pc.is_finite(values).fill_null(False))
        found = pc.min_max(values).as_py()
        if found["min"] is not None:
            self._least = found["min"] if self._least is None else min(self._least, found["min"])
            self._most = found["max"] if self._most is None else max(self._most, found["max"])

    def column(self) -> Column:
        """The column."""
        named = str(self._dtype).split("[", 1)[0] if pa.types.is_temporal(self._dtype) else str(self._dtype)
        shown = named.split("<", 1)[0]
        return Column(self._name, _NAMES.get(shown, shown), self._nulls, _plain(self._least), _plain(self._most))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return value if value is None or isinstance(value, int | float | str) else str(value)
