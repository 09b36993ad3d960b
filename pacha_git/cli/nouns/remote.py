"""``git pacha remote …``: the other registries that this one knows."""

from __future__ import annotations

from typing import Annotated

from click import Context

from pacha_git.cli.invocation import registry
from pacha_git.cli.program.grammar import noun, verb
from pacha_git.cli.program.options import Argument
from pacha_git.cli.showing import output
from pacha_git.cli.showing.tables import table
from pacha_git.cli.showing.units import place

app = noun("remote", "Remotes: the registries this one exchanges with.")
_Remote = Annotated[str, Argument(metavar="REMOTE", help="A short word for it, such as origin.")]


def add(
    ctx: Context,
    name: Annotated[str, Argument(metavar="NAME", help="A short word for it, such as origin.")],
    url: Annotated[str, Argument(metavar="URL", help="As git takes it: https, ssh, git, file or a path.")],
) -> None:
    """Give a registry elsewhere a name."""
    kept = registry(ctx).add_remote(name, url)
    output.tell(ctx, {"name": name, "url": kept}, f"{name} is {place(kept) if kept.startswith('/') else kept}")


def list_(ctx: Context) -> None:
    """List the remotes."""
    remotes = registry(ctx).remotes()
    if not remotes:
        output.notice(ctx, "No remote yet: git pacha remote add origin URL")
    answer = [{"name": name, "url": url} for name, url in remotes]
    output.show(ctx, answer, lambda: table(("NAME", "URL"), remotes) if remotes else "")


def remove(ctx: Context, name: _Remote) -> None:
    """Forget a remote and what was last seen there; nothing is deleted on it."""
    registry(ctx).remove_remote(name)
    output.tell(ctx, {"name": name}, f"{name} is forgotten.")


verb(app, "add", add)
verb(app, "list", list_)
verb(app, "remove", remove)
