"""What files of other programs say of themselves, whole and damaged."""

from __future__ import annotations

import io
import json
import pickle
import struct
import sys
import tarfile
import time
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from safetensors.numpy import save_file
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from pacha_git.inspectors.sniff import inspect

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "formats"


def look(data: bytes, name: str = "x") -> dict[str, Any] | None:
    facts = inspect(lambda offset, length: data[offset : offset + length], len(data), name)
    return None if facts is None else facts.to_json()


def look_at(path: Path) -> dict[str, Any]:
    found = look(path.read_bytes(), path.name)
    assert found is not None
    return found


def shapes(found: dict[str, Any]) -> set[tuple[str, tuple[int, ...], int]]:
    return {(each["dtype"], tuple(each["shape"]), each["count"]) for each in found["shapes"]}


class Trap:
    """Tells on whoever loads it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("import sys; sys.modules['pacha_trap'] = sys",))


# Real files -----------------------------------------------------------------------------------------------------------


def test_real_weights(minilm_folder: Path) -> None:
    path = minilm_folder / "model.safetensors"
    reads: list[int] = []
    with path.open("rb") as file:

        def read(offset: int, length: int) -> bytes:
            reads.append(length)
            file.seek(offset)
            return file.read(length)

        begin = time.process_time()
        facts = inspect(read, path.stat().st_size, path.name)
        took = time.process_time() - begin
    assert facts is not None
    found = facts.to_json()
    assert (found["format"], found["parameters"], found["tensors"]) == ("safetensors", 22_713_728, 104)
    assert found["dtypes"] == {"F32": 22_713_216, "I64": 512}
    assert ("F32", (30522, 384), 1) in shapes(found)
    assert found["metadata"] == {"format": "pt"}
    assert "warnings" not in found
    assert sum(reads) < 64 << 10
    assert took < 0.05


def test_pytorch() -> None:
    found = look_at(GOLDEN / "state.pt")
    assert (found["format"], found["parameters"], found["runs_code"]) == ("pytorch", 89, True)
    assert found["dtypes"] == {"float32": 88, "int64": 1}
    assert shapes(found) == {("float32", (8,), 5), ("float32", (8, 4), 1), ("float32", (2, 8), 1), ("int64", (), 1)}
    assert "torch._utils._rebuild_tensor_v2" in found["imports"]
    script = look_at(GOLDEN / "script.pt")
    assert (script["metadata"]["torchscript"], script["parameters"]) == (True, 89)
    legacy = look_at(GOLDEN / "legacy.pt")
    assert (legacy["format"], legacy["dtypes"]) == ("pytorch", {"bfloat16": 12, "float32": 1})
    assert (legacy["metadata"], legacy["runs_code"]) == ({"layout": "before 1.6"}, True)


def test_onnx() -> None:
    found = look_at(GOLDEN / "linear.onnx")
    assert (found["format"], found["parameters"], found["dtypes"]) == ("onnx", 10, {"float32": 10})
    said = found["metadata"]
    assert (said["producer"], said["opsets"], said["task"]) == ("pacha-git-tests", ["ai.onnx 17"], "demo")
    assert (said["inputs"], said["outputs"]) == (["x: float32[batch, 4]"], ["y: float32[batch, 2]"])
    assert look((GOLDEN / "linear.onnx").read_bytes(), "without-a-suffix") == found


def test_gguf() -> None:
    found = look_at(GOLDEN / "tiny.gguf")
    assert (found["format"], found["parameters"]) == ("gguf", 2144)
    assert shapes(found) == {("F32", (3, 32), 1), ("F16", (32, 64), 1)}
    assert found["metadata"]["general.architecture"] == "llama"
    assert found["metadata"]["llama.context_length"] == 128
    assert found["metadata"]["tokenizer.ggml.tokens"] == "[3 texts]"


def test_numpy(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4), "f4", order="F"))
    np.savez(tmp_path / "b.npz", x=np.zeros(3), y=np.arange(6).reshape(2, 3))
    np.savez_compressed(tmp_path / "c.npz", x=np.zeros(100_000))
    np.save(tmp_path / "o.npy", np.array([{}, 1], object), allow_pickle=True)
    np.save(tmp_path / "r.npy", np.zeros(3, [("a", "f4"), ("b", "i8")]))
    one = look_at(tmp_path / "a.npy")
    assert (shapes(one), one["metadata"]) == ({("float32", (3, 4), 1)}, {"fortran_order": True})
    assert look_at(tmp_path / "b.npz")["metadata"] == {"arrays": ["x", "y"]}
    assert look_at(tmp_path / "b.npz")["dtypes"] == {"float64": 3, "int64": 6}
    assert look_at(tmp_path / "c.npz")["parameters"] == 100_000
    assert look_at(tmp_path / "o.npy")["runs_code"] is True
    assert look_at(tmp_path / "r.npy")["dtypes"] == {"record": 3}


def test_pickles_of_a_real_model(tmp_path: Path) -> None:
    iris = load_iris()
    model = LogisticRegression(max_iter=300).fit(iris.data, iris.target)
    for protocol in (2, 3, 4, 5):
        found = look(pickle.dumps(model, protocol), "model.bin")
        assert found is not None
        assert (found["format"], found["runs_code"], "warnings" in found) == ("pickle", True, False)
        assert "sklearn.linear_model._logistic.LogisticRegression" in found["imports"]
    joblib.dump(model, tmp_path / "model.joblib")
    found = look_at(tmp_path / "model.joblib")
    assert found["runs_code"]
    assert "joblib.numpy_pickle.NumpyArrayWrapper" in found["imports"]
    joblib.dump(model, tmp_path / "small.joblib", compress=3)
    small = look_at(tmp_path / "small.joblib")
    assert (small["format"], small["runs_code"], small["metadata"]) == ("pickle", True, {"compression": "zlib"})
    assert small["imports"] == found["imports"]
    assert (look(pickle.dumps({"a": 1}, 0), "old.pkl") or {})["runs_code"] is True


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_nothing_is_ever_unpickled(tmp_path: Path, protocol: int) -> None:
    trap = pickle.dumps(Trap(), protocol)
    with zipfile.ZipFile(tmp_path / "trap.pt", "w") as archive:
        archive.writestr("archive/data.pkl", trap)
    np.save(tmp_path / "trap.npy", np.array([Trap()], object), allow_pickle=True)
    (tmp_path / "trap.pkl").write_bytes(trap)
    for name in ("trap.pkl", "trap.pt", "trap.npy"):
        found = look_at(tmp_path / name)
        assert found["runs_code"] is True
    assert "pacha_trap" not in sys.modules
    assert (look(trap, "trap.pkl") or {})["imports"] == [
        "__builtin__.exec" if protocol < 3 else "builtins.exec",
    ]


def test_tables(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2, None], "b": ["x", "y", "z"], "c": [[1], [2], [3]], "d": [{"e": 1}] * 3})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    found = look_at(tmp_path / "t.parquet")
    assert found["format"] == "parquet"
    assert found["metadata"]["rows"] == 3
    assert found["metadata"]["columns"] == {"a": "int64", "b": "string", "c": "list", "d": "struct"}
    pyarrow.feather.write_feather(table, tmp_path / "t.feather")
    arrow = look_at(tmp_path / "t.feather")
    assert (arrow["format"], arrow["metadata"]["rows"], arrow["metadata"]["layout"]) == ("arrow", 3, "file")
    assert arrow["metadata"]["columns"] == {"a": "int64", "b": "string", "c": "list", "d": "struct"}


def apr(tensors: int = 1, metadata: bytes = b'{"model_type": "linear", "n": 1}', cut: int = 0) -> bytes:
    entry = struct.pack("<H1s", 1, b"w") + struct.pack("<BBQQQQ", 0, 2, 3, 4, 0, 48)
    index = 64 + len(metadata)
    data = index + len(entry)
    head = b"APR\0" + struct.pack("<BBHIQIQQI", 2, 0, 0, tensors, 64, len(metadata), index, data, 0)
    whole = head.ljust(64, b"\0") + metadata + entry + bytes(48)
    return whole[: len(whole) - cut]


def test_the_files_of_the_rust_pacha() -> None:
    found = look(apr())
    assert found is not None
    assert (found["format"], shapes(found)) == ("apr", {("F32", (3, 4), 1)})
    assert found["metadata"] == {"version": "2.0", "flags": 0, "model_type": "linear", "n": 1}
    assert (look(b"APRN\x01\x00 and more") or {})["metadata"] == {"version": "1.0"}
    ald = b"ALDF" + struct.pack("<BBHIIIBBHQ", 1, 2, 1, 0, 8, 100, 1, 3, 0, 50_000) + bytes(8)
    said = (look(ald) or {})["metadata"]
    assert (said["version"], said["rows"], said["compression"]) == ("1.2", 50_000, "zstd 3")
    assert (said["encrypted"], said["signed"]) == (True, True)
    assert look(ald[:-1])["warnings"]  # type: ignore[index]


# The reference's traps -----------------------------------------------------------------------------------------------


def test_a_safetensors_head_that_begins_as_a_pickle_is_none(tmp_path: Path) -> None:
    for length in (0x0280, 0x0380, 0x0480, 0x0580):
        save_file({"w": np.zeros(2, "f4")}, tmp_path / "x.safetensors", {"pad": "x"})
        data = (tmp_path / "x.safetensors").read_bytes()
        old = int.from_bytes(data[:8], "little")
        head = json.loads(data[8 : 8 + old])
        whole = json.dumps(head).encode().ljust(length)
        padded = length.to_bytes(8, "little") + whole + data[8 + old :]
        assert padded[0] == 0x80
        found = look(padded, "x.bin")
        assert found is not None
        assert (found["format"], found.get("runs_code", False), found["parameters"]) == ("safetensors", False, 2)
        assert "warnings" not in found


@pytest.mark.parametrize("data", [b"", b"GGUF", b"\x80\x04K\x01.", b"APR\0", b"\x93NUMPY\x01", b"PK\x03\x04\0\0\0"])
def test_under_eight_bytes_the_format_is_unknown(data: bytes) -> None:
    assert look(data, "x.pkl") is None


@pytest.mark.parametrize("text", ["a,b\n1,2\n3,4\n", "hello world", '{"a": 1}\n{"a": 2}\n', "\x08\x07 no onnx"])
def test_other_files_have_no_format(text: str) -> None:
    assert look(text.encode()) is None


@pytest.mark.parametrize("protocol", [0, 1])
def test_an_old_pickle_under_a_name_of_weights(protocol: int) -> None:
    for name in ("model.pt", "pytorch_model.bin", "x.ckpt"):
        found = look(pickle.dumps(Trap(), protocol), name)
        assert found is not None
        assert found["runs_code"] is True
    assert look(b"no pickle, just text that somebody called so", "notes.bin") is None


def test_a_zip_of_weights_that_can_not_be_read_is_flagged(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Trap()))
    data = bytearray((tmp_path / "x.pt").read_bytes())
    central = bytes(data).rindex(b"PK\x01\x02")
    data[8] = data[central + 10] = 99  # a compression that Python does not know
    found = look(bytes(data), "x.pt")
    assert found is not None
    assert (found["runs_code"], "compression" in found["warnings"][0]) == (True, True)
    assert look(bytes(data), "x.zip") is None


# Damage and lies ------------------------------------------------------------------------------------------------------


def safetensors(head: object, data: int = 8) -> bytes:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text + bytes(data)


def entry(shape: list[Any], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ({"w": entry([2], 0, 8)}, ""),
        ({"w": entry([4], 0, 16)}, "cut short"),
        ({"w": entry([1], 0, 4)}, "4 bytes stand behind"),
        ({"w": entry([1], 4, 8)}, "leave gaps"),
        ({"w": entry([2], 0, 8), "v": entry([2], 0, 8)}, "over one another"),
        ({"w": entry([1000], 0, 8)}, "its type and shape don't make"),
        ({"w": entry([-2], 0, 8)}, "can't be read"),
        ({"w": entry([2.5], 0, 8)}, "can't be read"),
        ({"w": 7}, "can't be read"),
        (b"{nonsense", "no JSON"),
        (b'{"a":' + b"[" * 100_000, "no JSON"),
    ],
)
def test_a_lying_safetensors_head(head: object, said: str) -> None:
    found = look(safetensors(head), "x.safetensors")
    assert found is not None
    assert found["format"] == "safetensors"
    assert said in " ".join(found.get("warnings", ()))
    assert ("warnings" in found) == bool(said)


def test_a_head_that_is_longer_than_the_file() -> None:
    found = look((99_000_000).to_bytes(8, "little") + b"{}" + bytes(20), "x.safetensors")
    assert found == {
        "format": "safetensors", "warnings": ["cut short: its head ends at 99000008, the file at 30"],
    }  # fmt: skip
    assert "cut short" in (look((900).to_bytes(8, "little") + b"{}" + bytes(20)) or {})["warnings"][0]


@pytest.mark.parametrize("name", ["state.pt", "script.pt", "legacy.pt", "linear.onnx", "tiny.gguf"])
def test_cut_short_anywhere(name: str) -> None:
    data = (GOLDEN / name).read_bytes()
    warned = 0
    for size in range(8, len(data), max(1, len(data) // 150)):
        found = look(data[:size], name)
        assert found is not None
        warned += "warnings" in found
    assert warned > 100 or name == "legacy.pt"


@pytest.mark.parametrize(
    "data",
    [
        b"GGUF" + struct.pack("<IQQ", 3, 2**63, 2**63),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q1sIIQ", 1, b"k", 9, 8, 2**63),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q1sIIQ", 1, b"k", 9, 8, 3_900_000) + bytes(100_000),
        b"\x93NUMPY\x02\0" + struct.pack("<I", 2**31) + b"{}",
        b"\x93NUMPY\x01\0" + struct.pack("<H", 9_000) + b"(" * 9_000,
        b"PAR1" + bytes(100) + struct.pack("<I", 2**31) + b"PAR1",
        b"PAR1" + b"\x1c" * 1000 + struct.pack("<I", 1000) + b"PAR1",
        apr(tensors=100_000),
        apr(metadata=b"{" * 40),
        apr(cut=60),
    ],
)
def test_a_head_that_asks_for_too_much(data: bytes) -> None:
    begin = time.process_time()
    found = look(data)
    assert time.process_time() - begin < 1
    assert found is not None
    assert found["warnings"]


def test_a_pickle_of_many_opcodes_is_looked_at_in_bounded_time() -> None:
    data = b"\x80\x02" + b"K\x01" * 5_000_000 + b"."
    begin = time.process_time()
    found = look(data, "x.pkl")
    assert time.process_time() - begin < 1
    assert found is not None
    assert found["runs_code"] is True


def test_what_a_record_keeps_is_bounded() -> None:
    head: dict[str, Any] = {"__metadata__": {f"key {n}": "x" * 10_000 for n in range(1000)}}
    for n in range(1, 2000):
        head[f"tensor {n}"] = entry([n], 2 * n * (n - 1), 2 * n * (n + 1))
    found = look(safetensors(head, 4 * 1999 * 1000), "x.safetensors")
    assert found is not None
    assert (found["tensors"], found["parameters"]) == (1999, 1999 * 1000)
    assert "warnings" not in found
    assert len(json.dumps(found)) < 32 << 10


@pytest.mark.parametrize("protocol", [0, 1])
def test_an_old_pickle_under_any_name(protocol: int) -> None:
    assert (look(pickle.dumps(Trap(), protocol), "notes.txt") or {})["runs_code"] is True
    for text in ("code, and more of it.\nend.", "(a list of things).", "c.\n", "}.", "].", "(lp0\n."):
        assert look(text.encode().ljust(8), "notes.txt") is None


def test_pickles_in_archives_of_other_programs(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(pickle.dumps(Trap(), 4))
    (tmp_path / "a.txt").write_bytes(b"text")
    for mode in ("", ":gz", ":bz2", ":xz"):
        with tarfile.open(tmp_path / "m.tar", f"w{mode}") as archive:  # type: ignore[call-overload]
            archive.add(tmp_path / "a.txt", "a.txt")
            archive.add(tmp_path / "weights.bin", "deep/weights.dat")
        found = look((tmp_path / "m.tar").read_bytes(), "model.tar.gz")
        assert found is not None
        assert (found["runs_code"], found["metadata"]["pickles"]) == (True, ["deep/weights.dat"])
        with tarfile.open(tmp_path / "m.tar", f"w{mode}") as archive:  # type: ignore[call-overload]
            archive.add(tmp_path / "a.txt", "a.txt")
        assert "runs_code" not in (look((tmp_path / "m.tar").read_bytes(), "model.tar.gz") or {})
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.write(tmp_path / "weights.bin", "deep/weights.dat")
    assert (look((tmp_path / "m.zip").read_bytes(), "m.zip") or {})["runs_code"] is True


class Storage:
    """What torch.save writes of numbers: a persistent id in the pickle, and a member of the zip."""

    def __init__(self, key: int, count: int) -> None:
        self.key, self.count = key, count


class Rebuilt:
    """A tensor as torch pickles it."""

    def __init__(self, storage: Storage, shape: tuple[int, ...]) -> None:
        self.storage, self.shape = storage, shape

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_tensor_v2, (self.storage, 0, self.shape, (1,), False, OrderedDict())


def _rebuild_tensor_v2() -> None: ...


class FloatStorage: ...


class Saver(pickle.Pickler):
    def persistent_id(self, value: object) -> Any:
        return ("storage", FloatStorage, str(value.key), "cpu", value.count) if isinstance(value, Storage) else None


def torch_file(count: int, *, left_out: int | None = None) -> bytes:
    stores = [Storage(number, 9) for number in range(count)]
    body, out = io.BytesIO(), io.BytesIO()
    Saver(body, 2).dump(
        {f"layer.{store.key}": Rebuilt(store, (3, 3)) for store in stores} | {"tied": Rebuilt(stores[0], (3, 3))}
    )
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("m/data.pkl", body.getvalue())
        for store in stores:
            if store.key != left_out:
                archive.writestr(f"m/data/{store.key}", bytes(36))
    return out.getvalue()


def test_a_checkpoint_of_many_thousand_tensors_is_sound_and_a_cut_one_is_not() -> None:
    data = torch_file(4000)
    found = look(data, "m.pt")
    assert found is not None
    assert (found["parameters"], found["tensors"], "warnings" in found) == (36_000, 4000, False)
    assert look(data[:-500], "m.pt")["warnings"]  # type: ignore[index]
    assert "'17' is not there" in look(torch_file(40, left_out=17), "m.pt")["warnings"][0]  # type: ignore[index]


def test_a_name_that_stands_twice_is_told() -> None:
    entry = '"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'
    found = look(safetensors(f"{{{entry}, {entry}}}".encode(), 4), "x.safetensors")
    assert found is not None
    assert "named twice" in found["warnings"][0]


def test_weights_that_were_packed_count_as_weights() -> None:
    head = {"w": {"dtype": "U8", "shape": [8, 1], "data_offsets": [0, 8]},
            "w.quant_state.bitsandbytes__nf4": {"dtype": "U8", "shape": [8], "data_offsets": [8, 16]}}  # fmt: skip
    found = look(safetensors(head, 16), "x.safetensors")
    assert found is not None
    assert found["parameters"] == 16 + 8


def peak_of(data: bytes, name: str) -> tuple[dict[str, Any] | None, int]:
    tracemalloc.start()
    found = look(data, name)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return found, peak


def test_a_large_head_is_read_entry_by_entry() -> None:
    count = 40_000
    entries = ",".join(
        f'"layer.{n}.weight":{{"dtype":"F32","shape":[2,1],"data_offsets":[{8 * n},{8 * n + 8}]}}' for n in range(count)
    )
    found, peak = peak_of(safetensors(f"{{{entries}}}".encode(), 8 * count), "x.safetensors")
    assert found is not None
    assert (found["parameters"], found["tensors"], "warnings" in found) == (2 * count, count, False)
    assert peak < 64 << 20


def test_heads_that_blow_up_take_bounded_memory() -> None:
    for head in (b'{"a":[' + b"[]," * 900_000 + b"[]]}", b'{"a":[' + b"[]," * 5_000_000 + b"[]]}"):
        found, peak = peak_of(safetensors(head, 8), "x.safetensors")
        assert found is not None
        assert "parameters" not in found
        assert peak < 110 << 20  # the file itself is in memory here
    central = b"PK\x01\x02" + bytes(42) + b"x" * 40
    body = b"PK\x03\x04" + bytes(26) + central * 150_000
    end = b"PK\x05\x06" + bytes(4) + struct.pack("<HHLLH", 0xFFFF, 0xFFFF, len(central) * 150_000, 30, 0)
    found, peak = peak_of(body + end, "x.pt")
    assert found is not None
    assert found["runs_code"] is True
    assert peak < 64 << 20


def test_a_long_text_in_a_gguf_is_passed_by() -> None:
    key = struct.pack("<Q", 1) + b"k" + struct.pack("<IQ", 8, 2 << 20) + b"x" * (2 << 20)
    found = look(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + key, "x.gguf")
    assert found is not None
    assert (found["metadata"]["k"], "warnings" in found) == ("[a text of 2097152 bytes]", False)
