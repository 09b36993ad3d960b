"""Writes the bytes of a version to disk, where a person wants them.

It knows files and folders and what must never be left half done there; how bytes are stored is the store's.
"""

from __future__ import annotations

import os
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
from pacha_git.store import records
from pacha_git.store.payload.checkout import Report, fill, write_durably
from pacha_git.store.payload.reader import Payload
from pacha_git.system.disk import whole_file, whole_folder


def download(context: Context, commit: Oid, out: Path, *, force: bool, progress: Progress | None) -> Path:
    """Write a version's bytes to ``out``; see ``Collection.download``."""
    stored = records.read(context.repo, commit)
    document = KINDS[stored.id.kind].primary_document
    if document is not None:
        return _download_document(stored, document, out, force=force)
    payload = payload_of(context, stored)
    lines = payload.lines
    report = Report(progress, f"download {stored.id.spec}", payload.content.size)
    with disk_errors(out):
        if len(lines) == 1:
            target = out / Path(lines[0].path).name if out.is_dir() else out
            _write_file(payload, lines[0], target, force=force, report=report)
            return target
        _write_folder(payload, out, force=force, report=report)
    return out


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
