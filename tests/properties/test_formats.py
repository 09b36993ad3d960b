"""Whatever stands in a file, looking at it ends in facts or in nothing, and a record can hold them."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from pacha_git.format import canonical
from pacha_git.inspectors.sniff import inspect

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "formats"
SEEDS = [
    path.read_bytes() for path in sorted(GOLDEN.rglob("*")) if path.is_file() and path.suffix not in (".md", ".py")
]
MAGICS = [
    b"GGUF",
    b"\x93NUMPY",
    b"PK\x03\x04",
    b"APR\0\x02\0",
    b"ALDF",
    b"PAR1",
    b"\x80\x04",
    b"\x08\x07\x12\x04onnx",
    b"\xff\xff\xff\xff",
    b"ARROW1\0\0",
    b"Obj\x01",
    b"\x04\x22\x4d\x18",
    b"BZh9",
    b"\x1f\x8b\x08",
    b"\x89HDF\r\n\x1a\n",
]
NAMES = [
    "zarr.json",
    "m.index.json",
    "croissant.json",
    "x.pkl.gz",
    "x",
    "x.safetensors",
    "x.pkl",
    "x.pt",
    "x.onnx",
    "x.npz",
]


def check(data: bytes, name: str) -> None:
    facts = inspect(lambda offset, length: data[offset : offset + length], len(data), name)
    if facts is not None:
        canonical.encode(facts.to_json())


@given(st.sampled_from(MAGICS), st.binary(max_size=600), st.sampled_from(NAMES))
@example(b"\x20\0\0\0\0\0\0\0", b'{"w": {"dtype": "F32", "shape": [9007199254740993], "data_offsets": [0, 1e3]}}', "x")
def test_any_bytes(magic: bytes, rest: bytes, name: str) -> None:
    check(magic + rest, name)
    check(rest, name)


@given(st.sampled_from(SEEDS), st.data(), st.sampled_from(NAMES))
def test_real_files_with_some_bytes_changed(seed: bytes, data: st.DataObject, name: str) -> None:
    changed = bytearray(seed)
    for at in data.draw(st.lists(st.integers(0, min(len(seed), 2000) - 1), min_size=1, max_size=8)):
        changed[at] = data.draw(st.integers(0, 255))
    check(bytes(changed), name)


LEAVES = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


@given(TREES)
def test_any_safetensors_head(value: object) -> None:
    entry = {"dtype": "F32", "shape": value, "data_offsets": [0, 4]}
    for head in (value, {"w": value}, {"w": entry, "__metadata__": value}):
        text = json.dumps(head).encode()
        check(len(text).to_bytes(8, "little") + text + bytes(4), "x.safetensors")
