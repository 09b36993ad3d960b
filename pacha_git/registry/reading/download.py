"""Writes the bytes of a version to disk, where a person wants them.

It knows files and folders and what must never be left half done there; how bytes are stored is the store's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pacha_git.errors import Conflict, NotFound, PachaError
from pacha_git.format.kinds import KINDS
from pacha_git.format.manifest import FileLine
from pacha_git.gitobjects.oid import Oid
from pacha_git.progress import Progress
from pacha_git.registry.reading.content import payload_of
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.payload.checkout import Report, fill, write_durably
from pacha_git.store.payload.reader import Payload
from pacha_git.system.disk import whole_file, whole_folder
from pacha_git.system.folders import entries


def download(
    session: Session,
    commit: Oid,
    out: Path,
    *,
    force: bool,
    progress: Progress | None,
    left: Callable[[Sequence[str]], None] | None = None,
) -> Path:
    """Write a version's bytes to ``out``; see ``Collection.download``."""
    stored = records.read(session.repo, commit)
    document = KINDS[stored.id.kind].primary_document
    if document is not None:
        return _download_document(stored, document, out, force=force)
    payload = payload_of(session, stored)
    report = Report(progress, f"download {stored.id.spec}", payload.content.size)
    with disk_errors(out):
        if not payload.content.is_folder:
            line = payload.lines[0]
            target = out / Path(line.path).name if out.is_dir() else out
            _write_file(payload, line, target, force=force, report=report)
            return target
        # A link stays one; what it leads to is the folder.
        folder = out.resolve() if out.is_symlink() and out.is_dir() else out
        others = _write_folder(payload, folder, force=force, report=report)
    if others and left is not None:
        left(others)
    return out


def _others_in(folder: Path, payload: Payload) -> list[str]:
    """Return the files in a folder that are not the version's."""
    own = {line.path for line in payload.lines}
    return sorted(path for path, status in entries(folder) if not stat.S_ISDIR(status.st_mode) and path not in own)


@contextmanager
def disk_errors(out: Path) -> Iterator[None]:
    """Say what the disk refused in our words, with the place that was written."""
    try:
        yield
    except OSError as error:
        hint = "free some space and try again" if error.errno in (28, 122) else ""
        raise PachaError(f"can't write {out}: {error.strerror or error}", hint=hint) from None


def _download_document(stored: records.StoredRecord, document: str, out: Path, *, force: bool) -> Path:
    target = out / f"{stored.id.name.split('/')[-1]}.toml" if out.is_dir() else out
    with disk_errors(target), _in_place(target, force=force) as descriptor:
        write_durably(descriptor, [stored.documents[document]], None)
    return target


def _write_file(payload: Payload, line: FileLine, target: Path, *, force: bool, report: Report) -> None:
    with _in_place(target, force=force, mode=0o777 if line.mode == "755" else 0o666) as descriptor:
        write_durably(descriptor, payload.blocks(line), report)


@contextmanager
def _in_place(target: Path, *, force: bool, mode: int = 0o666) -> Iterator[int]:
    """Yield a file, open to be written durably, that takes its final name when it is."""
    _refuse(target, force=force)
    try:
        with whole_file(target, mode=mode, replace=force, sync=False) as descriptor:
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


def _write_folder(payload: Payload, out: Path, *, force: bool, report: Report) -> list[str]:
    """Write a folder beside its final place and rename it; into one that has to stay file by file.

    Returns:
        The files that were there, are not the version's, and stay.
    """
    there = os.path.lexists(out)
    if there and not out.is_dir():
        raise Conflict(f"{out} exists already, and is no folder", hint="name another place for the folder")
    if there and any(out.iterdir()) and not force:
        raise _exists(out)
    if there and (any(out.iterdir()) or not _can_be_replaced(out)):
        for line in payload.lines:
            target = out / line.path
            _make_folders(out, target.parent)
            _write_file(payload, line, target, force=True, report=report)
        return _others_in(out, payload)
    if not out.parent.is_dir():
        raise NotFound(f"no such folder: {out.parent}", hint=f"mkdir -p {out.parent}")
    with whole_folder(out) as folder:
        fill(payload, folder, report)
    return []


def _can_be_replaced(out: Path) -> bool:
    """Whether another folder may take the place of an empty one: not of a mount, or where only it may be written."""
    return not out.is_mount() and os.access(out.absolute().parent, os.W_OK)


def _make_folders(out: Path, folder: Path) -> None:
    """Make the folders from ``out`` down, as ``git checkout --force`` does: a link or file in the way is replaced."""
    for above in [*reversed(folder.relative_to(out).parents), folder.relative_to(out)][1:]:
        place = out / above
        if place.is_symlink() or not place.is_dir():
            place.unlink(missing_ok=True)
            place.mkdir()
