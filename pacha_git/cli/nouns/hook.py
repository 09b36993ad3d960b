"""``git pacha hook …``: what Git's hooks call, and what puts them in place; no registry is needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from click import Context

from pacha_git import PachaError
from pacha_git.cli.invocation import invocation
from pacha_git.cli.program import flags
from pacha_git.cli.program.grammar import noun, verb
from pacha_git.cli.program.options import Argument, Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.units import counted

if TYPE_CHECKING:
    from pacha_git.hooks.checks import Checked

app = noun("hook", "Git hooks that check recipes, cards and datasheets.")


def install(
    ctx: Context,
    path: Annotated[
        str | None, Argument(metavar="PATH", help="A folder of the repository; the one you stand in by default.")
    ] = None,
    force: Annotated[bool, Option("--force", help="Replace a hook that is there; it is kept as NAME.former.")] = False,
    server: Annotated[bool, Option("--server", help="PATH is bare and pushed to: check what is pushed.")] = False,
) -> None:
    """Put the hooks of commits and merges into a repository.

    They go where Git looks for hooks, core.hooksPath too. A hook of somebody else's stays, unless --force. With
    --server, into a bare repository of code what checks the documents that are pushed, into a registry its guard.
    """
    from pacha_git.hooks.install import install as put
    from pacha_git.hooks.install import install_server

    folder = flags.path(path) if path is not None else Path()
    done = [install_server(folder)] if server else put(folder, force=force)
    for hook in done:
        if hook.chained is not None:
            output.notice(ctx, f"The hook that was there runs after ours, from {hook.chained}.")
        if hook.former is not None:
            output.notice(ctx, f"The hook that was there is now {hook.former}; Git no longer runs it.")
        if hook.shared:
            output.notice(ctx, f"core.hooksPath leads out of the repository: others that share {hook.path} use it too.")
    lines = [f"{'Put' if hook.changed else 'There already:'} {hook.path}" for hook in done]
    output.tell(ctx, [hook.to_json() for hook in done], "\n".join(lines))


def run(
    ctx: Context,
    name: Annotated[str, Argument(metavar="HOOK", help="pacha-recipe, pacha-card, pre-commit (both), or pre-receive.")],
    files: Annotated[
        list[str] | None, Argument(metavar="FILE", help="Files to check; without any, what is staged.")
    ] = None,
    strict: Annotated[bool, Option("--strict", help="A section that is missing is a problem too.")] = False,
) -> None:
    """Check recipes, model cards and datasheets, as a hook does.

    Files that are none of these are passed by. On a server, pre-receive checks that a push leaves versions, runs and
    events as they are.
    """
    if name == "pre-receive":
        _receive(ctx)
        return
    _tell(ctx, _checked(ctx, name, files or (), strict))


def _checked(ctx: Context, name: str, files: Sequence[str], strict: bool) -> list[Checked]:
    from pacha_git.hooks.checks import check_pushed, run_hook
    from pacha_git.hooks.install import DOCUMENTS
    from pacha_git.hooks.receive import parse_moves

    inherited = invocation(ctx).inherited
    if name == DOCUMENTS:
        return check_pushed(parse_moves(sys.stdin.buffer), inherited)
    return run_hook(name, files, strict=strict, inherited=inherited)


def _tell(ctx: Context, checked: Sequence[Checked]) -> None:
    bad = [file for file in checked if file.problems]
    lines = []
    for file in checked:
        if file.missing:
            output.notice(ctx, output.one_line(f"{file.path}: nothing yet on {', '.join(file.missing)}"))
        for problem in file.problems:
            place = ":".join(str(part) for part in (file.path, problem.line, problem.column) if part)
            lines.append(f"{place}: {problem.key + ': ' if problem.key else ''}{problem.message}")
    answer = {"ok": not bad, "files": [file.to_json() for file in checked]}
    if not bad:
        output.tell(ctx, answer, f"{counted(len(checked), 'document')} checked." if checked else "")
        return
    output.show(ctx, answer, "\n".join(map(output.one_line, lines)))
    raise PachaError(
        f"{counted(len(bad), 'document')} can't be committed as it is" if len(bad) == 1
        else f"{counted(len(bad), 'document')} can't be committed as they are",
        hint="correct what stands above, then stage it again",
    )  # fmt: skip


def _receive(ctx: Context) -> None:
    from pacha_git.hooks.receive import parse_moves, refusals

    told = {**os.environ, **invocation(ctx).inherited}
    refused = refusals(Path(told.get("GIT_DIR", ".")), parse_moves(sys.stdin.buffer), told)
    lines = [f"{ref}: {why}" for ref, why in refused.items()]
    if refused:
        for line in lines[:20]:
            output.notice(ctx, output.one_line(line))
        raise PachaError(f"{counted(len(refused), 'ref')} may not move like that", hint="git pacha pull, then push")


verb(app, "install", install)
verb(app, "run", run)
