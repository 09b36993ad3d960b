"""Sends what a remote has not: payloads first, then the records and events that promise them, and nothing by force.

It knows what belongs to a selection and in which order it goes; looking at the remote is sync's, moving is transport's.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pacha_git.errors import RemoteError
from pacha_git.git import transport
from pacha_git.git.refs import RefUpdate
from pacha_git.names import (
    NOTES_ROOT,
    PAYLOAD_ROOT,
    REGISTRY_REF,
    ROOT_REF,
    Kind,
    Name,
    Oid,
    notes_ref,
    parse_notes_ref,
    parse_payload_ref,
)
from pacha_git.registry.begin import MAIN
from pacha_git.registry.context import Context
from pacha_git.registry.remotes import tracking
from pacha_git.registry.resolve import resolve
from pacha_git.registry.results import RefResult, Transfer
from pacha_git.store import records
from pacha_git.store.events import ATTESTATIONS, EVENTS, read_attestations

_TRIES: Final = 6

Refresh = Callable[[], tuple[dict[str, Oid], int]]
"""Looks at the remote and unites its events with ours; returns its refs, and bytes that came."""


@dataclass(slots=True)
class Selection:
    """What is to be sent: record refs, names whose events go along, payload refs that are here."""

    records: dict[str, Oid] = field(default_factory=dict)
    names: set[tuple[Kind, Name]] = field(default_factory=set)
    payloads: dict[str, Oid] = field(default_factory=dict)
    removed: dict[str, Oid] = field(default_factory=dict)

    def has_notes(self, ref: str) -> bool:
        """Whether the events in a notes ref belong to it."""
        parsed = parse_notes_ref(ref) if ref.startswith(NOTES_ROOT) else None
        return parsed is not None and (parsed[0], parsed[1]) in self.names


def select(context: Context, specs: Sequence[str], payload: str | None) -> Selection:
    """What belongs to SPECs: these versions, the records of their lineage, the events of their names, their own bytes.

    Without SPECs: everything. With ``payload="none"`` no bytes.

    Raises:
        NotFound: no such version.
    """
    selection = Selection()
    if specs:
        chosen = dict(resolve(context, spec) for spec in specs)
        for commit in chosen.values():
            _add_lineage(context, commit, selection)
    else:
        chosen = dict(records.all_versions(context.repo))
        selection.records = {version.ref: commit for version, commit in chosen.items()}
    selection.names = {(version.kind, version.name) for version in chosen}
    here = context.repo.refs_below(PAYLOAD_ROOT) if payload != "none" else {}
    gone = {name: read_attestations(context.repo, *name).removed for name in selection.names}
    for version, commit in chosen.items():
        if commit in gone[version.kind, version.name]:
            selection.removed[version.payload_ref] = commit
        elif version.payload_ref in here:
            selection.payloads[version.payload_ref] = here[version.payload_ref]
    return selection


def _add_lineage(context: Context, commit: Oid, selection: Selection) -> None:
    queue = [commit]
    while queue:
        stored = records.read(context.repo, queue.pop())
        if stored.id.ref not in selection.records:
            selection.records[stored.id.ref] = stored.commit
            queue += [Oid(e.target.commit) for e in stored.record.lineage if e.target.kind != Kind.RUN.value]


@dataclass(slots=True)
class _Plan:
    """What one attempt sends, by the remote's refs as they are now."""

    payloads: dict[str, Oid] = field(default_factory=dict)
    replaced: dict[str, Oid] = field(default_factory=dict)
    deleted: dict[str, Oid] = field(default_factory=dict)
    refs: dict[str, Oid] = field(default_factory=dict)
    conflicts: list[RefResult] = field(default_factory=list)


def send(
    context: Context,
    remote: str,
    selection: Selection,
    refresh: Refresh,
    *,
    dry_run: bool,
    progress: transport.OnProgress | None,
) -> Transfer:
    """Send a selection.

    Two machines that push at once: the one that is refused looks again, unites the events and tries again by itself.

    Raises:
        RemoteError: the remote can't be reached, or goes on refusing.
    """
    results: dict[str, RefResult] = {}
    for attempt in range(_TRIES):
        there, _ = refresh()
        plan = _plan(context, selection, there)
        if dry_run:
            return _dry(context, remote, plan)
        refused = _send_once(context, remote, plan, results, progress)
        if not refused:
            conflicts = {result.ref: result for result in plan.conflicts}
            return Transfer(
                tuple((results | conflicts).values()), payloads=len(plan.payloads), remote=remote,
                bytes=_size(context, plan.payloads), warnings=(),
            )  # fmt: skip
        if attempt < _TRIES - 1:
            time.sleep(random.uniform(0, 0.1 * 2**attempt))
    first = refused[0]
    raise RemoteError(
        f"{remote} refused {first.ref}: {first.summary}",
        hint="see what its administrator allows; git pacha push tries again",
    )


def _plan(context: Context, selection: Selection, there: Mapping[str, Oid]) -> _Plan:
    plan = _Plan()
    left_out: set[str] = set()
    for ref, commit in selection.records.items():
        if ref in there and there[ref] != commit:
            plan.conflicts.append(RefResult(ref, "conflict", f"here {commit}, there {there[ref]}"))
            left_out.add(ref)
    _leave_out_descendants(context, selection, plan, left_out)
    for ref, commit in selection.records.items():
        if ref not in there and ref not in left_out:
            plan.refs[ref] = commit
    for kind, name in selection.names:
        for what in (ATTESTATIONS, EVENTS):
            ref = notes_ref(kind, name, what)
            tip = context.repo.ref(ref)
            if tip is not None and there.get(ref) != tip:
                plan.refs[ref] = tip
    for ref, commit in selection.payloads.items():
        if _record_of(ref) not in left_out and there.get(ref) != commit:
            plan.payloads[ref] = commit
            if ref in there:
                plan.replaced[ref] = there[ref]
    plan.deleted = {ref: there[ref] for ref in selection.removed if ref in there}
    for ref in (ROOT_REF, REGISTRY_REF):
        own = context.repo.ref(ref)
        if ref not in there and own is not None:
            plan.refs[ref] = own
    readme = context.repo.ref(MAIN)
    if readme is not None and not any(ref.startswith("refs/heads/") for ref in there):
        plan.refs[MAIN] = readme
    return plan


def _leave_out_descendants(context: Context, selection: Selection, plan: _Plan, left_out: set[str]) -> None:
    """What comes from a version in conflict can't go either: its lineage would not be there."""
    queue = [selection.records[ref] for ref in left_out]
    while queue:
        for child in context.catalogue.children(queue.pop()):
            if child.ref in selection.records and child.ref not in left_out:
                left_out.add(child.ref)
                plan.conflicts.append(RefResult(child.ref, "skipped", "it comes from a version in conflict"))
                queue.append(selection.records[child.ref])


def _record_of(payload_ref: str) -> str:
    version = parse_payload_ref(payload_ref)
    return version.ref if version is not None else ""


def _send_once(
    context: Context,
    remote: str,
    plan: _Plan,
    results: dict[str, RefResult],
    progress: transport.OnProgress | None,
) -> list[transport.PushedRef]:
    """Send a plan; returns the refs that were refused."""
    refused: list[transport.PushedRef] = []
    if plan.payloads:
        specs = [f"{'+' if ref in plan.replaced else ''}{oid}:{ref}" for ref, oid in plan.payloads.items()]
        pushed = transport.push(context.repo, remote, specs, leases=plan.replaced, shallow=True, on_progress=progress)
        refused += _note(context, remote, pushed, results)
    missing = {_record_of(each.ref) for each in refused}
    # No reader may see a promise whose bytes are not there.
    refs = {ref: oid for ref, oid in plan.refs.items() if ref not in missing}
    if refs:
        pushed = transport.push(
            context.repo, remote, [f"{oid}:{ref}" for ref, oid in refs.items()], atomic=True, on_progress=progress
        )
        refused += _note(context, remote, pushed, results)
    if plan.deleted and not refused:
        pushed = transport.push(context.repo, remote, [f":{ref}" for ref in plan.deleted], leases=plan.deleted)
        refused += _note(context, remote, pushed, results, gone="removed")
    return refused


def _note(
    context: Context,
    remote: str,
    pushed: Sequence[transport.PushedRef],
    results: dict[str, RefResult],
    gone: str = "",
) -> list[transport.PushedRef]:
    """Keep what became of each ref, and remember as last seen what the remote has now."""
    refused = [each for each in pushed if not each.ok]
    updates: list[RefUpdate] = []
    for each in pushed:
        if not each.ok:
            continue
        what = gone or ("new" if "[new" in each.summary else "updated")
        results[each.ref] = RefResult(each.ref, "up-to-date" if "up to date" in each.summary else what)
        if not each.ref.startswith((PAYLOAD_ROOT, "refs/heads/")) and each.ref != ROOT_REF:
            last = tracking(remote, each.ref)
            updates.append(RefUpdate(last, context.repo.ref(each.ref), context.repo.ref(last)))
    context.repo.refs.update([update for update in updates if update.new is not None and update.new != update.old])
    return refused


def _dry(context: Context, remote: str, plan: _Plan) -> Transfer:
    refs = [RefResult(ref, "would be sent") for ref in (*plan.payloads, *plan.refs)]
    refs += [RefResult(ref, "would be removed") for ref in plan.deleted]
    return Transfer(
        (*refs, *plan.conflicts),
        bytes=_size(context, plan.payloads),
        payloads=len(plan.payloads),
        remote=remote,
        dry_run=True,
    )


def _size(context: Context, payloads: Mapping[str, Oid]) -> int:
    """Bytes of payloads as registered: an upper bound of what moves."""
    total = 0
    for ref in payloads:
        version = parse_payload_ref(ref)
        if version is not None:
            content = records.read_version(context.repo, version).record.content
            total += content.size if content is not None else 0
    return total
