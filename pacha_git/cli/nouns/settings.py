"""``git pacha settings …``: the settings that a registry shares with its remotes."""

from __future__ import annotations

from typing import Annotated, Any

from click import Context

from pacha_git.cli.invocation import registry
from pacha_git.cli.program.grammar import noun, verb
from pacha_git.cli.program.options import Argument, Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.sheets import values
from pacha_git.errors import InvalidInput


def show(ctx: Context) -> None:
    """Show the settings: format, registry id, policy, trusted signers."""
    found: dict[str, Any] = registry(ctx).settings()
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
    """Take over the settings of a remote, as last fetched."""
    if ours and theirs:
        raise InvalidInput("--ours and --theirs at once", hint="choose one")
    opened = registry(ctx)
    opened.adopt_settings(remote, prefer="ours" if ours else "theirs" if theirs else None)
    output.tell(ctx, opened.settings(), f"The settings of {remote} are ours now.")


def publish(
    ctx: Context,
    remote: Annotated[str, Argument(metavar="REMOTE", help="The remote that gets our settings.")],
) -> None:
    """Give a remote our settings, where its own led to them."""
    opened = registry(ctx)
    opened.publish_settings(remote)
    output.tell(ctx, opened.settings(), f"{remote} has our settings now.")


app = noun("settings", "Settings that the registry shares with its remotes.", alone=_show_if_alone)
verb(app, "show", show)
verb(app, "adopt", adopt)
verb(app, "publish", publish)
