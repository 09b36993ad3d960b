"""The life of a run: what it notes by itself, what it takes, how it ends, how it is found, which models come of it."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from pacha_git import Ambiguous, Conflict, InvalidInput, MetricSummary, NotFound, PachaError, Registry
from pacha_git.registry.reading.lineage import render_lineage
from pacha_git.registry.runs import capture
from tests.making import contents, git, noise, put
from tests.registry.runs.running import finished, fit


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


@pytest.fixture
def recipe(registry: Registry, tmp_path: Path) -> str:
    return fit(registry, tmp_path)


# Life ---------------------------------------------------------------------------------------------------------------


def test_a_run_from_its_start_to_its_end(registry: Registry, recipe: str, tmp_path: Path) -> None:
    data = registry.datasets.register("tx", put(tmp_path / "tx.csv"), version="1.0.0")
    with registry.run(recipe=recipe, data="tx@1.0.0", params={"lr": 0.1, "n": 3, "deep": True}, tags={"a": "b"}) as run:
        live = registry.runs.get(run.id)
        assert (live.status, live.finished_at, live.payload) == ("running", None, None)
        run.log({"val/loss": 0.5}, step=10)
        run.log(loss=0.3, acc=1, step=10)
        run.log({"val/loss": 0.7}, step=5)
        run.set(params={"late": "yes"}, tags={"c": "d"})
        run.artifact(put(tmp_path / "plot.png", b"png"))
        assert registry.runs.get(run.id).metrics["val/loss"] == MetricSummary(0.5, 0.5, 0.7, 2)
    found = registry.runs.get(run.id)
    assert found.status == "completed"
    assert found.recipe == "fit@1.0.0"
    assert found.params == {"lr": 0.1, "n": 3, "deep": True, "late": "yes"}
    assert [type(found.params[key]) for key in ("lr", "n", "deep")] == [float, int, bool]
    assert found.tags == {"a": "b", "c": "d"}
    assert found.artifacts == ("plot.png",)
    assert found.metrics["acc"] == MetricSummary(1, 1, 1, 1)
    assert [edge.relation for edge in found.inputs] == ["generated-by", "trained-on"]
    assert found.inputs[1].commit == data.commit
    assert found.started_at <= str(found.finished_at)
    assert found.seed == 11
    assert {name: list(s.steps) for name, s in registry.runs.series(run.id).items()} == {
        "acc": [10], "loss": [10], "val/loss": [10, 5],
    }  # fmt: skip
    assert registry.fsck().problems == ()


def test_what_surrounds_a_run_is_noted_by_itself(registry: Registry) -> None:
    with registry.run(seed=7) as run:
        pass
    found = registry.runs.get(run.id)
    assert found.environment is not None
    assert found.environment["python"] == platform.python_version()
    assert found.environment["command"] == sys.orig_argv[:1000]
    assert {"pytest", "pydantic", "blake3"} <= found.environment["packages"].keys()
    assert found.hardware["cpu_cores"] == os.cpu_count()
    assert found.hardware["ram_gb"] > 0
    assert found.seed == 7


def test_a_failure_keeps_its_message(registry: Registry) -> None:
    run = registry.run()

    def fail() -> None:
        with run:
            run.log(loss=1.0)
            raise ValueError("no such column: x")

    with pytest.raises(ValueError, match="no such column"):
        fail()
    found = registry.runs.get(run.id)
    assert (found.status, found.error) == ("failed", "ValueError: no such column: x")
    assert found.metrics["loss"].last == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), "cancelled"),
        (SystemExit(0), "completed"),
        (SystemExit(3), "failed"),
        (SystemExit(), "completed"),
    ],
)
def test_how_a_block_ends_is_how_its_run_ends(registry: Registry, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), registry.run() as run:
        raise error
    assert registry.runs.get(run.id).status == status


def test_finish_is_idempotent_for_the_same_status_alone(registry: Registry) -> None:
    run = registry.run()
    run.finish("failed", error="why")
    commit = registry.runs.get(run.id).commit
    run.finish("failed")
    assert registry.runs.finish(run.id, "failed").commit == commit
    with pytest.raises(Conflict, match="failed already"):
        registry.runs.finish(run.id, "completed")
    assert registry.runs.get(run.id).error == "why"
    with pytest.raises(InvalidInput, match="can't end as"):
        registry.run().finish("running")


def test_nothing_is_logged_to_a_sealed_run(registry: Registry, tmp_path: Path) -> None:
    run = registry.run()
    other = registry.runs.resume(run.id)
    run.finish()
    for live in (run, other):
        with pytest.raises(PachaError):
            live.log(loss=1.0)
    with pytest.raises(PachaError):
        other.artifact(put(tmp_path / "late.bin"))
    with pytest.raises(Conflict, match="completed"):
        registry.runs.resume(run.id)


def test_nan_and_infinities_are_kept(registry: Registry) -> None:
    with registry.run() as run:
        for value in (1.0, math.nan, math.inf, -math.inf):
            run.log(loss=value)
    found = registry.runs.get(run.id).metrics["loss"]
    assert found == MetricSummary("-Infinity", "-Infinity", "Infinity", 4)
    values = list(registry.runs.series(run.id)["loss"].values)
    assert math.isnan(values[1])
    assert values[2] == math.inf


def test_a_metric_that_is_no_number_is_refused_and_the_run_goes_on(registry: Registry) -> None:
    with registry.run() as run:
        with pytest.raises(InvalidInput, match="no number"):
            run.log({"loss": "low", "acc": 1.0})
        run.log(acc=0.5)
    assert registry.runs.get(run.id).metrics.keys() == {"acc"}


def test_an_empty_run_has_no_payload(registry: Registry) -> None:
    with registry.run() as run:
        run.log({})
    assert registry.runs.get(run.id).payload is None
    with pytest.raises(NotFound, match="left neither"):
        registry.runs.download(run.id, "out")


def test_a_run_within_a_batch(registry: Registry) -> None:
    with registry.batch():
        ids = []
        for lr in (0.1, 0.2):
            with registry.run(params={"lr": lr}) as run:
                run.log(loss=lr)
            ids.append(run.id)
    assert [run.status for run in registry.runs.list()] == ["completed", "completed"]
    assert ids == sorted(ids)


def test_what_can_not_begin(registry: Registry, recipe: str) -> None:
    for asked, error in (
        ({"recipe": "nope"}, NotFound), ({"data": "nope@1.0.0"}, NotFound), ({"params": {"x": object()}}, InvalidInput),
        ({"tags": {"a": 1}}, InvalidInput), ({"data": recipe}, NotFound), ({"resume": "x"}, InvalidInput),
    ):  # fmt: skip
        with pytest.raises(error):
            registry.run(**asked)  # type: ignore[arg-type]
    assert registry.runs.list() == []
    assert not (registry.path / "pacha/runs").exists() or not list((registry.path / "pacha/runs").iterdir())


def test_parameters_that_add_up_to_too_much_are_refused_before_they_keep_the_run_from_its_end(
    registry: Registry,
) -> None:
    run = registry.run(params={"a": "x" * 500_000})
    run.set(params={"b": "x" * 400_000})
    with pytest.raises(InvalidInput, match="larger"):
        run.set(params={"c": "x" * 400_000})
    with pytest.raises(InvalidInput, match="tags"):
        run.set(tags={"t": "x" * 300_000})
    run.finish()
    kept = registry.runs.get(run.id).params
    assert {name: len(value) for name, value in kept.items()} == {"a": 500_000, "b": 400_000}


def test_no_identity_and_nothing_begins(registry: Registry, no_identity: Path) -> None:
    with pytest.raises(PachaError, match="Git does not know who you are"):
        registry.run()
    assert registry.runs.list() == []


# The code -----------------------------------------------------------------------------------------------------------


def in_code(code: Path, *words: str, stdin: str | None = None) -> str:
    """What git says in a work tree."""
    return subprocess.run(["git", *words], cwd=code, input=stdin, capture_output=True, text=True, check=True).stdout


def test_the_commit_of_the_code_and_its_difference(registry: Registry, tmp_path: Path) -> None:
    code = tmp_path / "code"
    put(code / "train.py", b"print(1)\n")
    in_code(code, "init", "-q")
    assert registry.runs.start(folder=code).id
    assert registry.runs.list()[0].git is None
    with pytest.raises(PachaError, match="there is none in") as refused:
        registry.runs.start(folder=code, diff=True)
    assert "leave --diff" in refused.value.hint
    in_code(code, "add", "-A")
    in_code(code, "commit", "-qm", "first")
    head = in_code(code, "rev-parse", "HEAD").strip()
    clean = registry.runs.start(folder=code, diff=True)
    put(code / "train.py", b"print(2)\n")
    dirty = registry.runs.start(folder=code, diff=True)
    assert registry.runs.get(clean.id).git == {"commit": head, "branch": "main", "dirty": False}
    assert registry.runs.get(dirty.id).git == {"commit": head, "branch": "main", "dirty": True}
    clean.finish()
    dirty.finish()
    registry.runs.download(dirty.id, tmp_path / "out")
    diff = (tmp_path / "out/code.diff").read_text()
    in_code(code, "checkout", "-q", "train.py")
    in_code(code, "apply", "-", stdin=diff)
    assert (code / "train.py").read_text() == "print(2)\n"


def test_gpus_are_asked_of_their_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = put(
        tmp_path / "nvidia-smi",
        b"#!/bin/sh\necho 'NVIDIA A100-SXM4, 81920, 550.54'\necho 'NVIDIA A100-SXM4, 81920, 550.54'\n",
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    capture.hardware.cache_clear()
    try:
        found = capture.hardware()
    finally:
        capture.hardware.cache_clear()
    assert (found["gpu_count"], found["gpu_model"]) == (2, "NVIDIA A100-SXM4")
    assert found["gpus"][0] == {"name": "NVIDIA A100-SXM4", "driver": "550.54", "vram_gb": 80.0}


# Artifacts ----------------------------------------------------------------------------------------------------------


def test_artifacts_are_kept_as_they_were_and_come_back(registry: Registry, tmp_path: Path) -> None:
    big = noise(1_000_000)
    source = put(tmp_path / "src/model.bin", big)
    put(tmp_path / "src/sub/a.txt", b"a")
    run = registry.run()
    run.artifact(tmp_path / "src")
    run.artifact(source, name="best/model.bin")
    source.write_bytes(b"changed since")
    run.artifact(put(tmp_path / "note.txt", b"1"))
    run.artifact(put(tmp_path / "note.txt", b"2"))
    assert registry.runs.get(run.id).artifacts == ("best/model.bin", "note.txt", "src/model.bin", "src/sub/a.txt")
    run.finish()
    out = registry.runs.download(run.id, tmp_path / "out")
    assert contents(out) == {
        "artifacts/best/model.bin": big, "artifacts/note.txt": b"2", "artifacts/src/model.bin": big,
        "artifacts/src/sub/a.txt": b"a",
    }  # fmt: skip
    with pytest.raises(Conflict):
        registry.runs.download(run.id, out)


def test_artifacts_that_can_not_be(registry: Registry, tmp_path: Path) -> None:
    run = registry.run()
    with pytest.raises(NotFound):
        run.artifact(tmp_path / "nowhere")
    run.artifact(put(tmp_path / "Plot.png"))
    for name in ("plot.PNG", "../escape", "/etc/passwd", "Plot.png/below", "a\nb"):
        with pytest.raises(PachaError):
            run.artifact(put(tmp_path / "other.png"), name=name)
    (tmp_path / "links").mkdir()
    (tmp_path / "links/l").symlink_to(tmp_path / "Plot.png")
    with pytest.raises(PachaError, match="symbolic link") as refused:
        run.artifact(tmp_path / "links")
    assert "--" not in refused.value.hint  # the flags of register are none of run log
    run.finish()
    assert registry.runs.get(run.id).artifacts == ("Plot.png",)


# Models -------------------------------------------------------------------------------------------------------------


def test_a_model_comes_from_its_run_and_pushing_it_drags_no_points_along(
    registry: Registry, recipe: str, tmp_path: Path
) -> None:
    registry.datasets.register("tx", put(tmp_path / "tx.csv"), version="1.0.0")
    with registry.run(recipe=recipe, data="tx@1.0.0") as run:
        run.log(loss=0.1)
        live = registry.models.register("m", put(tmp_path / "m.bin", b"m1"), version="1.0.0", run=run)
    after = registry.models.register("m", put(tmp_path / "m.bin", b"m2"), version="2.0.0", run=f"run:{run.id[:18]}")
    assert live.lineage[0].name == after.lineage[0].name == run.id
    assert live.lineage[0].commit != after.lineage[0].commit == registry.runs.get(run.id).commit
    assert live.lineage[0].commit in git(registry.path, "log", "-1", "--format=%P", "refs/pacha/models/m/1.0.0")
    assert "metrics.series" not in git(registry.path, "rev-list", "--objects", "refs/pacha/models/m/2.0.0")
    up = registry.models.lineage("m@1.0.0")
    assert {node.id for node in up.nodes} == {"model:m@1.0.0", f"run:{run.id}", "recipe:fit@1.0.0", "dataset:tx@1.0.0"}
    down = registry.datasets.lineage("tx@1.0.0", direction="down")
    assert {node.id for node in down.nodes} == {"dataset:tx@1.0.0", f"run:{run.id}", "model:m@1.0.0", "model:m@2.0.0"}
    assert f"generated-by: run:{run.id}" in render_lineage(up, "tree")
    assert registry.fsck().problems == ()


def test_edges_to_runs_that_can_not_be(registry: Registry, tmp_path: Path) -> None:
    run = registry.run()
    path = put(tmp_path / "m.bin")
    with pytest.raises(NotFound):
        registry.models.register("m", path, version="1.0.0", run="01890a5d-ac96-774b-bcce-b302099a8057")
    with pytest.raises(InvalidInput):
        registry.models.register("m", path, version="1.0.0", lineage=[f"trained-on=run:{run.id}"])
    assert registry.models.list() == []
    run.finish()


# Finding ------------------------------------------------------------------------------------------------------------


def test_a_run_is_found_by_the_beginning_of_its_id(registry: Registry) -> None:
    run = registry.run()
    assert registry.runs.get(run.id[:20]).id == registry.runs.get(f"run:{run.id}").id == run.id
    with pytest.raises(InvalidInput):
        registry.runs.get(run.id[:7])
    with pytest.raises(InvalidInput):
        registry.runs.get("not-an-id")
    with pytest.raises(NotFound):
        registry.runs.get("ffffffff-ffff")
    other = registry.run()
    prefix = "".join(one for one, also in zip(run.id, other.id, strict=True) if one == also)[:8]
    with pytest.raises(Ambiguous):
        registry.runs.get(prefix)


def test_list_by_recipe_and_status(registry: Registry, recipe: str) -> None:
    one, other = finished(registry, loss=1.0), finished(registry, "failed", loss=2.0)
    registry.run().finish()
    assert [run.id for run in registry.runs.list(recipe)] == [one, other]
    assert [run.id for run in registry.runs.list("fit", version="1.0.0", status="failed")] == [other]
    assert len(registry.runs.list()) == 3
    with pytest.raises(InvalidInput, match="unknown status"):
        registry.runs.list(status="done")
    with pytest.raises(NotFound):
        registry.runs.list("nope")


def test_the_list_needs_no_side_index(registry: Registry, recipe: str) -> None:
    finished(registry, params={"lr": 0.1}, loss=1.0)
    before = registry.runs.list()
    for file in (registry.path / "pacha").glob("index.sqlite*"):
        file.unlink()
    assert Registry.open(registry.path).runs.list() == before


def test_what_a_run_worked_with_is_not_undone(registry: Registry, recipe: str) -> None:
    run = registry.run(recipe=recipe)
    with pytest.raises(Conflict, match=f"run {run.id} worked with"):
        registry.recipes.remove(recipe, unpushed=True)
    run.finish()
