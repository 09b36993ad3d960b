"""Tensor cuts: where large tensors lie, none for a head that lies, and untouched tensors shared in any company."""

from __future__ import annotations

import json
import struct
import time
import tracemalloc

import numpy
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.chunking.tensors import tensor_cuts
from tests.chunking.samples import (
    bytes_of,
    chunks_of,
    gguf_file,
    gguf_key,
    gguf_sample_keys,
    gguf_string,
    safetensors_file,
)

TENSORS = [(name, bytes_of(name, size)) for name, size in [("a", 40_000), ("b", 64), ("c", 20_000), ("d", 16_384)]]


def cuts_of(data: bytes) -> list[int]:
    return tensor_cuts(lambda offset, length: data[offset : offset + length], len(data))


def with_header(header: bytes, body: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + body


def entry(name: str, begin: int, end: int) -> str:
    return f'"{name}":{{"dtype":"U8","shape":[{end - begin}],"data_offsets":[{begin},{end}]}}'


def test_safetensors_large_tensors_begin_and_end_on_a_cut() -> None:
    data = safetensors_file(TENSORS)
    start = data.index(TENSORS[0][1])
    assert cuts_of(data) == [start, start + 40_000, start + 40_064, start + 60_064]


def test_gguf_large_tensors_begin_and_end_on_a_cut() -> None:
    for alignment, keys in ((32, []), (64, gguf_sample_keys())):
        data = gguf_file(TENSORS, keys, alignment=alignment)
        assert cuts_of(data) == [data.index(body) for _, body in TENSORS]


def test_the_real_safetensors_library_writes_what_we_read() -> None:
    arrays = {"x": numpy.ones((128, 128), "float32"), "y": numpy.zeros(3, "float32"), "z": numpy.ones(65536, "int8")}
    data = safetensors.numpy.save(arrays, metadata={"format": "pt", '"data_offsets":[0,9]': '{"data_offsets":[1,2]}'})
    base = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:base])
    wanted = {base + edge for name in "xz" for edge in header[name]["data_offsets"]}
    assert cuts_of(data) == sorted(wanted - {len(data)})


@pytest.mark.parametrize("build", [safetensors_file, gguf_file])
def test_a_truncated_head_has_no_cuts(build: object) -> None:
    assert callable(build)
    data = build(TENSORS)
    head = data.index(TENSORS[0][1])
    for length in [*range(0, head, 7), head]:
        assert cuts_of(data[:length]) == []


def test_a_safetensors_file_cut_short_has_no_cuts() -> None:
    data = safetensors_file(TENSORS)
    assert cuts_of(data[:-1]) == cuts_of(data + b"x") == []


@pytest.mark.parametrize(
    "header",
    [
        "{" + entry("a", 0, 50_000) + "," + entry("b", 40_000, 90_000) + "}",
        "{" + entry("a", 0, 40_000) + "," + entry("b", 50_000, 90_000) + "}",
        "{" + entry("a", 0, 99_999) + "}",
        "{" + entry("a", 0, 10**15) + "}",
        "{" + entry("a", 40_000, 0) + "," + entry("b", 40_000, 90_000) + "}",
        "{}",
        "[" + entry("a", 0, 90_000) + "]",
        '{"a":{"data_offsets":[-1,90000]}}',
        '{"a":{"data_offsets":[0,9e4]}}',
        '{"a":{"data_offsets":[0,' + "9" * 400 + "]}}",
        "{" * 5000,
    ],
)
def test_a_lying_safetensors_head_has_no_cuts(header: str) -> None:
    assert cuts_of(with_header(header.encode(), bytes(90_000))) == []


def test_offsets_within_strings_are_not_offsets() -> None:
    text = json.dumps({"__metadata__": {"x": '"data_offsets":[0,5]'}})[:-1] + "," + entry("a", 0, 90_000) + "}"
    assert cuts_of(with_header(text.encode(), bytes(90_000))) == [8 + len(text)]


def test_a_header_longer_than_a_block_is_read_whole() -> None:
    names = [(f"layer.{i}." + "x" * 200, i * 16_384) for i in range(9000)]
    text = "{" + ",".join(entry(name, begin, begin + 16_384) for name, begin in names) + "}"
    size = 8 + len(text) + 9000 * 16_384
    start = len(text).to_bytes(8, "little") + text.encode()
    cuts = tensor_cuts(lambda offset, length: start[offset : offset + length], size)
    assert len(text) > 2 << 20
    assert cuts == list(range(8 + len(text), size, 16_384))


@pytest.mark.parametrize(
    "data",
    [
        b"GGUF" + struct.pack("<IQQ", 1, 0, 0),
        b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63),
        gguf_file(TENSORS, [gguf_key("general.alignment", 4, struct.pack("<I", 0))]),
        gguf_file(TENSORS, [gguf_key("general.alignment", 4, struct.pack("<I", 2**31))]),
        gguf_file(TENSORS, [gguf_key("general.alignment", 8, gguf_string("32"))]),
        gguf_file(TENSORS, [gguf_key("x", 99, b"")]),
        gguf_file(TENSORS, [gguf_key("x", 9, struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 0, 0))]),
        gguf_file(TENSORS, [gguf_key("x", 9, struct.pack("<IQ", 0, 2**64 - 1))]),
        gguf_file(TENSORS, [gguf_key("x", 9, struct.pack("<IQ", 8, 2**64 - 1))]),
        gguf_file(TENSORS, [gguf_key("x", 8, struct.pack("<Q", 2**64 - 1))]),
    ],
)
def test_a_lying_gguf_head_has_no_cuts(data: bytes) -> None:
    assert cuts_of(data) == []


def test_a_gguf_offset_beyond_the_file_has_no_cuts() -> None:
    data = gguf_file(TENSORS)
    last = data.index(TENSORS[-1][1])
    assert cuts_of(data[:last]) == cuts_of(data[: last - 1]) == []
    assert cuts_of(data[: last + 1]) != []


@given(st.binary(max_size=300), st.sampled_from([b"GGUF\x03\0\0\0", b"GGUF", b"\x40\0\0\0\0\0\0\0{", b""]))
def test_any_bytes_are_survived(data: bytes, magic: bytes) -> None:
    data = magic + data
    assert all(0 < cut < len(data) for cut in cuts_of(data))


@given(st.integers(0, 3000), st.integers(0, 255), st.sampled_from([safetensors_file(TENSORS), gguf_file(TENSORS)]))
def test_any_damaged_byte_is_survived(where: int, value: int, data: bytes) -> None:
    damaged = bytearray(data)
    damaged[where % len(data)] = value
    assert all(0 < cut < len(data) for cut in cuts_of(bytes(damaged)))


def hostile_safetensors(size: int) -> bytes:
    text = b"{" + b'"data_offsets":[0,0]' * (size // 20)
    return with_header(text, b"")


def hostile_gguf(size: int) -> bytes:
    key = gguf_key("x", 9, struct.pack("<IQ", 8, 3_900_000))
    return b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + key + bytes(size)


@pytest.mark.parametrize("build", [hostile_safetensors, hostile_gguf])
def test_a_hostile_head_costs_little(build: object) -> None:
    assert callable(build)
    data = build(24 << 20)
    began = time.process_time()
    assert cuts_of(data) == []
    assert time.process_time() - began < 5
    data = build(2 << 20)
    tracemalloc.start()
    try:
        cuts_of(data)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("build", [safetensors_file, gguf_file])
def test_tensors_in_another_order_are_shared(build: object) -> None:
    """Weights with biases between them, all turned round: the weights keep their chunks."""
    assert callable(build)
    tensors = [
        (f"{kind}.{i}", bytes_of(f"{kind}{i}", size)) for i in range(6) for kind, size in (("w", 320_000), ("b", 96))
    ]
    have = set(chunks_of(build(tensors), cuts_of(build(tensors))))
    turned = build(tensors[::-1])
    assert cuts_of(turned)
    fresh = sum(len(chunk) for chunk in chunks_of(turned, cuts_of(turned)) if chunk not in have)
    assert fresh < len(turned) * 0.01
