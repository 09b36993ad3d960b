"""``git pacha run …``: how a model came to be, from the first step to the comparison with others."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from click import Context

from pacha_git import Goal, InvalidInput, parse_end_status, parse_run_status
from pacha_git.cli.invocation import invocation, registry
from pacha_git.cli.program import flags
from pacha_git.cli.program.grammar import noun, verb
from pacha_git.cli.program.options import Argument, Option
from pacha_git.cli.showing import output, run_sheets
from pacha_git.cli.showing.progress import progress
from pacha_git.cli.showing.units import place
from pacha_git.cli.verbs import read as reading
from pacha_git.cli.verbs.take_in import runs

app = noun("run", "Runs: parameters, metrics and artifacts of training.")

_Id: TypeAlias = Annotated[str, Argument(metavar="ID", help="What `run start` printed, or its first 8 digits or more.")]
_Ids: TypeAlias = Annotated[list[str], Argument(metavar="ID", help="Runs, each by its id.")]
_Recipe: TypeAlias = Annotated[str | None, Option("--recipe", metavar="SPEC", help="The recipe that it follows.")]
_Data: TypeAlias = Annotated[
    list[str] | None, Option("--data", metavar="SPEC", help="What it works with; repeat it for more.")
]
_Model: TypeAlias = Annotated[
    list[str] | None, Option("--model", metavar="SPEC", help="A model it begins from; repeat it for more.")
]
_Params: TypeAlias = Annotated[
    list[str] | None, Option("--param", metavar="K=VALUE", help="A parameter, its type as TOML has it.")
]
_Diff: TypeAlias = Annotated[bool, Option("--diff", help="Keep how the code differs from its commit.")]
_Metric: TypeAlias = Annotated[str, Option("-m", "--metric", metavar="METRIC", help="Which metric.")]
_RecordCommand: TypeAlias = Annotated[
    str | None,
    Option("--record-command", metavar="HOW", help="Keep the command line full, clean (the default) or none."),
]
_Strict: TypeAlias = Annotated[bool, Option("--strict", help="Refuse what looks like a credential.")]


def start(
    ctx: Context,
    recipe: _Recipe = None,
    data: _Data = None,
    model: _Model = None,
    param: _Params = None,
    tag: flags.Tags = None,
    diff: _Diff = False,
    record_command: _RecordCommand = None,
    strict: _Strict = False,
) -> None:
    """Begin a run and print its id.

    It goes on until `run finish`; the commit of the code here, packages and hardware are noted.
    """
    run = registry(ctx).runs.start(
        recipe=recipe, data=data or (), model=model or (), params=flags.values(param, "--param"),
        tags=flags.pairs(tag, "--tag"), diff=diff, own=False, command=(), folder=".",
        record_command=record_command, strict=strict,
    )  # fmt: skip
    run.close()
    for line in run.notices:
        output.notice(ctx, line)
    output.show(ctx, {"id": run.id}, run.id)


def log(
    ctx: Context,
    run_id: _Id,
    metric: Annotated[
        list[str] | None, Option("--metric", metavar="K=NUMBER", help="A metric; repeat it for more.")
    ] = None,
    step: Annotated[
        str | None, Option("--step", metavar="N", help="At which step; else one more than the last.")
    ] = None,
    param: _Params = None,
    tag: flags.Tags = None,
    artifact: Annotated[
        list[str] | None, Option("--artifact", metavar="PATH", help="A file or folder to keep with it.")
    ] = None,
) -> None:
    """Log metrics, parameters and artifacts to a run that goes on."""
    metrics, params, tags = flags.numbers(metric, "--metric"), flags.values(param, "--param"), flags.pairs(tag, "--tag")
    if not (metrics or params or tags or artifact):
        raise InvalidInput("nothing to log", hint="--metric K=NUMBER, --param K=VALUE, --artifact PATH")
    paths = [flags.path(word) for word in artifact or ()]
    if len({path.name or path.resolve().name for path in paths}) < len(paths):
        raise InvalidInput("two artifacts of the same name", hint="rename one, or give the folder that they are in")
    run = registry(ctx).runs.resume(run_id, own=False)
    try:
        if params or tags:
            run.set(params=params, tags=tags)
        run.log(metrics, step=flags.whole(step, "--step"))
        for path in paths:
            run.artifact(path)
    finally:
        run.close()
    output.tell(ctx, {"id": run.id}, "")


def finish(
    ctx: Context,
    run_id: _Id,
    status: Annotated[
        str, Option("--status", metavar="STATUS", help="completed (the default), failed or cancelled.")
    ] = "completed",
    error: Annotated[str | None, Option("--error", metavar="TEXT", help="Why it failed.")] = None,
) -> None:
    """End a run: its points and artifacts are sealed, and nothing can be added."""
    with progress(ctx) as report:
        done = registry(ctx).runs.finish(run_id, parse_end_status(status), error=error, progress=report)
    output.tell(ctx, done.to_json(), f"Run {done.id} is {done.status}.")


def exec_(
    ctx: Context,
    command: Annotated[list[str], Argument(metavar="COMMAND", help="The program and its arguments.")],
    recipe: _Recipe = None,
    data: _Data = None,
    model: _Model = None,
    param: _Params = None,
    tag: flags.Tags = None,
    diff: _Diff = False,
    record_command: _RecordCommand = None,
    strict: _Strict = False,
) -> None:
    """Run a command as a run.

    It finds the id in PACHA_RUN_ID; this command ends with its exit code, and the run as it ended. Write -- before it.
    """
    runs = registry(ctx).runs
    done = runs.exec(
        command, recipe=recipe, data=data or (), model=model or (), params=flags.values(param, "--param"),
        tags=flags.pairs(tag, "--tag"), diff=diff, record_command=record_command, strict=strict,
        stdout_to_stderr=invocation(ctx).json,
        begun=lambda run_id: output.notice(ctx, f"Run {run_id}"), told=lambda line: output.notice(ctx, line),
    )  # fmt: skip
    ended = runs.get(done.run_id)
    if invocation(ctx).json:
        output.document(ended.to_json())
    output.notice(ctx, f"Run {ended.id} is {ended.status}.")
    if done.exit_code:
        ctx.exit(done.exit_code)


def list_(
    ctx: Context,
    recipe: Annotated[
        str | None, Argument(metavar="RECIPE", help="Runs of this version of a recipe; without it, all.")
    ] = None,
    version: flags.Version = None,
    status: Annotated[
        str | None, Option("--status", metavar="STATUS", help="running, interrupted, completed, failed …")
    ] = None,
) -> None:
    """List runs, oldest first.

    Interrupted is one that `run exec` or the Python API began and whose process died: finish it, or resume it.
    """
    if version is not None and recipe is None:
        raise InvalidInput("-v without a recipe", hint="as in run list RECIPE -v 1.0.0")
    found = registry(ctx).runs.list(recipe, version=version, status=flags.read(status, parse_run_status))
    if not found:
        nothing = "No run here fits." if recipe or status else f"No run yet: {invocation(ctx).program} run start"
        output.notice(ctx, nothing)
    output.show(ctx, [run.to_json() for run in found], lambda: run_sheets.runs(found) if found else "")


def get(ctx: Context, run_id: _Id) -> None:
    """Show one run: its status, inputs, metrics, parameters, artifacts, code and hardware."""
    found = registry(ctx).runs.get(run_id)
    output.show(ctx, found.to_json(), lambda: run_sheets.detail(found))


def lineage(
    ctx: Context,
    run_id: _Id,
    up: reading.Up = False,
    down: reading.Down = False,
    depth: reading.Depth = None,
    shape: reading.Shape = None,
) -> None:
    """Show what a run worked with, or what came from it."""
    direction = reading.checked_direction(ctx, up, down, shape)
    found = registry(ctx).runs
    walk = found.provenance if shape == "prov" else found.lineage
    reading.show_graph(ctx, walk(run_id, direction=direction, depth=depth), shape)


def compare(ctx: Context, run_ids: _Ids) -> None:
    """Show several runs side by side, parameters that differ first."""
    found = registry(ctx).runs.compare(run_ids)
    output.show(ctx, found.to_json(), lambda: run_sheets.comparison(found))


def best(
    ctx: Context,
    recipe: Annotated[str, Argument(metavar="RECIPE", help="The recipe whose runs are looked at.")],
    metric: _Metric,
    version: flags.Version = None,
    minimize: Annotated[bool, Option("--minimize", help="The least is best.")] = False,
    maximize: Annotated[bool, Option("--maximize", help="The greatest is best.")] = False,
) -> None:
    """Show the best completed run of a recipe.

    By the metric at its highest step; NaN and infinities never win. Without a direction the recipe says it
    ([metrics.NAME] goal), else the greatest is best.
    """
    if minimize and maximize:
        raise InvalidInput("both --minimize and --maximize", hint="give one of them")
    goal: Goal | None = "minimize" if minimize else "maximize" if maximize else None
    found = registry(ctx).runs.best(recipe, metric, version=version, goal=goal)
    output.show(ctx, found.to_json(), lambda: run_sheets.best(found))


def plot(
    ctx: Context,
    run_ids: _Ids,
    metric: _Metric,
    out: Annotated[str, Option("-o", "--output", metavar="FILE", help="A .svg or .html file to write.")],
) -> None:
    """Draw a metric of runs over its steps.

    An .svg needs nothing more; an .html is interactive, holds all it needs, and wants the extra pacha-git[plot].
    """
    written = registry(ctx).runs.plot(run_ids, metric, flags.path(out))
    output.tell(ctx, {"path": str(written)}, f"Drew {place(written)}")


def download(
    ctx: Context,
    run_id: _Id,
    out: Annotated[str, Option("-o", "--output", metavar="FOLDER", help="A new folder.")],
) -> None:
    """Write the points, artifacts and code difference of a run that ended."""
    with progress(ctx) as report:
        written = registry(ctx).runs.download(run_id, flags.path(out), progress=report)
    output.tell(ctx, {"path": str(written)}, f"Wrote {place(written)}, every byte checked.")


verb(app, "start", start)
verb(app, "log", log)
verb(app, "finish", finish)
verb(app, "exec", exec_, runs_another=True)
verb(app, "list", list_)
verb(app, "get", get)
verb(app, "lineage", lineage)
verb(app, "compare", compare)
verb(app, "best", best)
verb(app, "plot", plot)
verb(app, "download", download)
app.add_command(runs)
