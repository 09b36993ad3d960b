"""Runs out of CSV files: what each heading means, once however often, and what is wrong by line and column."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from pacha_git import MetricSummary, Registry
from pacha_git.errors import NotFound, PachaError
from pacha_git.session.results.runs import RunInfo
from tests.making import ended, put, python


def taken(registry: Registry, path: Path, text: str, **said: object) -> list[RunInfo]:
    done = registry.runs.import_csv(put(path, text.encode()), **said)  # type: ignore[arg-type]
    assert done.skipped == ()
    return [registry.runs.get(run_id) for run_id in done.runs]


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


def test_a_history_is_one_run(registry: Registry, tmp_path: Path) -> None:
    text = "\ufeffEpoch,loss,val/acc\n0,0.9,\n1,nan,0.5\n2,0.3,0.75\n"
    (run,) = taken(registry, tmp_path / "history.csv", text, tags={"team": "risk"})
    assert (run.status, run.tags, run.params) == ("completed", {"team": "risk"}, {})
    assert run.metrics["val/acc"] == MetricSummary(0.75, 0.5, 0.75, 2)
    series = registry.runs.series(run.id)
    assert list(series["loss"].steps) == [0, 1, 2]
    assert [value for value in series["loss"].values if not math.isnan(value)] == [0.9, 0.3]
    assert list(series["val/acc"].steps) == [1, 2]


def test_a_column_tells_runs_apart(registry: Registry, tmp_path: Path) -> None:
    text = (
        "run,time,params.lr,params.opt,params.deep,tags.team,loss\n"
        "a,2026-01-01T00:00:00,0.1,adam,true,risk,3\n"
        "b,1767225600500,1,sgd,,risk,5\n"
        "a,1767225602,,adam,,,2\n"
        '"a, too",2026-01-01T01:00:00+01:00,0.1,"say ""hi""",false,,1\n'
    )
    first, other, third = taken(registry, tmp_path / "sweep.csv", text)
    assert first.params == {"lr": 0.1, "opt": "adam", "deep": True}
    assert other.params == {"lr": 1, "opt": "sgd"}
    assert third.params["opt"] == 'say "hi"'
    assert first.tags == {"team": "risk"}
    assert (first.started_at, first.finished_at) == ("2026-01-01T00:00:00Z", "2026-01-01T00:00:02Z")
    assert third.started_at == "2026-01-01T00:00:00Z"
    series = registry.runs.series(first.id)["loss"]
    assert (list(series.steps), list(series.values)) == ([0, 1], [3, 2])
    assert list(registry.runs.series(other.id)["loss"].times) == [1767225600500]


def test_a_point_a_row(registry: Registry, tmp_path: Path) -> None:
    text = "step,metric,value\n10,loss,0.5\n10,acc,0.1\n20,loss,0.25\n-5,acc,inf\n"
    (run,) = taken(registry, tmp_path / "long.csv", text)
    series = registry.runs.series(run.id)
    assert list(zip(series["loss"].steps, series["loss"].values, strict=True)) == [(10, 0.5), (20, 0.25)]
    assert list(zip(series["acc"].steps, series["acc"].values, strict=True)) == [(10, 0.1), (-5, math.inf)]


def test_the_same_bytes_are_taken_in_once(registry: Registry, tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", b"run,loss\na,1\nb,2\n")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    first = registry.runs.import_csv(path)
    assert registry.runs.get(first.runs[0]).started_at == "2023-11-14T22:13:20Z"
    again = registry.runs.import_csv(put(tmp_path / "renamed.csv", path.read_bytes()))
    assert (again.runs, again.known) == ((), first.runs)
    more = registry.runs.import_csv(put(tmp_path / "a.csv", b"run,loss\na,1\nb,3\n"))
    assert len(more.runs) == 2


def test_imported_runs_are_compared_and_found(registry: Registry, tmp_path: Path) -> None:
    registry.recipes.register(put(tmp_path / "r.toml", b'name = "train"\nversion = "1.0.0"\n'))
    registry.runs.import_csv(put(tmp_path / "a.csv", b"run,params.lr,acc\na,0.1,1\nb,0.2,2\n"), recipe="train")
    assert registry.runs.best("train", "acc").value == 2
    assert len(registry.search(where="params.lr < 0.15 and recipe = train@1.0.0")) == 1
    assert registry.fsck().problems == ()


IMPORT = """
import sys
from pacha_git import Registry
done = Registry.open(sys.argv[1]).runs.import_csv(sys.argv[2])
print(len(done.runs), len(done.known), len(done.skipped))
"""


def test_processes_at_once_take_in_each_run_once(registry: Registry, tmp_path: Path) -> None:
    path = put(tmp_path / "sweep.csv", b"run,loss\n" + b"".join(b"%d,%d\n" % (at, at) for at in range(12)))
    results = ended([python(IMPORT, registry.path, path) for _ in range(3)])
    assert [code for code, _, _ in results] == [0, 0, 0], results
    counts = [tuple(map(int, out.split())) for _, out, _ in results]
    assert sum(fresh for fresh, _, _ in counts) == 12
    assert [fresh + known for fresh, known, _ in counts] == [12, 12, 12]
    assert len(registry.runs.list()) == 12


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("loss,Loss\n1,2\n", "line 1: a heading"),
        ("step,time\n1,2\n", "no column has a metric"),
        ('"loss\n', "no CSV"),
        ("loss\n\xff\n", "not UTF-8"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_taken_in(registry: Registry, tmp_path: Path, text: str, said: str) -> None:
    path = put(tmp_path / "bad.csv", text.encode("latin-1"))
    with pytest.raises(PachaError) as caught:
        registry.runs.import_csv(path)
    assert said in caught.value.message
    assert registry.runs.list() == []


@pytest.mark.parametrize(
    ("text", "said", "points"),
    [
        ("step,loss\n1,low\n2,3\n", "line 2, column 2 (loss): 'low' is no number", [(2, 3.0)]),
        ("step,loss\n0,1\n1.5,2\n2,3\n", "line 3, column 1 (step): '1.5' is no whole number", [(0, 1.0), (2, 3.0)]),
        ("step,loss\n0,1,2\n1,1\n", "line 2: 3 cells, and 2 headings", [(1, 1.0)]),
        ("time,loss\nyesterday,1\n1700000000,2\n", "line 2, column 1 (time): 'yesterday' is no time", [(0, 2.0)]),
        ("time,loss\n-5,1\n1700000000,2\n", "no time since 1970", [(0, 2.0)]),
        ("params.lr,loss\n1,1\n2,1\n1,5\n", "line 3, column 1 (params.lr): '2', but '1' above", [(0, 1.0), (1, 5.0)]),
        ("acc,loss,params.lr\n1,low,7\n2,3,1\n", "line 2, column 2 (loss)", [(0, 3.0)]),
        ("metric,value\n,1\nloss,2\n", "line 2, column 1 (metric): bad name", [(0, 2.0)]),
        ('loss\n1\n"2" 3\n4\n', "it is no CSV", [(0, 1.0), (1, 4.0)]),
    ],
)
def test_a_bad_row_is_named_and_leaves_the_others(
    registry: Registry, tmp_path: Path, text: str, said: str, points: list[tuple[int, float]]
) -> None:
    done = registry.runs.import_csv(put(tmp_path / "bad.csv", text.encode()))
    [(where, why)] = done.skipped
    assert (where.startswith("bad.csv, line "), said in why) == (True, True)
    series = registry.runs.series(done.runs[0])
    assert list(zip(series["loss"].steps, series["loss"].values, strict=True)) == points
    assert all(len(each) == len(points) for each in series.values())
    assert "7" not in map(str, registry.runs.get(done.runs[0]).params.values())


def test_no_file_is_not_found(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        registry.runs.import_csv(tmp_path / "gone.csv")
