"""The global flags hold before the noun, before the verb and after it, and never reach past ``--`` or into values."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacha_git.cli.program import root

from .conftest import Ended

Run = Callable[..., Ended]


def leaves(command: Any = None, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command that does something, by its words."""
    command = command or root.command()
    if not hasattr(command, "list_commands"):
        return [path]
    found = [leaves(command.get_command(None, word), (*path, word)) for word in command.list_commands(None)]
    return list(itertools.chain(*found))


def nouns() -> list[tuple[str, ...]]:
    top = root.command()
    return [(word,) for word in top.list_commands(None) if hasattr(top.get_command(None, word), "list_commands")]


def with_at(words: tuple[str, ...], place: int, *flags: str) -> tuple[str, ...]:
    return (*words[:place], *flags, *words[place:])


@pytest.mark.parametrize("place", [0, 1])
def test_json_is_heard_anywhere(pacha: Run, place: int) -> None:
    ended = pacha(*with_at(("version",), place, "--json"))
    assert ended.code == 0
    assert set(ended.json) == {"version", "format"}
    assert ended.err == ""


@pytest.mark.parametrize(
    "flags", [("--json",), ("--json", "-q"), ("--verbose", "--json"), ("--registry", "x", "--json")]
)
@pytest.mark.parametrize("place", range(4))
def test_json_is_heard_anywhere_in_an_error(pacha: Run, place: int, flags: tuple[str, ...]) -> None:
    ended = pacha(*with_at(("model", "get", "absent"), place, "--registry", "/nowhere", *flags[:0], *flags))
    assert ended.code == 3
    assert ended.out == ""
    assert ended.error["code"] == "not_found"


@pytest.mark.parametrize(
    "words", [("model", "get", "x", "--json", "-v"), ("--json", "model", "--registry"), ("gc", "--json", "--grace")]
)
def test_json_where_the_value_of_a_flag_is_missing(pacha: Run, words: tuple[str, ...]) -> None:
    ended = pacha(*words)
    assert (ended.code, ended.out, ended.error["code"]) == (2, "", "usage")
    assert ended.error["message"].endswith("requires an argument")


@pytest.mark.parametrize("place", range(4))
def test_registry_is_heard_anywhere(pacha: Run, tmp_path: Path, place: int) -> None:
    ended = pacha(*with_at(("model", "get", "absent"), place, "--registry", str(tmp_path / "here")))
    assert ended.code == 3
    assert str(tmp_path / "here") in ended.err


@pytest.mark.parametrize("words", [(), *nouns(), *leaves()], ids=" ".join)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_of_every_command(pacha: Run, words: tuple[str, ...], flag: str) -> None:
    ended = pacha(*words, flag)
    assert ended.code == 0
    assert ended.err == ""
    assert ended.out.startswith(f"Usage: {' '.join(('git pacha', *words))} ")
    assert "--registry PATH" in ended.out
    assert pacha("help", *words).out == ended.out


@pytest.mark.parametrize(
    "words", [("-h", "--json"), ("--json", "model", "get", "-h"), ("model", "-h", "--json"), ("help", "--json")]
)
def test_help_as_json(pacha: Run, words: tuple[str, ...]) -> None:
    ended = pacha(*words)
    assert ended.code == 0
    assert ended.json["help"].startswith("Usage: git pacha")


def test_alone_it_shows_help(pacha: Run) -> None:
    assert pacha().out == pacha("-h").out
    assert pacha().code == 0
    assert pacha("model").out == pacha("help", "model").out


@pytest.mark.parametrize("words", [("-V",), ("model", "-V"), ("model", "get", "-V"), ("--version",), ("version",)])
def test_version_is_heard_anywhere(pacha: Run, words: tuple[str, ...]) -> None:
    ended = pacha(*words)
    assert ended.code == 0
    assert ended.out.startswith("pacha-git ")


def test_a_value_is_no_flag(pacha: Run, tmp_path: Path) -> None:
    ended = pacha("--registry", tmp_path / "none", "model", "describe", "x@1.0.0", "-v", "--json", "text")
    assert "Error: " in ended.err
    ended = pacha("model", "register", "x", "y", "-v", "1.0.0", "-d", "--json", "--bogus")
    assert ended.err.startswith("Error: no such option: --bogus")


def test_nothing_after_two_dashes_is_a_flag(pacha: Run, tmp_path: Path) -> None:
    ended = pacha("--registry", tmp_path / "none", "model", "get", "--", "--json")
    assert ended.err.startswith("Error: ")
    ended = pacha("model", "get", "--bogus", "--", "--json")
    assert ended.err.startswith("Error: ")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("modle",), "`git pacha model`"),
        (("model", "lsit"), "`git pacha model list`"),
        (("register", "x"), "`git pacha model register`"),
        (("help", "modle"), "`git pacha model`"),
        (("help", "model", "lsit"), "`git pacha model list`"),
        (("help", "run", "import", "cvs"), "`git pacha run import csv`"),
        (("help", "register"), "`git pacha model register`"),
        (("help", "data", ""), "`git pacha data -h`"),
        (("help", "data", "zzzzzz"), "`git pacha data -h`"),
        (("version", "--jsom"), "--json"),
        (("zzzzzz",), "`git pacha -h`"),
    ],
)
def test_typos_suggest_the_nearest(pacha: Run, words: tuple[str, ...], hint: str) -> None:
    ended = pacha(*words)
    assert ended.code == 2
    assert hint in ended.err.splitlines()[1]
    assert pacha("--json", *words).error["code"] == "usage"


@pytest.mark.parametrize(
    "words",
    [
        ("model", "get"),
        ("model", "get", "a", "b"),
        ("model", "stage", "x"),
        ("model", "register", "x", "y"),
        ("model", "list", "--stage"),
        ("gc", "--grace", "many"),
        ("gc", "--grace", "-1"),
        ("completion", "tcsh"),
        ("help", "version", "more"),
        ("verify",),
        ("model", "lineage", "x", "--up", "--down"),
        ("model", "rm", "x@1.0.0"),
        ("model", "alias", "x", "champion"),
        ("model", "alias", "x", "champion", "-v", "1.0.0", "--unset"),
        ("model", "tag"),
        ("pull", "--payload", "some"),
        ("settings", "adopt", "origin", "--ours", "--theirs"),
        ("init", ""),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_a_hint(pacha: Run, at: Run, words: tuple[str, ...]) -> None:
    ended = at(*words)
    assert ended.code == 2, ended
    assert ended.out == ""
    first, second = ended.err.splitlines()
    assert first.startswith("Error: ")
    assert second.startswith("Hint: ")
    assert at("--json", *words).error["code"] == "usage"
