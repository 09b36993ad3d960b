"""How a registry stands: what is thin, unsigned or crossing in it, and what it and its remotes don't share.

It knows what was last fetched, and refuses to ask a remote anything.
"""

from __future__ import annotations

from collections.abc import Iterator

from pacha_git.git import transport
from pacha_git.names import NOTES_ROOT, REGISTRY_REF, VERSIONED_KINDS, Oid, parse_notes_ref
from pacha_git.registry import remotes
from pacha_git.registry.context import Context
from pacha_git.registry.items import differing, refs_here
from pacha_git.registry.results import RemoteStatus, Status
from pacha_git.store import runs
from pacha_git.store.events import EVENTS, read_ledger
from pacha_git.store.notes import descends
from pacha_git.store.runs import RUNS_ROOT


def status(context: Context) -> Status:
    """How this registry stands; see ``Registry.status``."""
    thin, unsigned = [], []
    for kind in VERSIONED_KINDS:
        for row in context.catalogue.rows(kind):
            if row.record["content"] is not None and not row.payload and not row.removed:
                thin.append(str(row.id))
            if not row.signers:
                unsigned.append(str(row.id))
    ours = refs_here(context.repo)
    found = tuple(_remote_status(context, name, url, ours) for name, url in remotes.list_remotes(context))
    return Status(str(context.path), tuple(thin), tuple(unsigned), tuple(_crossing(context)), found)


def _crossing(context: Context) -> Iterator[str]:
    """Decisions made apart about the same thing, of which one holds."""
    for ref in context.repo.refs_below(NOTES_ROOT):
        parsed = parse_notes_ref(ref)
        if parsed is not None and parsed[2] == EVENTS:
            kind, name, _ = parsed
            for entry in read_ledger(context.repo, kind, name).history:
                if entry.crossing:
                    yield f"{kind.noun}:{name} {entry.event.type} {entry.event.version}"


def _remote_status(context: Context, name: str, url: str, ours: dict[str, Oid]) -> RemoteStatus:
    theirs = remotes.seen(context, name)
    settings = theirs.pop(REGISTRY_REF, None)
    ahead = [ref for ref in ours if ref not in theirs]
    behind = [ref for ref in theirs if ref not in ours]
    diverged = []
    for ref, there in differing(theirs, ours).items():
        if ref not in ours:
            continue
        here = ours[ref]
        if _leads(context, ref, here, there):
            ahead.append(ref)
        elif _leads(context, ref, there, here):
            behind.append(ref)
        elif ref.startswith(NOTES_ROOT):
            ahead.append(ref)  # both sides added lines: a pull unites them, a push sends them
            behind.append(ref)
        else:
            diverged.append(ref)
    return RemoteStatus(
        remote=name,
        url=url,
        ahead=tuple(sorted(ahead)),
        behind=tuple(sorted(behind)),
        diverged=tuple(sorted(diverged)),
        settings_differ=remotes.settings_stand(context, settings) != "equal",
        settings_older=remotes.settings_stand(context, settings) == "older",
        fetched=bool(theirs) or settings is not None or transport.was_empty(context.repo, name),
    )


def _leads(context: Context, ref: str, tip: Oid, older: Oid) -> bool:
    """Whether one state of a ref that may move comes after another."""
    if ref.startswith(NOTES_ROOT):
        return descends(context.repo, tip, older)
    return ref.startswith(RUNS_ROOT) and older in runs.history(context.repo, tip)
