"""The columns of tables: the same facts from every format, by PyArrow and by the standard library alone."""

from __future__ import annotations

import datetime
import gzip
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from sklearn.datasets import load_wine

from pacha_git.inspectors.source import Damaged
from pacha_git.inspectors.tables import tables
from pacha_git.inspectors.tables.arrow import read_with_arrow
from pacha_git.inspectors.tables.columns import Column, Table, day_text, in_order
from pacha_git.inspectors.tables.tables import LibraryMissing, read_table, table_kind
from pacha_git.inspectors.tables.text_tables import read_text_table

CSV = """\
id,x,ok,day,at,name,none
1,0.5,true,2024-01-02,2024-01-02 10:00:00,ab,
2,,false,2023-01-02,2024-01-02 11:00:00,"c, d",
3,7,,,,,NA
"""
COLUMNS = (
    Column("id", "int64", 0, 1, 3),
    Column("x", "float64", 1, 0.5, 7),
    Column("ok", "bool", 1),
    Column("day", "date32", 1, "2023-01-02", "2024-01-02"),
    Column("at", "timestamp", 1, "2024-01-02T10:00:00", "2024-01-02T11:00:00"),
    Column("name", "string", 1, 2, 4),
    Column("none", "null", 3),
)
READERS = [read_text_table, read_with_arrow]


@pytest.fixture
def without_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "has_arrow", lambda: False)


def read(data: bytes | str, path: str) -> Table:
    return read_table(io.BytesIO(data.encode() if isinstance(data, str) else data), path)


@pytest.mark.parametrize("reader", READERS)
def test_csv(reader: object) -> None:
    assert reader(io.BytesIO(CSV.encode()), "a.csv", "csv") == Table(3, COLUMNS)  # type: ignore[operator]


def test_json_lines() -> None:
    rows = [{"a": 1, "b": [1], "c": {"x": 1}, "d": "xy", "e": None, "f": True}, {"a": 2.5, "d": "é"}]
    data = "\n".join(json.dumps(row) for row in rows).encode()
    assert read_table(io.BytesIO(data), "a.jsonl") == Table(
        2,
        (
            Column("a", "float64", 0, 1, 2.5), Column("b", "list", 1), Column("c", "struct", 1),
            Column("d", "string", 0, 1, 2), Column("e", "null", 2), Column("f", "bool", 1),
        ),
    )  # fmt: skip


def test_the_same_real_table_in_every_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wine = load_wine()
    columns = {name: wine.data[:, at] for at, name in enumerate(wine.feature_names)} | {"target": wine.target}
    table = pa.table(columns)
    lines = [",".join(columns), *(",".join(str(values[at].item()) for values in columns.values()) for at in range(178))]
    (tmp_path / "wine.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "wine.tsv").write_text("\n".join(lines).replace(",", "\t"))
    (tmp_path / "wine.csv.gz").write_bytes(gzip.compress((tmp_path / "wine.csv").read_bytes()))
    (tmp_path / "wine.jsonl").write_text("\n".join(json.dumps(row) for row in table.to_pylist()))
    pyarrow.parquet.write_table(table, tmp_path / "wine.parquet", row_group_size=50)
    pyarrow.feather.write_feather(table, tmp_path / "wine.feather")
    with pa.OSFile(str(tmp_path / "wine.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table, 64)
    found = {path.name: read(path.read_bytes(), path.name) for path in sorted(tmp_path.iterdir())}
    one = found["wine.parquet"]
    assert one.rows == 178
    assert one.columns[0] == Column("alcohol", "float64", 0, 11.03, 14.83)
    assert one.columns[-1] == Column("target", "int64", 0, 0, 2)
    assert all(table == one for table in found.values())
    monkeypatch.setattr(tables, "has_arrow", lambda: False)
    for name in ("wine.csv", "wine.tsv", "wine.csv.gz", "wine.jsonl"):
        assert read((tmp_path / name).read_bytes(), name) == one
    for name in ("wine.parquet", "wine.feather"):
        with pytest.raises(LibraryMissing):
            read((tmp_path / name).read_bytes(), name)


def test_types_that_change_far_down() -> None:
    found = read("a,b\n" + "1,x\n" * 300_000 + "oops,y\n", "a.csv")
    assert (found.rows, found.columns[0].dtype) == (300_001, "string")


def test_other_separators_and_odd_rows() -> None:
    assert [column.name for column in read("a;b\n1,5;2\n", "a.csv").columns] == ["a", "b"]
    assert read("a|b\n1|2\n", "a.csv").columns[1] == Column("b", "int64", 0, 2, 2)
    assert read("a,b\n1,2\n3\n", "a.csv").columns[1] == Column("b", "int64", 1, 2, 2)
    assert read('a\n"two\nlines"\n', "a.csv").columns[0] == Column("a", "string", 0, 9, 9)
    assert read("\ufeffa,b\n1,2\n", "a.csv").columns[0].name == "a"


def test_numbers_that_are_none(without_arrow: None) -> None:
    found = read("a\n1\ninf\nnan\n-inf\n2.5\n", "a.csv")
    assert found.columns == (Column("a", "float64", 1, 1, 2.5),)
    assert read("a\n" + "9" * 30 + "\n", "a.csv").columns[0].dtype == "float64"
    assert read("a\n1\n2024-01-01\n", "a.csv").columns[0].dtype == "string"
    assert read("a\n2024-01-01T00:00:00Z\n2024-01-01 01:00:00\n", "a.csv").columns == (
        Column("a", "timestamp", 0, "2024-01-01T00:00:00", "2024-01-01T01:00:00"),
    )


@pytest.mark.parametrize("arrow", [True, False])
@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"", "a.csv"), (b"\n\n", "a.csv"), (b"\xff\xfe\n1\n", "a.csv"), (b"{", "a.jsonl"), (b"[1]\n", "a.jsonl"),
        (b"[" * 100_000, "a.jsonl"), (b"nonsense", "a.csv.gz"),
        (gzip.compress(CSV.encode(), mtime=0)[:-20], "a.csv.gz"),
    ],
)  # fmt: skip
def test_what_is_no_table(data: bytes, path: str, arrow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "has_arrow", lambda: arrow)
    with pytest.raises(Damaged):
        read(data, path)


@pytest.mark.parametrize("path", ["a.parquet", "a.arrow", "a.feather"])
def test_what_is_no_file_of_arrow(path: str) -> None:
    with pytest.raises(Damaged):
        read(b"PAR1 nonsense PAR1", path)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("A.CSV", "csv"),
        ("x/a.tsv", "csv"),
        ("a.jsonl.gz", "jsonl"),
        ("a.pq", "parquet"),
        ("a.parquet.gz", None),
        ("a.txt", None),
    ],
)
def test_table_kind(path: str, kind: str | None) -> None:
    assert table_kind(path) == kind


def test_every_column_type_is_read(tmp_path: Path) -> None:
    one = [1, 2]
    columns: dict[str, tuple[Any, Any, Any]] = {
        "decimal32": (pa.array([Decimal("1.25"), Decimal("10.00")], pa.decimal32(5, 2)), "1.25", "10.00"),
        "view": (pa.array(["a", "bcd"], pa.string_view()), 1, 3),
        "runs": (pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), pa.array(["x", "yy"])), 1, 2),
        "interval": (pa.array([(1, 2, 3), (1, 2, 4)], pa.month_day_nano_interval()), None, None),
        "words": (pa.array(one, pa.timestamp("ns")).dictionary_encode(), "1970-01-01T00:00:00.000000001",
                  "1970-01-01T00:00:00.000000002"),
        "bool8": (pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0], pa.int8())), 0, 1),
        "seconds": (pa.array([-(2**63) + 1, 2**63 - 1], pa.timestamp("s")), "-292277022657-01-27T08:29:53",
                    "+292277026596-12-04T15:30:07"),
        "days": (pa.array([0, 2**31 - 1], pa.int32()).cast(pa.date32()), "1970-01-01", "+5881580-07-11"),
        "union": (pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array(one), pa.array(["a", "b"])]),
                  None, None),
        "large": (pa.array([2**64 - 1, 0], pa.uint64()), 0, 2**64 - 1),
    }  # fmt: skip
    with pa.ipc.new_stream(str(tmp_path / "t.arrow"), pa.table({k: v[0] for k, v in columns.items()}).schema) as stream:
        stream.write_table(pa.table({name: values[0] for name, values in columns.items()}))
    with (tmp_path / "t.arrow").open("rb") as file:
        found = read_table(file, "t.arrow")
    assert {c.name: (c.minimum, c.maximum) for c in found.columns} == {k: v[1:] for k, v in columns.items()}


def test_instants_beyond_the_years_of_python_keep_their_order() -> None:
    words = ["-0044-03-15", "0001-01-01", "2026-01-31", "9999-12-31", "+10000-01-01", "+294247-01-10T04:00:54.775807"]
    assert sorted(set(words), key=in_order) == words
    assert day_text(0) == "1970-01-01"
    for day in (-719_162, -1, 0, 59, 60, 19_000, 2_932_896):
        assert day_text(day) == (datetime.date(1970, 1, 1) + datetime.timedelta(day)).isoformat()


@pytest.mark.parametrize(
    "text",
    [
        "a\n1\n2\n", "a\n1\n2.5\n", "a\n 1\n2 \n", "a\ntrue\nFALSE\n", "a\n2026-01-31\n2025-01-31\n",
        "a\n12:30:00\n11:00:00\n",
        "a\n2026-01-31 10:00:00\n2026-01-31T11:00:00\n", "a\n+1\n2\n", "a\n1_000\n2\n", "a\n99999999999999999999\n1\n",
        "a\nNA\n3\n", "a\n2026-W05-1\n2026-W05-2\n", "a\ninf\n1\n",
        "a\n2026-01-31T10:00:00.123456789\n2026-01-31T10:00:00.1\n",
        "a\n0001-01-01T00:00:00+05:00\n0001-01-01T00:00:00+05:00\n",
    ],
)  # fmt: skip
def test_a_csv_is_the_same_with_and_without_pyarrow(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_arrow = read_table(io.BytesIO(text.encode()), "a.csv")
    monkeypatch.setattr(tables, "has_arrow", lambda: False)
    assert read_table(io.BytesIO(text.encode()), "a.csv") == with_arrow
