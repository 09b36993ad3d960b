"""Takes versions across an air gap: into one file that stock Git reads too, and out of it with every check of a pull.

It knows what belongs into such a file and what becomes of its refs; the file itself is git.bundles'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from pacha_git.errors import Conflict, Corrupt, NotFound, PachaError, VerificationFailed
from pacha_git.exchange import remotes
from pacha_git.exchange.incoming import Arrival, adopt_items, adopt_notes, inspect
from pacha_git.exchange.look import OBJECT_LIMIT, WANTED
from pacha_git.exchange.plan import Selection
from pacha_git.exchange.pull_payloads import check_arrived, hold_arrived
from pacha_git.exchange.selection import TransferRequest, choose
from pacha_git.exchange.send import select
from pacha_git.git.changes import changing
from pacha_git.git.repo import GitRepository
from pacha_git.git.side import Side, passing
from pacha_git.git.wire import bundles, transport
from pacha_git.git.wire.bundles import Header
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.removals import FROM_ORIGIN, LEFT
from pacha_git.progress import Progress
from pacha_git.session.claims import claim_warnings
from pacha_git.session.items import Item, is_item, read_item
from pacha_git.session.results import Bundled, RefResult, Transfer
from pacha_git.session.session import Session
from pacha_git.session.whereabouts import note_came
from pacha_git.store.readme import MAIN, write_readme
from pacha_git.store.removals import removals_at
from pacha_git.store.settings import settings_at, write_root
from pacha_git.store.targets import target_ref
from pacha_git.system.process import CommandFailed
from pacha_git.trust.change import Newcomer
from pacha_git.vocabulary.ids import NOTES_ROOT, PAYLOAD_ROOT, REGISTRY_REF, ROOT_REF, record_ref_of

_HEAD: Final = "HEAD"


def create(
    session: Session,
    file: Path,
    wish: TransferRequest,
    *,
    since: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Bundled:
    """Write a bundle: versions, the records of their whole lineage, the events of their names, their bytes.

    Args:
        session: The registry.
        file: Where to.
        wish: Which; nothing named means everything.
        since: What its reader has: an earlier bundle, or a remote as it was last seen.
        force: Replace what is there.
        progress: Is told how far it is.

    Raises:
        Conflict: the file is there already.
        NotFound: nothing answers to the wish, bytes that it names are not here, or ``since`` is nothing that is known.
    """
    if file.exists() and not force:
        raise Conflict(f"{file} exists already", hint="--force replaces it")
    known = _known(session, since)
    selection = select(session, wish)
    thin = _thin(session, wish, selection) if wish.is_selective and wish.payload != "none" else []
    if thin:
        raise NotFound(
            f"the bytes of {thin[0].label} are not here" + (f" (and of {len(thin) - 1} more)" if thin[1:] else ""),
            hint=f"git pacha pull {thin[0].label}; or --payload none",
        )
    refs = _refs(session, selection)
    gone = [event.hash for ref, tip in refs.items() for event in removals_at(session.repo, ref, tip)]
    if gone:
        session.removals.note(LEFT, gone)
    report = None if progress is None else partial(progress, f"write {file.name}", total=None)
    size = bundles.write(session.repo, file, refs, known=known, report=report)
    return Bundled(
        file=str(file),
        bytes=size,
        refs=tuple(sorted(refs)),
        versions=len(selection.items),
        payloads=len(selection.payloads),
        since=since,
    )


def _known(session: Session, since: str | None) -> list[Oid]:
    """Commits that the reader has."""
    if since is None:
        return []
    if since in transport.remotes(session.repo):
        seen = remotes.seen(session, since)
        if not seen:
            raise NotFound(f"nothing was ever seen of {since}", hint=f"git pacha fetch {since}")
        return _kept_there(seen)
    if not Path(since).exists():
        raise NotFound(f"{since} is neither a bundle nor a remote", hint="--since names an earlier bundle, or a remote")
    header = bundles.read_header(Path(since))
    return [*_kept_there(header.refs), *header.needs]


def _kept_there(refs: Mapping[str, Oid]) -> list[Oid]:
    """Tell what its reader holds on to: settings and README of another registry it leaves alone."""
    return [oid for ref, oid in refs.items() if ref.startswith((*WANTED, PAYLOAD_ROOT))]


def _thin(session: Session, wish: TransferRequest, selection: Selection) -> list[Item]:
    """Things whose bytes the wish is for and that are not here, though nobody removed them."""
    wanted = selection.items if wish.lineage_payloads else choose(session, wish)
    items = (read_item(session.repo, ref, commit) for ref, commit in wanted.items())
    return [
        item
        for item in items
        if item.payload_commit is not None
        and selection.payloads.get(item.payload_ref) != item.payload_commit
        and not session.is_removed(item.version, item.commit)
    ]


def _refs(session: Session, selection: Selection) -> dict[str, Oid]:
    notes = {ref: tip for ref, tip in session.repo.refs_below(NOTES_ROOT).items() if selection.has_notes(ref)}
    always = {ref: session.repo.ref(ref) for ref in (ROOT_REF, REGISTRY_REF, MAIN)}
    always[_HEAD] = always[MAIN]  # a plain `git clone` of the file shows the README
    return {**selection.items, **selection.payloads, **notes, **{ref: oid for ref, oid in always.items() if oid}}


# Import ---------------------------------------------------------------------------------------------------------------


def import_(session: Session, file: Path, progress: Progress | None = None, *, is_origin: bool = False) -> Transfer:
    """Take over what a bundle has, once all of it is found sound.

    Args:
        session: The registry.
        file: The bundle.
        progress: Is told how far it is.
        is_origin: The registry is made from it now: its removals are those of an origin.

    Returns:
        What became of each ref; a version that is another here is in conflict, and ours stays.

    Raises:
        NotFound: there is no such file, or it builds upon an earlier bundle that was not imported.
        VerificationFailed: it is damaged, or something in it is not sound; nothing was taken over.
    """
    header = bundles.read_header(file)
    arrival = Arrival()
    with passing(session.repo) as side:
        lacking = bundles.unbundle(side, file, header)
        if side.largest() > OBJECT_LIMIT:
            raise Corrupt(f"{file} has an object of over {OBJECT_LIMIT >> 20} MiB", hint="nothing of it was kept")
        fresh = {ref: oid for ref, oid in sorted(header.refs.items()) if _is_fresh(session, ref, oid)}
        if lacking:
            fresh = _without_conflicts(session, side, file, fresh, arrival)
        inspect(session, side.repo, fresh, {}, arrival)
        items = _with_payloads(session, header, arrival) if not arrival.problems else []
        if lacking:
            items = _without_holes(session, side, header, items, arrival)
        sound = check_arrived(side, items, arrival, progress)
        if lacking and (arrival.problems or not _is_whole(session, side, [*fresh.values(), *_commits(sound.items)])):
            raise bundles.builds_upon(file, lacking)
        _raise_problems(file, arrival)
        with session.deciding(f"bundle import {file.name}") as changes:
            changes.take_in(side.packs)
            if is_origin:
                told = [event.hash for ref, tip in fresh.items() for event in removals_at(side.repo, ref, tip)]
                session.removals.note(FROM_ORIGIN, told)
            adopt_notes(session, changes, fresh, arrival)
            adopt_items(session, changes, fresh, arrival)
            sound.items = [item for item in sound.items if _is_ours(session, item)]
            hold_arrived(session, changes, side, sound, arrival)
    note_came(session.path, [arrival.checked[ref] for ref in fresh if ref in arrival.checked])
    return Transfer(
        tuple(arrival.results), bytes=file.stat().st_size, payloads=len(sound.items), remote=file.name,
        warnings=tuple(claim_warnings(session, arrival.results)),
    )  # fmt: skip


def adopt_registry(repo: GitRepository, file: Path, newcomer: Newcomer) -> None:
    """Take over the settings of a bundle that is to be cloned.

    Raises:
        PachaError: it has none.
    """
    header = bundles.read_header(file)
    settings = header.refs.get(REGISTRY_REF)
    if settings is None:
        raise PachaError(f"{file} is no bundle of a registry", hint="git pacha bundle create makes one")
    with passing(repo) as side, changing(repo, "clone") as changes:
        bundles.unbundle(side, file, header)
        newcomer.meet(settings_at(side.repo, settings).signers)
        changes.take_in(side.only([settings]))
        write_root(repo, changes)
        write_readme(repo, changes)
        changes.move(REGISTRY_REF, settings, None)


def _is_fresh(session: Session, ref: str, oid: Oid) -> bool:
    return (ref.startswith(WANTED) or ref == REGISTRY_REF) and session.repo.ref(ref) != oid


def _without_conflicts(
    session: Session, side: Side, file: Path, fresh: Mapping[str, Oid], arrival: Arrival
) -> dict[str, Oid]:
    """Leave out versions that an earlier bundle had and that are others here, and what comes from them.

    Raises:
        NotFound: something else is missing.
    """
    absent = set(side.repo.missing(fresh.values()))
    apart = {ref for ref, oid in fresh.items() if oid in absent and is_item(ref) and session.repo.ref(ref) is not None}
    arrival.results += [
        RefResult(ref, "conflict", f"here {session.repo.ref(ref)}, there {fresh[ref]}") for ref in apart
    ]
    missing = [oid for ref, oid in fresh.items() if oid in absent and ref not in apart]
    if missing:
        raise bundles.builds_upon(file, missing)
    items = [read_item(side.repo, ref, oid) for ref, oid in fresh.items() if is_item(ref) and ref not in apart]
    more = True
    while more:
        more = False
        for item in items:
            target = next((each for each in item.targets if target_ref(each) in apart), None)
            if target is not None and item.ref not in apart:
                arrival.results.append(RefResult(item.ref, "skipped", f"it comes from {target}, which is another here"))
                apart.add(item.ref)
                more = True
    return {ref: oid for ref, oid in fresh.items() if ref not in apart}


def _without_holes(session: Session, side: Side, header: Header, items: Sequence[Item], arrival: Arrival) -> list[Item]:
    """Leave out bytes that share what a version in conflict had, and that its bundle brought in vain.

    Without such a conflict they are left in, and found to be missing.
    """
    if not any(is_item(ref) and session.repo.ref(ref) not in (None, oid) for ref, oid in header.refs.items()):
        return list(items)
    whole = [item for item in items if _is_whole(session, side, _commits([item]))]
    for item in (item for item in items if item not in whole):
        arrival.results.append(RefResult(item.payload_ref, "skipped", "it shares bytes of a version in conflict"))
    return whole


def _is_whole(session: Session, side: Side, tips: Iterable[Oid]) -> bool:
    """Tell whether everything that these commits reach is here or came along."""
    ours = session.repo.refs_below("refs/").values()
    asked = "".join([*(f"{oid}\n" for oid in tips), *(f"^{oid}\n" for oid in ours)])
    try:
        side.repo.git("rev-list", "--objects", "--quiet", "--stdin", stdin=asked.encode())
    except CommandFailed:
        return False
    return True


def _commits(items: Iterable[Item]) -> list[Oid]:
    return [item.payload_commit for item in items if item.payload_commit is not None]


def _with_payloads(session: Session, header: Header, arrival: Arrival) -> list[Item]:
    """Things whose bytes come with the bundle and are not here."""
    found: list[Item] = []
    for ref, oid in sorted(header.refs.items()):
        record = record_ref_of(ref)
        if not ref.startswith(PAYLOAD_ROOT) or not is_item(record) or session.repo.ref(ref) == oid:
            continue
        item = arrival.checked.get(record) or _item_here(session, header.refs, record)
        if item is None:
            arrival.results.append(RefResult(ref, "skipped", "bytes of no version that is here or in it"))
        elif item.payload_commit != oid:
            arrival.refuse(ref, "these bytes are not those that its record says")
        else:
            found.append(item)
    return found


def _item_here(session: Session, refs: Mapping[str, Oid], record: str) -> Item | None:
    commit = session.repo.ref(record)
    if commit is None or refs.get(record, commit) != commit:
        return None
    return read_item(session.repo, record, commit)


def _is_ours(session: Session, item: Item) -> bool:
    """Tell whether our record is the one that the bytes belong to, and its bytes were not removed."""
    ours = session.repo.ref(item.ref) in (item.commit, *item.chain)
    return ours and not session.is_removed(item.version, item.commit)


def _raise_problems(file: Path, arrival: Arrival) -> None:
    if arrival.problems:
        more = f" (and {len(arrival.problems) - 1} more)" if arrival.problems[1:] else ""
        raise VerificationFailed(
            f"{file}: {arrival.problems[0]}{more}", hint="nothing of it was taken over; ask who made it"
        )
