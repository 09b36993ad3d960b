"""Front matter: what is read, what is refused, and on which line and column."""

from __future__ import annotations

import datetime
import time

import pytest

from pacha_git.format.documents.frontmatter import parse_front_matter


def problem(text: str) -> str:
    [found] = parse_front_matter(text).problems
    return str(found)


def test_values_keep_their_types_and_every_key_has_its_place() -> None:
    found = parse_front_matter("---\nlicense: mit\ntags:\n- a\n- b\nn: 3\nday: 2026-01-31\nx: {y: 0.5}\n---\n\n# Hi\n")
    assert found.values == {
        "license": "mit", "tags": ["a", "b"], "n": 3, "day": datetime.date(2026, 1, 31), "x": {"y": 0.5},
    }  # fmt: skip
    assert found.places["license",] == (2, 1)
    assert found.places["tags", 1] == (5, 3)
    assert found.places["x", "y"] == (8, 5)
    assert (found.body, found.body_line, found.problems) == ("# Hi\n", 11, ())


@pytest.mark.parametrize("text", ["", "# No front matter\n", "----\n", "text\n---\na: 1\n---\n", "-- -\n"])
def test_a_document_without(text: str) -> None:
    found = parse_front_matter(text)
    assert (found.values, found.body, found.problems) == ({}, text, ())


@pytest.mark.parametrize(
    "text", ["---\n---\n", "---\n# only a comment\n---\n", "\ufeff---\n---\n", "---\r\n---\r\n", "---\n..."]
)
def test_empty(text: str) -> None:
    found = parse_front_matter(text)
    assert (found.values, found.body, found.problems) == ({}, "", ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\na: 1\n", "line 1, column 1: the front matter has no closing ---"),
        (
            "---\nlicense: [mit\ntags: x\n---\n",
            "line 3, column 5: not YAML: while parsing a flow sequence, did not find",
        ),
        ("---\na: b: c\n---\n", "line 2, column 5: not YAML: mapping values are not allowed in this context"),
        ("---\na: 1\n\tb: 2\n---\n", "line 3, column 1: not YAML"),
        ("---\n- a\n---\n", "line 2, column 1: the front matter must be keys and values"),
        ("---\na: 1\nb: 2\na: 3\n---\n", "line 4, column 1: a stands twice, first in line 2"),
        ("---\nx:\n  a: 1\n  a: 2\n---\n", "line 4, column 3: x.a stands twice"),
        ("---\na: &x 1\n---\n", "line 2, column 4: anchors (&) and aliases (*) are not read"),
        ("---\na: !!python/object/apply:os.system [id]\n---\n", "line 2, column 4: not YAML: could not determine"),
        ("---\na: 2024-13-45\n---\n", "line 2, column 1: not YAML: month must be in 1..12"),
        ("---\na: \x01\n---\n", "not YAML: unacceptable character"),
        (f"---\na: {'[' * 40}{']' * 40}\n---\n", "nested deeper than 32 levels"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    assert said in problem(text)


def test_a_bomb_of_aliases_does_not_go_off() -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    begin = time.process_time()
    assert "are not read" in problem(f"---\na0: &a0 [lol]\n{levels}\n---\n")
    assert time.process_time() - begin < 1
