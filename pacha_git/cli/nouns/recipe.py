"""``git pacha recipe …``: a recipe is one TOML file, and it can be checked without a registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from click import Context

from pacha_git import NotFound, PachaError, RecipeProblem
from pacha_git.cli.invocation import registry, registry_path
from pacha_git.cli.program import flags
from pacha_git.cli.program.grammar import noun, verb
from pacha_git.cli.program.options import Argument
from pacha_git.cli.showing import output
from pacha_git.cli.showing.sheets import spec_of
from pacha_git.cli.showing.units import counted
from pacha_git.cli.verbs.change import add_changing
from pacha_git.cli.verbs.read import add_reading

app = noun("recipe", "Recipes: how a model is trained, as TOML.")


def register(
    ctx: Context,
    file: Annotated[str, Argument(metavar="RECIPE.toml", help="Its name and version stand inside.")],
    sign: flags.Sign = False,
    strict: flags.StrictRegister = False,
) -> None:
    """Register a recipe.

    Its name and version stand in it.
    """
    done = registry(ctx).recipes.register(flags.path(file), sign=True if sign else None, strict=strict)
    for line in done.notices:
        output.notice(ctx, line)
    output.tell(ctx, done.to_json(), f"Registered {spec_of(done)}, {done.address}")


def validate(
    ctx: Context,
    what: Annotated[str, Argument(metavar="SPEC|FILE.toml", help="A recipe of the registry, or a file.")],
    version: flags.Version = None,
) -> None:
    """Check a recipe.

    A file needs no registry; where there is one, the datasets that the file names are looked for there.
    """
    is_file = version is None and (what.endswith(".toml") or (Path(what).exists() and not Path(what).is_dir()))
    problems = _of_file(ctx, what) if is_file else registry(ctx).recipes.validate(flags.versioned(what, version))
    answer = {"ok": not problems, "problems": [problem.to_json() for problem in problems]}
    if problems:
        lines = [output.one_line(_said(what, problem)) for problem in problems]
        output.show(ctx, answer, "\n".join(lines))
        raise PachaError(f"{what} has {counted(len(problems), 'problem')}", hint="correct it, then check it again")
    output.tell(ctx, answer, f"{what} is a valid recipe.")


def _of_file(ctx: Context, what: str) -> Sequence[RecipeProblem]:
    from pacha_git import validate_recipe_file

    path = flags.path(what)
    try:
        opened = registry(ctx)
    except NotFound:
        if registry_path(ctx) is not None:
            raise
        return validate_recipe_file(path)
    return opened.recipes.validate(path)


def _said(what: str, problem: RecipeProblem) -> str:
    """Return a problem as compilers say it."""
    place = ":".join(str(part) for part in (what, problem.line, problem.column) if part)
    return f"{place}: {problem.key + ': ' if problem.key else ''}{problem.message}"


verb(app, "register", register)
verb(app, "validate", validate)
add_reading(app)
add_changing(app)
