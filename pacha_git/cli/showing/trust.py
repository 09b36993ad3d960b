"""Says to a person whose signatures begin or cease to count, before they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click import Context

from pacha_git.cli.showing import output

if TYPE_CHECKING:
    from pacha_git import TrustChange


def say_trust(ctx: Context, change: TrustChange) -> None:
    """One line for each key, on stderr."""
    for words, keys in (
        ("Trusted from now on", change.added),
        ("Trusted again, though it was taken off here", change.back),
        ("Stays off, though the other side trusts it", change.kept_off),
        ("Trusted no longer", change.dropped),
    ):
        for key in keys:
            output.notice(ctx, output.one_line(f"{words}: {key}"))
