"""Sections: headings as CommonMark has them, and whether anything stands below."""

from __future__ import annotations

import pytest

from pacha_git.format.documents.markdown import Section, sections, without_comments


def test_levels_lines_and_what_stands_below() -> None:
    text = "# A `x` **b**\n\ntext\n## B\n<!-- x -->\n\n### C\nhi\n\nUnder\n===\n\n## Empty\n# D\n"
    assert sections(text) == [
        Section(1, "A x b", 1, True), Section(2, "B", 4, True), Section(3, "C", 7, True),
        Section(1, "Under", 10, False), Section(2, "Empty", 13, False), Section(1, "D", 14, False),
    ]  # fmt: skip


def test_what_stands_below_the_next_heading_is_not_ones_own() -> None:
    assert [section.says for section in sections("# A\n# B\ntext\n")] == [False, True]
    assert [section.says for section in sections("## A\n# B\n## C\ntext\n")] == [False, True, True]
    assert [section.says for section in sections("# A\n### B\n## C\nx\n### D\n")] == [True, False, True, False]


@pytest.mark.parametrize(
    "text",
    ["", "no heading", "    # code\n", "```\n# code\n```\n", "> # quoted\n", "- # in a list\n", "<!--\n# x\n-->\n"],
)
def test_no_headings(text: str) -> None:
    assert sections(text) == []


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a<!-- b -->c", "ac"),
        ("<!---->", ""),
        ("<!-- a\nb -->", ""),
        ("a <!-- b", "a <!-- b"),
        ("<!-- a --> b <!-- c", " b <!-- c"),
    ],
)
def test_comments(text: str, kept: str) -> None:
    assert without_comments(text) == kept
