"""Looks at a remote: which refs it has, what of that is new, and whether it is sound; keeps the last-seen copies.

What arrives is read in a side repository, and only what is sound comes among our objects. Our own refs it never moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from pacha_git.errors import VerificationFailed
from pacha_git.exchange import remotes, unchanged
from pacha_git.exchange.faults import faults, tainted
from pacha_git.exchange.incoming import Arrival, inspect, vanished_or_moved
from pacha_git.format.kinds import ITEM_ROOTS
from pacha_git.git.changes import changing
from pacha_git.git.side import Side, passing
from pacha_git.git.wire import fetch as fetching
from pacha_git.git.wire import transport
from pacha_git.git.wire.fetch import ObjectRefused, WantRefused
from pacha_git.git.wire.transport import Moved
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.removals import FROM_ORIGIN
from pacha_git.progress import Progress
from pacha_git.session.items import differing
from pacha_git.session.session import Session
from pacha_git.store.removals import removals_at
from pacha_git.vocabulary.ids import NOTES_ROOT, REGISTRY_REF

WANTED: Final = (*ITEM_ROOTS, NOTES_ROOT)
OBJECT_LIMIT: Final = 256 << 20
_HAVES: Final = 8192
_TRIES: Final = 3
_LEAST: Final = 1 << 30
_PER_REF: Final = 4 << 20


@dataclass(slots=True)
class Look:
    """What was seen at a remote.

    Attributes:
        remote: Its name.
        there: All of its refs.
        seen: Those of its records, runs and events that are sound; their objects are here.
        moved: The refs that changed since the last time.
        wire: What came for it.
        arrival: What is wrong with the remote.
        stamp: How both sides stood, if it was asked for.
        quiet: Whether nothing has changed since there was nothing to do; then nothing else was looked at.
    """

    remote: str
    there: dict[str, Oid]
    seen: dict[str, Oid]
    moved: list[str]
    wire: Moved
    arrival: Arrival
    stamp: str = ""
    quiet: bool = False

    def raise_broken(self, hint: str) -> None:
        """Raise what the remote promised and no longer keeps, if anything.

        Raises:
            VerificationFailed: a record moved or vanished there.
        """
        if self.arrival.broken:
            raise VerificationFailed(f"{self.remote}: {self.arrival.broken[0]}", hint=hint)

    def raise_problems(self, hint: str) -> None:
        """Raise what is wrong with the remote, if anything.

        Raises:
            VerificationFailed: a record moved or vanished there, or something there is not sound.
        """
        problems = [*self.arrival.broken, *self.arrival.problems]
        if problems:
            more = f" (and {len(problems) - 1} more)" if problems[1:] else ""
            raise VerificationFailed(f"{self.remote}: {problems[0]}{more}", hint=hint)


def on_progress(progress: Progress | None, what: str) -> transport.OnProgress | None:
    """Hand on Git's counts."""
    if progress is None:
        return None
    return lambda doing, done, total: progress(f"{what}: {doing.lower()}", done, total, "objects")


def look(
    session: Session,
    remote: str,
    progress: Progress | None = None,
    *,
    verb: str = "",
    passes_by: Callable[[str], bool] = lambda _: False,
) -> Look:
    """See what a remote has, and bring the last-seen copies up to date.

    Args:
        session: The registry.
        remote: Its name.
        progress: Is told how far it is.
        verb: A verb that had nothing to do when everything stood as it does now need not look any further.
        passes_by: Says which refs are not even looked at.

    Raises:
        RemoteError: it can't be reached, or breaks off.
    """
    for attempt in range(_TRIES):
        try:
            return _look(session, remote, progress, verb, passes_by)
        except WantRefused:
            # Somebody pushed between the listing and the fetch: what we want is no longer at the tip of a ref.
            if attempt == _TRIES - 1:
                raise
    raise AssertionError("the last try returns or raises")


def _look(
    session: Session, remote: str, progress: Progress | None, verb: str, passes_by: Callable[[str], bool]
) -> Look:
    listing = transport.listing(session.repo, remote)
    stamp = unchanged.stamp(session, listing) if verb else ""
    if verb and unchanged.is_known(session, remote, verb, stamp):
        return Look(remote, {}, {}, [], Moved(), Arrival(), stamp, True)
    if verb and unchanged.in_step(session, remote, listing):
        unchanged.remember(session, remote, verb, stamp)
        return Look(remote, {}, {}, [], Moved(), Arrival(), stamp, True)
    there = transport.parse_listing(listing)
    if not there:
        transport.note_empty(session.repo, remote)
    seen = remotes.seen(session, remote)
    result = Look(remote, there, seen, [], Moved(), Arrival(), stamp)
    bad = dict(vanished_or_moved(seen, there))
    result.arrival.passes_by = passes_by
    result.arrival.broken += [said for ref, said in bad.items() if not passes_by(ref)]
    differ = {ref: oid for ref, oid in differing(there, seen).items() if not passes_by(ref)}
    wanted = [ref for ref in sorted(differ) if ref.startswith(WANTED) or ref == REGISTRY_REF]
    for ref in [ref for ref in wanted if not is_utf8(ref)]:
        result.arrival.refuse(ref.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"), "not UTF-8")
        wanted.remove(ref)
    fresh = {ref: differ[ref] for ref in wanted if ref not in bad}
    if fresh:
        _take(session, result, fresh, progress)
    return result


def _take(session: Session, result: Look, fresh: Mapping[str, Oid], progress: Progress | None) -> None:
    """Fetch what is new, keep what is sound of it."""
    with passing(session.repo) as side:
        refused = _fetch(session, side, result, fresh, progress)
        bad = faults(side, OBJECT_LIMIT, git_refused=refused)
        unfit = tainted(side, fresh.values(), bad)
        for ref, tip in fresh.items():
            if tip in unfit:
                result.arrival.refuse(ref, unfit[tip])
        fit = {ref: tip for ref, tip in fresh.items() if tip not in unfit}
        sound = inspect(session, side.repo, fit, result.seen, result.arrival)
        with changing(session.repo, f"fetch {result.remote}") as changes:
            whole = len(sound) == len(fresh) and not bad
            packs = side.packs if whole else side.only(list(sound.values()))
            changes.take_in(packs)
            if result.remote == remotes.DEFAULT:
                _note_removals(session, side, sound)
            remotes.remember(session, changes, result.remote, sound)
    result.seen |= sound
    result.moved = list(sound)


def is_utf8(ref: str) -> bool:
    """Tell whether the name of a ref is text; Git takes any bytes."""
    try:
        ref.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _note_removals(session: Session, side: Side, sound: Mapping[str, Oid]) -> None:
    """Note which removals came from the remote that a registry without keys believes."""
    told = [event.hash for ref, tip in sound.items() for event in removals_at(side.repo, ref, tip)]
    if told:
        session.removals.note(FROM_ORIGIN, told)


def _fetch(session: Session, side: Side, result: Look, fresh: Mapping[str, Oid], progress: Progress | None) -> bool:
    """Fetch what is missing; whether Git's check refused an object, so that all of it came unchecked."""
    wants = session.repo.missing(fresh.values())
    if not wants:
        return False
    ask = partial(
        fetching.fetch, side, result.remote, wants, haves=_haves(session, fresh),
        most=max(_LEAST, _PER_REF * len(fresh)), on_progress=on_progress(progress, f"fetch {result.remote}"),
    )  # fmt: skip
    try:
        result.wire = ask()
        return False
    except ObjectRefused:
        result.wire = ask(checked=False)
        return True


def _haves(session: Session, fresh: Iterable[str]) -> list[Oid]:
    """What to say that we have: first what is nearest to what is new, then the rest, as far as it is worth saying."""
    near: dict[Oid, None] = {}
    for folder in dict.fromkeys(ref.rpartition("/")[0] + "/" for ref in fresh):
        near.update(dict.fromkeys(session.repo.refs_below(folder).values()))
        if len(near) >= _HAVES:
            break
    for root in (*ITEM_ROOTS, NOTES_ROOT):
        if len(near) < _HAVES:
            near.update(dict.fromkeys(session.repo.refs_below(root).values()))
    return list(near)[:_HAVES]
