"""The verbs of every kind that change what is said of a version: stage, alias, tag, describe, rm."""

from __future__ import annotations

from typing import Annotated

from click import Context

from pacha_git import InvalidInput, Stage, parse_spec, selector_text
from pacha_git.cli.invocation import collection
from pacha_git.cli.program import flags
from pacha_git.cli.program.grammar import Group, verb
from pacha_git.cli.program.options import Argument, Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.sheets import spec_of


def stage(
    ctx: Context,
    spec: flags.Spec,
    target: Annotated[
        str,
        Option("-t", "--target", metavar="STAGE", help="development, staging, production or archived."),
    ],
    version: flags.Version = None,
    reason: flags.Reason = None,
    replace: Annotated[bool, Option("--replace", help="Archive the other versions that are in that stage.")] = False,
    sign: flags.Sign = False,
) -> None:
    """Move a version to another stage.

    From development to production both steps are recorded.
    """
    change = collection(ctx).stage(
        spec, Stage.parse(target), version=version, reason=reason, replace=replace, sign=True if sign else None
    )
    for warning in change.warnings:
        output.notice(ctx, f"Warning: {warning}")
    noun_name = f"{change.name} {change.version}"
    lines = [f"{noun_name}: {before} → {after}" for before, after in change.steps]
    lines += [f"{change.name} {other}: archived in its favour" for other in change.archived]
    output.tell(ctx, change.to_json(), "\n".join(lines) or f"{noun_name} is in {change.stage} already.")


def alias(
    ctx: Context,
    name: flags.Name,
    word: Annotated[str, Argument(metavar="ALIAS", help="A lowercase word, such as champion.")],
    version: flags.Version = None,
    unset: Annotated[bool, Option("--unset", help="Take the alias away.")] = False,
    reason: flags.Reason = None,
    sign: flags.Sign = False,
) -> None:
    """Point an alias at a version, or take it away."""
    spec = parse_spec(name).with_version(version)
    if (spec.selector is None) != unset:
        problem = "a version and --unset at once" if unset else "no version to point the alias at"
        raise InvalidInput(problem, hint="give -v VERSION, or --unset")
    chosen = None if spec.selector is None else selector_text(spec.selector)
    info = collection(ctx).alias(
        str(spec.name), word, version=chosen, unset=unset, reason=reason, sign=True if sign else None
    )
    done = f"{spec.name}@{word} is no more." if unset else f"{spec.name}@{word} is now {info.version}."
    output.tell(ctx, info.to_json(), done)


def tag(
    ctx: Context,
    spec: flags.Spec,
    changes: Annotated[list[str], Argument(metavar="K=V|K-", help="K=V sets a tag, K- takes it away.")],
    version: flags.Version = None,
) -> None:
    """Set and take away tags of a version.

    Its record stays as it is.
    """
    info = collection(ctx).tag(spec, changes, version=version)
    shown = ", ".join(f"{key}={value}" for key, value in info.tags.items()) or "none"
    output.tell(ctx, info.to_json(), f"Tags of {spec_of(info)}: {shown}")


def describe(
    ctx: Context,
    spec: flags.Spec,
    text: Annotated[str, Argument(metavar="TEXT", help="The new description.")],
    version: flags.Version = None,
) -> None:
    """Give a version a new description.

    Its record stays as it is.
    """
    info = collection(ctx).describe(spec, text, version=version)
    output.tell(ctx, info.to_json(), f"Described {spec_of(info)}.")


def remove(
    ctx: Context,
    spec: flags.Spec,
    version: flags.Version = None,
    reason: Annotated[
        str | None, Option("-m", "--reason", metavar="REASON", help="Why; kept with the record, which stays.")
    ] = None,
    unpushed: Annotated[
        bool, Option("--unpushed", help="As if never registered; only while no remote has it.")
    ] = False,
    undo: Annotated[
        bool, Option("--undo", help="Take a removal back, with the bytes as far as they are still here.")
    ] = False,
) -> None:
    """Remove the bytes of a version.

    Its record stays, with who removed it and why; its name and version are never used again. --undo takes that back.
    """
    if undo:
        if unpushed or reason:
            raise InvalidInput("--undo takes no reason, and not --unpushed", hint="rm --undo SPEC")
        _undo(ctx, spec, version)
        return
    if not unpushed and not (reason or "").strip():
        raise InvalidInput("rm wants a reason", hint="-m REASON; or --unpushed, for what no remote has yet")
    info = collection(ctx).remove(spec, version=version, reason=reason, unpushed=unpushed)
    done = f"{spec_of(info)} is gone, as if never registered." if unpushed else f"Removed the bytes of {spec_of(info)}."
    output.tell(ctx, info.to_json(), done + " `git pacha gc` frees their space.")


def _undo(ctx: Context, spec: str, version: str | None) -> None:
    info = collection(ctx).undo_removal(spec, version=version)
    where = (
        "Its bytes are here."
        if info.payload == "here"
        else "Its bytes are not here: pull them, or register them again."
    )
    output.tell(ctx, info.to_json(), f"The removal of {spec_of(info)} is taken back. {where}")


def add_changing(app: Group) -> None:
    """Give a noun these verbs."""
    for name, function in (("stage", stage), ("alias", alias), ("tag", tag), ("describe", describe), ("rm", remove)):
        verb(app, name, function)
