"""How commands read their words: flags that hold everywhere, groups that suggest the nearest word, the look of help.

It knows no command. Only what click documents is used of it, so that any later release will do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from difflib import get_close_matches
from functools import cache, partial
from inspect import cleandoc
from typing import Any

import click
from click import Context

from pacha_git import InvalidInput, __version__
from pacha_git.cli.invocation import invocation
from pacha_git.cli.program.options import DescribedArgument, parameters
from pacha_git.cli.showing import output

_Row = tuple[str, str]


class GlobalOption(click.Option):
    """A flag that holds before the noun, before the verb and after it: the invocation gets it, not the command."""


def show_help(ctx: Context) -> None:
    """Print the help of a command."""
    text = ctx.get_help()
    output.show(ctx, {"command": ctx.command_path, "help": text}, text)


def show_version(ctx: Context) -> None:
    """Print the version of the program, and of the format that it reads and writes."""
    output.show(ctx, {"version": __version__, "format": 1}, f"pacha-git {__version__}")


def _on_help(ctx: Context, _: object) -> None:
    asked = invocation(ctx)
    asked.json = asked.json or json_asked(asked.words, ctx.command)
    show_help(ctx)
    ctx.exit()


def _on_version(ctx: Context, _: object) -> None:
    asked = invocation(ctx)
    asked.json = asked.json or json_asked(asked.words, ctx.command)
    show_version(ctx)
    ctx.exit()


def _noting(field: str) -> Callable[[Context, Any], None]:
    def note(ctx: Context, value: Any) -> None:
        setattr(invocation(ctx), field, value)

    return note


@cache
def global_options(at_root: bool = False) -> tuple[GlobalOption, ...]:
    """Return the flags that hold everywhere, in the order of help; ``--version`` means another thing below the root."""

    def option(
        field: str, *words: str, help: str, then: Callable[[Context, Any], None] | None = None, text: str = ""
    ) -> GlobalOption:
        act = then or _noting(field)

        def take(ctx: Context, _: click.Parameter, value: Any) -> None:
            if value and not ctx.resilient_parsing:
                act(ctx, value)

        return GlobalOption(
            [f"global_{field}", *words],
            metavar=text or None,
            is_flag=None if text else True,  # said as False, click takes its value for one that may be left out
            is_eager=True,
            expose_value=False,
            callback=take,
            help=help,
        )

    return (
        option("registry", "--registry", text="PATH", help="The registry to work on."),
        option("json", "--json", help="One JSON document on stdout, nothing else there."),
        option("quiet", "-q", "--quiet", help="Leave out what is said beside the answer."),
        option("verbose", "--verbose", help="Say more: every ref moved, the traceback of an error."),
        option(
            "version",
            "-V",
            *(["--version"] if at_root else []),
            help="Show the version of pacha-git.",
            then=_on_version,
        ),
        option("help", "-h", "--help", help="Show this text.", then=_on_help),
    )


def json_asked(words: Sequence[str], command: click.Command) -> bool:
    """Tell whether ``--json`` stands among the words as a flag, for when they can't be read any further.

    Args:
        words: All words of the program.
        command: The command at which reading stopped: its options tell which words are values.
    """
    valued = {word for param in command.params if not getattr(param, "is_flag", True) for word in param.opts}
    rest = iter(words)
    for word in rest:
        if word == "--":
            return False
        if word == "--json":
            return True
        if word in valued:
            next(rest, None)
    return False


def _usage_pieces(params: Iterable[click.Parameter]) -> list[str]:
    pieces = ["[OPTIONS]"]
    for param in params:
        if isinstance(param, click.Argument):
            word = f"{param.metavar}..." if param.nargs != 1 else str(param.metavar)
            pieces.append(word if param.required else f"[{word}]")
    return pieces


def _rows(params: Iterable[click.Parameter]) -> tuple[list[_Row], list[_Row], list[_Row]]:
    """Tell what help says of arguments, options and global options."""
    arguments: list[_Row] = []
    options: list[_Row] = []
    everywhere: list[_Row] = []
    for param in params:
        if isinstance(param, DescribedArgument):
            arguments.append((str(param.metavar), param.help))
        elif isinstance(param, click.Option):
            words = ", ".join(param.opts)
            if not param.is_flag:
                words += f" {param.metavar or 'TEXT'}"
            text = (param.help or "") + ("  (required)" if param.required else "")
            (everywhere if isinstance(param, GlobalOption) else options).append((words, text))
    return arguments, options, everywhere


def _write_rows(params: Iterable[click.Parameter], formatter: click.HelpFormatter) -> None:
    for heading, rows in zip(("Arguments", "Options", "Everywhere"), _rows(params), strict=True):
        if rows:
            with formatter.section(heading):
                formatter.write_dl(rows)


class _Placed:
    """Reads words, and lets every error say at which command it met it: a flag without its value does not."""

    def parse_args(self, ctx: Context, args: list[str]) -> Any:
        """Read the words of one command."""
        try:
            return super().parse_args(ctx, args)  # type: ignore[misc]
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise


class Command(_Placed, click.Command):
    """A command with the global flags."""

    def __init__(self, name: str, params: Sequence[click.Parameter] = (), **settings: Any) -> None:
        super().__init__(name, params=[*params, *global_options()], add_help_option=False, **settings)

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """Return the usage line: what is optional stands in brackets."""
        return _usage_pieces(self.params)

    def format_help(self, ctx: Context, formatter: click.HelpFormatter) -> None:
        """Usage, text, arguments, options, then what holds everywhere."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        _write_rows(self.params, formatter)


class Group(_Placed, click.Group):
    """A noun: a group with the global flags that suggests the nearest verb.

    A verb is made of its function when it is asked for: to make the twenty of a noun takes 12 ms.
    """

    at_root = False

    def __init__(self, name: str, **settings: Any) -> None:
        params = list(global_options(self.at_root))
        super().__init__(name, params=params, add_help_option=False, invoke_without_command=True, **settings)
        self.verbs: dict[str, Callable[[], click.Command]] = {}

    def list_commands(self, ctx: Context | None) -> list[str]:
        """Return all verbs, in the order in which they were added, then the groups within."""
        return list(dict.fromkeys([*self.verbs, *self.commands]))

    def get_command(self, ctx: Context | None, cmd_name: str) -> click.Command | None:
        """Make one verb; None if there is none of that name."""
        if cmd_name in self.verbs and cmd_name not in self.commands:
            self.commands[cmd_name] = self.verbs[cmd_name]()
        return self.commands.get(cmd_name)

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """Return the usage line."""
        return ["[OPTIONS]", "COMMAND ..."]

    def format_commands(self, ctx: Context, formatter: click.HelpFormatter) -> None:
        """The commands, each with its first sentence."""
        with formatter.section("Commands"):
            formatter.write_dl(command_rows(self, ctx, self.list_commands(ctx)))

    def format_help(self, ctx: Context, formatter: click.HelpFormatter) -> None:
        """Usage, text, commands, options."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_commands(ctx, formatter)
        _write_rows(self.params, formatter)

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        """Find the command, or say which one may be meant.

        Raises:
            InvalidInput: there is none of that name.
        """
        if not ctx.resilient_parsing:
            self.named(ctx, args[0])
        return super().resolve_command(ctx, args)

    def named(self, ctx: Context, word: str) -> click.Command:
        """Return the command of a name.

        Raises:
            InvalidInput: there is none; the hint has the nearest.
        """
        found = self.get_command(ctx, word)
        if found is None:
            asked = invocation(ctx)
            asked.json = asked.json or json_asked(asked.words, self)
            raise InvalidInput(f"no such command: {ctx.command_path} {word}".rstrip(), hint=self.suggestion(ctx, word))
        return found

    def suggestion(self, ctx: Context, word: str) -> str:
        """Tell what to try instead of a word that is no command here."""
        near = get_close_matches(word.lower(), self.list_commands(ctx))
        if near:
            return "did you mean " + " or ".join(f"`{ctx.command_path} {match}`" for match in near) + "?"
        return f"`{ctx.command_path} -h` lists the commands"


def command_rows(group: Group, ctx: Context, words: Sequence[str], width: int = 0) -> list[_Row]:
    """Tell what help says of some commands of a group; ``width`` is the least width of the first column."""
    found = [(word, group.get_command(ctx, word)) for word in words]
    return [(word.ljust(width), command.get_short_help_str(limit=200)) for word, command in found if command]


def _help_if_alone(ctx: Context) -> None:
    if ctx.invoked_subcommand is None:
        show_help(ctx)


def noun(name: str, help: str, *, cls: type[Group] = Group, alone: Callable[[Context], None] = _help_if_alone) -> Group:
    """Make an empty group.

    Args:
        name: The word it is called by.
        help: Its first line stands in the list of commands.
        cls: The class of the group.
        alone: Called before each of its commands, and when it is said without one (help is shown then).
    """
    return cls(name, help=help, callback=click.pass_context(alone))


def verb(
    app: Group, name: str, function: Callable[..., None], *, without: Collection[str] = (), runs_another: bool = False
) -> None:
    """Add a command to a group; its docstring is its help.

    Args:
        app: The group.
        name: The word.
        function: What it does.
        without: Parameters of the function that this command does not have.
        runs_another: Whether its arguments are another program's command line, whose flags are not ours.
    """
    app.verbs[name] = partial(single, name, function, without=without, runs_another=runs_another)


def single(
    name: str, function: Callable[..., None], *, without: Collection[str] = (), runs_another: bool = False
) -> Command:
    """Make a command of its function, as ``verb`` does."""
    return Command(
        name,
        parameters(function, without),
        callback=click.pass_context(function),
        help=cleandoc(function.__doc__ or ""),
        context_settings={"allow_interspersed_args": not runs_another},
    )
