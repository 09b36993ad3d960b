"""``git pacha cache …``: the folders that ``path`` hands out."""

from __future__ import annotations

from typing import Annotated

from click import Context

from pacha_git.cli.invocation import registry
from pacha_git.cli.program.grammar import noun, verb
from pacha_git.cli.program.options import Argument
from pacha_git.cli.showing import output
from pacha_git.cli.showing.tables import table
from pacha_git.cli.showing.units import counted, place, size

app = noun("cache", "The folders that `path` hands out.")


def list_(ctx: Context) -> None:
    """List what is in the cache, and which versions of this registry it is."""
    found = registry(ctx).cache_list()
    if not found:
        output.notice(ctx, "The cache is empty: `path` fills it.")
    rows = [(size(each.size), each.file_count, ", ".join(each.specs), place(each.path)) for each in found]
    shown = table(("SIZE", "FILES", "VERSIONS", "FOLDER"), rows, right=("SIZE", "FILES"))
    output.show(ctx, [each.to_json() for each in found], shown if found else "")


def clear(
    ctx: Context,
    specs: Annotated[
        list[str] | None, Argument(metavar="SPEC", help="Versions; without any, all of the cache.")
    ] = None,
) -> None:
    """Remove folders from the cache; `path` makes them anew.

    Code that has one open keeps what it has open.
    """
    done = registry(ctx).cache_clear(specs or ())
    said = f"Removed {counted(len(done.removed), 'folder')}, {size(done.freed_bytes)}."
    output.tell(ctx, done.to_json(), said)


verb(app, "list", list_)
verb(app, "clear", clear)
