"""Files that the newest libraries wrote: each is told for what it is, and its damaged siblings are no trouble.

The files are in tests/golden/formats/made, with the script that makes them beside. Siblings (cut, with a byte
changed, with a head that claims gigabytes) are made here in memory, read by our readers alone, and kept nowhere.
"""

from __future__ import annotations

import json
import random
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from pacha_git.format import canonical
from pacha_git.inspectors.marks import may_say_something
from pacha_git.inspectors.sniff import inspect

MADE = Path(__file__).resolve().parents[1] / "golden" / "formats" / "made"
CODE, NONE = True, False
# format, parameters, whether loading it runs code; by file.
EXPECTED: dict[str, tuple[str, int | None, bool]] = {
    "catboost.cbm": ("booster", None, NONE), "catboost.json": ("booster", None, NONE),
    "cloudpickle.pkl": ("pickle", None, CODE), "croissant/croissant.json": ("croissant", None, NONE),
    "datasets.arrow": ("arrow", None, NONE), "dill.dill": ("pickle", None, CODE),
    "duckdb.duckdb": ("duckdb", None, NONE), "duckdb.parquet": ("parquet", None, NONE),
    "executorch.pte": ("executorch", None, NONE), "fastavro.avro": ("avro", None, NONE),
    "gguf_every_type.gguf": ("gguf", 9104, NONE), "h5py.h5": ("hdf5", 8, NONE),
    "h5py_latest.h5": ("hdf5", 8, NONE), "joblib.joblib": ("pickle", None, CODE),
    "joblib.joblib.bz2": ("pickle", None, CODE), "joblib.joblib.gz": ("pickle", None, CODE),
    "joblib.joblib.lz4": ("pickle", None, CODE), "joblib.joblib.lzma": ("pickle", None, CODE),
    "joblib.joblib.xz": ("pickle", None, CODE), "joblib.joblib.z": ("pickle", None, CODE),
    "huggingface/model.safetensors.index.json": ("weight index", None, NONE),
    "huggingface/model-00001-of-00002.safetensors": ("safetensors", 128, NONE),
    "huggingface/model-00002-of-00002.safetensors": ("safetensors", 128, NONE),
    "keras_weights.weights.h5": ("hdf5", 10, NONE), "pandas.feather": ("arrow", None, NONE),
    "pandas.pkl.gz": ("pickle", None, CODE), "tables.h5": ("hdf5", 2, NONE), "tarfile.tar": ("tar", None, NONE),
    "torch_onnx.onnx": ("onnx", 15, NONE),
    "joblib_objects.joblib": ("pickle", None, CODE), "keras.keras": ("keras", 10, NONE),
    "keras_lambda.keras": ("keras", 0, CODE), "lightgbm.txt": ("booster", None, NONE),
    "numpy.npy": ("npy", 12, NONE), "numpy.npz": ("npz", 9, NONE), "numpy_compressed.npz": ("npz", 1000, NONE),
    "numpy_objects.npy": ("npy", 2, CODE), "onnx.onnx": ("onnx", 16, NONE), "onnx_external.onnx": ("onnx", 16, NONE),
    "orbax/_METADATA": ("orbax", None, NONE), "pandas.parquet": ("parquet", None, NONE),
    "pickle.pkl": ("pickle", None, CODE), "polars.arrow": ("arrow", None, NONE), "polars.avro": ("avro", None, NONE),
    "polars.parquet": ("parquet", None, NONE), "polars_stream.arrow": ("arrow", None, NONE),
    "pyarrow.feather": ("arrow", None, NONE), "pyarrow.orc": ("orc", None, NONE),
    "pyarrow.parquet": ("parquet", None, NONE), "pyarrow_content_defined.parquet": ("parquet", None, NONE),
    "pyarrow_every_type.parquet": ("parquet", None, NONE), "pyarrow_file.arrow": ("arrow", None, NONE),
    "pyarrow_stream.arrow": ("arrow", None, NONE), "safetensors_numpy.safetensors": ("safetensors", 12, NONE),
    "safetensors_torch.safetensors": ("safetensors", 20, NONE), "skl2onnx_forest.onnx": ("onnx", 28, NONE),
    "skl2onnx_line.onnx": ("onnx", 15, NONE), "skops.skops": ("skops", None, NONE),
    "sqlite3.sqlite": ("sqlite", None, NONE), "tensorboard.tfrecord": ("tfrecord", None, NONE),
    "torch_adamw.ckpt": ("pytorch", 94, CODE), "torch_before_zip.pt": ("pytorch", 30, CODE),
    "torch_every_dtype.pt": ("pytorch", 224, CODE), "torch_exported.pt2": ("pt2", 15, CODE),
    "torch_quantized.pt": ("pytorch", 9, CODE), "torch_script.pt": ("pytorch", 15, CODE),
    "torch_sparse.pt": ("pytorch", 28, CODE), "torch_state.pt": ("pytorch", 30, CODE),
    "torch_tied.pt": ("pytorch", 40, CODE), "torch_whole.pth": ("pytorch", 30, CODE),
    "webdataset.tar": ("tar", None, NONE), "xgboost.json": ("booster", None, NONE),
    "xgboost.ubj": ("booster", None, NONE), "zarr_2/.zarray": ("zarr", 1000, NONE),
    "zarr_2/.zgroup": ("zarr", None, NONE), "zarr_3/zarr.json": ("zarr", 1000, NONE),
}  # fmt: skip
# Formats of which the end says that it is the end, so that a file that was cut anywhere is told.
TOLD_WHEN_CUT = {
    "npy",
    "npz",
    "gguf",
    "safetensors",
    "parquet",
    "booster",
    "executorch",
    "hdf5",
    "skops",
    "keras",
    "orc",
}


def look(data: bytes, name: str) -> dict[str, Any] | None:
    facts = inspect(lambda offset, length: data[offset : offset + length], len(data), name)
    if facts is None:
        return None
    canonical.encode(facts.to_json())
    return facts.to_json()


def test_every_file_that_is_kept_is_tested() -> None:
    kept = {str(path.relative_to(MADE)) for path in MADE.rglob("*") if path.is_file()}
    assert kept - {"VERSIONS.json", "onnx_external.onnx.data"} == set(EXPECTED)
    libraries = {library for group in json.loads((MADE / "VERSIONS.json").read_text()).values() for library in group}
    assert (
        len({(format, name.split("/")[0].split(".")[0].split("_")[0]) for name, (format, _, _) in EXPECTED.items()})
        >= 40
    )
    assert len(libraries) >= 25


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sound_file(name: str) -> None:
    data = (MADE / name).read_bytes()
    found = look(data, name)
    assert found is not None
    assert (found["format"], found.get("parameters"), found.get("runs_code", False)) == EXPECTED[name]
    assert "warnings" not in found
    assert may_say_something(data[:512], name)


def test_types_have_the_names_that_arrow_gives_them() -> None:
    found = look((MADE / "pyarrow_every_type.parquet").read_bytes(), "x") or {}
    columns = found["metadata"]["columns"]
    same = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float", "double", "uuid", "json")
    assert all(columns[name] == name for name in same)
    assert {key: columns[key] for key in columns if key not in same} == {
        "half": "halffloat", "date": "date32[day]", "time_ms": "time32[ms]", "time_us": "time64[us]",
        "time_ns": "time64[ns]", "moment_ms": "timestamp[ms]", "moment_us": "timestamp[us]",
        "moment_ns_utc": "timestamp[ns, tz=UTC]", "decimal": "decimal128(10, 2)", "wide_decimal": "decimal256(50, 2)",
        "fixed": "fixed_size_binary[2]", "bytes": "binary", "truth": "bool", "nothing": "null", "map": "map",
    }  # fmt: skip
    stream = look((MADE / "datasets.arrow").read_bytes(), "x") or {}
    assert (stream["metadata"]["layout"], stream["metadata"]["rows"]) == ("stream", 20)


def test_what_pickles_import_is_told_in_every_wrapper() -> None:
    bare = look((MADE / "joblib.joblib").read_bytes(), "x") or {}
    assert "sklearn.linear_model._logistic.LogisticRegression" in bare["imports"]
    for ending in ("z", "gz", "bz2", "xz", "lzma", "lz4"):
        wrapped = look((MADE / f"joblib.joblib.{ending}").read_bytes(), "no-name-that-says-it") or {}
        assert (wrapped["runs_code"], wrapped["imports"]) == (True, bare["imports"])
    behind = look((MADE / "joblib_objects.joblib").read_bytes(), "x") or {}
    assert "sklearn.linear_model._logistic.LogisticRegression" in behind["imports"]  # behind an array of objects


def test_external_data_is_needed() -> None:
    data = (MADE / "onnx_external.onnx").read_bytes()
    facts = inspect(lambda offset, length: data[offset : offset + length], len(data), "x.onnx")
    assert facts is not None
    assert facts.needs == {"onnx_external.onnx.data": (MADE / "onnx_external.onnx.data").stat().st_size}


# Siblings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPECTED)
def test_a_cut_sibling(name: str) -> None:
    data = (MADE / name).read_bytes()
    format, _, runs_code = EXPECTED[name]
    some = random.Random(name).sample(range(64, len(data)), 6) if len(data) > 100 else []
    for size in sorted({*range(len(data) - 4, len(data)), *some}):
        found = look(data[:size], name)
        # Behind the last tensor of a GGUF is padding, behind the last tree of LightGBM what nobody needs.
        whole_enough = (name.endswith(".gguf") and size > len(data) - 32) or (
            name.endswith(".txt") and size > len(data) // 2
        )
        if format in TOLD_WHEN_CUT and found is not None and not name.endswith(".json") and not whole_enough:
            assert "warnings" in found, size
        if runs_code and name.endswith((".pkl", ".pt", ".pth", ".ckpt", ".joblib", ".pt2")):
            assert found is not None
            assert found.get("runs_code") is True


@pytest.mark.parametrize("name", EXPECTED)
def test_an_altered_sibling(name: str) -> None:
    data = (MADE / name).read_bytes()
    chance = random.Random(name)
    begin = time.process_time()
    for _ in range(12):
        changed = bytearray(data)
        for at in (chance.randrange(len(data)), chance.randrange(min(len(data), 256)), -1 - chance.randrange(64)):
            changed[at % len(data)] = chance.choice((0, 0xFF, 0x7F, chance.randrange(256)))
        look(bytes(changed), name)
    assert time.process_time() - begin < 6


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sibling_with_a_head_that_claims_gigabytes(name: str) -> None:
    data = (MADE / name).read_bytes()
    tracemalloc.start()
    begin = time.process_time()
    lies = (b"\xff\xff\xff\x7f", (1 << 40).to_bytes(8, "little"), (1 << 40).to_bytes(8, "big"))
    for number, at in enumerate(
        (*range(4, min(len(data) - 8, 96), 4), *range(max(0, len(data) - 40), len(data) - 8, 4))
    ):
        lie = lies[number % 3]
        look(data[:at] + lie + data[at + len(lie) :], name)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 << 20
    assert time.process_time() - begin < 30
