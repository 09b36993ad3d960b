"""The table of all commands, each loaded when it is called: adding one is its file and a line here.

It refuses to know what any of them does.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any, Final

import typer

from pacha_git.cli.grammar import Group, command_rows, group, noun, single
from pacha_git.cli.invocation import Invocation

# Section of the help → word → "module:attribute" below pacha_git.cli; the attribute is a noun's app, or a function.
COMMANDS: Final[dict[str, dict[str, str]]] = {
    "Start": {
        "init": "setup:init",
        "clone": "sync:clone",
        "demo": "about:demo",
    },
    "What is kept": {
        "model": "model:app",
        "data": "data:app",
        "recipe": "recipe:app",
        "run": "run:app",
        "cat": "reading:cat_any",
        "search": "search:search",
    },
    "Between machines": {
        "remote": "remote:app",
        "fetch": "sync:fetch",
        "pull": "sync:pull",
        "push": "sync:push",
        "status": "sync:status",
        "settings": "settings:app",
        "bundle": "bundle:app",
        "serve": "serve:serve",
    },
    "Trust": {
        "key": "key:app",
        "sign": "signing:sign",
        "verify": "signing:verify",
    },
    "Upkeep": {
        "stats": "upkeep:stats",
        "fsck": "upkeep:fsck",
        "gc": "upkeep:gc",
        "evict": "evict:evict",
        "reindex": "upkeep:reindex",
        "doctor": "upkeep:doctor",
    },
    "In your repositories": {
        "hook": "hook:app",
    },
    "The program": {
        "version": "about:version",
        "help": "about:help_",
        "completion": "about:completion",
    },
}
NOUNS: Final = ("model", "data", "recipe")

_PLACES: Final = {word: place for section in COMMANDS.values() for word, place in section.items()}


@cache
def _load(word: str) -> Any:
    module, _, attribute = _PLACES[word].partition(":")
    found = getattr(import_module(f"pacha_git.cli.{module}"), attribute)
    return group(found) if isinstance(found, typer.Typer) else single(word, found)


class Root(Group):
    """The program itself: it knows the names of its commands without having loaded them."""

    at_root = True

    def list_commands(self, ctx: Any) -> list[str]:
        """All commands, in the order of help."""
        return list(_PLACES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load one command; None if there is none of that name."""
        return _load(cmd_name) if cmd_name in _PLACES else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands by section."""
        width = max(map(len, _PLACES))
        for section, words in COMMANDS.items():
            with formatter.section(section):
                formatter.write_dl(command_rows(self, ctx, list(words), width))

    def suggestion(self, ctx: Any, word: str) -> str:
        """The nearest command; for a verb said without its noun, the nouns that have it."""
        if get_close_matches(word.lower(), _PLACES):
            return super().suggestion(ctx, word)
        having = [name for name in NOUNS if word in _load(name).list_commands(ctx)]
        if having:
            return "did you mean " + " or ".join(f"`{ctx.command_path} {name} {word}`" for name in having) + "?"
        return super().suggestion(ctx, word)


@cache
def command() -> Any:
    """The program as one command."""
    return group(noun("pacha", "A registry for models, datasets and recipes that is a Git repository.", cls=Root))


def invoke(asked: Invocation) -> int:
    """Read the words of an invocation and run the command they name; errors come out as exceptions.

    Returns:
        The exit code: 0, unless a command ended with another on purpose.
    """
    root = command()
    try:
        with root.make_context(asked.program, list(asked.words), obj=asked) as ctx:
            root.invoke(ctx)
    except typer.Exit as ended:
        return ended.exit_code
    return 0
