"""Sends what a remote has not: payloads first, then the records and events that promise them, and nothing by force.

It knows what belongs to a selection and in which order it goes; looking at the remote is its callers'.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pacha_git.errors import RemoteError
from pacha_git.exchange.look import Look, on_progress
from pacha_git.exchange.plan import Plan, Selection, plan
from pacha_git.exchange.push_payloads import push_payloads, size_of_what_is_missing, sweep
from pacha_git.exchange.remotes import plain_warning, remember
from pacha_git.exchange.selection import TransferRequest, choose, with_lineage
from pacha_git.git.changes import changing
from pacha_git.git.wire import push as pushing
from pacha_git.git.wire.push import PushedRef
from pacha_git.git.wire.transport import Moved
from pacha_git.gitobjects.oid import Oid
from pacha_git.progress import Progress
from pacha_git.session.context import Context
from pacha_git.session.results import RefResult, Transfer
from pacha_git.vocabulary.ids import PAYLOAD_ROOT, ROOT_REF, record_ref_of

_TRIES: Final = 8
_WAIT: Final = 0.1

Refresh = Callable[[], Look]
"""Looks at the remote and unites its events with ours."""


def select(context: Context, wish: TransferRequest) -> Selection:
    """What belongs to a wish: these versions, the records of their lineage, the events of these names, their bytes.

    Without SPECs: everything. With ``payload="none"`` no bytes.

    Raises:
        NotFound: nothing answers to it.
    """
    chosen = choose(context, wish)
    if not wish.is_selective:
        payloads = context.repo.refs_below(PAYLOAD_ROOT) if wish.payload != "none" else {}
        return Selection(chosen, payloads, None)
    lineage = with_lineage(context, chosen)
    carrying = lineage if wish.lineage_payloads else chosen
    wanted = [lineage[ref].payload_ref for ref in carrying] if wish.payload != "none" else []
    payloads = {ref: oid for ref in wanted if (oid := context.repo.ref(ref)) is not None}
    names = {(v.kind, v.name) for ref in chosen if (v := lineage[ref].version) is not None}
    return Selection({ref: item.commit for ref, item in lineage.items()}, payloads, names)


@dataclass(slots=True)
class _Sent:
    """What a push came to, over all its attempts."""

    wire: Moved = field(default_factory=Moved)
    results: dict[str, RefResult] = field(default_factory=dict)
    payloads: int = 0
    refused: list[PushedRef] = field(default_factory=list)


def send(
    context: Context,
    remote: str,
    selection: Selection,
    refresh: Refresh,
    *,
    dry_run: bool,
    progress: Progress | None,
) -> Transfer:
    """Send a selection.

    Two machines that push at once: the one that is refused looks again, unites the events and tries again by itself.

    Raises:
        RemoteError: the remote can't be reached, or goes on refusing.
    """
    sent = _Sent()
    for attempt in range(_TRIES):
        seen = refresh()
        todo = plan(context, selection, seen.there)
        if dry_run:
            return _dry(context, remote, todo, seen.there)
        sent.refused = []
        _send_once(context, remote, todo, seen.there, sent, progress)
        if any(each.is_for_good for each in sent.refused):
            break
        if not sent.refused:
            conflicts = {result.ref: result for result in (*todo.conflicts, *todo.held)}
            return Transfer(
                tuple((sent.results | conflicts).values()), bytes=sent.wire.bytes, objects=sent.wire.objects,
                payloads=sent.payloads, remote=remote, warnings=(plain_warning(remote),) if sent.wire.plain else (),
            )  # fmt: skip
        time.sleep(random.uniform(0, _WAIT * 2**attempt))
    first = min(sent.refused, key=lambda each: (not each.is_for_good, "atomic" in each.summary))
    raise RemoteError(f"{remote} refused {first.ref}: {first.summary}", hint=_hint(first))


def _hint(refused: PushedRef) -> str:
    if "fetch first" in refused.summary or "stale" in refused.summary or "lock" in refused.summary:
        return "others push there all the time: git pacha push tries again"
    return "see what its administrator allows; git pacha push tries again"


def _send_once(
    context: Context, remote: str, todo: Plan, there: Mapping[str, Oid], sent: _Sent, progress: Progress | None
) -> None:
    """Send a plan, in the order in which no reader ever sees a promise whose bytes are not there."""
    report = on_progress(progress, f"push {remote}")
    if todo.payloads:
        pushed, moved = push_payloads(context, remote, todo.payloads, todo.replaced, there, report)
        sent.wire.add(moved)
        sent.payloads += sum(each.ok for each in pushed)
        _note(context, remote, pushed, sent)
    missing = {record_ref_of(ref) for ref in (each.ref for each in sent.refused)}
    refs = {ref: oid for ref, oid in todo.refs.items() if ref not in missing}
    if refs:
        pushed, moved = pushing.push(context.repo, remote, refs, atomic=True, on_progress=report)
        sent.wire.add(moved)
        _note(context, remote, pushed, sent)
    if todo.deleted and not sent.refused:
        _note(context, remote, pushing.delete(context.repo, remote, todo.deleted), sent, gone="removed")
    sweep(context, remote, there)


def _note(context: Context, remote: str, pushed: Iterable[PushedRef], sent: _Sent, gone: str = "") -> None:
    """Keep what became of each ref, and remember as last seen what the remote has now."""
    there: dict[str, Oid] = {}
    for each in pushed:
        if not each.ok:
            sent.refused.append(each)
            continue
        what = gone or ("new" if "[new" in each.summary else "updated")
        sent.results[each.ref] = RefResult(each.ref, "up-to-date" if "up to date" in each.summary else what)
        new = context.repo.ref(each.ref)
        if new is not None and not each.ref.startswith((PAYLOAD_ROOT, "refs/heads/")) and each.ref != ROOT_REF:
            there[each.ref] = new
    if there:
        with changing(context.repo, f"push {remote}") as changes:
            remember(context, changes, remote, there)


def _dry(context: Context, remote: str, todo: Plan, there: Mapping[str, Oid]) -> Transfer:
    refs = [RefResult(ref, "would be sent") for ref in (*todo.payloads, *todo.refs)]
    refs += [RefResult(ref, "would be removed") for ref in todo.deleted]
    return Transfer(
        (*refs, *todo.conflicts, *todo.held),
        bytes=size_of_what_is_missing(context, todo.payloads, there),
        payloads=len(todo.payloads),
        remote=remote,
        dry_run=True,
    )
