"""``git pacha search``: finds versions and runs, and says why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from click import Context

from pacha_git import InvalidInput, Kind, Stage
from pacha_git.cli.invocation import registry
from pacha_git.cli.program import flags
from pacha_git.cli.program.options import Argument, Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.tables import table
from pacha_git.cli.showing.units import size

if TYPE_CHECKING:
    from pacha_git import Found

_LIMIT = 100
_WHY_LENGTH = 60


def search(
    ctx: Context,
    words: Annotated[
        list[str] | None,
        Argument(metavar="WORDS", help="Each begins a word of what is searched; in quotes, a phrase."),
    ] = None,
    kind: Annotated[str | None, Option("--kind", metavar="KIND", help="Only model, data, recipe or run.")] = None,
    stage: Annotated[str | None, Option("--stage", metavar="STAGE", help="Only versions in this stage.")] = None,
    tag: flags.Tags = None,
    where: Annotated[
        str | None,
        Option("--where", metavar="EXPRESSION", help="As in 'metrics.acc > 0.9 and not stage = archived'."),
    ] = None,
    limit: Annotated[str | None, Option("--limit", metavar="N", help="At most N; 100 by default, 0 for all.")] = None,
) -> None:
    """Find models, datasets, recipes and runs.

    By the words of names, descriptions, cards, datasheets, recipes, tags, parameters and metrics, best first; without
    words the newest first. Each line says why it is there. --where compares metrics.NAME, params.NAME, tags.NAME,
    stage, size, created_at, name, version, kind, signed_by, payload and others, with and, or, not and in.
    """
    tags = flags.pairs(tag, "--tag")
    if not (words or kind or stage or tags or where):
        raise InvalidInput("nothing to search for", hint="as in: search fraud, or search --where 'metrics.auc > 0.9'")
    most = flags.whole(limit, "--limit")
    found = registry(ctx).search(
        words or (), kind=flags.read(kind, Kind.parse), stage=flags.read(stage, Stage.parse), tags=tags, where=where,
        limit=_LIMIT if most is None else most,
    )  # fmt: skip
    if not found:
        output.notice(ctx, "Nothing here fits.")
    elif len(found) < found.total:
        output.notice(ctx, f"The first {len(found):,} of {found.total:,}; --limit 0 shows all.")
    output.show(ctx, found.to_json(), lambda: _sheet(found.items) if found else "")


def _sheet(found: Sequence[Found]) -> str:
    headings = ("KIND", "NAME", "VERSION", "STAGE", "SIZE", "SINCE", "WHY")
    return table(headings, [_row(each) for each in found], right=("SIZE",))


def _row(found: Found) -> Sequence[object]:
    why = "; ".join(f"{each.field}: {_short(each.snippet)}" for each in found.matched)
    said = found.to_json()
    if said["kind"] == Kind.RUN.value:
        return "run", said["id"], None, said["status"], None, said["started_at"][:10], why
    noun = Kind.parse(said["kind"]).noun
    return noun, said["name"], said["version"], said["stage"], size(said["size"]), said["created_at"][:10], why


def _short(text: str) -> str:
    return text if len(text) <= _WHY_LENGTH else text[:_WHY_LENGTH] + "…"
