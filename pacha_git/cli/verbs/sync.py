"""``clone, fetch, pull, push, status``: what moves between registries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

from click import Context

from pacha_git import Conflict, ItemRef, Kind, PachaError, Stage, VersionId, parse_ref
from pacha_git.cli.invocation import invocation, registry, registry_path
from pacha_git.cli.program import flags
from pacha_git.cli.program.options import Argument, Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.progress import progress
from pacha_git.cli.showing.refs import ref_in_words, refs_in_words
from pacha_git.cli.showing.tables import sheet, strong, table
from pacha_git.cli.showing.trust import say_trust
from pacha_git.cli.showing.units import counted, place, size

if TYPE_CHECKING:
    from pacha_git import RemoteStatus, Status, Transfer

_WENT: Final = ("new", "updated", "would be sent")
_Words = Annotated[
    list[str] | None,
    Argument(metavar="[REMOTE] SPEC", help="A remote, then versions; without versions, all records and events."),
]


def clone(
    ctx: Context,
    url: Annotated[str, Argument(metavar="URL", help="As git takes it: https, ssh, git, file or a path.")],
    path: Annotated[
        str | None, Argument(metavar="PATH", help="Where; by default the registry that other commands would use.")
    ] = None,
    payload: flags.Payload = None,
    trust: Annotated[
        list[str] | None,
        Option("--trust", metavar="FINGERPRINT", help="A key that it may trust, and no others; may be repeated."),
    ] = None,
) -> None:
    """Copy a registry from elsewhere.

    All its records and events come along; payloads only with --payload all. Whom it trusts is said first.
    """
    from pacha_git import Registry

    target = flags.path(path) if path is not None else registry_path(ctx)
    with progress(ctx) as report:
        made = Registry.clone(
            url,
            target,
            payload=flags.payload_choice(payload) or "none",
            trust=trust or (),
            tell=partial(say_trust, ctx),
            progress=report,
        )
    stats = made.stats()
    said = f"Cloned {counted(stats.versions, 'version')} into {place(made.path)}"
    output.tell(ctx, {"path": str(made.path), "versions": stats.versions}, said)


def fetch(ctx: Context, remote: flags.Remote = None) -> None:
    """Look at what a remote has.

    Nothing here changes; `status` tells what is new there.
    """
    with progress(ctx) as report:
        report_transfer(ctx, registry(ctx).fetch(remote, progress=report), "Fetched from")


def pull(
    ctx: Context,
    words: _Words = None,
    payload: flags.Payload = None,
    stage: flags.OnlyStage = None,
    kind: flags.OnlyKind = None,
    lineage_payloads: flags.LineagePayloads = False,
    without: Annotated[
        list[str] | None,
        Option("--without", metavar="NAME", help="Pass by what the remote has of this name; may be repeated."),
    ] = None,
) -> None:
    """Take over what a remote has.

    All records and events; with SPECs or patterns as in 'fraud*@production', also the bytes of these versions. Without
    a REMOTE: from origin, and then from the others as far as bytes are still missing.
    """
    opened = registry(ctx, healed=True)
    remote, specs = _parted(words, opened.remotes())
    with progress(ctx) as report:
        done = opened.pull(
            remote,
            specs,
            payload=flags.payload_choice(payload),
            stage=flags.read(stage, Stage.parse),
            kind=flags.read(kind, Kind.parse),
            lineage_payloads=lineage_payloads,
            progress=report,
            without=without or (),
        )
    report_transfer(ctx, done, "Pulled from")


def push(
    ctx: Context,
    words: _Words = None,
    payload: flags.Payload = None,
    stage: flags.OnlyStage = None,
    kind: flags.OnlyKind = None,
    lineage_payloads: flags.LineagePayloads = False,
    dry_run: flags.DryRun = False,
) -> None:
    """Send what a remote lacks.

    All records and events, and every payload that is here and not there. With SPECs or patterns as in 'fraud*@1.*':
    these versions, the records of their whole lineage, the events of these names, and their own payloads.
    """
    opened = registry(ctx)
    remote, specs = _parted(words, opened.remotes())
    with progress(ctx) as report:
        done = opened.push(
            remote,
            specs,
            payload=flags.payload_choice(payload),
            stage=flags.read(stage, Stage.parse),
            kind=flags.read(kind, Kind.parse),
            lineage_payloads=lineage_payloads,
            dry_run=dry_run,
            progress=report,
        )
    report_transfer(ctx, done, "Would push to" if dry_run else "Pushed to")


def _parted(words: list[str] | None, remotes: list[tuple[str, str]]) -> tuple[str | None, list[str]]:
    """Return the remote, if the first word is one, and the SPECs."""
    first, *rest = words or [""]
    if first and first in (name for name, _ in remotes):
        return first, rest
    return None, list(words or [])


def report_transfer(ctx: Context, done: Transfer, verb: str) -> None:
    """Say what a transfer did.

    Raises:
        Conflict: something there is another than here.
        PachaError: something was refused.
    """
    for warning in done.warnings:
        output.notice(ctx, f"Warning: {warning}")
    every = invocation(ctx).verbose or done.dry_run
    output.tell(ctx, done.to_json(), lambda: _transfer(done, verb, every=every))
    other, refused = (
        done.remote or "the remote",
        [ref.ref for ref in done.refs if ref.result in ("rejected", "refused")],
    )
    if done.conflicts:
        first = done.conflicts[0]
        raise Conflict(
            f"{other} has another {ref_in_words(first.ref)} ({first.detail})" + _and_more(done.conflicts),
            hint=_how_to_go_on(first.ref),
        )
    if refused:
        raise PachaError(f"{other} refused {ref_in_words(refused[0])}" + _and_more(refused))
    held = [ref for ref in done.refs if ref.result == "held"]
    if held:
        raise PachaError(
            f"{ref_in_words(held[0].ref)} stay here: {output.one_line(held[0].detail)}" + _and_more(held),
            hint="git pacha removal list; then removal accept SPEC, or removal refuse SPEC. The rest went",
        )
    lost = [ref.ref for ref in done.refs if ref.result == "lost"]
    if lost:
        raise PachaError(
            f"{ref_in_words(lost[0])}{_and_more(lost)} stays here: its bytes are not, and no remote has them",
            hint="register the same bytes again, under the same name and version; the rest went",
        )


def _how_to_go_on(ref: str) -> str:
    """Say that a version never changes, so one side's has to become another."""
    found = parse_ref(ref)
    version = found.id if isinstance(found, ItemRef) else None
    if not isinstance(version, VersionId):
        return (
            f"it ended twice, here and there; to take theirs: git -C REGISTRY update-ref -d {ref}, then pull. "
            "The rest went"
        )
    return (
        f"git pacha {version.kind.noun} rm {version.spec} --unpushed undoes yours, unless some remote has it; "
        "then take theirs, or register yours as another version. The rest went"
    )


def _and_more(items: Sequence[object]) -> str:
    return f" (and {len(items) - 1} more)" if len(items) > 1 else ""


def _transfer(done: Transfer, verb: str, *, every: bool) -> str:
    """What a transfer did: each thing that went wrong, or ``every`` thing, then a sentence that counts the rest."""
    went = [ref.ref for ref in done.refs if ref.result in _WENT]
    lines = [
        f"  {ref.result}: {ref_in_words(ref.ref)}" + (f" ({ref.detail})" if ref.detail else "")
        for ref in done.refs
        if every or ref.result not in (*_WENT, "up-to-date")
    ]
    amount = f"; {size(done.bytes)}" if done.bytes else ""
    lines.append(f"{verb} {done.remote or 'the remote'}: {refs_in_words(went) or 'nothing new'}{amount}.")
    return "\n".join(map(output.one_line, lines))


def status(ctx: Context) -> None:
    """Show what stands out here, and how it stands to the remotes.

    The remotes are judged by what was last fetched.
    """
    found = registry(ctx).status()
    output.show(ctx, found.to_json(), lambda: _status(found))


def _status(found: Status) -> str:
    facts = [
        ("Registry", found.path),
        ("Bytes lost", _few(found.lost, "version")),
        ("Bytes elsewhere", _few(found.thin, "version")),
        ("Unsigned", _few(found.unsigned, "version")),
        ("Crossing", _few(found.crossing, "event")),
    ]
    parts = [sheet(facts)]
    parts += [strong(f"{remote.remote}  {remote.url}") + "\n" + _remote(remote) for remote in found.remotes]
    if not found.remotes:
        parts.append("No remote yet: git pacha remote add origin URL")
    return "\n\n".join(parts)


def _remote(remote: RemoteStatus) -> str:
    if not remote.fetched:
        return f"  never fetched: git pacha fetch {remote.remote}"
    groups = (("to push", remote.ahead), ("to pull", remote.behind), ("diverged", remote.diverged))
    rows = [(word, ref_in_words(ref)) for word, refs in groups for ref in refs]
    lines = ["  " + line for line in table(("", ""), rows).split("\n")[1:]] if rows else ["  in step"]
    if remote.settings_differ:
        then = "publish" if remote.settings_older else "adopt"
        lines.append(f"  settings differ: git pacha settings {then} {remote.remote}")
    return "\n".join(lines)


def _few(words: tuple[str, ...], noun: str) -> str:
    """Count them, and name the first ones."""
    named = ", ".join(words[:3]) + (", …" if len(words) > 3 else "")
    return f"{counted(len(words), noun)}: {named}" if words else ""
