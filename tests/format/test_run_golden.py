"""The golden run of Format 1, made by hand from the text: read today, and by every later release."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from pacha_git.format.params import decode_params
from pacha_git.format.run import check_run_commit, decode_run, encode_run, run_commit, run_tree
from pacha_git.gitobjects.commits import split_commit
from pacha_git.gitobjects.oid import Oid, git_oid
from pacha_git.store.runs.series import decode_series, summary

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "runs"
VECTORS: dict[str, Any] = json.loads((GOLDEN / "vectors.json").read_text("utf-8"))
PARAMS = (GOLDEN / "params.toml").read_bytes()


@pytest.mark.parametrize("vector", VECTORS["commits"], ids=lambda vector: vector["name"])
def test_a_golden_commit_is_read_and_written_to_the_same_bytes(vector: dict[str, Any]) -> None:
    data = (GOLDEN / f"{vector['name']}.json").read_bytes()
    raw = (GOLDEN / f"{vector['name']}.commit").read_bytes()
    run = check_run_commit(raw, data, PARAMS).record
    assert encode_run(run) == encode_run(decode_run(data)) == data
    assert run.model_dump()["novelty"] == {"kept": [1, 2.5]}
    parents = [Oid(parent) for parent in vector["parents"]]
    assert run_commit(run, data, PARAMS, parents) == raw
    assert git_oid("commit", raw) == vector["commit"]
    assert git_oid("tree", run_tree(data, PARAMS)) == split_commit(raw).tree == vector["tree"]


def test_the_golden_parameters_keep_their_types() -> None:
    read = decode_params(PARAMS)
    assert [type(value).__name__ for value in read.values()] == ["float", "list", "bool", "str", "date"]


def test_the_golden_series_has_its_points_and_its_summary() -> None:
    read = decode_series((GOLDEN / "metrics.series").read_bytes())
    words = {"NaN": math.nan, "Infinity": math.inf}
    for name, points in VECTORS["points"].items():
        found = list(zip(read[name].steps, read[name].times, map(repr, read[name].values), strict=True))
        assert found == [(step, at, repr(words.get(value, value))) for step, at, value in points]
    assert read.keys() == VECTORS["points"].keys()
    assert summary(read["loss"]) == {"last": "NaN", "min": 0.25, "max": "Infinity", "steps": 4}
