"""Decides what a push sends, by what was selected here and what the remote has now.

It reads, and moves nothing: conflicts, removals and the order of descent are settled here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.format.kinds import grows
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.notes import parse_note
from pacha_git.session.claims import claims_in_words
from pacha_git.session.items import differing, read_item
from pacha_git.session.results import RefResult
from pacha_git.session.session import Session
from pacha_git.session.whereabouts import NOWHERE, nowhere
from pacha_git.store.events import ATTESTATIONS
from pacha_git.store.notes import read_note
from pacha_git.store.readme import MAIN
from pacha_git.store.runs import commits as run_commits
from pacha_git.vocabulary.ids import (
    NOTES_ROOT,
    PAYLOAD_ROOT,
    REGISTRY_REF,
    ROOT_REF,
    RunId,
    VersionId,
    parse_notes_ref,
    parse_payload_ref,
    payload_ref_of,
    record_ref_of,
)
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Name


@dataclass(slots=True)
class Selection:
    """What is to be sent.

    Attributes:
        items: Refs of versions and runs.
        payloads: Payload refs that are here.
        names: The names whose events go along; None for all.
    """

    items: dict[str, Oid]
    payloads: dict[str, Oid]
    names: set[tuple[Kind, Name]] | None

    def has_notes(self, ref: str) -> bool:
        """Tell whether the events in a notes ref belong to it."""
        if not ref.startswith(NOTES_ROOT):
            return False
        parsed = parse_notes_ref(ref) if self.names is not None else None
        return self.names is None or (parsed is not None and (parsed[0], parsed[1]) in self.names)


@dataclass(slots=True)
class Plan:
    """What one attempt sends, by the remote's refs as they are now.

    Attributes:
        payloads: Payload refs to be there.
        replaced: Those of them that are there with other bytes than their record says, and where they stand.
        deleted: Payload refs to go, and where they stand.
        refs: Refs of versions, runs, events and settings to be there.
        conflicts: What is left out, and why.
        held: Refs that stay here until a person decides on what they claim.
    """

    payloads: dict[str, Oid] = field(default_factory=dict)
    replaced: dict[str, Oid] = field(default_factory=dict)
    deleted: dict[str, Oid] = field(default_factory=dict)
    refs: dict[str, Oid] = field(default_factory=dict)
    conflicts: list[RefResult] = field(default_factory=list)
    held: list[RefResult] = field(default_factory=list)


_FEW: Final = 1000
_ALWAYS: Final = (ROOT_REF, REGISTRY_REF)


def plan(
    session: Session, selection: Selection, there: Mapping[str, Oid], unfit: Collection[str] = frozenset()
) -> Plan:
    """Decide what to send to a remote that has these refs; ``unfit`` are those of which nothing is sent."""
    made = Plan()
    left_out = _plan_items(session, selection, there, made, unfit)
    _plan_notes(session, selection, there, made)
    for ref in [ref for ref in made.refs if ref in unfit]:
        del made.refs[ref]
    removed = _removed(session, selection, there)
    for ref, commit in differing(selection.payloads, there).items():
        record = record_ref_of(ref)
        if ref in removed or ref in unfit or record in left_out or record not in selection.items:
            continue  # what has no record is what a registration left that was cut off: it says nothing
        if ref in there:
            if record not in made.refs and there.get(record) != selection.items.get(record):
                continue  # a run that went on there has later bytes than ours
            if not _as_recorded(session, record, commit):
                continue  # ours is the wrong one: fsck says so, and theirs stays
            made.replaced[ref] = there[ref]
        made.payloads[ref] = commit
    made.deleted = {ref: there[ref] for ref in removed if ref in there}
    for ref in _ALWAYS:
        own = session.repo.ref(ref)
        if ref not in there and own is not None:
            made.refs[ref] = own
    readme = session.repo.ref(MAIN)
    if readme is not None and not any(ref.startswith("refs/heads/") for ref in there):
        made.refs[MAIN] = readme
    return made


def _as_recorded(session: Session, record: str, payload: Oid) -> bool:
    """Tell whether a payload here is the one that its record here names."""
    commit = session.repo.ref(record)
    try:
        return commit is not None and read_item(session.repo, record, commit).payload_commit == payload
    except PachaError:
        return False


def _plan_items(
    session: Session, selection: Selection, there: Mapping[str, Oid], made: Plan, unfit: Collection[str]
) -> set[str]:
    """Plan versions and runs; returns what is left out because the remote has something else there."""
    left_out: set[str] = set()
    for ref, commit in differing(selection.items, there).items():
        if ref in unfit and ref not in there:
            left_out.add(ref)
        elif ref not in there or _goes_forward(session, ref, commit, there[ref]):
            made.refs[ref] = commit
        elif not _goes_forward(session, ref, there[ref], commit):
            made.conflicts.append(RefResult(ref, "conflict", f"here {commit}, there {there[ref]}"))
            left_out.add(ref)
    _leave_out_descendants(session, selection, made, left_out, "it comes from a version that was left out")
    fresh = {ref: commit for ref, commit in made.refs.items() if payload_ref_of(ref) not in there}
    # Whether each has the bytes that its record says takes a look at all of them: the first push of very many skips it.
    lost = {item.ref for item in nowhere(session, fresh, others_held=len(fresh) <= _FEW)}
    for ref in sorted(lost):
        del made.refs[ref]
        made.conflicts.append(RefResult(ref, "lost", NOWHERE))
    _leave_out_descendants(session, selection, made, lost, "it comes from a version whose bytes are lost")
    return left_out | lost


def _leave_out_descendants(session: Session, selection: Selection, made: Plan, left_out: set[str], why: str) -> None:
    """Leave out what comes from what is left out: its lineage would not be there."""
    for ref in descending(session, selection.items, left_out):
        left_out.add(ref)
        made.refs.pop(ref, None)
        made.conflicts.append(RefResult(ref, "skipped", why))


def descending(session: Session, items: Mapping[str, Oid], refs: Iterable[str]) -> set[str]:
    """Return those of the items that come from what lies under some refs, near or far; without these themselves."""
    queue = [ref for ref in refs if ref in items]
    known = {*refs, *queue}
    while queue:
        ref = queue.pop()
        fresh = {child for child in _children(session, ref, items[ref]) if child in items} - known
        known |= fresh
        queue += fresh
    return known - set(refs)


def _children(session: Session, ref: str, tip: Oid) -> Iterator[str]:
    """Yield the refs of the versions and runs that come from what a ref leads to; of a run, from any of its commits."""
    for commit in run_commits.history(session.repo, tip) if grows(ref) else [tip]:
        yield from (child.ref for child in session.catalogue.children(commit))
        yield from (RunId(run).ref for run in session.catalogue.child_runs(commit))


def _goes_forward(session: Session, ref: str, newer: Oid, older: Oid) -> bool:
    """Tell whether a run's one commit comes after another; a version has only one."""
    try:
        return grows(ref) and older in run_commits.history(session.repo, newer)
    except PachaError:
        return False


def _plan_notes(session: Session, selection: Selection, there: Mapping[str, Oid], made: Plan) -> None:
    for ref, tip in differing(session.repo.refs_below(NOTES_ROOT), there).items():
        if not selection.has_notes(ref):
            continue
        why = _claim_that_goes_along(session, ref, there.get(ref))
        if why:
            made.held.append(RefResult(ref, "held", why))
        else:
            made.refs[ref] = tip


def _claim_that_goes_along(session: Session, ref: str, there: Oid | None) -> str:
    """Give the removal that somebody claims and that a remote would first learn of from us; empty if there is none."""
    parsed = parse_notes_ref(ref)
    if parsed is None or parsed[2] != ATTESTATIONS:
        return ""
    claims = session.removals.of(parsed[0], parsed[1]).claims
    for commit, events in claims.items():
        try:
            known = parse_note(read_note(session.repo, there, commit))
        except PachaError:
            known = []  # what lies there is not sound, so it is not here
        if any(event.line not in known for event in events):
            return next(iter(claims_in_words(session, parsed[0], parsed[1])), "somebody claims a removal")
    return ""


def _removed(session: Session, selection: Selection, there: Mapping[str, Oid]) -> set[str]:
    """Payload refs of versions that were removed: a removed payload is never sent again, and deleted where it is.

    Only names with attestations can have lost a version, and only payloads that one side lacks are looked at.
    """
    attested = {
        (parsed[0], parsed[1])
        for ref in session.repo.refs_below(NOTES_ROOT)
        if ref.endswith(ATTESTATIONS) and selection.has_notes(ref) and (parsed := parse_notes_ref(ref)) is not None
    }
    if not attested:
        return set()
    ours = selection.payloads
    candidates = {ref for ref in there if ref.startswith(PAYLOAD_ROOT)} | (ours.keys() - there.keys())
    found: set[str] = set()
    gone: dict[tuple[Kind, Name], set[Oid]] = {}
    for version in _versions(candidates):
        name = (version.kind, version.name)
        if name not in attested:
            continue
        if name not in gone:
            gone[name] = set(session.removals.of(*name).removed)
        commit = session.repo.ref(version.ref)
        if commit in gone[name] and there.get(version.ref) in (None, commit):
            found.add(version.payload_ref)
    return found


def _versions(payload_refs: Iterable[str]) -> Iterator[VersionId]:
    for ref in payload_refs:
        try:
            version = parse_payload_ref(ref)
        except PachaError:
            continue  # somebody else's ref, in a place of ours
        if version is not None:
            yield version
