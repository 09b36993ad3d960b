"""Stores that the real MLflow writes are taken in with nothing missing, once, and are left as they were."""

from __future__ import annotations

import hashlib
import math
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pacha_git import MetricSummary, Registry
from pacha_git.errors import NotFound, PachaError
from pacha_git.registry.importers.reach import Reach
from pacha_git.registry.runs import take_in as run_import
from tests.making import contents, put

SETTINGS = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_ALLOW_FILE_STORE": "true"}
os.environ.update(SETTINGS)
VALUES = [0.9, 0.5, math.nan, 0.1, 0.2, -1e300, 5e-324]


def client_of(uri: str) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri)


def uri_of(place: Path) -> str:
    return f"sqlite:///{place}" if place.suffix == ".db" else place.as_uri()


def write_store(place: Path) -> None:
    """Two experiments: runs that ended in every way, with points out of order, and one that goes on."""
    from mlflow.entities import Metric, Param, RunTag

    client = client_of(uri_of(place))
    churn = client.create_experiment("churn", artifact_location=(place.parent / "mlruns" / "churn").as_uri())
    fraud = client.create_experiment("fraud", artifact_location=(place.parent / "mlruns" / "fraud").as_uri())
    begin = 1_760_000_000_123
    for at, (experiment, status) in enumerate(
        [(churn, "FINISHED"), (churn, "FAILED"), (fraud, "KILLED"), (fraud, None)]
    ):
        run = client.create_run(experiment, start_time=begin + at * 1000, run_name=f"run {at}")
        points = [Metric("val/loss", value, begin + 7 * i, (3 - i) * 10) for i, value in enumerate(VALUES)]
        points += [Metric("acc", i / 500, begin + i, i) for i in range(300)]
        client.log_batch(
            run.info.run_id,
            points,
            [Param("lr", "1e-3"), Param("note", 'a "quoted"\nñ'), Param("empty", "x" * 3000)],
            [RunTag("team", "risk"), RunTag("mlflow.source.git.commit", "a" * 40)],
        )
        client.log_text(run.info.run_id, "hello", "plots/deep/hello.txt")
        file = put(place.parent / "weights.bin", bytes(range(256)) * 2000)
        client.log_artifact(run.info.run_id, str(file))
        if status is not None:
            client.set_terminated(run.info.run_id, status, end_time=begin + at * 1000 + 500_456)


@pytest.fixture(scope="module")
def folder_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("mlflow") / "mlruns"
    write_store(place)
    return place


@pytest.fixture(scope="module")
def sqlite_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    write_store(place)
    return place


@pytest.fixture(params=["folder_store", "sqlite_store"])
def store(request: pytest.FixtureRequest) -> Path:
    """The same runs in each of MLflow's own stores."""
    place: Path = request.getfixturevalue(request.param)
    return place


def state_of(folder: Path) -> dict[str, str]:
    """Everything below a folder, with what is in it."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


def all_runs(client: Any) -> Iterator[tuple[Any, Any]]:
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id]):
            yield experiment, run


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def test_nothing_is_missing(store: Path, registry_path: Path, tmp_path: Path) -> None:
    registry = Registry.init(registry_path)
    before = state_of(store.parent)
    done = registry.runs.import_mlflow(store, unfinished=True)
    assert (len(done.runs), done.known, done.skipped) == (4, (), ())
    assert state_of(store.parent) == before

    client = client_of(uri_of(store))
    here = {run.tags["mlflow.runName"]: registry.runs.get(run.id) for run in registry.runs.list()}
    statuses = {"FINISHED": "completed", "FAILED": "failed", "KILLED": "cancelled", "RUNNING": "failed"}
    for experiment, run in all_runs(client):
        mine = here.pop(run.info.run_name)
        assert mine.status == statuses[run.info.status]
        assert mine.params == run.data.params
        assert mine.tags == run.data.tags
        assert mine.git is not None
        assert mine.git["commit"] == "a" * 40
        assert mine.environment is not None
        about = mine.environment["mlflow"]
        assert (about["start_time"], about["end_time"]) == (run.info.start_time, run.info.end_time)
        assert (about["run_id"], about["experiment"]) == (run.info.run_id, experiment.name)
        series = registry.runs.series(mine.id)
        assert series.keys() == run.data.metrics.keys()
        for name, mine_of in series.items():
            points = client.get_metric_history(run.info.run_id, name)
            assert [point.step for point in points] == list(mine_of.steps)
            assert [point.timestamp for point in points] == list(mine_of.times)
            assert all(same(point.value, value) for point, value in zip(points, mine_of.values, strict=True))
        theirs = tmp_path / f"{mine.id}-theirs"
        theirs.mkdir()
        client.download_artifacts(run.info.run_id, "", str(theirs))
        out = registry.runs.download(mine.id, tmp_path / mine.id)
        assert contents(out / "artifacts") == contents(theirs)
        assert contents(theirs).keys() == {"plots/deep/hello.txt", "weights.bin"}
    assert not here
    assert registry.fsck().problems == ()


def test_times_and_order_are_those_of_mlflow(store: Path, registry_path: Path) -> None:
    registry = Registry.init(registry_path)
    registry.runs.import_mlflow(uri_of(store))
    first = registry.runs.list()[0]
    assert (first.started_at, first.finished_at) == ("2025-10-09T08:53:20Z", "2025-10-09T09:01:40Z")
    assert first.metrics["acc"] == MetricSummary(299 / 500, 0, 299 / 500, 300)
    assert first.metrics["val/loss"].steps == len(VALUES)
    assert first.metrics["val/loss"].last == 0.9


def test_twice_is_once_and_what_is_new_comes(store: Path, registry_path: Path) -> None:
    registry = Registry.init(registry_path)
    done = registry.runs.import_mlflow(store, experiment="churn")
    assert len(done.runs) == 2
    again = registry.runs.import_mlflow(store)
    assert (len(again.runs), sorted(again.known)) == (1, sorted(done.runs))
    assert [reason for _, reason in again.skipped] == ["it is RUNNING in MLflow; --unfinished takes it as failed"]
    assert len(registry.runs.list()) == 3


def test_two_machines_make_the_same_commits(folder_store: Path, tmp_path: Path) -> None:
    one, other = Registry.init(tmp_path / "one.git"), Registry.init(tmp_path / "other.git")
    for registry in (one, other):
        registry.runs.import_mlflow(folder_store)
    assert [(run.id, run.commit) for run in one.runs.list()] == [(run.id, run.commit) for run in other.runs.list()]
    one.add_remote("other", str(other.path))
    assert one.push().conflicts == ()


def test_one_that_can_not_be_kept_keeps_no_other_out(registry_path: Path, tmp_path: Path) -> None:
    client = client_of((tmp_path / "mlruns").as_uri())
    for name in ("good", "bad", "also good"):
        run = client.create_run("0", run_name=name)
        client.log_text(run.info.run_id, "hello", "hello.txt")
        if name == "bad":
            (Path(run.info.artifact_uri.removeprefix("file://")) / "link").symlink_to("/etc/hostname")
        client.set_terminated(run.info.run_id)
    registry = Registry.init(registry_path)
    done = registry.runs.import_mlflow(tmp_path / "mlruns")
    assert len(done.runs) == 2
    ((_, reason),) = done.skipped
    assert "symbolic link" in reason


def test_a_damaged_store_is_said(registry_path: Path, tmp_path: Path) -> None:
    client = client_of((tmp_path / "mlruns").as_uri())
    run = client.create_run("0")
    client.log_metric(run.info.run_id, "acc", 1)
    (tmp_path / "mlruns/0" / run.info.run_id / "metrics/acc").write_text("1 one 3\n")
    done = Registry.init(registry_path).runs.import_mlflow(tmp_path / "mlruns")
    assert [(name, why.startswith("MLflow can't read")) for name, why in done.skipped] == [(run.info.run_id, True)]
    assert done.runs == ()


def test_a_store_that_was_moved_still_has_its_artifacts(registry_path: Path, tmp_path: Path) -> None:
    client = client_of((tmp_path / "old/mlruns").as_uri())
    run = client.create_run("0")
    client.log_text(run.info.run_id, "hello", "hello.txt")
    client.set_terminated(run.info.run_id)
    (tmp_path / "old").rename(tmp_path / "new")
    registry = Registry.init(registry_path)
    (run_id,) = registry.runs.import_mlflow(tmp_path / "new/mlruns").runs
    assert registry.runs.get(run_id).artifacts == ("hello.txt",)


def test_the_recipe_and_best(folder_store: Path, registry_path: Path, tmp_path: Path) -> None:
    registry = Registry.init(registry_path)
    registry.recipes.register(put(tmp_path / "r.toml", b'name = "train"\nversion = "1.0.0"\n'))
    registry.runs.import_mlflow(folder_store, recipe="train")
    best = registry.runs.best("train", "acc")
    assert best.run.tags["mlflow.runName"] == "run 0"


def nothing(folder: Path) -> Path:
    return folder / "gone"


def empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def other_tables(folder: Path) -> Path:
    with sqlite3.connect(folder / "other.db") as connection:
        connection.execute("CREATE TABLE notes (text)")
    connection.close()
    return folder / "other.db"


def no_database(folder: Path) -> Path:
    return put(folder / "noise.db", b"\x00noise" * 1000)


@pytest.mark.parametrize("make", [nothing, empty, other_tables, no_database])
def test_what_is_no_store_is_said(make: Callable[[Path], Path], registry_path: Path, tmp_path: Path) -> None:
    registry = Registry.init(registry_path)
    (tmp_path / "there").mkdir()
    place = make(tmp_path / "there")
    before = state_of(tmp_path / "there")
    with pytest.raises(PachaError) as caught:
        registry.runs.import_mlflow(place)
    assert str(place) in caught.value.message
    assert state_of(tmp_path / "there") == before


def test_an_unknown_experiment_is_not_found(folder_store: Path, registry_path: Path) -> None:
    with pytest.raises(NotFound, match="no experiment 'gone'") as caught:
        Registry.init(registry_path).runs.import_mlflow(folder_store, experiment="gone")
    assert "churn" in caught.value.hint


def test_the_environment_is_as_it_was(folder_store: Path, registry_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    Registry.init(registry_path).runs.import_mlflow(folder_store)
    assert not SETTINGS.keys() & os.environ.keys()


def test_ids_follow_from_what_a_run_is() -> None:
    one = run_import.run_id_of("mlflow a", 1_760_000_000_123)
    assert one == run_import.run_id_of("mlflow a", 1_760_000_000_123)
    assert one != run_import.run_id_of("mlflow b", 1_760_000_000_123)
    assert one < run_import.run_id_of("mlflow a", 1_760_000_000_124)


def test_a_store_of_an_old_mlflow_is_read_and_stays_old(registry_path: Path, tmp_path: Path) -> None:
    import sqlalchemy
    from mlflow.store.tracking.dbmodels.initial_models import Base

    place = tmp_path / "old.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{place}")
    Base.metadata.create_all(engine)
    engine.dispose()
    with sqlite3.connect(place) as connection:
        connection.execute("INSERT INTO experiments VALUES (1, 'first', 'mlruns/1', 'active')")
        run = {"run_uuid": "ab" * 16, "name": "old", "user_id": "ada", "status": "FINISHED", "experiment_id": 1,
               "start_time": 1_500_000_000_000, "end_time": 1_500_000_060_000, "lifecycle_stage": "active",
               "artifact_uri": "mlruns/1/artifacts", "source_type": "LOCAL"}  # fmt: skip
        marks = ", ".join(f":{key}" for key in run)
        connection.execute(f"INSERT INTO runs ({', '.join(run)}) VALUES ({marks})", run)
        rows = [("acc", 0.5, 1_500_000_000_001, "ab" * 16), ("acc", 0.75, 1_500_000_000_002, "ab" * 16)]
        connection.executemany("INSERT INTO metrics (key, value, timestamp, run_uuid) VALUES (?, ?, ?, ?)", rows)
        connection.execute("INSERT INTO params VALUES ('lr', '0.1', ?)", ("ab" * 16,))
    connection.close()
    before = place.read_bytes()
    registry = Registry.init(registry_path)
    (run_id,) = registry.runs.import_mlflow(place).runs
    found = registry.runs.get(run_id)
    assert (found.status, found.params, found.started_at) == ("completed", {"lr": "0.1"}, "2017-07-14T02:40:00Z")
    assert list(registry.runs.series(run_id)["acc"].values) == [0.5, 0.75]
    assert place.read_bytes() == before


@pytest.fixture
def outside(tmp_path: Path) -> tuple[Path, Path]:
    """A store with two runs, one of which names a folder of ours as the place of its artifacts; and that folder."""
    put(tmp_path / "private/secret.txt", b"TOP SECRET")
    client = client_of((tmp_path / "mlruns").as_uri())
    for name in ("honest", "greedy"):
        run = client.create_run("0", run_name=name)
        client.log_text(run.info.run_id, "hello", "hello.txt")
        client.set_terminated(run.info.run_id)
        if name == "greedy":
            folder = tmp_path / "mlruns/0" / run.info.run_id
            meta = (folder / "meta.yaml").read_text()
            (folder / "meta.yaml").write_text(meta.replace(run.info.artifact_uri, (tmp_path / "private").as_uri()))
            (folder / "artifacts/hello.txt").unlink()
            (folder / "artifacts").rmdir()
    return tmp_path / "mlruns", tmp_path / "private"


def names_of(registry: Registry) -> dict[str, tuple[str, ...]]:
    return {run.tags["mlflow.runName"]: registry.runs.get(run.id).artifacts for run in registry.runs.list()}


def test_a_uri_that_leads_out_of_the_store_is_not_followed(outside: tuple[Path, Path], registry_path: Path) -> None:
    store, private = outside
    registry = Registry.init(registry_path)
    ((_, reason),) = registry.runs.import_mlflow(store).skipped
    assert private.as_uri() in reason
    assert "--artifacts" in reason
    assert names_of(registry) == {"honest": ("hello.txt",)}


@pytest.mark.parametrize(("named", "found"), [("private", ("secret.txt",)), ("none", ())])
def test_it_is_if_its_place_is_named(
    outside: tuple[Path, Path], registry_path: Path, named: str, found: tuple[str, ...]
) -> None:
    store, private = outside
    registry = Registry.init(registry_path)
    assert not registry.runs.import_mlflow(store, artifacts=str(private) if named == "private" else named).skipped
    assert names_of(registry)["greedy"] == found


@pytest.mark.parametrize("what", ["param", "metric", "folder of tags", "meta.yaml", "run", "pipe", "experiment"])
def test_a_link_that_leads_out_of_the_store_is_not_followed(what: str, tmp_path: Path, registry_path: Path) -> None:
    secret = put(tmp_path / "private/secret", b"1760000000000 0.125 0\n")
    client = client_of((tmp_path / "mlruns").as_uri())
    runs = [client.create_run("0", run_name=name) for name in ("one", "other")]
    for run in runs:
        client.set_terminated(run.info.run_id)
    experiment = tmp_path / "mlruns/0"
    folder = experiment / runs[0].info.run_id
    match what:
        case "param" | "metric":
            (folder / f"{what}s/x").symlink_to(secret)
        case "folder of tags":
            (folder / "tags").rename(tmp_path / "private/tags")
            (folder / "tags").symlink_to(tmp_path / "private/tags")
        case "meta.yaml":
            (folder / what).rename(tmp_path / "private/meta.yaml")
            (folder / what).symlink_to(tmp_path / "private/meta.yaml")
        case "run":
            folder.rename(tmp_path / "private/run")
            folder.symlink_to(tmp_path / "private/run")
        case "pipe":
            os.mkfifo(folder / "params/x")
        case "experiment":
            experiment.rename(tmp_path / "private/0")
            experiment.symlink_to(tmp_path / "private/0")
    registry = Registry.init(registry_path)
    done = registry.runs.import_mlflow(tmp_path / "mlruns")
    assert len(done.runs) == (0 if what == "experiment" else 1)
    assert len(done.skipped) == 1
    assert "leads out of the store" in done.skipped[0][1] or what == "pipe"


REACH = Reach((Path("/store"),), None, None)
SERVER = Reach((), "https://ml.example.org/base", None)


@pytest.mark.parametrize(
    ("reach", "uri"),
    [
        (REACH, "s3://bucket/x"), (REACH, "http://169.254.169.254/latest"), (SERVER, "s3://bucket/x"),
        (SERVER, "https://other.example.org/x"), (SERVER, "https://ml.example.org/based/x"),
        (SERVER, "mlflow-artifacts://other/x"), (SERVER, "https://ml.example.org/base/%2e%2e/x"),
        (Reach((), None, "s3://bucket/a"), "s3://bucket/ab"), (Reach((), None, "s3://bucket/a"), "s3://bucket/a/../b"),
    ],
)  # fmt: skip
def test_a_uri_of_elsewhere_is_not_fetched(reach: Reach, uri: str) -> None:
    with pytest.raises(PachaError, match="outside the store"):
        reach.may_fetch(uri)


def test_what_may_be_fetched() -> None:
    assert SERVER.may_fetch("mlflow-artifacts:/1/x")
    assert SERVER.may_fetch("https://ml.example.org/base/x")
    assert Reach((), None, "s3://bucket/a").may_fetch("s3://bucket/a/1")
    assert not Reach((Path("/store"),), None, "none").may_fetch("s3://bucket/a/1")


def test_a_server_can_not_name_a_folder_of_ours(tmp_path: Path) -> None:
    with pytest.raises(PachaError, match="outside the store"):
        SERVER.folder(tmp_path.as_uri(), ("0", "x", "artifacts"))
