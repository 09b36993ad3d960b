"""``register`` for kinds with a payload (model, data): one command, less the flags that a kind does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from click import Context

from pacha_git import Kind
from pacha_git.cli.invocation import noun_kind, registry
from pacha_git.cli.program import flags
from pacha_git.cli.program.options import Argument, Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.progress import progress
from pacha_git.cli.showing.sheets import spec_of
from pacha_git.cli.showing.units import counted, share, size

if TYPE_CHECKING:
    from pacha_git import Registered


def register(
    ctx: Context,
    name: flags.Name,
    paths: Annotated[list[str], Argument(metavar="PATH", help="The files or folders that make it.")],
    version: flags.NewVersion,
    description: Annotated[
        str | None, Option("-d", "--description", metavar="TEXT", help="What it is, in a sentence.")
    ] = None,
    purpose: Annotated[
        str | None, Option("-p", "--purpose", metavar="TEXT", help="What the data was gathered for.")
    ] = None,
    card: Annotated[str | None, Option("--card", metavar="FILE", help="Its model card, in Markdown.")] = None,
    datasheet: Annotated[str | None, Option("--datasheet", metavar="FILE", help="Its datasheet, in Markdown.")] = None,
    origin: Annotated[
        list[str] | None,
        Option("--from", metavar="RELATION=SPEC", help="What it came from, as in fine-tuned-from=base@1.0.0."),
    ] = None,
    data: Annotated[
        list[str] | None, Option("--data", metavar="SPEC", help="What it was trained on; repeat it for more.")
    ] = None,
    recipe: Annotated[str | None, Option("--recipe", metavar="SPEC", help="The recipe that made it.")] = None,
    run: Annotated[str | None, Option("--run", metavar="ID", help="The run that made it.")] = None,
    metric: Annotated[
        list[str] | None, Option("--metric", metavar="K=NUMBER", help="A metric; repeat it for more.")
    ] = None,
    tag: flags.Tags = None,
    exclude: Annotated[
        list[str] | None, Option("--exclude", metavar="GLOB", help="Leave files out, as gitignore does.")
    ] = None,
    include: Annotated[
        list[str] | None, Option("--include", metavar="GLOB", help="Store files that would be left out, as caches are.")
    ] = None,
    follow_symlinks: Annotated[
        bool, Option("--follow-symlinks", help="Take what links inside a folder point at.")
    ] = False,
    sign: flags.Sign = False,
    dry_run: flags.DryRun = False,
    strict: flags.StrictRegister = False,
) -> None:
    """Register a version.

    Its files, what is said of them, and what they came from. Of several PATHs each keeps its own last name; .git is
    skipped, as is what programs leave behind; .pachaignore and --exclude work as in gitignore.
    """
    with progress(ctx) as report:
        both: dict[str, Any] = {
            "version": version, "description": description, "tags": flags.pairs(tag, "--tag"),
            "metrics": flags.numbers(metric, "--metric"), "data": data or (), "recipe": recipe, "run": run,
            "lineage": origin or (), "exclude": exclude or (), "include": include or (),
            "follow_symlinks": follow_symlinks, "sign": True if sign else None, "dry_run": dry_run, "strict": strict,
            "progress": report,
        }  # fmt: skip
        found = [flags.path(path) for path in paths]
        if noun_kind(ctx) is Kind.DATASET:
            done = registry(ctx).datasets.register(name, found, purpose=purpose, datasheet=datasheet, **both)
        else:
            done = registry(ctx).models.register(name, found, card=card, **both)
    for line in done.notices:
        output.notice(ctx, line)
    output.tell(ctx, done.to_json(), registered(done))


def registered(done: Registered) -> str:
    """Say what was registered, and what it cost."""
    first = f"{'Would register' if done.dry_run else 'Registered'} {spec_of(done)}: "
    first += f"{size(done.size)} in {counted(done.file_count, 'file')}, {done.address}"
    return f"{first}\n{_cost(done)}" if done.size else first


def _cost(done: Registered) -> str:
    on_disk = f"and {'would take' if done.dry_run else 'takes'} {size(done.stored_bytes)} on disk"
    if not done.shared_bytes:
        return f"All of it is new, {on_disk}."
    here = f"{size(done.shared_bytes)} ({share(done.shared_bytes, done.size)}) was stored already"
    if not done.new_bytes:
        return "Every byte was stored already: nothing is stored twice."
    return f"{here}; {size(done.new_bytes)} is new, {on_disk}."
