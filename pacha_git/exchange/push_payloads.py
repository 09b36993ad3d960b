"""Pushes payloads: small ones together, large ones part by part so that it can go on where it was cut off.

It knows what the other side lacks, and the refs that hold parts of a push under way. Which payloads go it is told.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.exchange.pull_payloads import batches
from pacha_git.format.event import new_event_id
from pacha_git.git.wire import push as pushing
from pacha_git.git.wire.push import PushedRef
from pacha_git.git.wire.transport import Moved, OnProgress
from pacha_git.gitobjects.oid import Oid, git_oid
from pacha_git.gitobjects.trees import FILE_MODE, TREE_MODE, tree_bytes
from pacha_git.session.items import Item, read_item
from pacha_git.session.session import Session
from pacha_git.store.targets import target_payload_ref
from pacha_git.vocabulary.ids import TMP_ROOT, record_ref_of

# Cut off, a push loses at most a part and the little of the next one that went beside its end: 64 MiB.
PART_BYTES: Final = 56 << 20
_HEAD_START: Final = 8
GRACE_DAYS: Final = 14
_PER_REF: Final = 1024
_RELATED: Final = 64


@dataclass(frozen=True, slots=True)
class _Large:
    """A payload that goes part by part: a tree for each part, which names the groups and files in it."""

    ref: str
    commit: Oid
    parts: dict[Oid, bytes]


def push_payloads(
    session: Session,
    remote: str,
    payloads: Mapping[str, Oid],
    replaced: Mapping[str, Oid],
    there: Mapping[str, Oid],
    report: OnProgress | None,
) -> tuple[list[PushedRef], Moved]:
    """Push payloads, in packs of bounded size.

    Args:
        session: The registry.
        remote: Where to.
        payloads: Payload refs to be there.
        replaced: Those that are there with other bytes, and where they stand.
        there: All refs that the remote has.
        report: Is told how far it is.

    Returns:
        What became of each payload ref, and how much moved.

    Raises:
        RemoteError: the remote can't be reached, or broke off; the parts that arrived need not go again.
    """
    results: list[PushedRef] = []
    to = _Remote(session, remote, replaced, there, report)
    most = part_bytes(there)
    together: dict[str, Oid] = {}
    size = 0
    for ref, commit in payloads.items():
        item = _item(session, ref)
        missing = _missing(session, item, there) if item is not None else {}
        amount = sum(missing.values())
        if amount > most:
            large = _Large(ref, commit, dict(_trees(batches(missing, most))))
            results += _push_large(to, large)
            continue
        if together and size + amount > most:
            results += to.push(together)
            together, size = {}, 0
        together[ref] = commit
        size += amount
    return results + to.push(together), to.wire


def part_bytes(there: Mapping[str, Oid]) -> int:
    """Tell how large a part is: a server that lists many refs lists them for every part."""
    return max(PART_BYTES, _PER_REF * len(there))


@dataclass(slots=True)
class _Remote:
    """Where a push goes, and how much moved so far."""

    session: Session
    name: str
    replaced: Mapping[str, Oid]
    there: Mapping[str, Oid]
    report: OnProgress | None
    wire: Moved = field(default_factory=Moved)

    def push(self, refs: Mapping[str, Oid], trees: Iterable[bytes] = ()) -> list[PushedRef]:
        if not refs:
            return []
        pushed, moved = self.send(refs, trees, self.report)
        self.wire.add(moved)
        return pushed

    def send(
        self, refs: Mapping[str, Oid], trees: Iterable[bytes], report: OnProgress | None
    ) -> tuple[list[PushedRef], Moved]:
        leases = {ref: self.replaced[ref] for ref in refs if ref in self.replaced}
        return pushing.push(
            self.session.repo,
            self.name,
            refs,
            leases=leases,
            trees=list(trees),
            shallow=True,
            plain=self.wire.plain,
            probe=f"{TMP_ROOT}{new_event_id()}/probe",
            on_progress=report,
        )


_Part = tuple[str, "Future[tuple[list[PushedRef], Moved]]"]
"""A part on its way: its ref, and what becomes of it."""


def _push_large(remote: _Remote, large: _Large) -> list[PushedRef]:
    """Push the parts that are not there, then the payload, then let go of the parts."""
    left = {ref: oid for ref, oid in remote.there.items() if ref.startswith(TMP_ROOT) and oid in large.parts}
    push_id = new_event_id()
    missing = [part for part in large.parts if part not in left.values()]
    left |= _push_parts(remote, large, {f"{TMP_ROOT}{push_id}/{at:06d}": part for at, part in enumerate(missing)})
    results = remote.push({large.ref: large.commit}, large.parts.values())
    if left and all(each.ok for each in results):
        pushing.delete(remote.session.repo, remote.name, left)
    return results


def _push_parts(remote: _Remote, large: _Large, parts: Mapping[str, Oid]) -> dict[str, Oid]:
    """Push parts one after the other; each is begun while the end of the one before goes, and is made durable there.

    Returns:
        Those that are there now; a server that takes no such refs takes the whole at once.

    Raises:
        RemoteError: as a push.
    """
    done: dict[str, Oid] = {}

    def has_arrived(part: _Part) -> bool:
        pushed, moved = part[1].result()
        remote.wire.add(moved)
        if all(each.ok for each in pushed):
            done[part[0]] = parts[part[0]]
        return part[0] in done

    with ThreadPoolExecutor(2) as pool:
        under_way: deque[_Part] = deque()
        for ref, oid in parts.items():
            sent = Event()
            under_way.append((ref, pool.submit(_send_part, remote, {ref: oid}, large.parts.values(), sent)))
            sent.wait()
            # The first one alone shows what the server takes.
            if (not done or len(under_way) > 1) and not has_arrived(under_way.popleft()):
                break
        for part in under_way:
            has_arrived(part)
    return done


def _send_part(
    remote: _Remote, refs: Mapping[str, Oid], trees: Iterable[bytes], sent: Event
) -> tuple[list[PushedRef], Moved]:
    """Push a part; ``sent`` is set once nearly all of it is on its way, or nothing more of it will be."""

    def report(doing: str, done: int, total: int) -> None:
        if doing == "Writing objects" and done * _HEAD_START >= total * (_HEAD_START - 1):
            sent.set()
        if remote.report is not None:
            remote.report(doing, done, total)

    try:
        return remote.send(refs, trees, report)
    finally:
        sent.set()


def _trees(parts: Iterable[Mapping[tuple[str, Oid], int]]) -> Iterable[tuple[Oid, bytes]]:
    for part in parts:
        body = tree_bytes([(mode, b"%08d" % at, oid) for at, (mode, oid) in enumerate(part)])
        yield git_oid("tree", body), body


def _item(session: Session, payload_ref: str) -> Item | None:
    ref = record_ref_of(payload_ref)
    commit = session.repo.ref(ref)
    return read_item(session.repo, ref, commit) if commit is not None else None


def _missing(session: Session, item: Item, there: Mapping[str, Oid]) -> dict[tuple[str, Oid], int]:
    """Mode, id and bytes of the groups and whole files that no related payload which is there has."""
    missing = _parts(session, item)
    folder = item.payload_ref.rpartition("/")[0] + "/"
    related = [ref for ref in session.repo.refs_below(folder) if ref != item.payload_ref][-_RELATED:]
    for ref in dict.fromkeys([*map(target_payload_ref, item.targets), *related]):
        if ref in there and there[ref] == session.repo.ref(ref) and (other := _item(session, ref)) is not None:
            for part in _parts(session, other):
                missing.pop(part, None)
    return missing


def _parts(session: Session, item: Item) -> dict[tuple[str, Oid], int]:
    if item.content is None:
        return {}
    try:
        lines = session.payloads.read(item.content).lines
    except PachaError:
        return {}  # damaged here: the push itself will say so
    modes = {"blob": FILE_MODE, "chunked": TREE_MODE}
    return {(modes[line.stored], oid): size for line in lines for oid, size in line.parts or ()}


def size_of_what_is_missing(session: Session, payloads: Iterable[str], there: Mapping[str, Oid]) -> int:
    """About how many bytes a push of payloads would move, before compression."""
    items = [item for ref in payloads if (item := _item(session, ref)) is not None]
    return sum(sum(_missing(session, item, there).values()) for item in items)


def sweep(session: Session, remote: str, there: Mapping[str, Oid]) -> None:
    """Let go of parts that nobody has completed for long: their pusher is dead, or has begun anew."""
    before = time.time() - GRACE_DAYS * 86400
    stale = {ref: oid for ref, oid in there.items() if ref.startswith(TMP_ROOT) and pushed_at(ref) < before}
    if stale:
        pushing.delete(session.repo, remote, stale)


def pushed_at(ref: str) -> float:
    """Tell when the push of a part began, in seconds since 1970: its id is a UUIDv7 (RFC 9562, section 5.7); else 0."""
    digits = ref[len(TMP_ROOT) :].partition("/")[0].replace("-", "")
    try:
        return int(digits[:12], 16) / 1000
    except ValueError:
        return 0.0
