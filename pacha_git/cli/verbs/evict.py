"""``evict``: bytes that a remote has need not lie here too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from click import Context

from pacha_git.cli.invocation import registry
from pacha_git.cli.program.options import Argument
from pacha_git.cli.showing import output
from pacha_git.cli.showing.units import counted, size

if TYPE_CHECKING:
    from pacha_git import Evicted


def evict(
    ctx: Context,
    specs: Annotated[list[str], Argument(metavar="SPEC", help="Versions, or patterns as in 'fraud*@1.*'.")],
) -> None:
    """Drop the local bytes of versions that a remote has.

    It is asked first. `pull SPEC` gets them back; `gc` frees the disk.
    """
    dropped = registry(ctx).evict(specs)
    answer = {"evicted": [each.to_json() for each in dropped], "bytes": sum(each.size for each in dropped)}
    output.tell(ctx, answer, lambda: _said(dropped))


def _said(dropped: list[Evicted]) -> str:
    if not dropped:
        return "These bytes are not here anyway."
    lines = [
        f"  {each.kind} {each.name} {each.version or ''}".rstrip()
        + (f": {each.remote} has it" if each.remote else ": it was removed")
        for each in dropped
    ]
    total = size(sum(each.size for each in dropped))
    lines.append(f"Dropped the bytes of {counted(len(dropped), 'version')}: {total}. `git pacha gc` frees the disk.")
    return "\n".join(map(output.one_line, lines))
