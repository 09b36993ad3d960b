"""``serve``: the registry over Git's smart HTTP, until it is interrupted."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from click import Context

from pacha_git import InvalidInput
from pacha_git.cli.invocation import invocation, registry
from pacha_git.cli.program import flags
from pacha_git.cli.program.options import Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.units import place
from pacha_git.system.private import check_private

if TYPE_CHECKING:
    from pacha_git import Serving

_TOKEN: Final = "PACHA_SERVE_TOKEN"


def serve(
    ctx: Context,
    host: Annotated[str, Option("--host", metavar="H", help="Listen on this address.")] = "127.0.0.1",
    port: Annotated[int, Option("--port", metavar="P", help="Listen on this port; 0 takes any.")] = 9420,
    writable: Annotated[bool, Option("--writable", help="Let whoever has the token push.")] = False,
    private: Annotated[bool, Option("--private", help="Reading takes the token too.")] = False,
    token_file: Annotated[
        str | None, Option("--token-file", metavar="FILE", help="The token is the first line of this file.")
    ] = None,
) -> None:
    """Serve the registry to other machines, until interrupted.

    Read-only, and to this machine alone, unless told otherwise. The token comes from --token-file or
    $PACHA_SERVE_TOKEN; else one is made and printed once.
    """
    if not 0 <= port < 1 << 16:
        raise InvalidInput(f"there is no port {port}", hint="0 to 65535")
    token = _token(ctx, token_file)
    opened = registry(ctx)
    if writable:
        _guard(ctx, opened.path)
    verbose = invocation(ctx).verbose
    serving = opened.serve(
        host=host,
        port=port,
        writable=writable,
        private=private,
        token=token,
        report=(lambda line: output.notice(ctx, output.one_line(line))) if verbose else None,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: serving.stop())
    for warning in serving.warnings:
        output.notice(ctx, f"Warning: {warning}")
    output.show(ctx, serving.to_json(), lambda: _said(serving, place(opened.path)))
    output.flush()
    serving.run()


def _guard(ctx: Context, path: Path) -> None:
    """Let pushes leave versions, runs and events as they are; a hook that its owner put there runs after ours."""
    from pacha_git.cli.showing.hooks import say_guard
    from pacha_git.hooks.install import guard

    say_guard(ctx, guard(path))


def _token(ctx: Context, file: str | None) -> str | None:
    # Taken out of the environment, where the programs that we start would find it.
    said = os.environ.pop(_TOKEN, None)
    if file is None:
        return said
    path = flags.path(file)
    with path.open("rb") as opened:
        status = os.fstat(opened.fileno())
        check_private(path, status, ours=False)
        if stat.S_ISREG(status.st_mode) and status.st_mode & 0o044:
            output.notice(ctx, f"Warning: others on this machine can read the token: chmod go= {path}")
        first = opened.read(4096).splitlines()[:1]
    return first[0].decode("utf-8", "replace").strip() if first else ""


def _said(serving: Serving, path: str | Path) -> str:
    lines = [f"Serving {path}", f"  git pacha clone {serving.url}"]
    if serving.made_token:
        lines.append(f"  token: {serving.made_token}")
    if serving.writable or serving.private:
        what = " and ".join(["pushing"] * serving.writable + ["reading"] * serving.private)
        lines.append(f"  Git asks for it when {what}: any name, the token as password.")
    lines.append("Ctrl-C ends it.")
    return "\n".join(lines)
