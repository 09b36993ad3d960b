"""Refs are read by one parser into typed values, and each id spells its own refs."""

from __future__ import annotations

import pytest

from pacha_git import InvalidInput, ItemRef, Kind, NameId, NotesRef, PayloadRef, RunId, VersionId, parse_ref
from pacha_git.vocabulary.names import Name

RUN = RunId.parse("0190b7a6-0000-7000-8000-000000000000")
VERSION = VersionId.parse(Kind.DATASET, "team/rows", "1.0.0+b")
NAME = NameId(Kind.DATASET, Name.parse("team/rows"))


def test_each_id_spells_refs_that_read_as_itself() -> None:
    assert VERSION.ref == "refs/pacha/datasets/team/rows/1.0.0+b"
    assert RUN.ref == "refs/pacha/runs/0190b7a6-0000-7000-8000-000000000000"
    for item in (VERSION, RUN):
        assert parse_ref(item.ref) == ItemRef(item)
        assert parse_ref(item.payload_ref) == PayloadRef(item)
    assert VERSION.name_id == NAME
    assert VERSION.ref.startswith(NAME.prefix)
    assert parse_ref(NAME.notes_ref("_events")) == NotesRef(Kind.DATASET, NAME.name, "_events")
    assert (str(NAME), str(VERSION)) == ("data:team/rows", "data:team/rows@1.0.0+b")


def test_what_a_ref_names_says_its_type() -> None:
    assert isinstance(parse_ref(RUN.ref), ItemRef)
    assert isinstance(parse_ref(RUN.payload_ref).id, RunId)  # type: ignore[union-attr]
    assert not isinstance(parse_ref(VERSION.payload_ref), ItemRef)


@pytest.mark.parametrize(
    "ref",
    [
        "refs/pacha/registry", "refs/pacha/root", "refs/pacha/tmp/x", "refs/heads/main", "refs/pacha/prompts/a/1.0.0",
        "refs/notes/pacha/models/m/_other", "refs/notes/commits", "",
    ],
)  # fmt: skip
def test_other_refs_are_none_of_ours(ref: str) -> None:
    assert parse_ref(ref) is None


@pytest.mark.parametrize(
    "ref",
    [
        "refs/pacha/runs/x", "refs/pacha/payload/runs/0190B7A6-0000-7000-8000-000000000000", "refs/pacha/models/m",
        "refs/pacha/models/m/1", "refs/pacha/payload/models//1.0.0", "refs/notes/pacha/models/a..b/_events",
    ],
)  # fmt: skip
def test_what_breaks_the_grammar_where_ours_lie_is_refused(ref: str) -> None:
    with pytest.raises(InvalidInput):
        parse_ref(ref)


def test_an_id_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is no run id") as caught:
        RunId.parse("0190b7a6")
    assert caught.value.hint
