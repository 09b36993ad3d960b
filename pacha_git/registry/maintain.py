"""Keeps a registry small and healthy: the side index rebuilt, what nothing holds freed, what is odd mended.

It knows which bytes may go and when; how Git packs them is Git's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import blake3

from pacha_git.errors import PachaError
from pacha_git.git import locks
from pacha_git.git.changes import GC_LOCK
from pacha_git.git.packfiles import sweep
from pacha_git.git.refs import RefUpdate
from pacha_git.git.repo import GitRepository
from pacha_git.names import TMP_ROOT, Oid, parse_payload_ref
from pacha_git.registry.context import Context
from pacha_git.registry.results import Finding, GcReport, Progress
from pacha_git.store import records
from pacha_git.store.index import KnownFile
from pacha_git.store.payload_reader import Payload

GRACE_DAYS: Final = 14.0
_LOOSE_REFS: Final = 500
_PACKS: Final = 24
_LOCK_AGE: Final = 600.0
_BATCH: Final = 4096


def reindex(context: Context, progress: Progress | None = None) -> int:
    """Build the side index anew from the payloads that are here.

    Returns:
        How many chunks it has.
    """
    context.database.forget()
    refs = context.repo.refs_below("refs/pacha/payload/")
    done, seen = 0, set[Oid]()
    for ref, commit in refs.items():
        version = parse_payload_ref(ref)
        if version is None or context.repo.ref(version.ref) is None:
            continue
        content = records.read_version(context.repo, version).record.content
        if content is None:
            continue
        for count in _index_payload(context, Payload(context.repo, content), ref, commit, seen):
            done += count
            if progress is not None:
                progress("reindex", done, None)
    context.catalogue.refresh()
    return context.index.count_chunks()


def _index_payload(context: Context, payload: Payload, ref: str, commit: Oid, seen: set[Oid]) -> Iterator[int]:
    files: list[tuple[bytes, KnownFile]] = []
    for line in payload.lines:
        assert line.parts is not None
        files.append((bytes.fromhex(line.blake3), KnownFile(line.size, line.stored, line.parts, ref, commit)))
        fresh = [piece.oid for piece in payload.pieces(line) if piece.oid not in seen]
        seen.update(fresh)
        for start in range(0, len(fresh), _BATCH):
            batch = fresh[start : start + _BATCH]
            pairs = []
            for oid, block in zip(batch, context.repo.read_blobs(batch), strict=True):
                pairs.append((blake3.blake3(block).digest(), oid.raw))
                yield len(block)
            context.index.add_chunks(pairs)
    context.index.add_files(payload.content.layout, files)


# gc -------------------------------------------------------------------------------------------------------------------


def gc(
    context: Context, *, dry_run: bool = False, grace_days: float | None = None, progress: Progress | None = None
) -> GcReport:
    """Free what no ref holds and was not written or found within the grace period.

    Args:
        context: The registry.
        dry_run: Say what would go, and change nothing.
        grace_days: Days that unreachable objects are kept; None for 14.
        progress: Unused by now: Git's own work can't be measured.

    Raises:
        PachaError: a negative grace period, or Git failed.
    """
    days = GRACE_DAYS if grace_days is None else grace_days
    if days < 0:
        raise PachaError(f"a grace period of {days} days", hint="0 or more")
    if dry_run:
        return _would_free(context, days)
    # Writers hold this lock shared while they rely on what they found here.
    with locks.exclusive(context.path / GC_LOCK):
        before = _object_bytes(context)
        swept = [f"{path.name}: left by a process that died" for path in sweep(context.repo.objects)]
        stale = _drop_stale_parts(context, days)
        removed = _would_free(context, days)
        context.repo.refs.pack()
        _repack(context.repo, days)
    return GcReport(
        freed_bytes=max(0, before - _object_bytes(context)),
        kept=removed.kept,
        removed=(*swept, *stale, *removed.removed),
    )


def _repack(repo: GitRepository, days: float) -> None:
    expiration = f"--cruft-expiration={int(time.time() - days * 86400)}" if days else "--cruft-expiration=now"
    repo.git("repack", "-d", "--cruft", expiration, "--quiet", "--write-midx", "--write-bitmap-index")
    repo.git("prune", f"--expire={int(time.time() - days * 86400)}")


def _object_bytes(context: Context) -> int:
    return sum(file.stat().st_size for file in context.repo.objects.rglob("*") if file.is_file())


def _drop_stale_parts(context: Context, days: float) -> list[str]:
    """Parts of pushes that nobody finished."""
    dropped: list[str] = []
    for ref, oid in context.repo.refs_below(TMP_ROOT).items():
        path = context.path / ref
        age = time.time() - path.stat().st_mtime if path.exists() else float("inf")
        if age > days * 86400:
            context.repo.refs.update([RefUpdate(ref, None, oid)])
            dropped.append(f"{ref}: part of a push that was never finished")
    return dropped


def _would_free(context: Context, days: float) -> GcReport:
    """What lies here and is reachable from no ref, by the age of what holds it."""
    repo = context.repo
    reachable = set(repo.git_text("rev-list", "--objects", "--all", "--no-object-names").split())
    listed = repo.git_text(
        "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype) %(objectsize:disk)", "--unordered"
    )
    loose, size, kept = 0, 0, 0
    for line in listed.splitlines():
        oid, _, bytes_on_disk = line.split()
        if oid in reachable:
            kept += 1
        else:
            loose += 1
            size += int(bytes_on_disk)
    removed = (f"{loose} objects that no version, event or setting holds",) if loose else ()
    return GcReport(freed_bytes=size, kept=kept, removed=removed, dry_run=True)


def tidy(repo: GitRepository) -> None:
    """Gather packs and loose refs when there are many; cheap when there are few, never in the way of a writer."""
    packs = list((repo.objects / "pack").glob("pack-*.pack"))
    if len(packs) > _PACKS:
        with locks.exclusive(repo.path / GC_LOCK, wait=False) as free:
            if free:
                repo.git("repack", "--geometric=2", "-d", "--quiet", "--write-midx")
    if repo.refs.count_loose() > _LOOSE_REFS:
        repo.refs.pack()


# doctor ---------------------------------------------------------------------------------------------------------------


def doctor(context: Context) -> list[Finding]:
    """Look at the folder, mend what can be mended without a loss, and say the rest."""
    findings = [
        _git_version(context),
        _shallow(context.path),
        _locks(context.path),
        _temporaries(context),
        _settings(context),
        _index(context),
    ]
    return findings


def _git_version(context: Context) -> Finding:
    version = context.repo.git_text("version").removeprefix("git version ")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < (2, 37):
        return Finding("git", "problem", f"git {version} is too old", "install git 2.37 or newer")
    return Finding("git", "ok", f"git {version}")


def _shallow(path: Path) -> Finding:
    stray = path / "shallow"
    if stray.exists():
        stray.unlink()
        return Finding("shallow", "fixed", "removed a stray shallow file, which made Git leave payloads out")
    return Finding("shallow", "ok", "no shallow file")


def _locks(path: Path) -> Finding:
    """Ref locks that a killed git left; a living one never holds one for minutes."""
    old = [
        lock
        for root in (path, path / "refs")
        for lock in (root.glob("*.lock") if root == path else root.rglob("*.lock"))
        if time.time() - lock.stat().st_mtime > _LOCK_AGE and lock.parent.name != "pacha"
    ]
    for lock in old:
        lock.unlink(missing_ok=True)
    if old:
        return Finding("locks", "fixed", f"removed {len(old)} locks that a killed git left behind")
    return Finding("locks", "ok", "no stale locks")


def _temporaries(context: Context) -> Finding:
    swept = sweep(context.repo.objects)
    if swept:
        return Finding("temporaries", "fixed", f"removed {len(swept)} files that dead processes left behind")
    return Finding("temporaries", "ok", "none left behind")


def _settings(context: Context) -> Finding:
    try:
        GitRepository.create(context.path)
    except PachaError as error:
        return Finding("settings", "problem", error.message, error.hint)
    return Finding("settings", "ok", "Git is set up as a registry needs it")


def _index(context: Context) -> Finding:
    try:
        context.catalogue.refresh()
        result = context.database.connection.execute("PRAGMA quick_check").fetchone()[0]
    except Exception as error:
        result = str(error)
    if result != "ok":
        count = reindex(context)
        return Finding("index", "fixed", f"the side index was damaged and was built anew ({count} chunks)")
    return Finding("index", "ok", "the side index can be read")
