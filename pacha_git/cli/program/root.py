"""The table of all commands, each loaded when it is called: adding one is its file and a line here."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Final

import click
from click import Context

from pacha_git.cli.invocation import Invocation
from pacha_git.cli.program.grammar import Group, command_rows, noun, single

# Section of the help → word → "module:attribute" below pacha_git.cli; the attribute is a noun's app, or a function.
COMMANDS: Final[dict[str, dict[str, str]]] = {
    "Start": {
        "init": "verbs.init:init",
        "clone": "verbs.sync:clone",
        "demo": "verbs.about:demo",
    },
    "What is kept": {
        "model": "nouns.model:app",
        "data": "nouns.data:app",
        "recipe": "nouns.recipe:app",
        "run": "nouns.run:app",
        "cat": "verbs.read:cat_any",
        "search": "verbs.search:search",
    },
    "Between machines": {
        "remote": "nouns.remote:app",
        "fetch": "verbs.sync:fetch",
        "pull": "verbs.sync:pull",
        "push": "verbs.sync:push",
        "status": "verbs.sync:status",
        "settings": "nouns.settings:app",
        "bundle": "nouns.bundle:app",
        "serve": "verbs.serve:serve",
    },
    "Trust": {
        "key": "nouns.key:app",
        "removal": "nouns.removal:app",
        "attestation": "nouns.attestation:app",
        "sign": "verbs.sign:sign",
        "verify": "verbs.sign:verify",
    },
    "Upkeep": {
        "stats": "verbs.upkeep:stats",
        "fsck": "verbs.upkeep:fsck",
        "gc": "verbs.upkeep:gc",
        "evict": "verbs.evict:evict",
        "cache": "nouns.cache:app",
        "reindex": "verbs.upkeep:reindex",
        "doctor": "verbs.upkeep:doctor",
    },
    "In your repositories": {
        "hook": "nouns.hook:app",
    },
    "The program": {
        "version": "verbs.about:version",
        "help": "verbs.about:help_",
        "completion": "verbs.about:completion",
    },
}
NOUNS: Final = ("model", "data", "recipe")

_PLACES: Final = {word: place for section in COMMANDS.values() for word, place in section.items()}


@cache
def _load(word: str) -> click.Command:
    module, _, attribute = _PLACES[word].partition(":")
    found = getattr(import_module(f"pacha_git.cli.{module}"), attribute)
    return found if isinstance(found, Group) else single(word, found)


def _words_of(name: str) -> list[str]:
    found = _load(name)
    return found.list_commands(None) if isinstance(found, Group) else []


class Root(Group):
    """The program itself: it knows the names of its commands without having loaded them."""

    at_root = True

    def list_commands(self, ctx: Context | None) -> list[str]:
        """Return all commands, in the order of help."""
        return list(_PLACES)

    def get_command(self, ctx: Context | None, cmd_name: str) -> click.Command | None:
        """Load one command; None if there is none of that name."""
        return _load(cmd_name) if cmd_name in _PLACES else None

    def format_commands(self, ctx: Context, formatter: click.HelpFormatter) -> None:
        """The commands by section."""
        width = max(map(len, _PLACES))
        for section, words in COMMANDS.items():
            with formatter.section(section):
                formatter.write_dl(command_rows(self, ctx, list(words), width))

    def suggestion(self, ctx: Context, word: str) -> str:
        """Return the nearest command; for a verb said without its noun, the nouns that have it."""
        if get_close_matches(word.lower(), _PLACES):
            return super().suggestion(ctx, word)
        having = [name for name in NOUNS if word in _words_of(name)]
        if having:
            return "did you mean " + " or ".join(f"`{ctx.command_path} {name} {word}`" for name in having) + "?"
        return super().suggestion(ctx, word)


@cache
def command() -> Group:
    """Return the program as one command."""
    return noun("pacha", "A registry for models, datasets and recipes that is a Git repository.", cls=Root)


def invoke(asked: Invocation) -> int:
    """Read the words of an invocation and run the command they name; errors come out as exceptions.

    Returns:
        The exit code: 0, unless a command ended with another on purpose.
    """
    root = command()
    try:
        with root.make_context(asked.program, list(asked.words), obj=asked) as ctx:
            root.invoke(ctx)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    return 0
