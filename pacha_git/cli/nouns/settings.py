"""``git pacha settings …``: the settings that a registry shares with its remotes."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from click import Context

from pacha_git import InvalidInput
from pacha_git.cli.invocation import registry
from pacha_git.cli.program.grammar import noun, verb
from pacha_git.cli.program.options import Argument, Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.sheets import values
from pacha_git.cli.showing.trust import say_trust
from pacha_git.cli.showing.units import size


def show(ctx: Context) -> None:
    """Show the settings: format, registry id, policy, trusted signers."""
    found = registry(ctx).settings().to_json()
    output.show(ctx, found, lambda: values(found))


def _show_if_alone(ctx: Context) -> None:
    if ctx.invoked_subcommand is None:
        show(ctx)


def adopt(
    ctx: Context,
    remote: Annotated[str, Argument(metavar="REMOTE", help="The remote whose settings to take.")],
    ours: Annotated[bool, Option("--ours", help="Where both changed the same, keep ours.")] = False,
    theirs: Annotated[bool, Option("--theirs", help="Where both changed the same, take theirs.")] = False,
) -> None:
    """Take over the settings of a remote, as last fetched.

    Whose signatures begin or cease to count is said first. A key that was taken off here stays off, unless --theirs.
    """
    if ours and theirs:
        raise InvalidInput("--ours and --theirs at once", hint="choose one")
    opened = registry(ctx)
    told = partial(say_trust, ctx)
    opened.adopt_settings(remote, prefer="ours" if ours else "theirs" if theirs else None, tell=told)
    output.tell(ctx, opened.settings().to_json(), f"The settings of {remote} are ours now.")


def publish(
    ctx: Context,
    remote: Annotated[str, Argument(metavar="REMOTE", help="The remote that gets our settings.")],
) -> None:
    """Give a remote our settings, where its own led to them."""
    opened = registry(ctx)
    opened.publish_settings(remote)
    output.tell(ctx, opened.settings().to_json(), f"{remote} has our settings now.")


def layout(
    ctx: Context,
    name: Annotated[str | None, Argument(metavar="[LAYOUT]", help="The layout to move on to.")] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Say what it would cost, and change nothing.")] = False,
) -> None:
    """Tell how files are cut, or move on to a newer layout, for what is registered from now on."""
    opened = registry(ctx)
    told = opened.layout(name, dry_run=dry_run)
    if name is None:
        output.show(ctx, told.to_json(), lambda: values(told.to_json()))
        return
    cost = f"{told.files} files of {size(told.bytes or 0)} are stored anew in part when they are registered again"
    done = f"Files {'are' if told.was else 'would be'} cut as {name} has it{' from now on' if told.was else ''}"
    output.tell(ctx, told.to_json(), f"{done}: {cost}." if told.layout != name or told.was else f"{name} is in use.")


app = noun("settings", "Settings that the registry shares with its remotes.", alone=_show_if_alone)
verb(app, "show", show)
verb(app, "adopt", adopt)
verb(app, "publish", publish)
verb(app, "layout", layout)
