"""``init``: the one command that makes a registry from nothing."""

from __future__ import annotations

from typing import Annotated

from click import Context

from pacha_git.cli.invocation import registry_path
from pacha_git.cli.program import flags
from pacha_git.cli.program.options import Argument, Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.units import place


def init(
    ctx: Context,
    path: Annotated[
        str | None, Argument(metavar="PATH", help="Where; by default the registry that other commands would use.")
    ] = None,
    shared: Annotated[
        bool, Option("--shared", help="For a server: group permissions, and a hook that keeps what is pushed.")
    ] = False,
) -> None:
    """Make a registry.

    Where there is one already, nothing changes.
    """
    from pacha_git import Registry

    made = Registry.init(flags.path(path) if path is not None else registry_path(ctx), shared=shared)
    if shared:
        from pacha_git.cli.showing.hooks import say_guard
        from pacha_git.hooks.install import guard

        say_guard(ctx, guard(made.path))
    said = (
        f"Made an empty registry in {place(made.path)}"
        if made.created
        else f"There is a registry in {place(made.path)} already."
    )
    if shared:
        said += "\nPushes to it are checked. docs/servers.md says how to put it on the network."
    output.tell(ctx, {"path": str(made.path), "created": made.created}, said)
