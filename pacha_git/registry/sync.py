"""Fetch, pull, clone and status: what other machines have, and how this registry takes it over.

It knows the order that keeps readers safe; the checks are arrival's, the moving is transport's, sending is sending's.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pacha_git.errors import Conflict, InvalidInput, NotFound, PachaError, RemoteError, VerificationFailed
from pacha_git.git import transport
from pacha_git.git.changes import changing
from pacha_git.git.repo import GitRepository
from pacha_git.names import (
    NOTES_ROOT,
    REF_ROOT,
    REGISTRY_REF,
    VERSIONED_KINDS,
    Address,
    Oid,
    VersionId,
)
from pacha_git.registry import remotes, sending
from pacha_git.registry.arrival import Arrival, adopt_notes, adopt_records, vanished_or_moved
from pacha_git.registry.begin import write_readme
from pacha_git.registry.context import Context
from pacha_git.registry.resolve import resolve
from pacha_git.registry.results import Progress, RefResult, RemoteStatus, Status, Transfer
from pacha_git.schema.record import Content
from pacha_git.store import records
from pacha_git.store.events import read_attestations, read_ledger
from pacha_git.store.notes import descends
from pacha_git.store.payload_check import check_payload
from pacha_git.store.records import Stored
from pacha_git.store.settings import write_root
from pacha_git.store.tree import payload_commit_oid

_FEW: Final = 400
PAYLOAD_CHOICES: Final = (None, "all", "none")


def wanted_here(ref: str) -> bool:
    """Whether a remote's ref is one that we keep a last-seen copy of."""
    return ref == REGISTRY_REF or ref.startswith((*_record_roots(), NOTES_ROOT))


def _record_roots() -> tuple[str, ...]:
    return tuple(f"{REF_ROOT}{kind.plural}/" for kind in VERSIONED_KINDS)


def on_progress(progress: Progress | None, what: str) -> transport.OnProgress | None:
    """Hand on Git's counts."""
    if progress is None:
        return None
    return lambda doing, done, total: progress(f"{what}: {doing.lower()}", done, total, "objects")


# Fetch ----------------------------------------------------------------------------------------------------------------


def fetch(context: Context, remote: str | None, progress: Progress | None = None) -> Transfer:
    """See what a remote has; see ``Registry.fetch``.

    Raises:
        VerificationFailed: a record moved or vanished there.
    """
    name = remotes.chosen(context, remote)
    moved, size, problems, _ = look(context, name, progress)
    if problems:
        raise VerificationFailed(f"{name}: {problems[0]}", hint="ours is unchanged; ask who changed it there")
    return Transfer(tuple(RefResult(ref, "updated") for ref in moved), bytes=size, remote=name)


def look(context: Context, remote: str, progress: Progress | None) -> tuple[list[str], int, list[str], dict[str, Oid]]:
    """Bring the last-seen copies of a remote's refs up to date.

    Returns:
        The refs that changed, bytes that came, what is wrong with the remote, and all of its refs.
    """
    there = transport.list_refs(context.repo, remote)
    before = remotes.seen(context, remote)
    problems = list(vanished_or_moved(before, there))
    bad = {problem.split(" ", 1)[0] for problem in problems}
    fresh = {r: o for r, o in there.items() if wanted_here(r) and before.get(r) != o and r not in bad}
    if not fresh:
        return [], 0, problems, there
    size = transport.fetch(
        context.repo, remote, _refspecs(remote, fresh), on_progress=on_progress(progress, f"fetch {remote}")
    )
    return sorted(fresh), size, problems, there


def _refspecs(remote: str, fresh: Mapping[str, Oid]) -> list[str]:
    """One by one if there are few; by pattern otherwise, for git looks through all refs for each."""
    if len(fresh) <= _FEW:
        return [f"+{ref}:{remotes.tracking(remote, ref)}" for ref in fresh]
    patterns = [f"{root}*:{remotes.tracking(remote, root)}*" for root in _record_roots()]
    notes = f"+{NOTES_ROOT}*:{remotes.tracking(remote, NOTES_ROOT)}*"
    settings = [f"+{REGISTRY_REF}:{remotes.tracking(remote, REGISTRY_REF)}"] if REGISTRY_REF in fresh else []
    return [*patterns, notes, *settings]


# Pull -----------------------------------------------------------------------------------------------------------------


def pull(
    context: Context,
    remote: str | None,
    specs: Sequence[str] = (),
    payload: str | None = None,
    progress: Progress | None = None,
) -> Transfer:
    """Take over what a remote has; see ``Registry.pull``.

    Raises:
        VerificationFailed: what came is not what it must be; all that is sound was taken over.
    """
    if payload not in PAYLOAD_CHOICES:
        raise InvalidInput(f"unknown payload choice {payload!r}", hint="all or none")
    name = remotes.chosen(context, remote)
    _, size, problems, there = look(context, name, progress)
    arrival = Arrival(problems=problems)
    take_over(context, remotes.seen(context, name), arrival)
    wanted = wanted_payloads(context, specs, payload)
    moved, count, objects = pull_payloads(context, name, wanted, there, arrival, strict=bool(specs), progress=progress)
    if arrival.problems:
        raise VerificationFailed(
            f"{name}: {arrival.problems[0]}"
            + (f" (and {len(arrival.problems) - 1} more)" if arrival.problems[1:] else ""),
            hint="all that is sound was taken over, nothing else was touched",
        )
    return Transfer(tuple(arrival.results), bytes=size + moved, objects=objects, payloads=count, remote=name)


def take_over(context: Context, theirs: Mapping[str, Oid], arrival: Arrival) -> None:
    """Let our refs follow what was last seen, as far as it is sound."""
    with context.deciding("pull") as changes:
        adopt_notes(context, changes, theirs, arrival)
        adopt_records(context, changes, theirs, arrival)


def wanted_payloads(context: Context, specs: Sequence[str], payload: str | None) -> list[Stored]:
    """The versions whose bytes are wanted: those named, or with ``all`` and none named all of them."""
    if payload == "none":
        return []
    if specs:
        chosen = [resolve(context, spec)[1] for spec in specs]
    elif payload == "all":
        chosen = [commit for _, commit in records.all_versions(context.repo)]
    else:
        return []
    return [records.read(context.repo, commit) for commit in dict.fromkeys(chosen)]


def pull_payloads(
    context: Context,
    remote: str,
    wanted: Iterable[Stored],
    there: Mapping[str, Oid],
    arrival: Arrival,
    *,
    strict: bool,
    progress: Progress | None,
) -> tuple[int, int, int]:
    """Fetch payloads that are not here, check every byte, and only then let refs hold them.

    Returns:
        Bytes that came, payloads, objects in them (0: not counted).
    """
    missing: list[tuple[Stored, Content, Oid]] = []
    for stored in wanted:
        content = stored.record.content
        if content is None or context.repo.ref(stored.id.payload_ref) is not None:
            continue
        commit = payload_commit_oid(Oid(content.tree), Address(content.address))
        if there.get(stored.id.payload_ref) == commit and not _removed(context, stored):
            missing.append((stored, content, commit))
        elif strict:
            raise _not_there(context, remote, stored)
    if not missing:
        return 0, 0, 0
    with changing(context.repo, "pull") as changes:
        size = transport.fetch(
            context.repo,
            remote,
            [stored.id.payload_ref for stored, _, _ in missing],
            tips=_related_payloads(context, [stored for stored, _, _ in missing]),
            shallow=True,
            on_progress=on_progress(progress, "pull"),
        )
        for stored, content, commit in missing:
            report = None if progress is None else _reporting(progress, f"check {stored.id.spec}", content.size)
            try:
                check_payload(context.repo, commit, content, progress=report)
            except PachaError as error:
                arrival.refuse(stored.id.payload_ref, error.message)
                continue
            changes.move(stored.id.payload_ref, commit, None)
            arrival.results.append(RefResult(stored.id.payload_ref, "new"))
    return size, len(missing), 0


def _reporting(progress: Progress, what: str, total: int) -> Callable[[int], None]:
    return lambda done: progress(what, done, total)


def _removed(context: Context, stored: Stored) -> bool:
    return stored.commit in read_attestations(context.repo, stored.id.kind, stored.id.name).removed


def _not_there(context: Context, remote: str, stored: Stored) -> PachaError:
    if _removed(context, stored):
        return NotFound(
            f"the bytes of {stored.id} were removed", hint=f"git pacha {stored.id.kind.noun} get {stored.id.spec}"
        )
    return NotFound(
        f"{remote} has the record of {stored.id}, but not its bytes",
        hint="pull from another remote, or push them from where they are",
    )


def _related_payloads(context: Context, wanted: Iterable[Stored]) -> list[Oid]:
    """Payloads that are here of the same names and of their lineage: what is common to them need not come again."""
    refs = context.repo.refs_below("refs/pacha/payload/")
    tips: dict[Oid, None] = {}
    for stored in wanted:
        near = stored.id.payload_ref.rpartition("/")[0] + "/"
        tips.update({oid: None for ref, oid in refs.items() if ref.startswith(near)})
        for edge in stored.record.lineage:
            if edge.target.version is not None:
                target = VersionId.parse(type(stored.id.kind)(edge.target.kind), edge.target.name, edge.target.version)
                if target.payload_ref in refs:
                    tips[refs[target.payload_ref]] = None
    return list(tips) or list(refs.values())[:1]


# Clone ----------------------------------------------------------------------------------------------------------------


def clone(
    url: str,
    path: Path,
    *,
    payload: str,
    progress: Progress | None,
    project: Callable[[Stored], dict[str, Any]],
) -> None:
    """Make a registry from a remote one; see ``Registry.clone``. Nothing is left behind if it fails."""
    if payload not in PAYLOAD_CHOICES:
        raise InvalidInput(f"unknown payload choice {payload!r}", hint="all or none")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise Conflict(
            f"{path} exists already", hint="name another place, or add it there as a remote: git pacha remote add"
        )
    existed = path.exists()
    try:
        _clone_into(url, path, payload=payload, progress=progress, project=project)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        if existed:
            path.mkdir()
        raise


def _clone_into(
    url: str, path: Path, *, payload: str, progress: Progress | None, project: Callable[[Stored], dict[str, Any]]
) -> None:
    repo = GitRepository.create(path)
    transport.add_remote(repo, "origin", _absolute(url))
    there = transport.list_refs(repo, "origin")
    if REGISTRY_REF not in there:
        raise RemoteError(
            f"{url} is no registry", hint="push one to it first: git pacha remote add origin URL; git pacha push"
        )
    transport.fetch(repo, "origin", [f"+{REGISTRY_REF}:{remotes.tracking('origin', REGISTRY_REF)}"])
    with changing(repo, "clone") as changes:
        write_root(repo, changes)
        write_readme(repo, changes)
        changes.move(REGISTRY_REF, there[REGISTRY_REF], None)
    context = Context(path, project)
    pull(context, "origin", (), payload, progress)


def _absolute(url: str) -> str:
    """A folder given relative to here must be found from the registry too."""
    path = Path(url)
    return str(path.absolute()) if "://" not in url and path.is_dir() else url


# Push and status ------------------------------------------------------------------------------------------------------


def push(
    context: Context,
    remote: str | None,
    specs: Sequence[str] = (),
    payload: str | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Transfer:
    """Give a remote what it has not; see ``Registry.push``."""
    if payload not in PAYLOAD_CHOICES:
        raise InvalidInput(f"unknown payload choice {payload!r}", hint="all or none")
    name = remotes.chosen(context, remote)
    selection = sending.select(context, specs, payload)

    def refresh() -> tuple[dict[str, Oid], int]:
        """Look at the remote, and unite its events with ours."""
        _, size, problems, there = look(context, name, progress)
        if problems:
            raise VerificationFailed(f"{name}: {problems[0]}", hint="ours is unchanged; ask who changed it there")
        notes = {ref: oid for ref, oid in remotes.seen(context, name).items() if selection.has_notes(ref)}
        with context.deciding("push") as changes:
            adopt_notes(context, changes, notes, Arrival())
        return there, size

    return sending.send(
        context, name, selection, refresh, dry_run=dry_run, progress=on_progress(progress, f"push {name}")
    )


def status(context: Context) -> Status:
    """How this registry stands; see ``Registry.status``."""
    thin, unsigned, crossing = [], [], []
    for kind in VERSIONED_KINDS:
        for row in context.catalogue.rows(kind):
            if row.record["content"] is not None and not row.payload and not row.removed:
                thin.append(str(row.id))
            if row.signer_key is None:
                unsigned.append(str(row.id))
        for name in records.names_of(context.repo, kind):
            ledger = read_ledger(context.repo, kind, name)
            crossing += [f"{kind.noun}:{name} {e.event.type} {e.event.version}" for e in ledger.history if e.crossing]
    found = tuple(_remote_status(context, name, url) for name, url in remotes.list_remotes(context))
    return Status(str(context.path), tuple(thin), tuple(unsigned), tuple(crossing), found)


def _remote_status(context: Context, name: str, url: str) -> RemoteStatus:
    theirs = remotes.seen(context, name)
    ours = {
        ref: oid
        for root in (REF_ROOT, NOTES_ROOT)
        for ref, oid in context.repo.refs_below(root).items()
        if wanted_here(ref) and ref != REGISTRY_REF
    }
    there = {ref: oid for ref, oid in theirs.items() if ref != REGISTRY_REF}
    ahead = [ref for ref in ours if ref not in there]
    behind = [ref for ref in there if ref not in ours]
    diverged = []
    for ref in ours.keys() & there.keys():
        if ours[ref] == there[ref]:
            continue
        if ref.startswith(NOTES_ROOT):
            (ahead if descends(context.repo, ours[ref], there[ref]) else behind).append(ref)
        else:
            diverged.append(ref)
    return RemoteStatus(
        remote=name,
        url=url,
        ahead=tuple(sorted(ahead)),
        behind=tuple(sorted(behind)),
        diverged=tuple(sorted(diverged)),
        settings_differ=REGISTRY_REF in theirs and theirs[REGISTRY_REF] != context.repo.ref(REGISTRY_REF),
        fetched=bool(theirs),
    )
