"""``git pacha removal …``: what others claim to be removed, and what a person decides about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click import Context

from pacha_git.cli.invocation import registry
from pacha_git.cli.program import flags
from pacha_git.cli.program.grammar import noun, verb
from pacha_git.cli.showing import output
from pacha_git.cli.showing.sheets import spec_of
from pacha_git.cli.showing.tables import table
from pacha_git.cli.showing.units import instant

if TYPE_CHECKING:
    from pacha_git import Claim

app = noun("removal", "Removals that others claim, and whether they count here.")


def list_(ctx: Context) -> None:
    """List the removals that do not count here until you accept them."""
    found = registry(ctx).claims()
    if not found:
        output.notice(ctx, "Nobody claims a removal that was not decided on here.")
    answer = {"claims": [claim.to_json() for claim in found]}
    output.show(ctx, answer, lambda: _table(found) if found else "")


def _table(found: list[Claim]) -> str:
    rows = [(each.spec, each.by, each.signed_by or "unsigned", instant(each.at), each.reason) for each in found]
    return table(("VERSION", "SAYS THAT IT IS REMOVED", "SIGNED BY", "WHEN", "REASON"), rows)


def accept(ctx: Context, spec: flags.Spec, version: flags.Version = None) -> None:
    """Let a claimed removal count here: the bytes of the version go."""
    info = registry(ctx).accept_removal(spec, version=version)
    output.tell(ctx, info.to_json(), f"{spec_of(info)} is removed. `git pacha gc` frees the space.")


def refuse(ctx: Context, spec: flags.Spec, version: flags.Version = None) -> None:
    """Set a claimed removal aside: the version stays, and others hear that it does."""
    info = registry(ctx).refuse_removal(spec, version=version)
    output.tell(ctx, info.to_json(), f"{spec_of(info)} stays.")


verb(app, "list", list_)
verb(app, "accept", accept)
verb(app, "refuse", refuse)
