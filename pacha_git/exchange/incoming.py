"""What a remote had is checked before any ref of ours moves: records, runs, their lineage, events, settings.

It trusts nothing that it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pacha_git.errors import Conflict, Corrupt, PachaError
from pacha_git.format.kinds import grows
from pacha_git.git.changes import Changes
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.session.items import (
    Item,
    broken_edge,
    differing,
    is_item,
    parse_item_ref,
    read_item,
    read_item_checked,
)
from pacha_git.session.results import RefResult
from pacha_git.session.session import Session
from pacha_git.store.clashes import clashes
from pacha_git.store.events import ATTESTATIONS, attestations_at, ledger_at
from pacha_git.store.notes import merge_tips
from pacha_git.store.runs import commits as run_commits
from pacha_git.store.settings import check_settings, settings_at
from pacha_git.store.targets import Tips, target_ref
from pacha_git.vocabulary.ids import NOTES_ROOT, REGISTRY_REF, VersionId, parse_notes_ref
from pacha_git.vocabulary.kinds import Kind


@dataclass(slots=True)
class Arrival:
    """What was taken over, and what was left and why.

    Attributes:
        results: What became of each ref.
        problems: What is wrong with the remote, one line each.
        checked: Items that were found sound, by ref: they need no second look.
        refused: The refs that were left.
        broken: What the remote once had and no longer has as it was, one line each.
        passes_by: Says which refs nobody wants to hear of.
    """

    results: list[RefResult] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    checked: dict[str, Item] = field(default_factory=dict)

    refused: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    passes_by: Callable[[str], bool] = lambda _: False

    def refuse(self, ref: str, why: str) -> None:
        """Leave a ref out because something is wrong with it."""
        self.refused.add(ref)
        self.results.append(RefResult(ref, "rejected", why))
        self.problems.append(f"{ref}: {why}")


# Inspecting: nothing of ours is touched -------------------------------------------------------------------------------


def inspect(
    session: Session, objects: GitRepository, fresh: Mapping[str, Oid], seen: Mapping[str, Oid], arrival: Arrival
) -> dict[str, Oid]:
    """Check what came.

    Args:
        session: The registry.
        objects: Tips what came can be read, apart from ours.
        fresh: The remote's refs that are new or moved.
        seen: Those that were found sound before.
        arrival: Is told what is wrong.

    Returns:
        Those of ``fresh`` that are sound, so that their objects may come among ours.
    """
    sound = _sound_notes(objects, fresh, arrival)
    left = {name for ref in arrival.refused if (name := name_of(ref)) is not None and ref.startswith(NOTES_ROOT)}
    wanted = {ref: oid for ref, oid in fresh.items() if is_item(ref)}
    for ref in [ref for ref in wanted if name_of(ref) in left]:
        arrival.refuse(ref, "what is said of its name can't be taken, so all of that name is left where it was")
        del wanted[ref]
    items = _sound_items(session, objects, wanted, seen, arrival)

    def here(ref: str) -> list[Oid]:
        return [oid for oid in (seen.get(ref), session.repo.ref(ref)) if oid is not None]

    arrival.checked |= _closed(objects, items, here, arrival)
    sound |= {ref: item.commit for ref, item in arrival.checked.items() if ref in fresh}
    return {ref: tip for ref, tip in sound.items() if name_of(ref) not in left}


def name_of(ref: str) -> tuple[Kind, str] | None:
    """Return the name that a ref of a version or of notes belongs to; None for any other ref."""
    try:
        notes = parse_notes_ref(ref) if ref.startswith(NOTES_ROOT) else None
        version = parse_item_ref(ref) if is_item(ref) else None
    except PachaError:
        return None
    if isinstance(version, VersionId):
        return version.kind, version.name
    return (notes[0], notes[1]) if notes is not None else None


def _sound_notes(objects: GitRepository, fresh: Mapping[str, Oid], arrival: Arrival) -> dict[str, Oid]:
    """Return the settings and notes that can be read and folded."""
    sound: dict[str, Oid] = {}
    for ref, tip in fresh.items():
        if is_item(ref):
            continue
        try:
            if ref == REGISTRY_REF:
                check_settings(settings_at(objects, tip))
            else:
                _check_notes(objects, ref, tip)
        except PachaError as error:
            arrival.refuse(ref, error.message)
        else:
            sound[ref] = tip
    return sound


def _sound_items(
    session: Session, objects: GitRepository, fresh: Mapping[str, Oid], seen: Mapping[str, Oid], arrival: Arrival
) -> dict[str, Item]:
    spelled: dict[str, VersionId | str] = {}
    for ref in fresh:
        try:
            spelled[ref] = parse_item_ref(ref)
        except PachaError as error:
            arrival.refuse(ref, error.message)
    versions = [each for each in spelled.values() if isinstance(each, VersionId)]
    clash = clashes(session.repo, versions) if versions else {}
    sound: dict[str, Item] = {}
    for ref, what in spelled.items():
        if isinstance(what, VersionId) and what in clash:
            arrival.refuse(ref, clash[what])
            continue
        try:
            item = read_item_checked(objects, ref, fresh[ref])
            if ref in seen and seen[ref] not in item.chain:
                raise Corrupt(f"it moved to {item.commit} there, which does not come from {seen[ref]}; ours stays")
            sound[ref] = item
        except PachaError as error:
            arrival.refuse(ref, error.message)
    return sound


def _closed(objects: GitRepository, items: Mapping[str, Item], here: Tips, arrival: Arrival) -> dict[str, Item]:
    """Those whose lineage is whole: each thing that they come from is there too, with the record that the edge says."""
    kept = dict(items)
    while True:
        broken: dict[str, str] = {}
        for ref, item in kept.items():
            try:
                why = broken_edge(objects, item, kept, here)
            except PachaError as error:
                why = error.message
            if why:
                broken[ref] = why
        for ref, why in broken.items():
            if any(arrival.passes_by(target_ref(target)) for target in kept[ref].targets):
                arrival.results.append(RefResult(ref, "skipped", why))
            else:
                arrival.refuse(ref, why)
            del kept[ref]
        if not broken:
            return kept


def _check_notes(objects: GitRepository, ref: str, tip: Oid) -> None:
    parsed = parse_notes_ref(ref)
    if parsed is None:
        raise PachaError("no ref of the format")
    kind, name, what = parsed
    # A history made to be tangled is found out here, before it is ours.
    (attestations_at if what == ATTESTATIONS else ledger_at)(objects, tip, kind, name)


# Adopting: ours follow what was found sound ---------------------------------------------------------------------------


def adopt_items(session: Session, changes: Changes, theirs: Mapping[str, Oid], arrival: Arrival) -> None:
    """Take over versions and runs whose whole lineage is here or comes along.

    Args:
        session: The registry.
        changes: What the new refs become durable with.
        theirs: The remote's refs that differ from ours, found sound and with their objects here.
        arrival: Is told what became of each.
    """
    fresh: dict[str, Item] = {}
    apart: set[str] = set()
    for ref, commit in theirs.items():
        if not is_item(ref):
            continue
        mine = session.repo.ref(ref)
        if mine is not None and not _leads_on(session, ref, mine, commit, arrival):
            apart.add(ref)
        elif mine != commit and not _is_ahead(session, ref, mine, commit):
            fresh[ref] = arrival.checked.get(ref) or read_item(session.repo, ref, commit)
    for ref, item in _followers(session, fresh, apart, arrival).items():
        mine = session.repo.ref(ref)
        changes.move(ref, item.commit, mine)
        stale = session.repo.ref(item.payload_ref)
        if stale not in (None, item.payload_commit):  # of what stood here before, and was undone by hand
            changes.move(item.payload_ref, None, stale)
        arrival.results.append(RefResult(ref, "new" if mine is None else "updated"))


def _leads_on(session: Session, ref: str, mine: Oid, theirs: Oid, arrival: Arrival) -> bool:
    """Tell whether ours and theirs are one thing: a version at one commit, a run of which one is further on."""
    if mine == theirs:
        return True
    if grows(ref):
        try:
            run_commits.read_checked(session.repo, theirs, ref)
            return True
        except Conflict:
            pass
    arrival.results.append(RefResult(ref, "conflict", f"here {mine}, there {theirs}"))
    return False


def _is_ahead(session: Session, ref: str, mine: Oid | None, theirs: Oid) -> bool:
    return mine is not None and grows(ref) and theirs in run_commits.history(session.repo, mine)


def _followers(session: Session, fresh: Mapping[str, Item], apart: set[str], arrival: Arrival) -> dict[str, Item]:
    """Without what comes from a thing that both sides have differently: its lineage would not be here."""

    def here(ref: str) -> list[Oid]:
        mine = session.repo.ref(ref)
        return [mine] if mine is not None else []

    kept = dict(fresh)
    while True:
        broken = {ref: why for ref, item in kept.items() if (why := broken_edge(session.repo, item, kept, here))}
        for ref, why in broken.items():
            arrival.results.append(RefResult(ref, "skipped", why))
            del kept[ref]
        if not broken:
            return kept


def adopt_notes(session: Session, changes: Changes, theirs: Mapping[str, Oid], arrival: Arrival) -> None:
    """Unite the remote's events and attestations with ours, per name; no line is ever lost."""
    for ref, tip in sorted(theirs.items(), key=lambda item: not item[0].endswith(ATTESTATIONS)):
        mine = session.repo.ref(ref)
        if not ref.startswith(NOTES_ROOT) or mine == tip:
            continue
        session.removals.begin()  # what an older build has as removed is told from what comes now
        merged = tip if mine is None else merge_tips(session.repo, changes, mine, tip)
        if merged != mine:
            changes.move(ref, merged, mine)
            arrival.results.append(RefResult(ref, "new" if mine is None else "updated"))


def vanished_or_moved(before: Mapping[str, Oid], now: Mapping[str, Oid]) -> Iterable[tuple[str, str]]:
    """Record refs that a remote had and has no more, or at another commit: a record never moves.

    Returns:
        Ref, and what to say of it. (A run may move on; whether it moved back is seen when its commits are here.)
    """
    for ref, oid in differing(before, now).items():
        if not is_item(ref) or (grows(ref) and ref in now):
            continue
        yield ref, f"{ref} {'moved to ' + now[ref] if ref in now else 'vanished'} there; it was {oid}, and ours stays"
