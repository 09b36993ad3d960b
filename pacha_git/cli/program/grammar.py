"""How commands read their words: flags that hold everywhere, groups that suggest the nearest word, the look of help.

It refuses to know any command. typer vendors click, so what is needed of click is reached through typer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from pacha_git import __version__
from pacha_git.cli.invocation import invocation
from pacha_git.cli.showing import output
from pacha_git.errors import InvalidInput

_Row = tuple[str, str]


class GlobalOption(TyperOption):
    """A flag that holds before the noun, before the verb and after it; it goes to the invocation, never to the command.

    Its text is taken as it is: typer would load pydantic to look at it, which ``version`` has no time for.
    """

    def process_value(self, ctx: Any, value: Any) -> Any:
        """Note the value, if one was given."""
        if value and self.callback is not None and not ctx.resilient_parsing:
            self.callback(ctx, self, value)
        return value


def show_help(ctx: typer.Context) -> None:
    """Print the help of a command."""
    text = ctx.get_help()
    output.show(ctx, {"command": ctx.command_path, "help": text}, text)


def show_version(ctx: typer.Context) -> None:
    """Print the version of the program, and of the format that it reads and writes."""
    output.show(ctx, {"version": __version__, "format": 1}, f"pacha-git {__version__}")


def _on_help(ctx: typer.Context, _: object, value: bool) -> None:
    asked = invocation(ctx)
    asked.json = asked.json or json_asked(asked.words, ctx.command)
    show_help(ctx)
    raise typer.Exit(0)


def _on_version(ctx: typer.Context, _: object, value: bool) -> None:
    asked = invocation(ctx)
    asked.json = asked.json or json_asked(asked.words, ctx.command)
    show_version(ctx)
    raise typer.Exit(0)


def _noting(field: str) -> Callable[..., None]:
    def note(ctx: typer.Context, _: object, value: Any) -> None:
        setattr(invocation(ctx), field, value)

    return note


@cache
def global_options(at_root: bool = False) -> tuple[TyperOption, ...]:
    """The flags that hold everywhere, in the order of help; ``--version`` means another thing below the root."""

    def sample(text: str | None = None, flag: bool = False) -> None:
        """Lend its descriptors of a text and of a flag."""

    app = typer.Typer(add_completion=False)
    app.command()(sample)
    types = {param.name: param.type_descriptor for param in typer.main.get_command(app).params}  # type: ignore[attr-defined]

    def option(
        field: str, *words: str, help: str, then: Callable[..., None] | None = None, text: str = ""
    ) -> TyperOption:
        return GlobalOption(
            param_decls=[f"global_{field}", *words],
            type_descriptor=types["text" if text else "flag"],
            metavar=text or None,
            is_flag=not text,
            is_eager=True,
            expose_value=False,
            callback=then or _noting(field),
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


def json_asked(words: Sequence[str], command: Any) -> bool:
    """Whether ``--json`` stands among the words as a flag, for when they can't be read any further.

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


def _with_globals(settings: dict[str, Any], at_root: bool = False) -> dict[str, Any]:
    params = [*(settings.get("params") or ()), *global_options(at_root)]
    return {**settings, "params": params, "add_help_option": False}


def _usage_pieces(params: Iterable[Any]) -> list[str]:
    pieces = ["[OPTIONS]"]
    for param in params:
        if param.param_type_name == "argument":
            word = param.metavar or param.name.upper()
            word = f"{word}..." if param.nargs != 1 else word
            pieces.append(word if param.required else f"[{word}]")
    return pieces


def _rows(params: Iterable[Any]) -> tuple[list[_Row], list[_Row], list[_Row]]:
    """What help says of arguments, options and global options."""
    arguments: list[_Row] = []
    options: list[_Row] = []
    everywhere: list[_Row] = []
    for param in params:
        if param.hidden:
            continue
        if param.param_type_name == "argument":
            arguments.append((param.metavar or param.name.upper(), param.help or ""))
            continue
        words = ", ".join([*param.opts, *param.secondary_opts])
        if not param.is_flag:
            words += f" {param.metavar or 'TEXT'}"
        text = (param.help or "") + ("  (required)" if param.required else "")
        (everywhere if isinstance(param, GlobalOption) else options).append((words, text))
    return arguments, options, everywhere


def _write_rows(params: Iterable[Any], formatter: Any) -> None:
    for heading, rows in zip(("Arguments", "Options", "Everywhere"), _rows(params), strict=True):
        if rows:
            with formatter.section(heading):
                formatter.write_dl(rows)


class _Placed:
    """Reads words, and lets every error say at which command it met it: a flag without its value does not."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Read the words of one command."""
        try:
            return super().parse_args(ctx, args)  # type: ignore[misc]
        except typer.TyperException as error:
            if getattr(error, "ctx", None) is None:
                error.ctx = ctx  # type: ignore[attr-defined]
            raise


class Command(_Placed, TyperCommand):
    """A command with the global flags."""

    def __init__(self, name: str | None, **settings: Any) -> None:
        super().__init__(name, **_with_globals(settings))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The usage line: what is optional stands in brackets."""
        return _usage_pieces(self.params)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, options, then what holds everywhere."""
        _write_rows(self.params, formatter)


class Group(_Placed, TyperGroup):
    """A noun: a group with the global flags that suggests the nearest verb.

    A verb is made of its function when it is asked for: to make the twenty of a noun takes 12 ms.
    """

    at_root = False

    def __init__(self, **settings: Any) -> None:
        super().__init__(**_with_globals(settings, self.at_root))
        self.verbs: Mapping[str, Any] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """All verbs, in the order in which they were added, then the groups within."""
        return list(dict.fromkeys([*self.verbs, *self.commands]))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Make one verb; None if there is none of that name."""
        if cmd_name in self.verbs and cmd_name not in self.commands:
            self.commands[cmd_name] = typer.main.get_command_from_info(
                self.verbs[cmd_name], pretty_exceptions_short=False, rich_markup_mode=None
            )
        return self.commands.get(cmd_name)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The usage line."""
        return ["[OPTIONS]", "COMMAND ..."]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands, each with its first sentence."""
        with formatter.section("Commands"):
            formatter.write_dl(command_rows(self, ctx, self.list_commands(ctx)))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Commands first, then options."""
        self.format_commands(ctx, formatter)
        _write_rows(self.params, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, or say which one may be meant.

        Raises:
            InvalidInput: there is none of that name.
        """
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            asked = invocation(ctx)
            asked.json = asked.json or json_asked(asked.words, self)
            raise InvalidInput(f"no such command: {ctx.command_path} {args[0]}", hint=self.suggestion(ctx, args[0]))
        return super().resolve_command(ctx, args)

    def suggestion(self, ctx: Any, word: str) -> str:
        """What to try instead of a word that is no command here."""
        near = get_close_matches(word.lower(), self.list_commands(ctx))
        if near:
            return "did you mean " + " or ".join(f"`{ctx.command_path} {match}`" for match in near) + "?"
        return f"`{ctx.command_path} -h` lists the commands"


def command_rows(group: Group, ctx: Any, words: Sequence[str], width: int = 0) -> list[_Row]:
    """What help says of some commands of a group; ``width`` is the least width of the first column."""
    found = [(word, group.get_command(ctx, word)) for word in words]
    return [(word.ljust(width), command.get_short_help_str(limit=200)) for word, command in found if command]


def _help_if_alone(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        show_help(ctx)


_APP_SETTINGS: Final[dict[str, Any]] = {
    "add_completion": False, "rich_markup_mode": None, "pretty_exceptions_enable": False, "suggest_commands": False,
}  # fmt: skip


def noun(
    name: str, help: str, *, cls: type[Group] = Group, alone: Callable[[typer.Context], None] = _help_if_alone
) -> typer.Typer:
    """Make an empty group.

    Args:
        name: The word it is called by.
        help: Its first line stands in the list of commands.
        cls: The class of the group.
        alone: Called before each of its commands, and when it is said without one (help is shown then).
    """
    return typer.Typer(name=name, help=help, cls=cls, callback=alone, invoke_without_command=True, **_APP_SETTINGS)


def verb(app: typer.Typer, name: str, function: Callable[..., None], *, runs_another: bool = False) -> None:
    """Add a command to a group; its docstring is its help.

    Args:
        app: The group.
        name: The word.
        function: What it does.
        runs_another: Whether its arguments are another program's command line, whose flags are not ours.
    """
    app.command(name, cls=Command, context_settings={"allow_interspersed_args": not runs_another})(function)


def single(name: str, function: Callable[..., None]) -> Any:
    """Make a command that stands in no group of its own."""
    app = typer.Typer(**_APP_SETTINGS)
    verb(app, name, function)
    return typer.main.get_command(app)


def group(app: typer.Typer) -> Any:
    """Make the command of a group."""
    verbs, app.registered_commands = app.registered_commands, []
    made: Any = typer.main.get_command(app)
    app.registered_commands = verbs
    made.verbs = {verb.name: verb for verb in verbs}
    return made
