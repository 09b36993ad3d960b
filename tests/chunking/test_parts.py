"""The layout pacha-cdc-2 is fixed, and cuts members, pages and frames; whatever a file says, it ends in cuts."""

from __future__ import annotations

import hashlib
import io
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import blake3
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacha_git.chunking.cuts import file_cuts
from pacha_git.chunking.layout import FIRST, LAYOUTS, NEWEST, layout_named
from tests.chunking import parts, reference
from tests.chunking.samples import bytes_of, ends_of

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "chunking-2.json").read_text())


def cuts(data: bytes) -> list[int]:
    return file_cuts(lambda offset, length: data[offset : offset + length], len(data), NEWEST)


def expected(data: bytes, spans: parts.Spans) -> list[int]:
    return sorted({edge for start, end in spans if end - start >= 16_384 for edge in (start, end)} - {0, len(data)})


def build(vector: dict[str, Any]) -> tuple[bytes, parts.Spans]:
    pieces = [(name, bytes_of(f"pacha part {name}", size)) for name, size in vector["parts"]]
    bodies = [data for _, data in pieces]
    makers: dict[str, Callable[[], tuple[bytes, parts.Spans]]] = {
        "tar": lambda: parts.tar_file(pieces, pax=False, time=1_790_000_000),
        "tar pax": lambda: parts.tar_file(pieces, pax=True, time=1_790_000_000),
        "zip": lambda: parts.zip_file(pieces),
        "zip64": lambda: parts.zip_file(pieces, wide=True),
        "parquet": lambda: parts.parquet_file(bodies),
        "zstd": lambda: parts.zstd_file(bodies, b"behind the last frame"),
    }
    return makers[vector["format"]]()


def test_the_layout_is_the_golden_one() -> None:
    assert list(LAYOUTS) == ["pacha-cdc-1", GOLDEN["layout"]]
    assert (NEWEST.name, NEWEST.tensor_minimum) == (GOLDEN["layout"], GOLDEN["part_minimum"])
    assert (layout_named(None), layout_named("pacha-cdc-1"), layout_named("pacha-cdc-99")) == (FIRST, FIRST, NEWEST)


@pytest.mark.parametrize("vector", GOLDEN["files"], ids=lambda vector: vector["format"])
def test_files_with_parts(vector: dict[str, Any]) -> None:
    data, spans = build(vector)
    assert (len(data), blake3.blake3(data).hexdigest()) == (vector["size"], vector["blake3"])
    assert cuts(data) == expected(data, spans) == vector["cuts"]
    ends = ends_of(data, vector["cuts"])
    assert ends == reference.chunk_ends(data, vector["cuts"])
    assert (len(ends), hashlib.sha256(json.dumps(ends).encode()).hexdigest()) == (
        vector["chunks"],
        vector["ends_sha256"],
    )
    assert file_cuts(lambda offset, length: data[offset : offset + length], len(data), FIRST) == []


def test_tensors_are_cut_as_before() -> None:
    first = json.loads((Path(__file__).parent.parent / "golden" / "chunking.json").read_text())
    for vector in first["tensors"]:
        from tests.chunking.samples import gguf_file, gguf_sample_keys, safetensors_file

        tensors = [(name, bytes_of(f"pacha tensor {name}", size)) for name, size in vector["tensors"]]
        gguf = vector["format"] == "gguf"
        data = (
            gguf_file(tensors, gguf_sample_keys(), alignment=vector["alignment"]) if gguf else safetensors_file(tensors)
        )
        assert cuts(data) == vector["cuts"]


def test_real_parquet_is_cut_at_its_pages() -> None:
    chance = random.Random(1)
    table = pa.table({"n": list(range(60_000)), "t": [f"{chance.getrandbits(60)}" for _ in range(60_000)]})
    out = io.BytesIO()
    pa.parquet.write_table(table, out, use_content_defined_chunking=True, data_page_size=1 << 16)
    found = cuts(out.getvalue())
    offsets = set()
    for group in range(pa.parquet.ParquetFile(out).metadata.num_row_groups):
        for column in range(2):
            said = pa.parquet.ParquetFile(out).metadata.row_group(group).column(column)
            offsets.add(said.dictionary_page_offset or said.data_page_offset)
    assert offsets - {4} <= set(found) | {4}
    assert len(found) > 6


def test_an_older_tar_and_a_packed_zip() -> None:
    pieces = [("a", bytes_of("a", 40_000)), ("b", bytes_of("b", 100)), ("c", bytes_of("c", 20_000))]
    for data, spans in (parts.tar_file(pieces, pax=False, time=0), parts.zip_file(pieces, packed=True)):
        assert cuts(data) == expected(data, spans) != []


def test_a_walk_ends_where_it_makes_no_sense_and_keeps_what_it_has() -> None:
    pieces = [(str(n), bytes_of(str(n), 20_000)) for n in range(6)]
    data, spans = parts.tar_file(pieces, pax=False, time=0)
    broken = bytearray(data)
    broken[spans[3][0] - 512] ^= 1
    assert cuts(bytes(broken)) == expected(data, spans[:3])
    pages, page_spans = parts.parquet_file([data for _, data in pieces])
    broken = bytearray(pages)
    broken[page_spans[2][0]] = 0x17
    assert cuts(bytes(broken)) == expected(pages, page_spans[:2])
    frames, frame_spans = parts.zstd_file([data for _, data in pieces])
    assert cuts(frames[: frame_spans[4][1] - 1]) == expected(frames, frame_spans[:4])
    archive, _ = parts.zip_file(pieces)
    assert cuts(archive[:-30]) == []  # without its directory nothing is known of a zip


def test_small_parts_end_the_walk() -> None:
    many = [(f"{n:05}", b"x") for n in range(4_100)]
    data, spans = parts.tar_file([("a", bytes(20_000)), *many, ("z", bytes(20_000))], pax=False, time=0)
    assert cuts(data) == expected(data, spans[:1])
    few = many[:4_000]
    data, spans = parts.tar_file([("a", bytes(20_000)), *few, ("z", bytes(20_000))], pax=False, time=0)
    assert cuts(data) == expected(data, spans)


@settings(max_examples=40)
@given(st.sampled_from(["tar", "tar pax", "zip", "zip64", "parquet", "zstd"]), st.data())
def test_changed_bytes_end_in_cuts(kind: str, draw: st.DataObject) -> None:
    data = bytearray(build({"format": kind, "parts": [["a", 20_000], ["b", 10], ["c", 17_000]]})[0])
    for at in draw.draw(st.lists(st.integers(-800, 800), min_size=1, max_size=6)):
        data[at] = draw.draw(st.integers(0, 255))
    begin = time.process_time()
    found = cuts(bytes(data))
    assert time.process_time() - begin < 1
    assert found == sorted(set(found))
    assert all(0 < cut < len(data) for cut in found)


@given(st.sampled_from([b"PK\x03\x04", b"PAR1", b"\x28\xb5\x2f\xfd", b""]), st.binary(max_size=2000))
def test_any_bytes_end_in_cuts(mark: bytes, rest: bytes) -> None:
    assert all(0 < cut < len(mark + rest) for cut in cuts(mark + rest))
