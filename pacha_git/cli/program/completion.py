"""Completes a half-typed command line: finds out where in it the cursor stands, and hands out what can stand there.

The shells' scripts call the program back with a first word of our own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import click

from pacha_git import InvalidInput
from pacha_git.cli.program import shells
from pacha_git.cli.program.candidates import Blank, offered
from pacha_git.cli.program.grammar import Group
from pacha_git.cli.showing import output

WORD: Final = "__complete"


def script(shell: str | None) -> tuple[str, str]:
    """Return the name of a shell and its script.

    Raises:
        InvalidInput: there is none for that shell.
    """
    chosen = shell or Path(os.environ.get("SHELL") or "bash").name
    if chosen not in shells.SCRIPTS:
        raise InvalidInput(f"no completion for the shell {chosen!r}", hint="one of bash, zsh, fish")
    return chosen, shells.SCRIPTS[chosen].replace("@WORD@", WORD)


def answer(root: Group, words: Sequence[str]) -> None:
    """Print what may follow, one a line.

    Args:
        root: The program as a command.
        words: ``line TEXT BREAKS`` from bash: the line up to the cursor, and the characters that part words there; or
            ``words W…`` from the others: the words after the program, the last one half typed.
    """
    if words[:1] == ["line"] and len(words) == 3:
        typed = _after_program(words[1])
        kept = _already_parted(typed[-1], words[2]) if typed else 0
    elif words[:1] == ["words"]:
        typed, kept = list(words[1:]), 0
    else:
        return
    found = candidates(root, typed) if typed else []
    output.write("".join(f"{output.one_line(word[kept:])}\n" for word in found))


def _after_program(line: str) -> list[str]:
    """Return the words of a line after ``pacha``, ``git-pacha`` or ``git … pacha``; the last is the one half typed."""
    words = [_unquoted(word) for word in re.findall(r"(?:\\.|'[^']*'?|\"(?:\\.|[^\"\\])*\"?|[^\s\\'\"])+|\\$", line)]
    if not line or line[-1].isspace():
        words.append("")
    for at, word in enumerate(words):
        if Path(word).name in ("pacha", "git-pacha"):
            return words[at + 1 :]
    return []


def _unquoted(word: str) -> str:
    return re.sub(r"\\(.)|'([^']*)'?|\"([^\"]*)\"?", lambda m: next((g for g in m.groups() if g is not None), ""), word)


def _already_parted(word: str, breaks: str) -> int:
    """Tell how much of a word bash takes for words before it: up to the last of its own separators.

    An ``@`` that parts words belongs to the one after it: readline takes that for the name of a host.
    """
    marks = [mark for mark in breaks if not mark.isspace() and mark not in "'\""]
    return max((word.rfind(mark) + (mark != "@") for mark in marks if mark in word), default=0)


def candidates(root: Group, typed: Sequence[str]) -> list[str]:
    """Tell what the last word may become, given those before it."""
    *before, word = typed
    if "--" in before:
        return []
    flag, equals, value = word.partition("=")
    if equals and flag.startswith("--"):
        return [f"{flag}={offer}" for offer in candidates(root, [*before, flag, value])]
    at = _Place(root)
    for said in before:
        at.pass_over(said)
    return sorted({offer for offer in at.offers(word) if offer.startswith(word)})


class _Place:
    """Where in a line the cursor is: below which command, at which argument, or behind which flag."""

    def __init__(self, root: Group) -> None:
        self.command: click.Command = root
        self.path: list[str] = []
        self.registry: str | None = None
        self._valued: click.Option | None = None
        self._said: list[str] = []

    def pass_over(self, said: str) -> None:
        """Go on by one word."""
        if self._valued is not None:
            if self._valued.name == "global_registry":
                self.registry = said
            self._valued = None
        elif said.startswith("-"):
            option = next((option for option in self._options() if said in option.opts), None)
            self._valued = option if option is not None and not option.is_flag else None
        elif isinstance(self.command, Group):
            found = self.command.get_command(None, said)
            if found is not None:
                self.command = found
                self.path.append(said)
        else:
            self._said.append(said)

    def offers(self, word: str) -> Iterable[str]:
        """Tell what can stand here; ``word`` is its half-typed beginning."""
        if self._valued is not None:
            return offered(self._blank(self._valued, self._valued.opts[-1]), word)
        if word.startswith("-"):
            return [opt for option in self._options() for opt in option.opts]
        if isinstance(self.command, Group):
            return self.command.list_commands(None)
        arguments = [param for param in self.command.params if isinstance(param, click.Argument)]
        if len(self._said) < len(arguments) or (arguments and arguments[-1].nargs != 1):
            return offered(self._blank(arguments[min(len(self._said), len(arguments) - 1)]), word)
        return []

    def _blank(self, param: click.Parameter, flag: str = "") -> Blank:
        return Blank(str(param.metavar or ""), flag, tuple(self.path), tuple(self._said), self.registry)

    def _options(self) -> list[click.Option]:
        return [param for param in self.command.params if isinstance(param, click.Option)]
