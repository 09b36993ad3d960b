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
from pacha_git.exchange.plan import Plan, Selection, descending, plan
from pacha_git.exchange.push_payloads import push_payloads, size_of_what_is_missing, sweep
from pacha_git.exchange.remotes import plain_warning, remember
from pacha_git.exchange.selection import TransferRequest, choose, with_lineage
from pacha_git.git.changes import changing
from pacha_git.git.wire import push as pushing
from pacha_git.git.wire.push import PushedRef
from pacha_git.git.wire.transport import Moved, OnProgress
from pacha_git.gitobjects.oid import Oid
from pacha_git.progress import Progress
from pacha_git.session.results import RefResult, Transfer
from pacha_git.session.session import Session
from pacha_git.store.readme import MAIN
from pacha_git.vocabulary.ids import NOTES_ROOT, PAYLOAD_ROOT, ROOT_REF, record_ref_of

_TRIES: Final = 8
_WAIT: Final = 0.1

Refresh = Callable[[], Look]
"""Looks at the remote and unites its events with ours."""


def select(session: Session, wish: TransferRequest) -> Selection:
    """What belongs to a wish: these versions, the records of their lineage, the events of these names, their bytes.

    Without SPECs: everything. With ``payload="none"`` no bytes.

    Raises:
        NotFound: nothing answers to it.
    """
    chosen = choose(session, wish)
    if not wish.is_selective:
        payloads = dict(session.payloads.held()) if wish.payload != "none" else {}
        return Selection(chosen, payloads, None)
    lineage = with_lineage(session, chosen)
    carrying = lineage if wish.lineage_payloads else chosen
    wanted = [lineage[ref].payload_ref for ref in carrying] if wish.payload != "none" else []
    payloads = {ref: oid for ref in wanted if (oid := session.repo.ref(ref)) is not None}
    names = {(v.kind, v.name) for ref in chosen if (v := lineage[ref].version) is not None}
    return Selection({ref: item.commit for ref, item in lineage.items()}, payloads, names)


@dataclass(slots=True)
class _Sent:
    """What a push came to, over all its attempts."""

    wire: Moved = field(default_factory=Moved)
    results: dict[str, RefResult] = field(default_factory=dict)
    payloads: int = 0
    refused: list[PushedRef] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    left_behind: dict[str, str] = field(default_factory=dict)

    def leave_behind(self) -> bool:
        """Note the refs of which a hook there said why it refuses them; whether there are new ones."""
        named = {each.ref: each.reason for each in self.refused if each.reason}
        for ref in list(named):
            if ref.startswith(PAYLOAD_ROOT):
                named.setdefault(record_ref_of(ref), f"its bytes were refused: {named[ref]}")
        fresh = named.keys() - self.left_behind.keys()
        self.left_behind |= named
        return bool(fresh)


def send(
    session: Session,
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
    attempt = 0
    while attempt < _TRIES:
        seen = refresh()
        todo = plan(session, selection, seen.there, seen.arrival.refused | sent.left_behind.keys())
        if dry_run:
            return _dry(session, remote, todo, seen.there)
        sent.refused = []
        _send_once(session, remote, todo, seen.there, sent, progress)
        if sent.leave_behind():
            continue  # the others go without them
        if any(each.is_for_good for each in sent.refused):
            break
        if not sent.refused:
            return _done(remote, todo, sent)
        attempt += 1
        time.sleep(random.uniform(0, _WAIT * 2**attempt))
    first = min(sent.refused, key=lambda each: (not each.is_for_good, "atomic" in each.summary))
    raise _refusal(remote, first)


def _done(remote: str, todo: Plan, sent: _Sent) -> Transfer:
    if sent.wire.plain:
        sent.warnings.append(plain_warning(remote))
    stays = {result.ref: result for result in (*todo.conflicts, *todo.held)}
    stays |= {ref: RefResult(ref, "refused", why) for ref, why in sent.left_behind.items()}
    return Transfer(
        tuple((sent.results | stays).values()), bytes=sent.wire.bytes, objects=sent.wire.objects,
        payloads=sent.payloads, remote=remote, warnings=tuple(sent.warnings),
    )  # fmt: skip


def _refusal(remote: str, refused: PushedRef) -> RemoteError:
    if refused.locked:
        return RemoteError(
            f"{remote}: {refused.ref} is locked there: {refused.locked} was not free",
            hint="another git is at work there: git pacha push tries again. If none is, one was killed: "
            "on that machine, git pacha --registry REGISTRY doctor, or remove the file",
        )
    hint = "see what its administrator allows; git pacha push tries again"
    if "fetch first" in refused.summary or "stale" in refused.summary or "lock" in refused.summary:
        hint = "others push there all the time: git pacha push tries again"
    return RemoteError(f"{remote} refused {refused.ref}: {refused.summary}", hint=hint)


def _send_once(
    session: Session, remote: str, todo: Plan, there: Mapping[str, Oid], sent: _Sent, progress: Progress | None
) -> None:
    """Send a plan, in the order in which no reader ever sees a promise whose bytes are not there."""
    to = _To(session, remote, sent, on_progress(progress, f"push {remote}"))
    if todo.payloads:
        pushed, moved = push_payloads(session, remote, todo.payloads, todo.replaced, there, to.report)
        sent.wire.add(moved)
        sent.payloads += sum(each.ok for each in pushed)
        to.note(pushed, todo.payloads)
    missing = {record_ref_of(each.ref) for each in sent.refused}
    refs = {ref: oid for ref, oid in todo.refs.items() if ref not in missing and ref != MAIN}
    if refs:
        _send_refs(to, refs)
    if todo.deleted and not sent.refused:
        to.note(pushing.delete(session.repo, remote, todo.deleted), {}, gone="removed")
    if refs and MAIN in todo.refs:
        _send_readme(to, todo.refs[MAIN])
    sweep(session, remote, there)


@dataclass(frozen=True, slots=True)
class _To:
    """Where a push goes, and what it came to so far."""

    session: Session
    remote: str
    sent: _Sent
    report: OnProgress | None

    def push(self, refs: Mapping[str, Oid], *, atomic: bool) -> list[PushedRef]:
        """Push refs as they stand there then; what became of them is not noted yet."""
        pushed, moved = pushing.push(self.session.repo, self.remote, refs, atomic=atomic, on_progress=self.report)
        self.sent.wire.add(moved)
        return pushed

    def note(self, pushed: Iterable[PushedRef], refs: Mapping[str, Oid], gone: str = "") -> None:
        """Keep what became of each ref, and remember as last seen what was sent: ours may have moved on meanwhile."""
        there: dict[str, Oid] = {}
        for each in pushed:
            if not each.ok:
                self.sent.refused.append(each)
                continue
            what = gone or ("new" if "[new" in each.summary else "updated")
            self.sent.results[each.ref] = RefResult(each.ref, "up-to-date" if "up to date" in each.summary else what)
            if each.ref in refs and not each.ref.startswith(PAYLOAD_ROOT) and each.ref != ROOT_REF:
                there[each.ref] = refs[each.ref]
        if there:
            with changing(self.session.repo, f"push {self.remote}") as changes:
                remember(self.session, changes, self.remote, there)


def _send_refs(to: _To, refs: Mapping[str, Oid]) -> None:
    """Send records and events, all or none of them; what the rules there refuse holds back nothing else."""
    pushed = to.push(refs, atomic=True)
    if not any(each.is_for_good for each in pushed) or any(each.reason for each in pushed):
        to.note(pushed, refs)  # what a hook named is left behind, and the others go at once
        return
    records = {ref: oid for ref, oid in refs.items() if not ref.startswith(NOTES_ROOT)}
    while records:
        pushed = to.push(records, atomic=True)
        refused = {each.ref for each in pushed if each.is_for_good}
        if not refused or len(refused) == len(records):
            to.note(pushed, records)
            break
        to.note([each for each in pushed if each.is_for_good], records)
        records = _without(to.session, records, refused)
    events = {ref: oid for ref, oid in refs.items() if ref.startswith(NOTES_ROOT)}
    _send_apart(to, events)


def _without(session: Session, refs: Mapping[str, Oid], refused: set[str]) -> dict[str, Oid]:
    """Tell what is left without some refs and what comes from them: its lineage would not be there."""
    left = dict(refs)
    for ref in refused | descending(session, refs, refused):
        left.pop(ref, None)
    return left


def _send_apart(to: _To, refs: Mapping[str, Oid]) -> None:
    """Send refs of which each stands by itself: a server may refuse them one by one, or all for the sake of one."""
    if not refs:
        return
    pushed = to.push(refs, atomic=False)
    if len(refs) == 1 or not all(each.is_for_good for each in pushed):
        to.note(pushed, refs)
        return
    names = sorted(refs)
    for half in (names[: len(names) // 2], names[len(names) // 2 :]):
        _send_apart(to, {ref: refs[ref] for ref in half})


def _send_readme(to: _To, commit: Oid) -> None:
    """Send what greets whoever clones with plain git; a server that protects its branches need not take it."""
    for each in to.push({MAIN: commit}, atomic=False):
        if each.ok:
            to.note([each], {})
        else:
            to.sent.warnings.append(f"{to.remote} does not take {MAIN} ({each.summary}): it goes without its README")


def _dry(session: Session, remote: str, todo: Plan, there: Mapping[str, Oid]) -> Transfer:
    refs = [RefResult(ref, "would be sent") for ref in (*todo.payloads, *todo.refs)]
    refs += [RefResult(ref, "would be removed") for ref in todo.deleted]
    return Transfer(
        (*refs, *todo.conflicts, *todo.held),
        bytes=size_of_what_is_missing(session, todo.payloads, there),
        payloads=len(todo.payloads),
        remote=remote,
        dry_run=True,
    )
