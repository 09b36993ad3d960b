"""What files say of themselves is kept in the record, shown by ``get``, and never in the way of a registration."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from safetensors.numpy import save_file

from pacha_git import Registry
from pacha_git.format.record import make_record
from pacha_git.registry.reading.inspected import formats_of
from tests.format import samples

MADE = Path(__file__).resolve().parents[2] / "golden" / "formats" / "made"


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


def test_kept_shown_and_carried_to_others(registry: Registry, tmp_path: Path) -> None:
    save_file({"w": np.zeros((3, 4), "f4"), "b": np.zeros(3, "f4")}, tmp_path / "model.safetensors", {"made": "here"})
    done = registry.models.register("m", tmp_path / "model.safetensors", version="1.0.0")
    assert done.notices == ()
    [said] = registry.models.get("m").formats
    assert (said["path"], said["format"], said["parameters"]) == ("model.safetensors", "safetensors", 15)
    assert said["metadata"] == {"made": "here"}
    assert registry.models.get("m").to_json()["formats"] == [said]
    registry.add_remote("origin", str(tmp_path / "hub.git"))
    Registry.init(tmp_path / "hub.git")
    registry.push()
    there = Registry.clone(str(tmp_path / "hub.git"), tmp_path / "there.git")
    assert there.models.get("m").formats == (said,)  # though its bytes are not there


def test_a_pickle_and_a_damaged_file_are_told(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps({"a": np.zeros(3)}))
    (folder / "weights.safetensors").write_bytes((1 << 40).to_bytes(8, "little") + b"{}")
    (folder / "notes.txt").write_text("nothing to see")
    done = registry.models.register("m", folder, version="1.0.0")
    assert any("model.pkl is a pickle" in notice and "runs the code" in notice for notice in done.notices)
    assert any("weights.safetensors is no sound safetensors file" in notice for notice in done.notices)
    said = {each["path"]: each for each in registry.models.get("m").formats}
    assert set(said) == {"model.pkl", "weights.safetensors"}
    assert said["model.pkl"]["runs_code"] is True
    assert registry.models.download("m", tmp_path / "out").is_dir()


def test_of_many_files_those_that_may_say_something(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for n in range(200):
        (folder / f"{n:03}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
        np.save(folder / f"{n:03}.npy", np.zeros(n + 1))
    registry.datasets.register("d", folder, version="1.0.0")
    said = registry.datasets.get("d").formats
    assert [each["path"] for each in said] == [f"{n:03}.npy" for n in range(200)]


def test_a_record_of_nonsense_is_shown_as_far_as_it_makes_sense() -> None:
    record = samples.record()
    for kept, shown in (
        (None, ()), (7, ()), ([7, {"path": "x"}, {"format": "y"}], ()),
        ([{"path": "x", "format": "y", "tensors": "many", "shapes": 3, "runs_code": 1, "z": []}],
         ({"path": "x", "format": "y"},)),
    ):  # fmt: skip
        assert formats_of(make_record({**record.model_dump(), "inspected": kept})) == shown


def test_a_pickle_is_found_wherever_it_is_and_whatever_its_name(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "deep" / "down").mkdir(parents=True)
    for n in range(300):
        save_file({"w": np.zeros(8, "f4")}, folder / f"model-{n:05}-of-00300.safetensors")
    (folder / "deep" / "down" / "notes.txt").write_bytes(gzip.compress(pickle.dumps({"a": 1}, 4)))
    (folder / "README").write_bytes(pickle.dumps([print], 2))
    done = registry.models.register("m", folder, version="1.0.0")
    told = [notice for notice in done.notices if "runs the code" in notice]
    assert {notice.split()[1] for notice in told} == {"deep/down/notes.txt", "README"}
    assert sum(each.get("parameters", 0) for each in registry.models.get("m").formats) == 300 * 8


def test_what_the_record_has_no_room_for_is_summed(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for n in range(700):
        save_file({f"layer.{n}.weight": np.zeros((4, 4), "f4")}, folder / f"a-long-name-of-a-shard-{n:05}.safetensors")
    registry.models.register("m", folder, version="1.0.0")
    shown = registry.models.get("m")
    more = shown.formats_more
    assert more is not None
    assert more["files"] == 700 - len(shown.formats) > 0
    assert more["formats"] == {"safetensors": more["files"]}
    assert sum(each["parameters"] for each in shown.formats) + more["parameters"] == 700 * 16
    assert shown.to_json()["formats_more"] == more


@pytest.mark.parametrize("nested", [False, True])
def test_files_that_are_named_and_not_there_are_told(registry: Registry, tmp_path: Path, nested: bool) -> None:
    folder = tmp_path / "model"
    inner = folder / "unet" if nested else folder
    inner.mkdir(parents=True)
    save_file({"a": np.zeros(8, "f4")}, inner / "model-00001-of-00002.safetensors")
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (inner / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    done = registry.models.register("m", folder, version="1.0.0")
    assert (
        len([notice for notice in done.notices if "model-00002-of-00002.safetensors is not registered" in notice]) == 1
    )
    save_file({"b": np.zeros(8, "f4")}, inner / "model-00002-of-00002.safetensors")
    assert registry.models.register("m", folder, version="1.0.1").notices == ()


def test_a_bug_in_a_reader_is_no_reason_not_to_store(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(source: object) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr("pacha_git.inspectors.pickled.files.read_pickle", broken)
    (tmp_path / "model.dat").write_bytes(pickle.dumps([1, 2, 3], 4))
    done = registry.models.register("m", tmp_path / "model.dat", version="1.0.0")
    assert any("can't be looked at (TypeError)" in notice for notice in done.notices)
    assert any("runs the code in it" in notice for notice in done.notices)


def test_external_data_that_is_not_registered_is_told(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("onnx_external.onnx", "onnx_external.onnx.data"):
        (folder / name).write_bytes((MADE / name).read_bytes())
    assert registry.models.register("m", folder, version="1.0.0").notices == ()
    [said] = registry.models.register("m", folder / "onnx_external.onnx", version="1.0.1").notices
    assert "onnx_external.onnx.data is not registered with it" in said
    (folder / "onnx_external.onnx.data").write_bytes(b"short")
    [said] = registry.models.register("m", folder, version="1.0.2").notices
    assert "5 bytes, and" in said


def test_a_datasheet_of_dates_that_never_come(registry: Registry, tmp_path: Path) -> None:
    moments = pa.array([1767225600123456789, 2**63 - 1], pa.timestamp("ns"))
    days = pa.array([20454, 2**31 - 1], pa.int32()).cast(pa.date32())
    pa.parquet.write_table(pa.table({"valid_to": moments, "day": days}), tmp_path / "t.parquet")
    registry.datasets.register("d", tmp_path / "t.parquet", version="1.0.0")
    text, notices = registry.datasets.datasheet_skeleton("d")
    assert "2262-04-11T23:47:16.854775807" in text
    assert "+5881580-07-11" in text
    assert not any("can't be read" in notice for notice in notices)
