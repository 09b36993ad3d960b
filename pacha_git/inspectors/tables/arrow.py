"""Reads tables with PyArrow, a batch at a time: CSV, Parquet, Arrow and Feather files.

What it finds depends on the file alone: PyArrow makes Python's values of its own by the libraries that are installed
beside it, so dates and times stay numbers here, and texts are made of them by ``columns``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc

from pacha_git.inspectors.source import Damaged
from pacha_git.inspectors.tables.columns import MOST_COLUMNS, NULLS, Column, Table, day_text, delimiter_of, instant_text

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
        if not all(_is_plain(field.type) for field in reader.schema):
            raise Damaged("it has a column of a type that PyArrow alone tells")
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


def _is_plain(dtype: pa.DataType) -> bool:
    """Tell whether a type is one that the reader without PyArrow finds in a CSV too."""
    return str(dtype).split("[", 1)[0] in ("int64", "double", "string", "bool", "null", "date32", "timestamp")


class _ArrowColumn:
    """What the batches of a column told so far."""

    def __init__(self, name: str, dtype: pa.DataType) -> None:
        self._name = name
        self._dtype = _bare(dtype)
        self._nulls = 0
        self._least: Any = None
        self._most: Any = None

    def see(self, values: pa.Array) -> None:
        """Take in a batch."""
        self._nulls += values.null_count
        try:
            comparable = _comparable(values)
            found = pc.min_max(comparable).as_py() if comparable is not None else {"min": None}
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            return  # a type that Arrow writes and can't compare has no range
        if found["min"] is not None:
            self._least = found["min"] if self._least is None else min(self._least, found["min"])
            self._most = found["max"] if self._most is None else max(self._most, found["max"])

    def column(self) -> Column:
        """Return the column."""
        temporal = pa.types.is_temporal(self._dtype)
        shown = (str(self._dtype).split("[", 1)[0] if temporal else str(self._dtype)).split("<", 1)[0]
        return Column(
            self._name, _NAMES.get(shown, shown), self._nulls, self._plain(self._least), self._plain(self._most)
        )

    def _plain(self, value: Any) -> Any:
        if type(value) is int and pa.types.is_date(self._dtype):
            return day_text(value if pa.types.is_date32(self._dtype) else value // 86_400_000)
        if type(value) is int and pa.types.is_time(self._dtype):
            return instant_text(value, self._dtype.unit).partition("T")[2]
        if type(value) is int and pa.types.is_timestamp(self._dtype):
            return instant_text(value, self._dtype.unit)
        return value if value is None or isinstance(value, int | float | str) else str(value)


def _bare(dtype: pa.DataType) -> pa.DataType:
    """Return the type that values have below an extension, a dictionary or an encoding of runs."""
    while True:
        if isinstance(dtype, pa.BaseExtensionType):
            dtype = dtype.storage_type
        elif pa.types.is_dictionary(dtype) or pa.types.is_run_end_encoded(dtype):
            dtype = dtype.value_type
        else:
            return dtype


def _comparable(values: pa.Array) -> pa.Array | None:
    """Numbers in the order of the values: of texts their lengths, of dates and times the numbers behind them."""
    while _bare(values.type) != values.type:
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        elif pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        else:
            values = pc.run_end_decode(values)
    dtype = values.type
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype):
        return pc.utf8_length(values.cast(pa.large_string()) if pa.types.is_string_view(dtype) else values)
    if pa.types.is_date32(dtype) or pa.types.is_time32(dtype):
        return values.view(pa.int32())
    if pa.types.is_date64(dtype) or pa.types.is_time64(dtype) or pa.types.is_timestamp(dtype):
        return values.view(pa.int64())
    if pa.types.is_floating(dtype):
        values = values.cast(pa.float64())
        return values.filter(pc.is_finite(values).fill_null(False))
    if pa.types.is_decimal(dtype) and dtype.bit_width < 128:
        values = values.cast(pa.decimal128(dtype.precision, dtype.scale))  # smaller ones can't be compared
    return values if pa.types.is_integer(dtype) or pa.types.is_decimal(dtype) else None
