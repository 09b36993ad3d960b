"""``git pacha recipe …``: a recipe is one TOML file, and it can be checked without a registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pacha_git.cli import flags, output
from pacha_git.cli.changing import add_changing
from pacha_git.cli.grammar import noun, verb
from pacha_git.cli.invocation import registry
from pacha_git.cli.reading import add_reading
from pacha_git.cli.sheets import spec_of
from pacha_git.cli.units import counted
from pacha_git.errors import VerificationFailed

app = noun("recipe", "Recipes: how a model is trained, as TOML.")


def register(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="RECIPE.toml", help="Its name and version stand inside.")],
    sign: flags.Sign = False,
) -> None:
    """Register a recipe.

    Its name and version stand in it.
    """
    done = registry(ctx).recipes.register(flags.path(file), sign=True if sign else None)
    for line in done.notices:
        output.notice(ctx, line)
    output.tell(ctx, done.to_json(), f"Registered {spec_of(done)}, {done.address}")


def validate(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(metavar="SPEC|FILE.toml", help="A recipe of the registry, or a file.")],
    version: flags.Version = None,
) -> None:
    """Check a recipe; a file needs no registry."""
    from pacha_git.registry.recipes import validate_file

    if version is None and (what.endswith(".toml") or Path(what).is_file()):
        problems = validate_file(flags.path(what))
    else:
        problems = registry(ctx).validate_recipe(flags.versioned(what, version))
    lines = [f"{what}:{problem.line}: {problem.key}: {problem.message}" for problem in problems]
    answer = {"ok": not problems, "problems": [problem.to_json() for problem in problems]}
    if problems:
        output.show(ctx, answer, "\n".join(map(output.one_line, lines)))
        raise VerificationFailed(
            f"{what} has {counted(len(problems), 'problem')}", hint="correct it, then check it again"
        )
    output.tell(ctx, answer, f"{what} is a valid recipe.")


verb(app, "register", register)
verb(app, "validate", validate)
add_reading(app)
add_changing(app)
