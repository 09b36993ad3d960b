"""Runs and their parameters as bytes: types kept, nothing coerced, every tampering with a commit refused."""

from __future__ import annotations

import datetime
import enum
import json
import math
from typing import Any

import blake3
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacha_git.errors import Corrupt, InvalidInput, PachaError
from pacha_git.format import canonical
from pacha_git.format.params import (
    PARAMS_LIMIT,
    check_params,
    decode_params,
    encode_params,
    metric_name,
    metric_value,
    step_value,
)
from pacha_git.format.record import RECORD_LIMIT
from pacha_git.format.run import RunRecord, check_run_commit, decode_run, encode_run, make_run, run_commit, run_tree
from pacha_git.gitobjects.commits import commit_bytes
from pacha_git.gitobjects.oid import Oid, git_oid
from pacha_git.vocabulary.address import Address

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
PARAMS = b'lr = 0.1\nn = 3\ndeep = true\nname = "adam"\n'


def values(**changes: Any) -> dict[str, Any]:
    return {
        "id": ID, "status": "running", "at": "2026-11-20T10:00:00Z", "by": "Ada <ada@example.org>",
        "started_at": "2026-11-20T10:00:00Z", "finished_at": None,
        "params": Address.of_digest(blake3.blake3(PARAMS).digest()), "tags": {}, "inputs": [], "metrics": {},
        "environment": {"python": "3.11.7"}, "git": None, "hardware": {}, "seed": 7, "error": None, "content": None,
    } | changes  # fmt: skip


def sealed(**changes: Any) -> dict[str, Any]:
    return values(status="completed", finished_at="2026-11-20T11:00:00Z", **changes)


def edge(commit: str = "ab" * 20, name: str = "tx") -> dict[str, Any]:
    target = {"kind": "dataset", "name": name, "version": "1.0.0", "record": "blake3:" + "cd" * 32, "commit": commit}
    return {"relation": "trained-on", "target": target, "params": {}}


# Parameters ---------------------------------------------------------------------------------------------------------

SCALARS = (
    st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
TREES = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", min_size=1), inner)
    ),
    max_size=4,
)


@given(TREES)
@settings(max_examples=40)
def test_parameters_come_back_as_they_were(params: dict[str, Any]) -> None:
    read = decode_params(encode_params(params))
    assert read == params
    assert json.dumps(read, sort_keys=True) == json.dumps(params, sort_keys=True)  # 1, 1.0 and true are three things


def test_an_int_stays_an_int_and_a_bool_is_no_number() -> None:
    read = decode_params(encode_params({"a": 1, "b": 1.0, "c": True, "d": "1", "e": [1, 2.0], "f": {"g": 0}}))
    assert [type(value) for value in read.values()] == [int, float, bool, str, list, dict]
    assert [type(item) for item in read["e"]] == [int, float]


def test_what_a_number_library_wraps_is_unwrapped() -> None:
    read = decode_params(encode_params({"f": numpy.float32(0.5), "d": numpy.float64(0.1), "i": numpy.int64(3)}))
    assert read == {"f": 0.5, "d": 0.1, "i": 3}
    assert type(read["i"]) is int
    assert decode_params(encode_params({"b": numpy.bool_(True), "s": numpy.str_("x")})) == {"b": True, "s": "x"}


def test_a_date_stays_a_date_and_none_says_nothing() -> None:
    day = datetime.date(2026, 11, 20)
    assert decode_params(encode_params({"day": day, "nothing": None})) == {"day": day}
    assert encode_params({"nothing": None}) == b""


class Colour(enum.StrEnum):
    RED = "red"


def test_a_text_of_a_subclass_is_its_text() -> None:
    assert check_params({"c": Colour.RED}) == {"c": "red"}


@pytest.mark.parametrize(
    "bad",
    [
        {"x": object()}, {"x": [1, None]}, {"x": 2**64}, {"": 1}, {1: 2}, {"x": {1: 2}}, {"x": "\ud800"},
        {"x": b"bytes"}, {"x": 1j},
    ],
    ids=lambda bad: str(bad).partition(" at 0x")[0],
)  # fmt: skip
def test_what_toml_cannot_hold_is_refused(bad: dict[Any, Any]) -> None:
    with pytest.raises(InvalidInput):
        encode_params(bad)


def test_parameters_that_lie_too_deep_are_refused() -> None:
    deep: Any = 1
    for _ in range(50):
        deep = [deep]
    with pytest.raises(InvalidInput, match="nested"):
        encode_params({"x": deep})


def test_ten_megabytes_of_parameters_are_refused_and_the_way_out_is_named() -> None:
    with pytest.raises(InvalidInput, match="larger") as caught:
        encode_params({f"p{at}": "x" * 100 for at in range(100_000)})
    assert "--artifact" in caught.value.hint
    with pytest.raises(Corrupt):
        decode_params(b"#" * (PARAMS_LIMIT + 1))


@pytest.mark.parametrize("data", [b"a = ", b"\xff", b"a = 1\na = 2"])
def test_what_is_no_toml_is_refused(data: bytes) -> None:
    with pytest.raises(Corrupt):
        decode_params(data)


# Metrics ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, -2.5, math.nan, math.inf, 10**300])
def test_numbers_are_metrics(value: float) -> None:
    assert metric_value("m", value) == float(value) or math.isnan(value)


@pytest.mark.parametrize("value", [True, "0.5", None, [1], {}, 1j, 10**400])
def test_a_metric_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="metric m"):
        metric_value("m", value)


def test_metrics_of_number_libraries_are_numbers() -> None:
    assert metric_value("m", numpy.float32(0.5)) == 0.5
    assert metric_value("m", numpy.array(3)) == 3.0
    for bad in (numpy.bool_(True), numpy.array([1, 2]), numpy.array("a")):
        with pytest.raises(InvalidInput):
            metric_value("m", bad)


@pytest.mark.parametrize("name", ["", "a\nb", "a\x7f", "x" * 251, "ü" * 126, "\ud800", None, 3])
def test_names_that_no_metric_has(name: Any) -> None:
    with pytest.raises(InvalidInput):
        metric_name(name)


@pytest.mark.parametrize("step", [1.5, "1", True, 2**53, -(2**53), None])
def test_steps_are_whole_numbers(step: Any) -> None:
    with pytest.raises(InvalidInput):
        step_value(step)


# The record -----------------------------------------------------------------------------------------------------------


def test_a_run_comes_back_as_it_was() -> None:
    run = make_run(
        sealed(metrics={"loss": {"last": 0.5, "min": "-Infinity", "max": "NaN", "steps": 3}}, inputs=[edge()])
    )
    assert decode_run(encode_run(run)) == run
    assert encode_run(decode_run(encode_run(run))) == encode_run(run)


def test_unknown_keys_survive() -> None:
    run = make_run(values(novelty={"a": [1]}))
    assert decode_run(encode_run(run)).model_dump()["novelty"] == {"a": [1]}


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "x"}, {"status": "done"}, {"at": "today"}, {"by": "Ada"}, {"format": 1.0}, {"format": True},
        {"finished_at": "2026-11-20T11:00:00Z"}, {"status": "failed"}, {"tags": {"a": 1}}, {"seed": "seven"},
        {"metrics": {"m": {"last": "0.5", "min": 0, "max": 1, "steps": 1}}},
        {"metrics": {"m": {"last": True, "min": 0, "max": 1, "steps": 1}}},
        {"metrics": {"m": {"last": 1, "min": 1, "max": 1, "steps": 0}}},
        {"inputs": [edge(), edge("ee" * 20)]},
    ],
    ids=str,
)  # fmt: skip
def test_a_run_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        make_run(values(**changes))


def test_a_run_of_a_newer_format_says_so() -> None:
    data = canonical.encode(make_run(values()).model_dump() | {"format": 2})
    with pytest.raises(PachaError, match="newer pacha-git"):
        decode_run(data)


def test_a_key_that_is_missing_is_named() -> None:
    value = make_run(values()).model_dump()
    del value["hardware"]
    with pytest.raises(Corrupt, match="hardware"):
        decode_run(canonical.encode(value))


def test_too_many_metrics_are_left_out_and_counted() -> None:
    metrics = {f"metric/{at:06}": {"last": at, "min": 0, "max": at, "steps": 1} for at in range(18_000)}
    data = encode_run(make_run(sealed(metrics=metrics, environment={"packages": {"a": "1"}})))
    assert len(data) <= RECORD_LIMIT
    kept = decode_run(data).model_dump()
    assert len(kept["metrics"]) + kept["metrics_left_out"] == 18_000
    assert "packages" not in kept["environment"]


# The commit -----------------------------------------------------------------------------------------------------------


def written(run: RunRecord, parents: tuple[Oid, ...] = ()) -> tuple[bytes, bytes]:
    data = encode_run(run)
    return run_commit(run, data, PARAMS, parents), data


def test_a_commit_is_what_git_would_write_and_is_read_back() -> None:
    run = make_run(values())
    raw, data = written(run)
    assert raw.startswith(b"tree " + git_oid("tree", run_tree(data, PARAMS)).encode())
    assert raw.decode().endswith(
        f"\n\nrun {ID}\n\nPacha-Kind: run\nPacha-Run: {ID}\nPacha-Status: running\n"
        f"Pacha-Record: blake3:{blake3.blake3(data).hexdigest()}\n"
    )
    assert b"author Ada <ada@example.org> 1795168800 +0000" in raw
    assert check_run_commit(raw, data, PARAMS).record == run


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"Status: running", b"Status: completed"), (b"Ada", b"Eve"), (b"+0000", b"+0100"), (b"run 0", b"run 1")],
)
def test_a_commit_that_says_otherwise_is_refused(old: bytes, new: bytes) -> None:
    raw, data = written(make_run(values()))
    with pytest.raises(Corrupt):
        check_run_commit(raw.replace(old, new, 1), data, PARAMS)


def test_other_parameters_are_refused() -> None:
    raw, data = written(make_run(values()))
    with pytest.raises(Corrupt, match=r"params\.toml"):
        check_run_commit(raw, data, PARAMS + b"\n")


def test_another_header_is_refused() -> None:
    run = make_run(values())
    raw, data = written(run)
    forged = commit_bytes(
        tree=git_oid("tree", run_tree(data, PARAMS)), parents=(), identity=run.by, seconds=0, message="run x\n"
    )
    with pytest.raises(Corrupt):
        check_run_commit(forged, data, PARAMS)
    with pytest.raises(Corrupt):
        check_run_commit(raw.replace(b"\n\nrun", b"\nencoding latin-1\n\nrun", 1), data, PARAMS)
