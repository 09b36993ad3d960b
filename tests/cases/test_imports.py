"""One bad thing in an import leaves the others and is named; what is usual is looked for first, and nobody waits."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacha_git import Registry
from pacha_git.errors import NotFound, PachaError
from tests.cli.conftest import Ended
from tests.making import put

pytest.importorskip("mlflow")
Pacha = Callable[..., Ended]
META = """\
artifact_uri: file://{store}/1/{run}/artifacts
end_time: 1700000001000
entry_point_name: ''
experiment_id: '1'
lifecycle_stage: {stage}
run_id: '{run}'
run_name: n
run_uuid: '{run}'
source_name: ''
source_type: 4
source_version: ''
start_time: 1700000000000
status: 3
tags: []
user_id: u
"""
EXPERIMENT = "artifact_location: file://{store}/{id}\nexperiment_id: '{id}'\nlifecycle_stage: active\nname: e{id}\n"


def run_of(store: Path, number: int, stage: str = "active") -> Path:
    run = f"{number:x}".rjust(32, "a")
    folder = store / "1" / run
    for name in ("params", "tags", "artifacts"):
        (folder / name).mkdir(parents=True)
    put(folder / "metrics/loss", b"1700000000000 0.5 0\n")
    put(folder / "meta.yaml", META.format(store=store, run=run, stage=stage).encode())
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A folder store of two sound runs, and one that was deleted."""
    folder = tmp_path / "mlruns"
    put(folder / "1/meta.yaml", EXPERIMENT.format(store=folder, id=1).encode())
    run_of(folder, 1)
    run_of(folder, 2)
    run_of(folder, 9, "deleted")
    return folder


BREAKS: dict[str, Callable[[Path], Any]] = {
    "nothing in it": lambda run: (run / "meta.yaml").write_bytes(b""),
    "no description": lambda run: (run / "meta.yaml").unlink(),
    "no YAML": lambda run: (run / "meta.yaml").write_bytes(b"a: [\n\xff"),
    "a list": lambda run: (run / "meta.yaml").write_bytes(b"- 1\n"),
    "half of it": lambda run: (run / "meta.yaml").write_bytes(b"run_id: x\n"),
    "a metric that is none": lambda run: (run / "metrics/loss").write_bytes(b"1 2 3 4 5 6 7\n"),
    "a metric of another": lambda run: (run / "metrics/loss").write_bytes(b"\x00\xff\n"),
}


@pytest.mark.parametrize("damage", BREAKS.values(), ids=BREAKS)
def test_one_broken_run_leaves_the_others(store: Path, registry_path: Path, damage: Callable[[Path], Any]) -> None:
    broken = run_of(store, 3)
    damage(broken)
    done = Registry.init(registry_path).runs.import_mlflow(store)
    assert len(done.runs) == 2
    [(name, why)] = done.skipped
    assert (name, bool(why)) == (broken.name, True)


def test_ids_that_yaml_takes_for_numbers_are_ids(store: Path, registry_path: Path) -> None:
    run = run_of(store, 5)
    digits = "0" * 31 + "5"
    text = (run / "meta.yaml").read_text().replace(f"'{run.name}'", digits).replace(run.name, digits)
    (run / "meta.yaml").write_text(text)
    run.rename(run.with_name(digits))
    registry = Registry.init(registry_path)
    done = registry.runs.import_mlflow(store)
    assert (len(done.runs), done.skipped) == (3, ())
    assert all(list(registry.runs.series(run_id)["loss"].values) == [0.5] for run_id in done.runs)


def test_one_broken_experiment_leaves_the_others(store: Path, registry_path: Path) -> None:
    put(store / "7/meta.yaml", b"")
    done = Registry.init(registry_path).runs.import_mlflow(store)
    assert len(done.runs) == 2
    assert [name for name, _ in done.skipped] == ["experiment 7"]


@pytest.mark.soak
def test_one_broken_row_of_a_database_leaves_the_others(
    registry_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pacha: Pacha
) -> None:
    """And it is what is looked for first, where nobody says where."""
    from mlflow.tracking import MlflowClient

    file = tmp_path / "mlflow.db"
    client = MlflowClient(tracking_uri=f"sqlite:///{file}")
    experiment = client.create_experiment("e", artifact_location=(tmp_path / "artifacts").as_uri())
    ids = []
    for _ in range(3):
        ids.append(client.create_run(experiment).info.run_id)
        client.log_metric(ids[-1], "loss", 0.5)
        client.set_terminated(ids[-1])
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE runs SET start_time = 'never' WHERE run_uuid = ?", (ids[1],))
    connection.close()
    (tmp_path / "mlruns").mkdir()
    monkeypatch.chdir(tmp_path)
    Registry.init(registry_path)
    done = pacha("--registry", registry_path, "run", "import", "mlflow", "--json").json
    assert (len(done["runs"]), [each["run"] for each in done["skipped"]]) == (2, [ids[1]])
    again = pacha("--registry", registry_path, "run", "import", "mlflow", tmp_path, "--json").json
    assert len(again["known"]) == 2
    with pytest.raises(NotFound) as caught:
        Registry.open(registry_path).runs.import_mlflow(tmp_path / "mlruns")
    assert str(file) in caught.value.hint


def test_where_no_store_is_somebody_says_so(registry_path: Path, home: Path) -> None:
    with pytest.raises(NotFound, match=r"mlflow\.db"):
        Registry.init(registry_path).runs.import_mlflow()


def test_a_server_that_does_not_answer_fails_in_seconds(registry_path: Path) -> None:
    registry = Registry.init(registry_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    begun = time.monotonic()
    for uri in (f"http://127.0.0.1:{port}", f"postgresql://u:secret@127.0.0.1:{port}/mlflow"):
        with pytest.raises(PachaError, match="no answer") as caught:
            registry.runs.import_mlflow(uri)
        assert "secret" not in caught.value.message
    assert time.monotonic() - begun < 30
