"""``stats, fsck, gc, reindex, doctor``: how the registry fares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from click import Context

from pacha_git import PachaError, VerificationFailed
from pacha_git.cli.invocation import registry, registry_path
from pacha_git.cli.program import flags
from pacha_git.cli.program.options import Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.progress import progress
from pacha_git.cli.showing.tables import sheet, table
from pacha_git.cli.showing.units import counted, share, size

if TYPE_CHECKING:
    from pacha_git import GcReport, Stats


_NOTES: Final = 20


def stats(ctx: Context) -> None:
    """Show how much is kept, and what it takes on disk."""
    opened = registry(ctx)
    found = opened.stats()
    output.show(ctx, found.to_json(), lambda: _stats(found, str(opened.path)))


def _stats(found: Stats, path: str) -> str:
    saved = found.payload_bytes - found.stored_bytes
    disk = size(found.stored_bytes)
    if saved > 0:
        part = share(found.stored_bytes, found.payload_bytes)
        disk += f", {part} of that: {size(saved)} saved, as equal pieces are stored once and compressed"
    return sheet(
        [
            ("Registry", path),
            ("Models", found.models),
            ("Datasets", found.datasets),
            ("Recipes", found.recipes),
            ("Runs", found.runs or None),
            ("Versions", found.versions),
            ("Registered", f"{size(found.payload_bytes)}, all versions added up"),
            ("On disk", disk),
            ("Pieces", f"{found.chunks:,}"),
        ]
    )


def fsck(
    ctx: Context,
    fast: Annotated[bool, Option("--fast", help="Records, refs and events, not every byte of the payloads.")] = False,
) -> None:
    """Check the whole registry.

    Exit 5 if anything is wrong. Lines that set nothing, as others may have written them, are noted and break nothing.
    """
    from pacha_git import Registry

    with progress(ctx) as report:
        found = Registry.check(registry_path(ctx), fast=fast, progress=report)
    for note in found.notes[:_NOTES]:
        output.notice(ctx, output.one_line(f"Note: {note}"))
    if len(found.notes) > _NOTES:
        output.notice(ctx, f"Note: and {len(found.notes) - _NOTES} more; --json has all")
    if found.problems:
        output.show(ctx, found.to_json(), "\n".join(map(output.one_line, found.problems)))
        raise VerificationFailed(
            f"{counted(len(found.problems), 'problem')} found", hint="`git pacha doctor --repair` mends what can be"
        )
    output.tell(ctx, found.to_json(), f"{counted(found.checked, 'object')} checked, nothing wrong.")


def gc(
    ctx: Context,
    dry_run: flags.DryRun = False,
    grace: Annotated[
        int | None, Option("--grace", metavar="DAYS", min=0, help="Keep what was dropped in the last DAYS days.")
    ] = None,
) -> None:
    """Free the bytes that no version holds any more."""
    with progress(ctx) as report:
        done = registry(ctx).gc(dry_run=dry_run, grace_days=grace, progress=report)
    output.tell(ctx, done.to_json(), lambda: _gc(done))


def _gc(done: GcReport) -> str:
    verb = "Would free" if done.dry_run else "Freed"
    lines = [*done.removed, f"{verb} {size(done.freed_bytes)}; {counted(done.kept, 'object')} kept."]
    return "\n".join(map(output.one_line, lines))


def reindex(ctx: Context) -> None:
    """Build the side index again from what is in Git."""
    with progress(ctx) as report:
        entries = registry(ctx).reindex(progress=report)
    output.tell(ctx, {"entries": entries}, f"Indexed {counted(entries, 'entry', 'entries')}.")


def doctor(
    ctx: Context,
    repair: Annotated[
        bool, Option("--repair", help="Check every byte, and bring back what is damaged from the remotes.")
    ] = False,
) -> None:
    """Look for what commonly goes wrong.

    What can be mended safely is mended; what is left is told, with what to do.
    """
    from pacha_git import Registry

    with progress(ctx) as report:
        findings = Registry.examine(registry_path(ctx), repair=repair, progress=report)
    rows = [(finding.state, finding.check, finding.message, finding.hint) for finding in findings]
    answer = {"findings": [finding.to_json() for finding in findings]}
    output.show(ctx, answer, lambda: table(("STATE", "CHECK", "FOUND", "WHAT TO DO"), rows))
    bad = [finding for finding in findings if finding.state == "problem"]
    if bad:
        raise PachaError(f"{counted(len(bad), 'problem')} left", hint=bad[0].hint)
