"""What a remote had is checked before any ref of ours moves: records, their lineage, events, payloads.

It trusts nothing that it reads; who fetched it, and what is fetched next, it refuses to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pacha_git.errors import PachaError
from pacha_git.git.changes import Changes
from pacha_git.names import NOTES_ROOT, Kind, Oid, VersionId, parse_notes_ref, parse_record_ref
from pacha_git.registry.context import Context
from pacha_git.registry.register import name_clash
from pacha_git.registry.results import RefResult
from pacha_git.store import records
from pacha_git.store.events import ATTESTATIONS, attestations_at, ledger_at
from pacha_git.store.notes import merge_tips


@dataclass(slots=True)
class Arrival:
    """What was taken over, and what was left and why."""

    results: list[RefResult] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def refuse(self, ref: str, why: str) -> None:
        """Leave a ref out because something is wrong with it."""
        self.results.append(RefResult(ref, "rejected", why))
        self.problems.append(f"{ref}: {why}")


def adopt_records(context: Context, changes: Changes, theirs: Mapping[str, Oid], arrival: Arrival) -> None:
    """Take over the records that are sound and whose whole lineage is here or comes along.

    Args:
        context: The registry.
        changes: What the new refs become durable with.
        theirs: The remote's refs, whose objects are here.
        arrival: Is told what became of each.
    """
    fresh: dict[VersionId, Oid] = {}
    for ref, commit in theirs.items():
        version = _record(ref, arrival)
        if version is None:
            continue
        mine = context.repo.ref(ref)
        if mine is None:
            fresh[version] = commit
        elif mine != commit:
            arrival.results.append(RefResult(ref, "conflict", f"here {mine}, there {commit}"))
    sound = _sound(context, fresh, arrival)
    for version in _closed(context, sound, arrival):
        changes.move(version.ref, sound[version].commit, None)
        arrival.results.append(RefResult(version.ref, "new"))


def _record(ref: str, arrival: Arrival) -> VersionId | None:
    try:
        return parse_record_ref(ref)
    except PachaError as error:
        arrival.refuse(ref, error.message)
        return None


def _sound(context: Context, fresh: Mapping[VersionId, Oid], arrival: Arrival) -> dict[VersionId, records.Stored]:
    sound: dict[VersionId, records.Stored] = {}
    clash = name_clash(context, fresh)
    for version, commit in fresh.items():
        if version in clash:
            arrival.refuse(version.ref, clash[version])
            continue
        try:
            sound[version] = records.read_checked(context.repo, commit, version.ref)
        except PachaError as error:
            arrival.refuse(version.ref, error.message)
    return sound


def _closed(context: Context, sound: Mapping[VersionId, records.Stored], arrival: Arrival) -> list[VersionId]:
    """Those whose lineage is whole: each version that they come from is here or comes along, with that record."""
    kept = dict(sound)
    while True:
        broken = {v: why for v, stored in kept.items() if (why := _broken_edge(context, stored, kept))}
        for version, why in broken.items():
            arrival.refuse(version.ref, why)
            del kept[version]
        if not broken:
            return list(kept)


def _broken_edge(context: Context, stored: records.Stored, coming: Mapping[VersionId, records.Stored]) -> str:
    for edge in stored.record.lineage:
        target = edge.target
        if target.kind == Kind.RUN.value or target.version is None:
            continue
        version = VersionId.parse(Kind(target.kind), target.name, target.version)
        if version in coming:
            found = coming[version]
        elif context.repo.ref(version.ref) == target.commit:
            found = records.read(context.repo, Oid(target.commit))
        else:
            return f"it comes from {target}, which is not here at {target.commit[:12]}"
        if found.target != target:
            return f"it comes from {target}, whose record is another"
    return ""


def adopt_notes(context: Context, changes: Changes, theirs: Mapping[str, Oid], arrival: Arrival) -> None:
    """Unite the remote's events and attestations with ours, per name; no line is ever lost."""
    for ref, tip in sorted(theirs.items(), key=lambda item: not item[0].endswith(ATTESTATIONS)):
        if not ref.startswith(NOTES_ROOT) or context.repo.ref(ref) == tip:
            continue
        try:
            _adopt_note(context, changes, ref, tip, arrival)
        except PachaError as error:
            arrival.refuse(ref, error.message)


def _adopt_note(context: Context, changes: Changes, ref: str, tip: Oid, arrival: Arrival) -> None:
    parsed = parse_notes_ref(ref)
    if parsed is None:
        arrival.refuse(ref, "no ref of the format")
        return
    kind, name, what = parsed
    mine = context.repo.ref(ref)
    merged = tip if mine is None else merge_tips(context.repo, changes, mine, tip)
    if merged == mine:
        return
    # A history made to be tangled is found out here, before it is ours.
    (attestations_at if what == ATTESTATIONS else ledger_at)(context.repo, merged, kind, name)
    changes.move(ref, merged, mine)
    arrival.results.append(RefResult(ref, "new" if mine is None else "updated"))


def vanished_or_moved(before: Mapping[str, Oid], now: Mapping[str, Oid]) -> Iterable[str]:
    """Record refs that a remote had and has no more, or at another commit: a record never moves."""
    for ref, oid in before.items():
        if ref.startswith(NOTES_ROOT) or not _is_record(ref) or now.get(ref) == oid:
            continue
        yield f"{ref} {'moved to ' + now[ref] if ref in now else 'vanished'} there; it was {oid}, and ours stays"


def _is_record(ref: str) -> bool:
    try:
        return parse_record_ref(ref) is not None
    except PachaError:
        return False
