"""The layout pacha-cdc-1 is fixed: library, reference and golden vectors agree to the byte."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import blake3
import pytest

from pacha_git.chunking.layout import FIRST, LAYOUTS, Grouper
from pacha_git.chunking.tensors import tensor_cuts
from tests.chunking import reference
from tests.chunking.samples import bytes_of, ends_of, gguf_file, gguf_sample_keys, safetensors_file

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "chunking.json").read_text())


def test_the_layout_is_the_golden_one() -> None:
    assert LAYOUTS[GOLDEN["layout"]] == FIRST
    assert {name: getattr(FIRST, name) for name in GOLDEN["constants"]} == GOLDEN["constants"]


def test_the_reference_has_the_golden_constants() -> None:
    table = b"".join(value.to_bytes(8, "big") for value in reference.GEAR)
    assert blake3.blake3(table).hexdigest() == GOLDEN["gear_blake3"]
    assert f"{reference.BEFORE_AVERAGE:016x}" == GOLDEN["mask_before_average"]
    assert f"{reference.FROM_AVERAGE:016x}" == GOLDEN["mask_from_average"]


@pytest.mark.parametrize("vector", GOLDEN["constant"], ids=lambda vector: vector["length"])
def test_constant_input(vector: dict[str, Any]) -> None:
    data = bytes([vector["byte"]]) * vector["length"]
    assert ends_of(data) == reference.chunk_ends(data) == vector["ends"]


@pytest.mark.parametrize("vector", GOLDEN["pseudo_random"], ids=lambda vector: f"{vector['seed']}-{vector['length']}")
def test_pseudo_random_input(vector: dict[str, Any]) -> None:
    data = bytes_of(vector["seed"], vector["length"])
    assert ends_of(data) == reference.chunk_ends(data) == vector["ends"]


@pytest.mark.parametrize("vector", GOLDEN["tensors"], ids=lambda vector: vector["format"])
def test_tensor_files(vector: dict[str, Any]) -> None:
    tensors = [(name, bytes_of(f"pacha tensor {name}", size)) for name, size in vector["tensors"]]
    if vector["format"] == "gguf":
        data = gguf_file(tensors, gguf_sample_keys(), alignment=vector["alignment"])
    else:
        data = safetensors_file(tensors)
    assert (len(data), blake3.blake3(data).hexdigest()) == (vector["size"], vector["blake3"])
    cuts = tensor_cuts(lambda offset, length: data[offset : offset + length], len(data))
    assert cuts == vector["cuts"]
    assert ends_of(data, cuts) == reference.chunk_ends(data, cuts) == vector["ends"]


def test_groups() -> None:
    hashed, constant = GOLDEN["groups"]
    oids = (hashlib.sha1(f"pacha group {i}".encode()).digest() for i in range(hashed["count"]))
    assert group_ends(oids) == hashed["ends"]
    assert group_ends(b"\x01" * 20 for _ in range(constant["count"])) == constant["ends"]


def group_ends(oids: Iterable[bytes]) -> list[int]:
    grouper = Grouper()
    return [count for count, oid in enumerate(oids, 1) if grouper.push(oid)]
