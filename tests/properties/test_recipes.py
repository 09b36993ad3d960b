from __future__ import annotations

import json
import tomllib
from typing import Any

import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.format.documents.recipe import parse_recipe
from pacha_git.format.documents.toml_lines import key_lines, line_of
from tests.format.documents.test_recipe import FULL, PACHA

SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.datetimes(),
    st.dates(),
    st.sampled_from(["[x]\ny = 1", '"""', "'''", "# no\ncomment", "]", "{", "\\"]),
)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
TABLES = st.recursive(
    st.dictionaries(KEYS, SCALARS | st.lists(SCALARS, max_size=3), max_size=4),
    lambda inner: st.dictionaries(KEYS, inner | SCALARS | st.lists(inner, min_size=1, max_size=2), max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([FULL, PACHA]), st.integers(0), st.binary(max_size=3), st.integers(0, 30))
def test_no_recipe_makes_the_reader_fall(text: str, at: int, put: bytes, cut: int) -> None:
    data = text.encode()
    at %= len(data)
    recipe = parse_recipe(data[:at] + put + data[at + cut :])
    assert recipe.problems or (recipe.name is not None and recipe.version is not None)
    lines = data.count(b"\n") + put.count(b"\n") + 1
    assert all(problem.line is None or 1 <= problem.line <= lines for problem in recipe.problems)
    json.dumps(recipe.json_values, allow_nan=False)


@given(TABLES)
def test_values_are_those_of_the_toml(values: dict[str, Any]) -> None:
    text = tomlkit.dumps({"name": "x", "version": "1.0.0", "kept": values})
    assert repr(parse_recipe(text.encode()).values["kept"]) == repr(tomllib.loads(text)["kept"])


def numbered(value: Any, count: list[int]) -> Any:
    """The same tables, each key with a number that no other has."""
    if isinstance(value, list):
        return [numbered(item, count) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for key, item in value.items():
        count[0] += 1
        result[f"{key}#{count[0]}#"] = numbered(item, count)
    return result


@given(TABLES)
def test_the_line_of_a_key_has_the_key_in_it(values: dict[str, Any]) -> None:
    text = tomlkit.dumps(numbered(values, [0]))
    lines = text.split("\n")
    listed = key_lines(text)
    for path, line in listed.items():
        assert (
            str([part for part in path if isinstance(part, str)][-1]).rpartition("#")[0].rpartition("#")[2]
            in lines[line - 1]
        )
    for key in tomllib.loads(text):
        assert line_of(listed, (key, "anything", 0)) == listed[(key,)]
