"""Completes a half-typed command line: commands, flags, values of flags, names and versions of the registry.

The shells' scripts call the program back with a first word of our own. It refuses to fail: what it can't complete, the
shell completes as a file name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pacha_git.cli import output, shells
from pacha_git.errors import InvalidInput, PachaError
from pacha_git.names import VERSIONED_KINDS, Kind, Stage

if TYPE_CHECKING:
    from pacha_git import Registry

WORD: Final = "__complete"


def script(shell: str | None) -> tuple[str, str]:
    """The name of a shell and its script.

    Raises:
        InvalidInput: there is none for that shell.
    """
    chosen = shell or Path(os.environ.get("SHELL") or "bash").name
    if chosen not in shells.SCRIPTS:
        raise InvalidInput(f"no completion for the shell {chosen!r}", hint="one of bash, zsh, fish")
    return chosen, shells.SCRIPTS[chosen].replace("@WORD@", WORD)


def answer(root: Any, words: Sequence[str]) -> None:
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
    """The words of a line after ``pacha``, ``git-pacha`` or ``git … pacha``; the last is the one half typed."""
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
    """How much of a word bash takes for words before it: up to the last of its own separators."""
    return max((word.rfind(mark) + 1 for mark in breaks if not mark.isspace() and mark not in "'\""), default=0)


def candidates(root: Any, typed: Sequence[str]) -> list[str]:
    """What the last word may become, given those before it."""
    *before, word = typed
    if "--" in before:
        return []
    at = _Place(root)
    for said in before:
        at.pass_over(said)
    return sorted({offer for offer in at.offers(word) if offer.startswith(word)})


class _Place:
    """Where in a line the cursor is: below which command, at which argument, or behind which flag."""

    def __init__(self, root: Any) -> None:
        self.command = root
        self.noun = ""
        self.registry: str | None = None
        self._valued: Any = None
        self._arguments = 0

    def pass_over(self, said: str) -> None:
        """Go on by one word."""
        if self._valued is not None:
            if self._valued.name == "global_registry":
                self.registry = said
            self._valued = None
        elif said.startswith("-"):
            option = next((option for option in self._options() if said in option.opts), None)
            self._valued = option if option is not None and not option.is_flag else None
        elif hasattr(self.command, "get_command"):
            found = self.command.get_command(None, said)
            if found is not None:
                self.command, self.noun = found, self.noun or said
        else:
            self._arguments += 1

    def offers(self, word: str) -> Iterable[str]:
        """What can stand here; ``word`` is its half-typed beginning."""
        if self._valued is not None:
            return _VALUES.get(self._valued.metavar or "", _nothing)(self, word)
        if word.startswith("-"):
            return [opt for option in self._options() for opt in option.opts]
        if hasattr(self.command, "list_commands"):
            return list(self.command.list_commands(None))
        arguments = [param for param in self.command.params if param.param_type_name == "argument"]
        if self._arguments < len(arguments) or (arguments and arguments[-1].nargs != 1):
            argument = arguments[min(self._arguments, len(arguments) - 1)]
            return _VALUES.get(argument.metavar or "", _nothing)(self, word)
        return []

    def open(self) -> Registry:
        """The registry that the line means."""
        from pacha_git import Registry

        return Registry.open(Path(self.registry) if self.registry else None)

    def _options(self) -> list[Any]:
        return [param for param in self.command.params if param.param_type_name == "option"]


def _nothing(at: _Place, word: str) -> Iterable[str]:
    return []


def _stages(at: _Place, word: str) -> Iterable[str]:
    return [stage.value for stage in Stage]


def _specs(at: _Place, word: str) -> Iterable[str]:
    """Names of the noun's kind (of any, without one); after an ``@`` the versions of that name."""
    kinds = [Kind.parse(at.noun)] if at.noun in ("model", "data", "recipe") else VERSIONED_KINDS
    return [spec for kind in kinds for spec in _specs_of(kind, word, at)]


def _specs_of(kind: Kind, word: str, at: _Place) -> Iterable[str]:
    try:
        collection = at.open().collection(kind)
        name, sign, _ = word.partition("@")
        if not sign:
            return [info.name for info in collection.list()]
        versions = collection.list(name)
    except PachaError:
        return []
    words = {word for info in versions for word in (info.version, info.stage, *info.aliases)}
    return [f"{name}@{word}" for word in (*words, "latest")]


def _names(at: _Place, word: str) -> Iterable[str]:
    return [] if "@" in word else _specs(at, word)


def _remotes(at: _Place, word: str) -> Iterable[str]:
    try:
        return [name for name, _ in at.open().remotes()]
    except PachaError:
        return []


def _remotes_and_specs(at: _Place, word: str) -> Iterable[str]:
    return [*_remotes(at, word), *_specs(at, word)]


# What stands where: arguments and values of flags are told apart by the word that help shows for them.
_VALUES: Final[dict[str, Callable[[_Place, str], Iterable[str]]]] = {
    "SPEC": _specs,
    "NAME": _names,
    "STAGE": _stages,
    "REMOTE": _remotes,
    "[REMOTE] SPEC": _remotes_and_specs,
    "SHELL": lambda at, word: list(shells.SCRIPTS),
    "all|none": lambda at, word: ["all", "none"],
    "FORMAT": lambda at, word: ["tree", "dot", "mermaid", "json"],
}
