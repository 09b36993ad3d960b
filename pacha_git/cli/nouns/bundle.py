"""``git pacha bundle …``: versions in one file, for machines that no network joins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from click import Context

from pacha_git import Kind, Stage
from pacha_git.cli.invocation import registry
from pacha_git.cli.program import flags
from pacha_git.cli.program.grammar import noun, verb
from pacha_git.cli.program.options import Argument, Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.progress import progress
from pacha_git.cli.showing.units import counted, size
from pacha_git.cli.verbs.sync import report_transfer

if TYPE_CHECKING:
    from pacha_git import Bundled

app = noun("bundle", "Bundles: versions in one file, for machines that no network joins.")
_File = Annotated[str, Argument(metavar="FILE", help="The bundle.")]


def create(
    ctx: Context,
    file: _File,
    specs: Annotated[
        list[str] | None, Argument(metavar="SPEC", help="Versions, or patterns; without any, everything.")
    ] = None,
    since: Annotated[
        str | None,
        Option("--since", metavar="REF", help="An earlier bundle, or a remote: leave out what it has."),
    ] = None,
    payload: flags.Payload = None,
    stage: flags.OnlyStage = None,
    kind: flags.OnlyKind = None,
    lineage_payloads: flags.LineagePayloads = False,
    force: flags.Force = False,
) -> None:
    """Write versions into a file that stock Git reads too.

    With them go the records of their whole lineage, the events of their names, and their bytes.
    """
    with progress(ctx) as report:
        made = registry(ctx).create_bundle(
            flags.path(file),
            specs or (),
            payload=flags.payload_choice(payload),
            since=since,
            force=force,
            stage=flags.read(stage, Stage.parse),
            kind=flags.read(kind, Kind.parse),
            lineage_payloads=lineage_payloads,
            progress=report,
        )
    output.tell(ctx, made.to_json(), lambda: _made(made))


def _made(made: Bundled) -> str:
    what = f"{counted(made.versions, 'version')}, {counted(made.payloads, 'payload')}"
    since = f", less what {made.since} has" if made.since else ""
    return f"Wrote {what} to {made.file}{since}; {size(made.bytes)}."


def import_(ctx: Context, file: _File) -> None:
    """Take over what a bundle has, once all of it is found sound."""
    with progress(ctx) as report:
        done = registry(ctx).import_bundle(flags.path(file), progress=report)
    report_transfer(ctx, done, "Imported from")


verb(app, "create", create)
verb(app, "import", import_)
