from __future__ import annotations

from typing import Any

import blake3
import pytest
from pydantic import ValidationError

from pacha_git.errors import Corrupt, InvalidInput, PachaError
from pacha_git.format import canonical
from pacha_git.format.record import (
    FILES_LIMIT,
    PARENT_LIMIT,
    RECORD_LIMIT,
    DatasetRecord,
    ModelRecord,
    RecipeRecord,
    decode_record,
    encode_record,
    make_record,
    record_address,
)
from pacha_git.gitobjects.oid import Oid
from pacha_git.vocabulary.kinds import Kind
from tests.format.samples import RUN_ID, content, edge, line, record, target, values

KINDS = ["model", "dataset", "recipe"]


def as_json(of: str = "model", **changed: Any) -> dict[str, Any]:
    value = canonical.decode(encode_record(record(of)), limit=RECORD_LIMIT)
    assert isinstance(value, dict)
    return {**value, **changed}


def decode(value: object) -> Any:
    return decode_record(canonical.encode(value))


@pytest.mark.parametrize(
    ("kind", "record_type"), [("model", ModelRecord), ("dataset", DatasetRecord), ("recipe", RecipeRecord)]
)
def test_the_kind_picks_the_class_and_the_bytes_come_back(kind: str, record_type: type) -> None:
    one = record(kind)
    again = decode_record(encode_record(one))
    assert type(again) is record_type
    assert again == one
    assert str(again.id) == f"{Kind(kind).noun}:x@1.0.0"


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_the_format_is_written(kind: str) -> None:
    common = {
        "format",
        "kind",
        "name",
        "version",
        "created_at",
        "created_by",
        "description",
        "tags",
        "content",
        "lineage",
    }
    extra = {"model": {"metrics"}, "dataset": {"metrics", "purpose"}, "recipe": set()}[kind]
    assert as_json(kind).keys() == common | extra
    assert as_json(kind)["format"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_lacking_a_key_is_refused(kind: str) -> None:
    for key in as_json(kind).keys() - {"metrics", "purpose"}:
        value = as_json(kind)
        del value[key]
        with pytest.raises(Corrupt):
            decode(value)


def test_missing_metrics_and_purpose_read_as_empty() -> None:
    value = as_json("dataset")
    del value["metrics"], value["purpose"]
    read = decode(value)
    assert (read.metrics, read.purpose) == ({}, "")


def test_keys_missing_further_in_are_refused() -> None:
    whole = as_json(lineage=[edge()])
    for holder in (whole["content"], whole["lineage"][0], whole["lineage"][0]["target"]):
        for key in holder.keys() - {"files"}:
            kept = holder.pop(key)
            with pytest.raises(Corrupt):
                decode(whole)
            holder[key] = kept
    assert decode(whole)


def test_unknown_keys_survive_a_round_trip_at_every_level() -> None:
    value = as_json(future={"a": [1.5, None]}, lineage=[edge()])
    value["content"]["later"] = True
    value["content"]["files"][0]["acl"] = "x"
    value["lineage"][0]["why"] = "because"
    value["lineage"][0]["target"]["registry"] = {"id": "x"}
    data = canonical.encode(value)
    assert encode_record(decode_record(data)) == data


def test_the_list_of_files_is_a_list_or_left_out() -> None:
    value = as_json()
    del value["content"]["files"]
    data = canonical.encode(value)
    assert decode_record(data).content.files is None  # type: ignore[union-attr]
    assert encode_record(decode_record(data)) == data
    bad: object
    for bad in (None, "x", {}, [1], [{"path": "a"}]):
        value["content"]["files"] = bad
        with pytest.raises(Corrupt):
            decode(value)


@pytest.mark.parametrize("number", [2, 3, 10**9])
def test_a_newer_format_is_refused_with_what_to_do(number: int) -> None:
    with pytest.raises(PachaError, match=f"newer pacha-git \\(format {number}") as caught:
        decode({"format": number, "kind": "hologram"})
    assert (caught.value.exit_code, caught.value.code) == (1, "failed")
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize("number", [0, -1, 1.5, "1", True, None, [1]])
def test_a_format_that_is_none_is_corrupt(number: object) -> None:
    with pytest.raises(Corrupt):
        decode(as_json(format=number))


@pytest.mark.parametrize("kind", ["run", "Model", "models", "", None, 1, ["model"]])
def test_other_kinds_have_no_records(kind: object) -> None:
    with pytest.raises(Corrupt, match="no record can be of the kind"):
        decode(as_json(kind=kind))


@pytest.mark.parametrize("value", [[], "x", 1, None, True])
def test_a_record_is_an_object(value: object) -> None:
    with pytest.raises(Corrupt):
        decode(value)


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "../x"},
        {"name": "-x"},
        {"name": "model/x"},
        {"name": 1},
        {"version": "1.2"},
        {"version": "v1.0.0"},
        {"version": "1.0.0.lock"},
        {"version": 1},
        {"created_at": "2024-05-06"},
        {"created_at": 1714979289},
        {"created_by": "Ada"},
        {"created_by": "Ada <a>\nx"},
        {"description": None},
        {"description": ["x"]},
        {"tags": {"a": 1}},
        {"tags": {"a": None}},
        {"tags": ["a"]},
        {"metrics": {"a": "high"}},
        {"metrics": {"a": True}},
        {"metrics": {"a": None}},
        {"metrics": {"a": [1]}},
        {"metrics": {"a": "nan"}},
        {"metrics": {"a": "1"}},
        {"metrics": []},
        {"content": None},
        {"content": []},
        {"lineage": {}},
        {"lineage": [1]},
        {"lineage": None},
    ],
    ids=repr,
)
def test_a_field_that_cannot_be_so_is_refused_both_ways(changed: dict[str, Any]) -> None:
    with pytest.raises(Corrupt, match="bad record of model"):
        decode(as_json(**changed))
    with pytest.raises(InvalidInput, match="bad record of model"):
        make_record(values(**changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"address": "blake3:xyz"},
        {"address": "a" * 64},
        {"address_of": "files"},
        {"size": -1},
        {"size": "1"},
        {"size": 1.5},
        {"size": True},
        {"file_count": 0},
        {"layout": None},
        {"tree": "1" * 39},
        {"tree": "A" * 40},
        {"manifest": None},
    ],
    ids=repr,
)
def test_bad_content_is_refused(changed: dict[str, Any]) -> None:
    value = as_json()
    value["content"].update(changed)
    with pytest.raises(Corrupt, match="content"):
        decode(value)


def test_a_recipe_has_no_content() -> None:
    with pytest.raises(Corrupt):
        decode(as_json("recipe", content=as_json()["content"]))


def test_metrics_hold_any_number() -> None:
    metrics = {"a": 1, "b": 0.5, "c": "NaN", "d": "-Infinity", "e": "9007199254740993", "f": -1e300}
    assert decode(as_json(metrics=metrics)).metrics == metrics
    assert type(decode(as_json(metrics={"a": 1})).metrics["a"]) is int


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "thing"},
        {"kind": None},
        {"name": "a b"},
        {"name": 5},
        {"version": "latest"},
        {"version": None},
        {"record": "3" * 64},
        {"commit": "3" * 41},
        {"commit": None},
        {"kind": "run", "name": RUN_ID, "version": "1.0.0"},
        {"kind": "run", "name": "x", "version": None},
    ],
    ids=repr,
)
def test_a_bad_target_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Corrupt):
        decode(as_json(lineage=[{**edge(), "target": {**target(), **changed}}]))


def test_a_run_is_a_target_by_its_id() -> None:
    run = {**target(), "kind": "run", "name": RUN_ID, "version": None}
    read = decode(as_json(lineage=[{"relation": "generated-by", "target": run, "params": {}}]))
    assert str(read.lineage[0].target) == f"run:{RUN_ID}"


@pytest.mark.parametrize(
    "changed", [{"relation": "Derived From"}, {"relation": None}, {"params": None}, {"params": []}]
)
def test_a_bad_edge_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Corrupt):
        decode(as_json(lineage=[{**edge(), **changed}]))


def test_parents_are_the_targets_each_once_in_order() -> None:
    edges = [edge(digit="7", name="b"), edge(digit="4", name="a"), edge("evaluated-on", digit="7", name="b")]
    assert record(lineage=edges).parents == [Oid("7" * 40), Oid("4" * 40)]
    assert record().parents == []


def test_nothing_comes_from_itself() -> None:
    with pytest.raises(InvalidInput, match=r"model:x@1\.0\.0 would come from itself"):
        record(lineage=[edge(name="x")])
    assert record(lineage=[edge(name="x", version="0.9.0"), edge(name="x", kind="dataset", digit="4")])


def test_one_version_is_one_record_and_one_commit() -> None:
    with pytest.raises(InvalidInput, match="stands for two records"):
        record(lineage=[edge(digit="3"), edge("merged-from", digit="4")])
    with pytest.raises(InvalidInput, match="stands for two versions"):
        record(lineage=[edge(name="a"), edge(name="b")])


def many_edges(count: int) -> list[dict[str, Any]]:
    edges = []
    for number in range(count):
        one = edge("merged-from", name=f"m{number}")
        one["target"].update(commit=f"{number:040x}", record=f"blake3:{number:064x}")
        edges.append(one)
    return edges


def test_there_is_a_limit_to_parents() -> None:
    assert len(record(lineage=many_edges(PARENT_LIMIT)).parents) == 1000
    with pytest.raises(InvalidInput, match="more than 1000"):
        record(lineage=many_edges(PARENT_LIMIT + 1))


def test_a_record_is_at_most_a_mebibyte() -> None:
    room = RECORD_LIMIT - len(encode_record(record("recipe")))
    assert len(encode_record(record("recipe", description="x" * room))) == RECORD_LIMIT
    with pytest.raises(InvalidInput, match="the limit is 1048576"):
        encode_record(record("recipe", description="x" * (room + 1)))
    with pytest.raises(Corrupt, match="larger than 1048576"):
        decode_record(b'"' + b"x" * RECORD_LIMIT + b'"')


def test_a_record_nested_too_deep_is_refused() -> None:
    deep: object = 1
    for _ in range(32):
        deep = [deep]
    with pytest.raises(InvalidInput):
        encode_record(record(future=deep))
    with pytest.raises(Corrupt, match="deeper"):
        decode_record(b'{"future":' + b"[" * 32 + b"]" * 32 + b"}")


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_texts_that_json_cannot_hold_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        encode_record(record(description=text))


def test_records_are_frozen() -> None:
    with pytest.raises(ValidationError):
        record().name = "y"


def test_the_identity_of_a_record_is_the_blake3_of_its_bytes() -> None:
    data = encode_record(record())
    assert record_address(data) == "blake3:" + blake3.blake3(data).hexdigest()


def test_a_long_list_of_files_is_left_out() -> None:
    lines = [line(f"folder/file-{number:05}") for number in range(1900)]
    few, many = record(content=content(*lines[:1000])), record(content=content(*lines))
    assert decode_record(encode_record(few)) == few
    read = decode_record(encode_record(many)).content
    assert read is not None
    assert (read.files, read.file_count) == (None, 1900)
    assert many.content is not None
    assert many.content.model_copy(update={"files": None}) == read


def test_the_list_of_files_goes_at_256_kib_and_not_before() -> None:
    room = FILES_LIMIT - len(encode_record(record()))
    for description, there in (("x" * (room - 1), True), ("x" * room, False)):
        data = encode_record(record(description=description))
        assert (b'"files":' in data) is there
        assert encode_record(decode_record(data)) == data
    value = as_json(description="x" * room)
    assert "files" in value["content"]
    with pytest.raises(Corrupt, match="files where it may have none"):
        decode(value)
