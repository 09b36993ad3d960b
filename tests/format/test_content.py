from __future__ import annotations

from typing import Any

import pytest

from pacha_git.errors import Corrupt
from pacha_git.format.content import check_content, make_content
from tests.format.samples import MANIFEST, TREE, content, line

LINES = [line("b", b"12"), line("a", b"345")]


def test_content_says_what_the_files_are_together() -> None:
    one = content(*LINES)
    assert (one.address_of, one.size, one.file_count) == ("list", 5, 2)
    assert one.files is not None
    assert [file.path for file in one.files] == ["a", "b"]
    assert all(file.parts is None for file in one.files)
    assert one == make_content(reversed(LINES), layout="pacha-cdc-1", tree=TREE, manifest=MANIFEST)


def test_a_very_long_list_is_left_out_at_once() -> None:
    assert content(*(line(f"{number:05}") for number in range(2184))).files is not None
    long = content(*(line(f"{number:05}") for number in range(2185)))
    assert (long.files, long.file_count) == (None, 2185)


def test_content_agrees_with_its_own_files() -> None:
    for one in (content(), content(*LINES), content(line("run.sh", mode="755"))):
        assert one.files is not None
        check_content(one, one.files)
        check_content(one.model_copy(update={"files": None}), one.files)


@pytest.mark.parametrize(
    "changed",
    [{"size": 6}, {"file_count": 3}, {"address_of": "file"}, {"address": "blake3:" + "0" * 64}, {"files": ()}],
    ids=repr,
)
def test_content_that_lies_is_found_out(changed: dict[str, Any]) -> None:
    lines = sorted(LINES, key=lambda one: one.path)
    with pytest.raises(Corrupt):
        check_content(content(*LINES).model_copy(update=changed), lines)


def test_a_list_of_bad_or_unsorted_files_is_refused() -> None:
    for lines in ([], LINES, [line("a"), line("A")], [line("../a"), line("b")], [line("a"), line("a")]):
        with pytest.raises(Corrupt):
            check_content(content(*LINES), lines)
