"""The commands about the program itself: version, help, completion, demo; none of them needs a registry."""

from __future__ import annotations

from typing import Annotated

from click import Context

from pacha_git import InvalidInput
from pacha_git.cli.invocation import invocation
from pacha_git.cli.program.grammar import Group, show_help, show_version
from pacha_git.cli.program.options import Argument
from pacha_git.cli.showing import output


def version(ctx: Context) -> None:
    """Show the version of pacha-git."""
    show_version(ctx)


def help_(
    ctx: Context,
    words: Annotated[list[str] | None, Argument(metavar="COMMAND", help="As in `help model register`.")] = None,
) -> None:
    """Show what a command does and takes."""
    here = ctx.find_root()
    for word in words or []:
        if not isinstance(here.command, Group):
            raise InvalidInput(f"`{here.command_path}` has no commands of its own", hint=f"`{here.command_path} -h`")
        here = Context(here.command.named(here, word), parent=here, info_name=word)
    show_help(here)


def completion(
    ctx: Context,
    shell: Annotated[str | None, Argument(metavar="SHELL", help="bash, zsh or fish; yours by default.")] = None,
) -> None:
    """Print a script that completes these commands in your shell.

    It serves pacha, git-pacha and git pacha. bash: eval "$(git pacha completion bash)"; zsh: eval "$(git pacha
    completion zsh)"; fish: git pacha completion fish | source
    """
    from pacha_git.cli.program import completion as completing

    chosen, script = completing.script(shell)
    output.show(ctx, {"shell": chosen, "script": script}, script.rstrip("\n"))


def demo(ctx: Context) -> None:
    """Do the whole job once, before your eyes.

    With real data, a real model and a real Git server, in a temporary folder.
    """
    from pacha_git import run_demo

    steps: list[str] = []
    asked = invocation(ctx)

    def report(line: str) -> None:
        steps.append(line)
        if not asked.json:
            output.write(line + "\n")
            output.flush()

    run_demo(report)
    if asked.json:
        output.document({"steps": steps})
