"""The verbs of every kind that only read: list, get, path, download, cat, history, lineage, diff."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from click import Context

from pacha_git import Direction, InvalidInput, Stage
from pacha_git.cli.invocation import collection, invocation, noun_kind, registry
from pacha_git.cli.program import flags
from pacha_git.cli.program.grammar import Group, verb
from pacha_git.cli.program.options import Argument, Option
from pacha_git.cli.showing import output, sheets
from pacha_git.cli.showing.progress import progress
from pacha_git.cli.showing.units import counted

if TYPE_CHECKING:
    from pacha_git import LineageGraph

_FEW_FILES = 5
_FORMATS = ("tree", "dot", "mermaid", "json", "prov")
Up = Annotated[bool, Option("--up", help="What it came from (the default).")]
Down = Annotated[bool, Option("--down", help="What came from it.")]
Depth = Annotated[int | None, Option("--depth", metavar="N", min=0, help="At most N steps away.")]
Shape = Annotated[
    str | None,
    Option("--format", metavar="FORMAT", help="tree (the default), dot, mermaid, json or prov (PROV-JSON)."),
]
_Range = Annotated[
    str | None, Option("--range", metavar="A-B", help="Bytes A to B, both included; A- from A on, -N the last N.")
]


def list_(
    ctx: Context,
    name: Annotated[
        str | None, Argument(metavar="NAME", help="All versions of this name; without it, every name once.")
    ] = None,
    stage: Annotated[
        str | None, Option("--stage", metavar="STAGE", help="The highest version of each name in this stage.")
    ] = None,
    tag: flags.Tags = None,
    every: Annotated[bool, Option("--all", help="Every version of every name.")] = False,
    removed: Annotated[bool, Option("--removed", help="Removed versions too.")] = False,
) -> None:
    """List names, or the versions of one name.

    Without NAME each name stands once, by its latest version; with it all its versions, lowest first.
    """
    tags = flags.pairs(tag, "--tag")
    only = flags.read(stage, Stage.parse)
    found = collection(ctx).list(name, stage=only, tags=tags or None, all=every, removed=removed)
    if not found:
        output.notice(ctx, f"No {noun_kind(ctx).noun} here fits." if tags or stage else _how_to_begin(ctx))
    output.show_all(ctx, (info.json_text() for info in found), lambda: sheets.versions(found) if found else "")


def _how_to_begin(ctx: Context) -> str:
    noun = noun_kind(ctx).noun
    what = "RECIPE.toml" if noun == "recipe" else "NAME PATH -v 1.0.0"
    return f"No {noun} is registered yet: {invocation(ctx).program} {noun} register {what}"


def get(ctx: Context, spec: flags.Spec, version: flags.Version = None) -> None:
    """Show one version.

    What it is and came from, where it stands, its files, and its card, datasheet or values.
    """
    detail = collection(ctx).get(spec, version=version)
    output.show(ctx, detail.to_json(), lambda: sheets.detail(detail))


def path(ctx: Context, spec: flags.Spec, version: flags.Version = None) -> None:
    """Print a folder that holds the files of a version.

    It lies in the cache and is read-only: for code that serves a model and need not copy it.
    """
    with progress(ctx) as report:
        folder = collection(ctx).path(spec, version=version, progress=report)
    output.show(ctx, {"path": str(folder)}, str(folder))


def download(
    ctx: Context,
    spec: flags.Spec,
    out: Annotated[
        str, Option("-o", "--output", metavar="OUT", help="The file (of a one-file version) or folder to write.")
    ],
    version: flags.Version = None,
    force: flags.Force = False,
) -> None:
    """Write the files of a version, every byte checked.

    What is there already stays, unless --force. A version of one file becomes the file OUT, or OUT/<its name> where
    OUT is a folder; several files, and what was registered as a folder, become the folder OUT; a recipe its TOML.
    """
    target = flags.path(out)
    others: list[str] = []
    with progress(ctx) as report:
        written = collection(ctx).download(
            spec, target, version=version, force=force, progress=report, left=others.extend
        )
    if others:
        few = ", ".join(others[:_FEW_FILES]) + (" …" if len(others) > _FEW_FILES else "")
        what = counted(len(others), "other file")
        output.notice(ctx, output.one_line(f"Warning: {written} has {what}, not of this version: {few}"))
    answer = {"path": str(written), **({"left": others} if others else {})}
    output.tell(ctx, answer, f"Wrote {written}, every byte checked.")


def cat(ctx: Context, spec: flags.Spec, byte_range: _Range = None, version: flags.Version = None) -> None:
    """Write the bytes of a file to stdout.

    Of a version with several files, say which: NAME@VERSION:FILE.
    """
    _pour(ctx, collection(ctx).cat(spec, byte_range=byte_range, version=version))


def cat_any(ctx: Context, spec: flags.Spec, byte_range: _Range = None, version: flags.Version = None) -> None:
    """Write the bytes of a file to stdout, of whatever kind.

    As in model:NAME@VERSION:FILE, data:NAME@VERSION or recipe:NAME@VERSION.
    """
    _pour(ctx, registry(ctx).cat(flags.versioned(spec, version), byte_range=byte_range))


def _pour(ctx: Context, pieces: Iterable[bytes]) -> None:
    if invocation(ctx).json:
        raise InvalidInput("cat writes the bytes themselves, which are no JSON document", hint="leave out --json")
    output.write_content(pieces)


def history(ctx: Context, name: flags.Name) -> None:
    """Show who moved which version where, when and why.

    Stages and aliases, oldest first. Overridden: another move decided; crossing: made elsewhere at the same time.
    """
    entries = collection(ctx).history(name)
    if not entries:
        output.notice(ctx, f"No stage or alias of {name} was ever moved.")
    output.show(ctx, [entry.to_json() for entry in entries], lambda: sheets.history(entries) if entries else "")


def lineage(
    ctx: Context,
    spec: flags.Spec,
    version: flags.Version = None,
    up: Up = False,
    down: Down = False,
    depth: Depth = None,
    shape: Shape = None,
) -> None:
    """Show what a version came from, or what came from it."""
    direction = checked_direction(ctx, up, down, shape)
    things = collection(ctx)
    walk = things.provenance if shape == "prov" else things.lineage
    show_graph(ctx, walk(spec, version=version, direction=direction, depth=depth), shape)


def checked_direction(ctx: Context, up: bool, down: bool, shape: str | None) -> Direction:
    """Return the direction that was asked for.

    Raises:
        InvalidInput: both were, or a format that is none.
    """
    if up and down:
        raise InvalidInput("--up and --down at once", hint="ask for one, then for the other")
    if shape is not None and shape not in _FORMATS:
        raise InvalidInput(f"unknown format {shape!r}", hint="one of " + ", ".join(_FORMATS))
    if invocation(ctx).json and shape not in (None, "json", "prov"):
        raise InvalidInput(f"--format {shape} and --json at once", hint="leave out one of them")
    return "down" if down else "up"


def show_graph(ctx: Context, graph: LineageGraph | dict[str, Any], shape: str | None) -> None:
    """Show lineage as it was asked for: a drawing, or JSON."""
    from pacha_git import render_lineage

    if isinstance(graph, dict):
        output.document(graph)
    elif shape == "json":
        output.document(graph.to_json())
    else:
        output.show(ctx, graph.to_json(), lambda: render_lineage(graph, shape or "tree").rstrip("\n"))


def diff(
    ctx: Context,
    a: Annotated[str, Argument(metavar="SPEC", help="The one version.")],
    b: Annotated[str, Argument(metavar="SPEC", help="The other.")],
) -> None:
    """Compare two versions.

    Metadata, metrics, files, and how many bytes they share.
    """
    difference = collection(ctx).diff(a, b)
    output.show(ctx, difference.to_json(), lambda: sheets.difference(difference))


def add_reading(app: Group) -> None:
    """Give a noun these verbs."""
    for name, function in (
        ("list", list_), ("get", get), ("path", path), ("download", download), ("cat", cat), ("history", history),
        ("lineage", lineage), ("diff", diff),
    ):  # fmt: skip
        verb(app, name, function)
