"""Writes the bytes of a version to disk: where a person wants them, or as a folder in the cache.

It knows files and folders and what must never be left half done there; how bytes are stored is the store's.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pacha_git.errors import Conflict, NotFound, PachaError
from pacha_git.format.kinds import KINDS
from pacha_git.format.manifest import FileLine
from pacha_git.gitobjects.oid import Oid
from pacha_git.progress import Progress
from pacha_git.registry.reading.content import payload_of
from pacha_git.session.context import Context
from pacha_git.session.resolve import address_of
from pacha_git.store import records
from pacha_git.store.payload.checkout import Report, fill, write_durably
from pacha_git.store.payload.reader import Payload
from pacha_git.system.disk import TEMPORARY, whole_file, whole_folder
from pacha_git.system.environment import home_folder


def download(context: Context, commit: Oid, out: Path, *, force: bool, progress: Progress | None) -> Path:
    """Write a version's bytes to ``out``; see ``Collection.download``."""
    stored = records.read(context.repo, commit)
    document = KINDS[stored.id.kind].primary_document
    if document is not None:
        return _download_document(stored, document, out, force=force)
    payload = payload_of(context, stored)
    lines = payload.lines
    report = Report(progress, f"download {stored.id.spec}", payload.content.size)
    with _disk(out):
        if len(lines) == 1:
            target = out / Path(lines[0].path).name if out.is_dir() else out
            _write_file(payload, lines[0], target, force=force, report=report)
            return target
        _write_folder(payload, out, force=force, report=report)
    return out


@contextmanager
def _disk(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "free some space and try again" if error.errno in (28, 122) else ""
        raise PachaError(f"can't write {out}: {error.strerror or error}", hint=hint) from None


def _download_document(stored: records.StoredRecord, document: str, out: Path, *, force: bool) -> Path:
    target = out / f"{stored.id.name.split('/')[-1]}.toml" if out.is_dir() else out
    with _disk(target), _in_place(target, force=force) as descriptor:
        write_durably(descriptor, [stored.documents[document]], None)
    return target


def _write_file(payload: Payload, line: FileLine, target: Path, *, force: bool, report: Report) -> None:
    with _in_place(target, force=force, mode=0o777 if line.mode == "755" else 0o666) as descriptor:
        write_durably(descriptor, payload.blocks(line), report)


@contextmanager
def _in_place(target: Path, *, force: bool, mode: int = 0o666) -> Iterator[int]:
    """A file, open to be written durably, that takes its final name when it is."""
    _refuse(target, force=force)
    try:
        with whole_file(target, mode=mode, replace=force) as descriptor:
            yield descriptor
    except FileExistsError:
        raise _exists(target) from None


def _refuse(target: Path, *, force: bool) -> None:
    if target.is_dir() and not target.is_symlink():
        raise Conflict(f"{target} is a folder", hint="name another place")
    if not force and os.path.lexists(target):
        raise _exists(target)
    if not target.parent.is_dir():
        raise NotFound(f"no such folder: {target.parent}", hint=f"mkdir -p {target.parent}")


def _exists(target: Path) -> Conflict:
    return Conflict(f"{target} exists already", hint="--force overwrites it")


def _write_folder(payload: Payload, out: Path, *, force: bool, report: Report) -> None:
    """Write a folder beside its final place and rename it; into one that exists (``force``) file by file."""
    if os.path.lexists(out) and (not out.is_dir() or any(out.iterdir())):
        if not force or not out.is_dir():
            raise _exists(out)
        for line in payload.lines:
            target = out / line.path
            _make_folders(out, target.parent)
            _write_file(payload, line, target, force=True, report=report)
        return
    if not out.parent.is_dir():
        raise NotFound(f"no such folder: {out.parent}", hint=f"mkdir -p {out.parent}")
    with whole_folder(out) as folder:
        fill(payload, folder, report)


def _make_folders(out: Path, folder: Path) -> None:
    """Make the folders from ``out`` down, as ``git checkout --force`` does: a link or file in the way is replaced."""
    for above in [*reversed(folder.relative_to(out).parents), folder.relative_to(out)][1:]:
        place = out / above
        if place.is_symlink() or not place.is_dir():
            place.unlink(missing_ok=True)
            place.mkdir()


# The cache ------------------------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Where ``path`` keeps payloads."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else home_folder() / ".cache") / "pacha" / "payloads"


def cached(context: Context, commit: Oid, progress: Progress | None) -> Path:
    """The payload as a read-only folder in the cache, written once for all versions and registries with these bytes."""
    stored = records.read(context.repo, commit)
    address = address_of(stored).removeprefix("blake3:")
    content = stored.record.content
    # Two payloads of one address may differ in the name of their only file.
    folder = cache_folder() / (address if content is None else f"{address[:40]}-{content.tree[:20]}")
    if folder.is_dir():
        return folder
    with _disk(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _new_cached(folder) as temporary:
            if content is None:
                document = KINDS[stored.id.kind].primary_document or ""
                (temporary / document).write_bytes(stored.documents[document])
            else:
                fill(payload_of(context, stored), temporary, Report(progress, f"cache {stored.id.spec}", content.size))
            _make_read_only(temporary)
    return folder


@contextmanager
def _new_cached(folder: Path) -> Iterator[Path]:
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder.parent))
    try:
        yield temporary
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise  # else another process was as quick, and has the same bytes
    finally:
        if temporary.exists():
            _make_writable(temporary)
            shutil.rmtree(temporary, ignore_errors=True)


def _make_read_only(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        path.chmod((path.stat().st_mode & 0o555) | (0o500 if path.is_dir() else 0o400))


def _make_writable(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o700)
