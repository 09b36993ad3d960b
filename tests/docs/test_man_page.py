"""The man page has every command and option of the program, and none that it lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pacha_git.cli.program import root

PAGE = (Path(__file__).resolve().parents[2] / "git-pacha.1").read_text()


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, by its words; what the three nouns share counts once."""
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    for word in command.list_commands(None):
        found = command.get_command(None, word)
        if not found.hidden:
            yield from leaves(found, () if word in root.NOUNS else (*path, word))


def options(command: Any) -> set[str]:
    return {
        word.removeprefix("--")
        for parameter in command.params
        if not getattr(parameter, "hidden", False)
        for word in (*parameter.opts, *parameter.secondary_opts)
        if word.startswith("--")
    }


def test_the_commands_are_those_of_the_program() -> None:
    documented = {tuple(words.split()) for words in re.findall(r"^\.It Cm ((?:[a-z]+ ?)+)", PAGE, re.MULTILINE)}
    assert documented == {path for path, _ in leaves(root.command())}


def test_the_options_are_those_of_the_program() -> None:
    documented = set(re.findall(r"(?:Fl|,|\|) -([a-z][a-z-]*)", PAGE))
    real = options(root.command()).union(*(options(command) for _, command in leaves(root.command())))
    assert documented - {"help"} == real - {"help"}
