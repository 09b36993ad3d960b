"""Makes the files in ``made/`` anew, each group by the newest releases of its libraries in an environment of its own.

    python tests/golden/formats/make.py OUT [GROUP…]        # makes environments with pip, then the files
    python tests/golden/formats/make.py --here OUT GROUP    # makes the files of a group in the environment that runs it

The files are small, and seeds are fixed, but most libraries write times, ids or their own version into a file: two
runs give files that say the same, not the same bytes. ``made/VERSIONS.json`` says what wrote those that are kept.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

GROUPS: dict[str, tuple[list[str], Callable[[Path], None]]] = {}


def group(*packages: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    def note(make: Callable[[Path], None]) -> Callable[[Path], None]:
        GROUPS[make.__name__] = ([*packages], make)
        return make

    return note


@group("torch", "numpy", "safetensors", "onnx", "onnxscript", "huggingface_hub")
def torch(out: Path) -> None:
    import torch as t
    from huggingface_hub import save_torch_state_dict
    from safetensors.torch import save_file

    (out / "huggingface").mkdir(exist_ok=True)
    t.manual_seed(0)
    model = t.nn.Sequential(t.nn.Linear(4, 4), t.nn.Linear(4, 2))
    optimizer = t.optim.AdamW(model.parameters())
    model(t.randn(2, 4)).sum().backward()
    optimizer.step()
    t.save(model.state_dict(), out / "torch_state.pt")
    t.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 1}, out / "torch_adamw.ckpt")
    t.save(model, out / "torch_whole.pth")
    t.save(model.state_dict(), out / "torch_before_zip.pt", _use_new_zipfile_serialization=False)
    t.jit.save(t.jit.script(t.nn.Linear(4, 3)), str(out / "torch_script.pt"))
    t.export.save(t.export.export(t.nn.Linear(4, 3), (t.randn(2, 4),)), out / "torch_exported.pt2")
    weight = t.nn.Parameter(t.randn(10, 4))
    t.save({"embedding": weight, "head": weight}, out / "torch_tied.pt")
    names = {str(value).split(".")[1] for value in vars(t).values() if isinstance(value, t.dtype)}
    known = {}
    for name in sorted(names):
        try:
            tensor = t.empty((4, 2), dtype=getattr(t, name))
            t.save({name: tensor}, io.BytesIO())
        except (RuntimeError, TypeError, KeyError, NotImplementedError):
            continue
        known[name] = tensor
    t.save(known, out / "torch_every_dtype.pt")
    t.save({"q": t.quantize_per_tensor(t.randn(3, 3), 0.1, 0, t.qint8)}, out / "torch_quantized.pt")
    t.save({"coo": t.eye(5).to_sparse(), "csr": t.eye(4).to_sparse_csr()}, out / "torch_sparse.pt")
    t.onnx.export(t.nn.Linear(4, 3), (t.randn(2, 4),), out / "torch_onnx.onnx", external_data=False)
    save_torch_state_dict({f"w{n}": t.ones(64) for n in range(4)}, out / "huggingface", max_shard_size=600)
    weights = {"w": t.ones((4, 4), dtype=t.float8_e4m3fn), "b": t.ones(4, dtype=t.bfloat16)}
    save_file(weights, out / "safetensors_torch.safetensors", {"format": "pt"})


@group("torch", "executorch")
def executorch(out: Path) -> None:
    import torch as t
    from executorch.exir import to_edge

    exported = t.export.export(t.nn.Linear(4, 3), (t.randn(2, 4),))
    (out / "executorch.pte").write_bytes(to_edge(exported).to_executorch().buffer)


@group("numpy", "safetensors")
def numpy(out: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    np.save(out / "numpy.npy", np.zeros((3, 4), "f4"))
    np.save(out / "numpy_objects.npy", np.array([{}, 1], object), allow_pickle=True)
    np.savez(out / "numpy.npz", x=np.zeros(3), y=np.arange(6).reshape(2, 3))
    np.savez_compressed(out / "numpy_compressed.npz", x=np.zeros(1000))
    save_file({"w": np.zeros((3, 4), "f4")}, out / "safetensors_numpy.safetensors")


@group("gguf", "numpy")
def gguf(out: Path) -> None:
    import numpy as np
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter

    writer = GGUFWriter(str(out / "gguf_every_type.gguf"), "llama")
    writer.add_context_length(128)
    writer.add_token_list(["a", "b", "c"])
    for kind in GGMLQuantizationType:
        _, size = GGML_QUANT_SIZES[kind]
        raw = np.zeros((2, size), np.uint8)
        writer.add_tensor(f"t.{kind.name}", raw, raw_shape=(2, size), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@group("scikit-learn", "joblib", "lz4", "skops", "cloudpickle", "dill", "skl2onnx", "onnx")
def sklearn(out: Path) -> None:
    import pickle

    import cloudpickle
    import dill
    import joblib
    import skops.io
    from skl2onnx import to_onnx
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    x, y = load_iris(return_X_y=True)
    line = LogisticRegression(max_iter=300).fit(x, y)
    forest = RandomForestClassifier(2, max_depth=2, random_state=0).fit(x, y)
    for ending in ("", ".z", ".gz", ".bz2", ".xz", ".lzma", ".lz4"):
        joblib.dump(line, out / f"joblib.joblib{ending}")
    joblib.dump({"names": __import__("numpy").array(["a", {}], object), "line": line}, out / "joblib_objects.joblib")
    (out / "pickle.pkl").write_bytes(pickle.dumps(line))
    (out / "cloudpickle.pkl").write_bytes(cloudpickle.dumps(eval("lambda v: v + 1", {})))
    (out / "dill.dill").write_bytes(dill.dumps(line))
    skops.io.dump(line, out / "skops.skops")
    (out / "skl2onnx_forest.onnx").write_bytes(to_onnx(forest, x[:1].astype("f4")).SerializeToString())
    (out / "skl2onnx_line.onnx").write_bytes(to_onnx(line, x[:1].astype("f4")).SerializeToString())


@group("onnx", "numpy")
def onnx(out: Path) -> None:
    import numpy as np
    import onnx as o
    from onnx import TensorProto, helper, numpy_helper

    value = numpy_helper.from_array(np.zeros((4, 2), "f4"), "w")
    packed = helper.make_tensor("q", TensorProto.INT4, (4, 2), np.zeros(8, "i1"))
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [value, packed],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    o.save(model, out / "onnx.onnx")
    o.save(
        model,
        out / "onnx_external.onnx",
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location="onnx_external.onnx.data",
        size_threshold=0,
    )


@group("xgboost", "lightgbm", "catboost", "scikit-learn")
def boosters(out: Path) -> None:
    import catboost
    import lightgbm
    import xgboost
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    trees = xgboost.XGBClassifier(n_estimators=2, max_depth=2).fit(x, y)
    trees.save_model(out / "xgboost.ubj")
    trees.save_model(out / "xgboost.json")
    light = lightgbm.LGBMClassifier(n_estimators=2, max_depth=2, verbose=-1).fit(x, y)
    light.booster_.save_model(out / "lightgbm.txt")
    with tempfile.TemporaryDirectory() as scratch:
        cat = catboost.CatBoostClassifier(iterations=2, depth=2, verbose=0, train_dir=scratch).fit(x, y)
    cat.save_model(str(out / "catboost.cbm"))
    cat.save_model(str(out / "catboost.json"), format="json")


@group("keras", "torch", "h5py", "tables")
def keras(out: Path) -> None:
    os.environ["KERAS_BACKEND"] = "torch"
    import h5py
    import keras as k
    import numpy as np
    import tables

    model = k.Sequential([k.layers.Input((4,)), k.layers.Dense(2)])
    model.save(out / "keras.keras")
    model.save_weights(out / "keras_weights.weights.h5")
    with tables.open_file(str(out / "tables.h5"), "w") as opened:
        opened.create_array("/", "w", [1.0, 2.0])
    with_code = k.Sequential([k.layers.Input((4,)), k.layers.Lambda(lambda v: v * 2)])
    with_code.save(out / "keras_lambda.keras")
    for name, version in (("h5py", None), ("h5py_latest", "latest")):
        with h5py.File(out / f"{name}.h5", "w", libver=version) as file:
            file.create_dataset("w", data=np.ones((4, 2), "f4"))


@group("pyarrow", "pandas", "numpy")
def pyarrow(out: Path) -> None:
    import datetime
    import decimal

    import pandas
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.orc
    import pyarrow.parquet

    table = pa.table({"a": [1, 2, None], "b": ["x", "y", "z"], "c": [[1], [2], [3]], "d": [{"e": 1}] * 3})
    day, one = datetime.date(2026, 1, 31), [1]
    typed = {
        **{str(kind): pa.array(one, kind) for kind in (
            pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
        )},
        "half": pa.array([1.0], pa.float16()), "float": pa.array([1.0], pa.float32()), "double": pa.array([1.0]),
        "date": pa.array([day]), "time_ms": pa.array(one, pa.time32("ms")), "time_us": pa.array(one, pa.time64("us")),
        "time_ns": pa.array(one, pa.time64("ns")), "moment_ms": pa.array(one, pa.timestamp("ms")),
        "moment_us": pa.array(one, pa.timestamp("us")), "moment_ns_utc": pa.array(one, pa.timestamp("ns", "UTC")),
        "decimal": pa.array([decimal.Decimal("1.25")], pa.decimal128(10, 2)),
        "wide_decimal": pa.array([decimal.Decimal("1.25")], pa.decimal256(50, 2)),
        "fixed": pa.array([b"ab"], pa.binary(2)),
        "bytes": pa.array([b"ab"]), "truth": pa.array([True]), "nothing": pa.nulls(1),
        "uuid": pa.array([b"0123456789abcdef"], pa.uuid()), "json": pa.array(["{}"], pa.json_()),
        "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
    }  # fmt: skip
    pa.parquet.write_table(table, out / "pyarrow.parquet")
    pa.parquet.write_table(pa.table(typed), out / "pyarrow_every_type.parquet")
    pa.parquet.write_table(table, out / "pyarrow_content_defined.parquet", use_content_defined_chunking=True)
    frame = pandas.DataFrame({"t": pandas.to_datetime(["2026-01-31T12:00:00.123456789"]), "n": [1]})
    frame.to_parquet(out / "pandas.parquet")
    frame.to_feather(out / "pandas.feather")
    frame.to_pickle(out / "pandas.pkl.gz")
    pa.feather.write_feather(table, out / "pyarrow.feather")
    pa.orc.write_table(pa.table({"a": [1, 2]}), out / "pyarrow.orc")
    with pa.OSFile(str(out / "pyarrow_stream.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    with pa.OSFile(str(out / "pyarrow_file.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as stream:
        stream.write_table(table)


@group("polars")
def polars(out: Path) -> None:
    import polars as pl

    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    frame.write_parquet(out / "polars.parquet")
    frame.write_ipc(out / "polars.arrow")
    frame.write_ipc_stream(out / "polars_stream.arrow")
    frame.write_avro(out / "polars.avro")


@group("duckdb")
def duckdb(out: Path) -> None:
    import duckdb as d

    (out / "duckdb.parquet").unlink(missing_ok=True)
    (out / "duckdb.duckdb").unlink(missing_ok=True)
    connection = d.connect()
    connection.execute(f"""copy (
        select 'infinity'::timestamp as never, date 'infinity' as last_day, 1::hugeint as huge, uuid() as id,
        interval 1 day as span, 1.5::decimal(20, 3) as price, '12:00'::time as noon, 1::utinyint as small,
        now() as zoned) to '{out}/duckdb.parquet'""")
    connection.execute(f"attach '{out}/duckdb.duckdb' as kept (block_size 16384)")
    connection.execute("create table kept.t as select range a from range(10)")
    connection.close()


@group("fastavro", "webdataset", "tensorboard", "datasets")
def records(out: Path) -> None:
    import sqlite3
    import tarfile

    import datasets
    import fastavro
    import webdataset
    from tensorboard.summary.writer.record_writer import RecordWriter

    fields = [{"name": "a", "type": "long"}, {"name": "b", "type": ["null", "string"]}]
    with (out / "fastavro.avro").open("wb") as file:
        rows = [{"a": n, "b": "x"} for n in range(100)]
        fastavro.writer(file, {"type": "record", "name": "r", "fields": fields}, rows, codec="deflate")
    with webdataset.TarWriter(str(out / "webdataset.tar")) as shard:
        for n in range(3):
            shard.write({"__key__": f"{n:06d}", "txt": "text", "cls": b"3"})
    with (out / "tensorboard.tfrecord").open("wb") as file:
        writer = RecordWriter(file)
        for n in range(10):
            writer.write(b"payload %d" % n)
    with tarfile.open(out / "tarfile.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("readme.txt"))
    (out / "sqlite3.sqlite").unlink(missing_ok=True)
    database = sqlite3.connect(out / "sqlite3.sqlite")
    database.execute("create table t(a integer, b text)")
    database.commit()
    database.close()
    with tempfile.TemporaryDirectory() as scratch:
        datasets.Dataset.from_dict({"a": list(range(20))}).save_to_disk(scratch)
        (out / "datasets.arrow").write_bytes(Path(scratch, "data-00000-of-00001.arrow").read_bytes())


@group("zarr", "orbax-checkpoint", "mlcroissant", "numpy")
def folders(out: Path) -> None:
    import mlcroissant
    import numpy as np
    import orbax.checkpoint as orbax
    import zarr

    with tempfile.TemporaryDirectory() as scratch:
        for version in (2, 3):
            root = zarr.open_group(f"{scratch}/v{version}", mode="w", zarr_format=version)
            root.create_array("w", shape=(100, 10), chunks=(50, 10), dtype="f4")
        copies = {
            "v3/w/zarr.json": "zarr_3/zarr.json",
            "v2/w/.zarray": "zarr_2/.zarray",
            "v2/.zgroup": "zarr_2/.zgroup",
        }
        checkpointer = orbax.StandardCheckpointer()
        checkpointer.save(Path(scratch, "orbax"), {"w": np.ones((4, 4), "f4")})
        checkpointer.wait_until_finished()
        copies["orbax/_METADATA"] = "orbax/_METADATA"
        for source, target in copies.items():
            (out / target).parent.mkdir(exist_ok=True)
            (out / target).write_bytes(Path(scratch, source).read_bytes())
    described = mlcroissant.Metadata(name="flowers", url="https://example.org", license=["mit"], version="1.0.0")
    (out / "croissant").mkdir(exist_ok=True)
    (out / "croissant/croissant.json").write_text(json.dumps(described.to_json(), default=str))


def make_here(out: Path, name: str) -> None:
    packages, make = GROUPS[name]
    out.mkdir(parents=True, exist_ok=True)
    make(out)
    known = json.loads((out / "VERSIONS.json").read_text()) if (out / "VERSIONS.json").exists() else {}
    known[name] = {package: metadata.version(package) for package in sorted(packages)}
    (out / "VERSIONS.json").write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("groups", nargs="*", choices=[[], *GROUPS])
    parser.add_argument("--here", action="store_true")
    asked = parser.parse_args()
    for name in asked.groups or GROUPS:
        if asked.here:
            make_here(asked.out.resolve(), name)
            continue
        with tempfile.TemporaryDirectory(prefix=f"formats-{name}-") as place:
            venv.create(place, with_pip=True)
            python = f"{place}/bin/python"
            subprocess.run([python, "-m", "pip", "install", "--quiet", *GROUPS[name][0]], check=True)
            here = Path(__file__)  # by its name alone, since some pickles carry the path of the code in them
            subprocess.run([python, here.name, "--here", str(asked.out.resolve()), name], check=True, cwd=here.parent)


if __name__ == "__main__":
    sys.exit(main())
