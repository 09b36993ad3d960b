"""``run import …`` and ``model import …``: what people have elsewhere is taken in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

from click import Context

from pacha_git.cli.invocation import registry
from pacha_git.cli.program import flags
from pacha_git.cli.program.grammar import noun, verb
from pacha_git.cli.program.options import Argument, Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.progress import progress
from pacha_git.cli.showing.units import counted
from pacha_git.cli.verbs.register import registered

if TYPE_CHECKING:
    from pacha_git import Imported

runs = noun("import", "Take in runs made elsewhere; each once, however often it is said.")
models = noun("import", "Take in models from elsewhere.")

_Recipe: TypeAlias = Annotated[str | None, Option("--recipe", metavar="SPEC", help="The recipe that they followed.")]


def mlflow(
    ctx: Context,
    place: Annotated[
        str | None,
        Argument(
            metavar="PATH|URI",
            help="A SQLite file, a folder (mlruns) or a tracking URI; by default mlflow.db here, else mlruns.",
        ),
    ] = None,
    experiment: Annotated[
        str | None, Option("--experiment", metavar="NAME", help="Only this experiment, by name or id.")
    ] = None,
    recipe: _Recipe = None,
    unfinished: Annotated[bool, Option("--unfinished", help="Runs that MLflow has as running too, as failed.")] = False,
    artifacts: Annotated[
        str | None,
        Option("--artifacts", metavar="PLACE", help="Artifacts may lie below this folder or URI too; or none."),
    ] = None,
) -> None:
    """Take in the runs of an MLflow store: every point, parameter, tag and artifact.

    The store is only read. It needs the extra pacha-git[mlflow].
    """
    with progress(ctx) as report:
        done = registry(ctx).runs.import_mlflow(
            place or "",
            experiment=experiment,
            recipe=recipe,
            unfinished=unfinished,
            artifacts=artifacts,
            progress=report,
        )
    _tell(ctx, done)


def csv(
    ctx: Context,
    file: Annotated[str, Argument(metavar="FILE", help="Points in rows, under a line of headings.")],
    recipe: _Recipe = None,
    tag: flags.Tags = None,
) -> None:
    """Take in the runs of a CSV file.

    One run, or one for each value of the column `run`. `step` and `time` are what they say, columns headed
    `params.NAME` and `tags.NAME` too; every other column is a metric. With `metric` and `value` a row is one point.
    """
    _tell(ctx, registry(ctx).runs.import_csv(flags.path(file), recipe=recipe, tags=flags.pairs(tag, "--tag")))


def _tell(ctx: Context, done: Imported) -> None:
    for run, reason in done.skipped:
        output.notice(ctx, f"Left out {run}: {reason}")
    said = f"Took in {counted(len(done.runs), 'run')}"
    said += f"; {len(done.known):,} were here already" if done.known else ""
    said += f"; {len(done.skipped):,} left out" if done.skipped else ""
    output.tell(ctx, done.to_json(), f"{said}.")
    if done.skipped and not (done.runs or done.known):
        ctx.exit(1)


def hf(
    ctx: Context,
    folder: Annotated[str, Argument(metavar="FOLDER", help="A downloaded snapshot of a model repository.")],
    name: Annotated[
        str | None, Argument(metavar="NAME", help="As in team/bert; the name of the repository by default.")
    ] = None,
    version: Annotated[
        str, Option("-v", "--version", metavar="VERSION", help="MAJOR.MINOR.PATCH; 1.0.0 by default.")
    ] = "1.0.0",
    tag: flags.Tags = None,
    sign: flags.Sign = False,
    dry_run: flags.DryRun = False,
    strict: flags.StrictRegister = False,
) -> None:
    """Register a model that was downloaded from the Hugging Face Hub.

    Links into the blobs of its cache are followed, others refused; README.md becomes the card, and what config.json
    says the tags. Nothing is loaded or run.
    """
    with progress(ctx) as report:
        done = registry(ctx).models.import_hf(
            flags.path(folder), name, version=version, tags=flags.pairs(tag, "--tag"),
            sign=True if sign else None, dry_run=dry_run, strict=strict, progress=report,
        )  # fmt: skip
    for line in done.notices:
        output.notice(ctx, line)
    output.tell(ctx, done.to_json(), registered(done))


verb(runs, "mlflow", mlflow)
verb(runs, "csv", csv)
verb(models, "hf", hf)
