"""Says to a person which hooks run where others push."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click import Context

from pacha_git.cli.showing import output

if TYPE_CHECKING:
    from pacha_git.hooks.install import Installed


def say_guard(ctx: Context, hook: Installed) -> None:
    """Say what became of hooks that were there before ours."""
    if hook.chained is not None:
        output.notice(ctx, output.one_line(f"The hook that was there runs after ours: {hook.chained}"))
    if hook.passed_by is not None:
        output.notice(
            ctx,
            output.one_line(
                f"core.hooksPath leads to {hook.passed_by}: the hooks there don't run here, where it has its own now"
            ),
        )
