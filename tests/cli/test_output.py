"""What is printed: JSON that is JSON, tables that lose nothing in a pipe, nothing that a terminal would obey."""

from __future__ import annotations

import datetime
import io
import json
import math
import re
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.cli.showing import output, progress, tables


class Screen(io.BytesIO):
    def isatty(self) -> bool:
        return True


def captured(write: Any, *, terminal: bool = False) -> bytes:
    kept, raw = sys.stdout, Screen() if terminal else io.BytesIO()
    with io.TextIOWrapper(raw, encoding="utf-8") as sys.stdout:
        try:
            write()
            sys.stdout.flush()
            return raw.getvalue()
        finally:
            sys.stdout = kept


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_a_document_is_one_line_of_json(value: Any) -> None:
    def without_words(text: str) -> None:
        raise AssertionError(f"{text} is no JSON")

    raw = captured(lambda: output.document(value))
    assert raw.count(b"\n") == 1
    json.loads(raw, parse_constant=without_words)


def test_what_json_has_no_word_for() -> None:
    value = {"a": (math.nan, math.inf, -math.inf), "b": datetime.date(2026, 7, 29), "c": datetime.time(10, 12)}
    assert json.loads(captured(lambda: output.document(value))) == {
        "a": ["NaN", "Infinity", "-Infinity"], "b": "2026-07-29", "c": "10:12:00",
    }  # fmt: skip


def test_lone_surrogates_become_escapes() -> None:
    assert captured(lambda: output.document("a\udcffé")) == b'"a\\udcff\xc3\xa9"\n'


@given(st.text(st.characters()))
def test_nothing_that_a_terminal_obeys_passes(text: str) -> None:
    shown = output.one_line(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    assert output.clean(text).count("\n") == text.count("\n")
    shown.encode()


ROWS = [("a" * 300, "1.0.0", None), ("b", "10.0.0-rc.1", None)]


def test_a_pipe_gets_whole_values() -> None:
    text = tables.table(("NAME", "VERSION", "EMPTY"), ROWS)
    head, first, second = text.split("\n")
    assert head.split() == ["NAME", "VERSION"]
    assert first == "a" * 300 + "  1.0.0"
    assert second == "b" + " " * 299 + "  10.0.0-rc.1"


def test_a_terminal_gets_whole_names_too_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    rows = [("n" * 70, "1.0.0", "t" * 90)]
    shown = captured(lambda: output.write(tables.table(("NAME", "VERSION", "TEXT"), rows)), terminal=True).decode()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert plain.count("n") == 70
    assert "1.0.0" in plain
    assert all(len(line) <= 60 for line in plain.split("\n"))


def test_a_long_table_is_whole_on_a_terminal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    shown: list[str] = []
    rows = [(f"{number}\x1b", "t" * 90) for number in range(3_000)]
    captured(lambda: shown.append(tables.table(("NAME", "TEXT"), rows, right=("NAME",))), terminal=True)
    assert shown[0].split("\n")[-1] == "2999\\x1b  " + "t" * 90
    assert shown[0].count("\n") == 3_000


def test_a_table_of_nothing_is_nothing() -> None:
    assert tables.table(("NAME", "VERSION"), []) == ""


def test_markup_in_names_is_only_text(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("[bold red]x[/]\x1b[2J",)]
    shown = captured(lambda: output.write(tables.table(("NAME",), rows)), terminal=True).decode()
    assert "[bold red]x[/]" in shown
    assert "\x1b[2J" not in shown


def test_colour_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    def draw() -> None:
        output.write(tables.table(("NAME",), [("x",)]) + tables.strong("x"))

    assert b"\x1b" not in captured(draw)
    monkeypatch.delenv("FORCE_COLOR")
    assert b"\x1b[1m" in captured(draw, terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert b"\x1b[3" not in captured(draw, terminal=True)
    assert tables.strong("x") == "x"


def test_a_sheet_leaves_out_what_is_empty() -> None:
    assert tables.sheet([("A", 1), ("Long", "x\ny"), ("None", None), ("Empty", "")]) == "A     1\nLong  x\n      y"


class _Context:
    obj: Any = None


@pytest.mark.parametrize(("terminal", "drawn"), [(True, True), (False, False)])
def test_progress_is_for_terminals(monkeypatch: pytest.MonkeyPatch, terminal: bool, drawn: bool) -> None:
    from pacha_git.cli.invocation import Invocation

    monkeypatch.setattr(progress, "_PATIENCE", 0)
    raw = Screen() if terminal else io.BytesIO()
    ctx: Any = _Context()
    ctx.obj = Invocation("git pacha")
    kept = sys.stderr
    with io.TextIOWrapper(raw, encoding="utf-8", write_through=True) as sys.stderr:
        try:
            with progress.progress(ctx) as report:
                assert (report is not None) is drawn
                if report is not None:
                    report("hashing", 1 << 20, 4 << 20)
                    report("versions", 1, None, "versions")
            shown = raw.getvalue().decode()
        finally:
            sys.stderr = kept
    assert ("1.0 MiB of 4.0 MiB" in shown) is drawn
    assert ("1 versions" in shown) is drawn
