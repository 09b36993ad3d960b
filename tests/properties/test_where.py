"""What ``--where`` finds is what plain Python finds, by evaluation and through SQL, over random things."""

from __future__ import annotations

import math
import operator
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pacha_git.query.fields import version_key
from pacha_git.query.where import holds, parse_where
from pacha_git.store.catalogue.database import Database
from pacha_git.store.catalogue.search import Query, find, values_of
from pacha_git.store.catalogue.search_item import SearchEntry, enter, facts_of
from pacha_git.vocabulary.versions import Version

Thing = dict[str, Any]
Test = Callable[[Thing], bool]

ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
COLUMNS = ("kind", "name", "version", "stage", "size", "created_at")
STAGES = ["development", "staging", "production", "archived"]
TEXTS = ["a", "B", "ab", "Ärger", "it's", 'a"b', "x y", "%", "_", "1", "2.0", "1e1", "NaN"]
numbers = st.one_of(st.integers(-3, 12), st.sampled_from([0.5, -1.5, 10.0, 1e300, math.inf, -math.inf]))
mixed = st.one_of(numbers, st.sampled_from([*TEXTS, True, False, "NaN", [1, "a"], []]))
things = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["model", "dataset", "recipe"]),
        "name": st.sampled_from(["fraud", "team/Fraud", "churn"]),
        "version": st.sampled_from(["1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "2.0.0"]),
        "stage": st.sampled_from(STAGES),
        "size": st.integers(0, 5000),
        "created_at": st.sampled_from(["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-01-31T12:00:00Z"]),
        "metrics": st.dictionaries(st.sampled_from(["acc", "val/loss"]), st.one_of(numbers, st.just("NaN"))),
        "params": st.dictionaries(st.sampled_from(["lr", "opt"]), mixed),
        "tags": st.dictionaries(st.sampled_from(["team", "a b"]), st.sampled_from(TEXTS)),
    }
)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def number_of(value: Any) -> float | None:
    """The number that a value is, or that its text reads as."""
    if isinstance(value, bool) or value == "NaN":
        return None
    try:
        return float(value)
    except ValueError:
        return None


def text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return str(value)


@st.composite
def of_maps(draw: st.DrawFn) -> tuple[str, Test]:
    """A comparison of a metric, parameter or tag with a number or a text."""
    area = draw(st.sampled_from(["metrics", "params", "tags"]))
    key = draw(st.sampled_from(["acc", "val/loss", "lr", "opt", "team", "a b"]))
    sign = draw(st.sampled_from([*ORDERS, "~"]))
    wanted: Any = draw(st.one_of(st.integers(-3, 12), st.sampled_from([0.5, -1.5, 10.0]), st.sampled_from(TEXTS)))

    def one(value: Any) -> bool:
        if sign == "~":
            return str(wanted).casefold() in text_of(value).casefold()
        if isinstance(wanted, str):
            return ORDERS[sign](text_of(value), wanted)
        number = number_of(value)
        return ORDERS[sign](number, wanted) if number is not None else sign == "!="

    def holds_for(thing: Thing) -> bool:
        value = thing[area].get(key, [])
        return any(one(each) for each in (value if isinstance(value, list) else [value]))

    said = quoted(wanted) if isinstance(wanted, str) else str(wanted)
    return f"{area}.{quoted(key) if ' ' in key else key} {sign} {said}", holds_for


@st.composite
def of_columns(draw: st.DrawFn) -> tuple[str, Test]:
    """A comparison of what everything has."""
    field = draw(st.sampled_from(["size", "version", "stage", "kind", "name", "created_at"]))
    sign = draw(st.sampled_from([*ORDERS]))
    if field == "size":
        amount = draw(st.integers(0, 5))
        return f"size {sign} {amount}KiB", lambda thing: ORDERS[sign](thing["size"], amount * 1024)
    if field == "version":
        other = draw(st.sampled_from(["1.2.0", "2.0.0-rc.1", "1.10.0"]))
        return f"version {sign} {other}", lambda t: ORDERS[sign](Version.parse(t["version"]), Version.parse(other))
    if field == "created_at":
        month = draw(st.sampled_from(["2025-12", "2026-01", "2026-02"]))
        return f"created_at {sign} {month}", lambda thing: ORDERS[sign](thing["created_at"][:7], month)
    choices = {"stage": STAGES, "kind": ["model", "dataset", "recipe"], "name": ["fraud", "churn"]}[field]
    chosen = draw(st.lists(st.sampled_from(choices), min_size=1, max_size=3))
    word = draw(st.sampled_from(["in", "not in"]))
    return f"{field} {word} ({', '.join(chosen)})", lambda t: (t[field] in chosen) == (word == "in")


def joined(inner: st.SearchStrategy[tuple[str, Test]]) -> st.SearchStrategy[tuple[str, Test]]:
    return st.one_of(
        inner.map(lambda a: (f"not ({a[0]})", lambda t: not a[1](t))),
        st.tuples(inner, inner).map(lambda ab: (f"({ab[0][0]}) and ({ab[1][0]})", lambda t: all(x[1](t) for x in ab))),
        st.tuples(inner, inner).map(lambda ab: (f"(({ab[0][0]}) or {ab[1][0]})", lambda t: any(x[1](t) for x in ab))),
    )


expressions = st.recursive(st.one_of(of_maps(), of_columns()), joined, max_leaves=5)


def entry_of(at: int, thing: Thing) -> SearchEntry:
    columns = {key: value for key, value in thing.items() if not isinstance(value, dict)} | {
        "ref": f"refs/pacha/models/m/{at}", "version_key": version_key(thing["version"]), "file_count": 1,
        "created_by": "A <a@example.org>", "oid": "0" * 40, "payload": "here", "state": "", "description": "",
    }  # fmt: skip
    facts = [fact for area in ("metrics", "params", "tags") for fact in facts_of(area, thing[area])]
    return SearchEntry(columns, facts, {})


@given(st.lists(things, min_size=1, max_size=6), st.lists(expressions, min_size=1, max_size=4))
def test_where_finds_what_python_finds(rows: list[Thing], said: list[tuple[str, Test]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder))
        with database.writing() as connection:
            for at, thing in enumerate(rows):
                enter(connection, entry_of(at, thing))
        numbers = dict(connection.execute("SELECT ref, id FROM item").fetchall())
        for text, expected in said:
            where = parse_where(text)
            hits, total = find(connection, Query(where=where))
            found = {hit.ref for hit in hits}
            names = {f"{area}.{key}" for area in ("metrics", "params", "tags") for thing in rows for key in thing[area]}
            for at, thing in enumerate(rows):
                ref = f"refs/pacha/models/m/{at}"
                values = values_of(connection, numbers[ref], str, names | set(COLUMNS))
                assert (ref in found) == expected(thing) == holds(where, values), (text, thing)
            assert total == len(found)
        connection.close()
