from __future__ import annotations

import calendar
import time

import pytest

from pacha_git.errors import InvalidInput
from pacha_git.format.grammar import check_identity, check_relation, time_text, timestamp
from pacha_git.vocabulary.ids import RunId
from tests.format.samples import RUN_ID


@pytest.mark.parametrize(
    "text", ["1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2038-01-19T03:14:08Z", "9999-12-31T23:59:59Z"]
)
def test_times_are_read_in_utc_and_written_back(text: str) -> None:
    assert timestamp(text) == calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
    assert time_text(timestamp(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-01-01",
        "2024-01-01 00:00:00Z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00z",
        "2024-01-01T00:00:00.5Z",
        "2024-01-01T00:00:00+00:00",
        "2024-01-01T00:00:00Z\n",
        "2024-13-01T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "\uff12\uff10\uff12\uff14-01-01T00:00:00Z",
    ],
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        timestamp(text)


@pytest.mark.parametrize("text", ["Ada <a@b.c>", "A. B. Ü <>", "x <y", "' \" <a,b>"])
def test_identities_that_git_can_hold(text: str) -> None:
    if text.endswith(">"):
        assert check_identity(text) == text
    else:
        with pytest.raises(InvalidInput):
            check_identity(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ada",
        "<a@b.c>",
        " <a@b.c",
        "Ada <a b>",
        "Ada <a@b.c> ",
        "Ada <a@b.c>\n",
        "Ada\n <a@b.c>",
        "Ada <a@b.c>\ncommitter Eve <e>",
        "A<d>a <a@b.c>",
        "Ada <<a>>",
        "A\0 <a>",
        "Ada  <a\t>",
    ],
    ids=repr,
)
def test_identities_that_could_forge_a_header_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_identity(text)
    assert "git config" in caught.value.hint


def test_run_ids_are_uuids_of_version_7() -> None:
    assert RunId.parse(RUN_ID) == RUN_ID
    for text in ("", RUN_ID.upper(), RUN_ID[:-1], RUN_ID + "0", RUN_ID.replace("-774b", "-474b"), RUN_ID + "\n"):
        with pytest.raises(InvalidInput):
            RunId.parse(text)


def test_relations_are_lowercase_words() -> None:
    for text in ("derived-from", "a", "x2-y", "a" * 64):
        assert check_relation(text) == text
    for text in ("", "Derived-From", "derived_from", "-x", "a b", "a\n", "2x", "a" * 65, "é"):
        with pytest.raises(InvalidInput):
            check_relation(text)
