"""``git pacha search``, as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.making import put


@pytest.fixture
def filled(at: Callable[..., object], tmp_path: Path) -> Callable[..., object]:
    file = put(tmp_path / "model.bin", b"m" * 2000)
    at("model", "register", "fraud-detector", file, "-v", "1.0.0", "-d", "Finds stolen cards", "--metric", "auc=0.94")
    at("model", "register", "churn", file, "-v", "1.0.0", "-d", "\x1b[31mWho leaves", "--tag", "team=growth")
    return at


def test_a_table_says_why(filled) -> None:  # type: ignore[no-untyped-def]
    done = filled("search", "stolen", "--where", "metrics.auc > 0.9")
    assert done.code == 0
    heading, row = done.out.splitlines()
    assert heading.split() == ["KIND", "NAME", "VERSION", "STAGE", "SIZE", "SINCE", "WHY"]
    assert row.split()[:4] == ["model", "fraud-detector", "1.0.0", "development"]
    assert row.endswith("description: Finds [stolen] cards; metrics.auc: 0.94")


def test_json_has_the_keys_of_a_version_and_the_reason(filled) -> None:  # type: ignore[no-untyped-def]
    (found,) = filled("--json", "search", "--tag", "team=growth").json
    assert found["matched"] == [{"field": "tags.team", "snippet": "growth"}]
    assert set(found) - {"purpose"} == {
        "kind", "name", "version", "stage", "aliases", "description", "address", "size", "file_count", "created_at",
        "created_by", "commit", "tags", "metrics", "lineage", "signed_by", "payload", "matched",
    }  # fmt: skip


def test_a_run_is_found_too(filled) -> None:  # type: ignore[no-untyped-def]
    run_id = filled("run", "start", "--param", "lr=0.1").out.strip()
    filled("run", "log", run_id, "--metric", "loss=0.5")
    filled("run", "finish", run_id)
    (found,) = filled("search", "--where", "metrics.loss < 1", "--json").json
    assert (found["kind"], found["id"], found["status"]) == ("run", run_id, "completed")
    assert found["matched"] == [{"field": "metrics.loss", "snippet": "0.5"}]
    assert run_id in filled("search", "--kind", "run").out


def test_what_is_left_out_is_said(filled) -> None:  # type: ignore[no-untyped-def]
    done = filled("search", "--kind", "model", "--limit", "1")
    assert "The first 1 of 2" in done.err
    assert len(filled("search", "--kind", "model", "--limit", "0", "--json").json) == 2


def test_nothing_found_is_no_error(filled) -> None:  # type: ignore[no-untyped-def]
    done = filled("search", "nowhere")
    assert (done.code, done.out) == (0, "")
    assert "Nothing" in done.err
    assert filled("search", "nowhere", "--json").json == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search"], "nothing to search for"),
        (["search", "--where", "metrics.auc >"], "column 14"),
        (["search", "--stage", "x"], "unknown stage"),
        (["search", "x", "--limit", "many"], "whole number"),
        (["search", "--where", ""], "nothing to search for"),
    ],
)
def test_what_can_not_be_is_usage(filled, words: list[str], said: str) -> None:  # type: ignore[no-untyped-def]
    done = filled(*words)
    assert done.code == 2
    assert said in done.err


def test_what_a_terminal_would_obey_is_shown(filled) -> None:  # type: ignore[no-untyped-def]
    assert "\x1b[31m" not in filled("search", "leaves", terminal=True).out
