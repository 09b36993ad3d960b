"""What a file says lies elsewhere is looked for: said when it is not registered with it, refused with ``--strict``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import PachaError
from tests.cli.conftest import Ended
from tests.making import folder, put

Pacha = Callable[..., Ended]
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 267832560\n" % (b"4d" * 32)
ANNEX = b"/annex/objects/SHA256E-s104857600--%s.bin\n" % (b"ab" * 32)
INDEX = json.dumps({"metadata": {}, "weight_map": {"a": "m-00001-of-00002.bin", "b": "m-00002-of-00002.bin"}}).encode()


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx(location: bytes) -> bytes:
    """A model whose only weights lie in another file."""
    told = ((b"location", location), (b"offset", b"0"), (b"length", b"256"))
    tensor = b"\x08\x40\x10\x01" + field(8, b"w") + b"".join(field(13, field(1, k) + field(2, v)) for k, v in told)
    graph = field(2, b"g") + field(5, tensor + b"\x70\x01")
    return b"\x08\x08" + field(7, graph) + field(8, field(1, b"") + b"\x10\x0d")


CASES: dict[str, tuple[Mapping[str, bytes], str]] = {
    "a pointer of Git LFS": ({"pytorch_model.bin": LFS}, "git lfs pull"),
    "one with other lines": ({"w.safetensors": LFS.replace(b"oid", b"ext-0-foo sha256:00\noid")}, "267,832,560 bytes"),
    "a pointer of git-annex": ({"data/w.bin": ANNEX}, "git annex get"),
    "one without a size": ({"w.bin": b"/annex/objects/WORM-m17--w.bin\n"}, "git annex get"),
    "data of ONNX": ({"m.onnx": onnx(b"m.onnx.data")}, "m.onnx.data is not registered"),
    "data of ONNX, cut": ({"m.onnx": onnx(b"m.data"), "m.data": bytes(100)}, "256 are needed"),
    "a shard of an index": ({"m.bin.index.json": INDEX, "m-00001-of-00002.bin": b"x" * 99}, "m-00002-of-00002.bin"),
    "parts without an index": ({"deep/m-00002-of-00003.safetensors": b"x" * 99}, "2 of its 3 parts are not registered"),
    "a split of GGUF": ({"q-00001-of-00002.gguf": b"GGUF" + bytes(99)}, "1 of its 2 parts is not registered"),
}
WHOLE: dict[str, Mapping[str, bytes]] = {
    "data of ONNX": {"deep/m.onnx": onnx(b"m.data"), "deep/m.data": bytes(256)},
    "all parts": {"m-00001-of-00002.bin": b"x", "m-00002-of-00002.bin": b"y", "m.bin.index.json": INDEX},
    "a text about pointers": {"README.md": b"version https://git-lfs.github.com/spec/v1 begins a pointer\n"},
    "parts that are no weights": {"train-00000-of-00005.parquet.txt": b"x", "log-00001-of-00009": b"y"},
}


@pytest.mark.parametrize(("files", "said"), CASES.values(), ids=CASES)
def test_what_lies_elsewhere_is_said_or_refused(
    registry_path: Path, tmp_path: Path, pacha: Pacha, files: Mapping[str, bytes], said: str
) -> None:
    Registry.init(registry_path)
    words = ("--registry", registry_path, "model", "register", "m", folder(tmp_path / "m", files), "-v", "1.0.0")
    refused = pacha(*words, "--strict")
    assert (refused.code, "is not whole" in refused.err, said in refused.err) == (1, True, True)
    assert Registry.open(registry_path).models.list() == []
    done = pacha(*words)
    assert (done.code, said in done.err) == (0, True)


@pytest.mark.parametrize("files", WHOLE.values(), ids=WHOLE)
def test_what_is_whole_is_not_spoken_of(registry_path: Path, tmp_path: Path, files: Mapping[str, bytes]) -> None:
    done = Registry.init(registry_path).models.register(
        "m", folder(tmp_path / "m", files), version="1.0.0", strict=True
    )
    assert not [line for line in done.notices if "not whole" in line]


def test_a_snapshot_of_the_hub_with_pointers_is_said(registry_path: Path, tmp_path: Path) -> None:
    registry = Registry.init(registry_path)
    put(tmp_path / "hub/config.json", b"{}")
    put(tmp_path / "hub/pytorch_model.bin", LFS)
    with pytest.raises(PachaError, match="not whole"):
        registry.models.import_hf(tmp_path / "hub", "m", strict=True)
    assert any("git lfs pull" in line for line in registry.models.import_hf(tmp_path / "hub", "m").notices)
