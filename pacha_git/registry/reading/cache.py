"""Keeps payloads as read-only folders in the cache, and hands one out only while it is what it was.

A folder is trusted by its seal: a hash over the stat of every file in it, taken when its bytes were last hashed. While
the seal fits, nothing is read; when it doesn't, all is hashed, and what differs is written anew.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from blake3 import blake3

from pacha_git.errors import InvalidInput
from pacha_git.format.kinds import KINDS
from pacha_git.format.manifest import FileLine, content_address, sorted_lines
from pacha_git.gitobjects.oid import Oid
from pacha_git.progress import Progress
from pacha_git.registry.reading.content import payload_of
from pacha_git.registry.reading.download import disk_errors
from pacha_git.session.context import Context
from pacha_git.session.resolve import address_of
from pacha_git.store import records
from pacha_git.store.payload.checkout import Report, fill
from pacha_git.system.disk import TEMPORARY, write_whole
from pacha_git.system.environment import home_folder
from pacha_git.system.private import check_private, make_private_folder


def cache_base() -> Path:
    """Where this person's caches are."""
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base) if base else home_folder() / ".cache"


def cached(context: Context, commit: Oid, progress: Progress | None) -> Path:
    """The payload as a read-only folder in the cache, written once for all versions and registries with these bytes.

    Raises:
        PachaError: the cache is another's or others can write in it, the payload is not here, or the disk is full.
    """
    stored = records.read(context.repo, commit)
    address = address_of(stored).removeprefix("blake3:")
    content = stored.record.content
    # Two payloads of one address may differ in the name of their only file.
    name = address if content is None else f"{address[:40]}-{content.tree[:20]}"
    with disk_errors(cache_base()):
        home = make_private_folder(cache_base(), "pacha", "payloads")
        folder, seal = home / name, make_private_folder(cache_base(), "pacha", "seals") / name
        if not _is_sound(folder, seal, stored):
            with _written(context, stored, home, progress) as fresh:
                _put_in_place(fresh, folder, lambda: _is_sound(folder, seal, stored))
            _put_seal(folder, seal)
    return folder


# Whether it is what it was --------------------------------------------------------------------------------------------


def _is_sound(folder: Path, seal: Path, stored: records.StoredRecord) -> bool:
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return False
    if stat.S_IMODE(status.st_mode) & 0o022 and status.st_uid == os.geteuid():
        return False  # others could write in it: it is written anew
    check_private(folder, status)
    if _sealed(folder) == _seal_of(seal):
        return True
    if not _has_the_bytes(folder, stored):
        return False
    _put_seal(folder, seal)
    return True


def _seal_of(seal: Path) -> str:
    with suppress(FileNotFoundError, UnicodeDecodeError):
        return seal.read_text("ascii")
    return ""


def _put_seal(folder: Path, seal: Path) -> None:
    write_whole(seal, _sealed(folder).encode(), mode=0o600)


def _sealed(folder: Path) -> str:
    """A hash over the stat of all that is in a folder: any write changes a ctime, which nobody can set back."""
    hasher = blake3()
    for path, status in _entries(folder):
        facts = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_uid)
        hasher.update(os.fsencode(path) + f"\0{facts}\n".encode())
    return hasher.hexdigest()


def _entries(folder: Path, below: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """What lies in a folder, with its path there, in one order."""
    with os.scandir(folder / below) as scanned:
        found = sorted(scanned, key=lambda entry: entry.name)
    for entry in found:
        status = entry.stat(follow_symlinks=False)
        yield below + entry.name, status
        if stat.S_ISDIR(status.st_mode):
            yield from _entries(folder, f"{below}{entry.name}/")


def _has_the_bytes(folder: Path, stored: records.StoredRecord) -> bool:
    """Hash all that is in a folder, and see whether it is what the record says."""
    content = stored.record.content
    found = [(path, status) for path, status in _entries(folder) if not stat.S_ISDIR(status.st_mode)]
    if not all(stat.S_ISREG(status.st_mode) for _, status in found):
        return False
    if content is None:
        document = KINDS[stored.id.kind].primary_document or ""
        named = [path for path, _ in found] == [document]
        return named and (folder / document).read_bytes() == stored.documents[document]
    if (sum(status.st_size for _, status in found), len(found)) != (content.size, content.file_count):
        return False
    lines = sorted_lines(_line(folder, path, status) for path, status in found)
    if content.files is not None and [line.path for line in content.files] != [line.path for line in lines]:
        return False
    try:
        return content_address(lines) == (content.address, content.address_of)
    except InvalidInput:
        return False


def _line(folder: Path, path: str, status: os.stat_result) -> FileLine:
    digest = blake3(max_threads=blake3.AUTO).update_mmap(folder / path).hexdigest()
    return FileLine(path, status.st_size, "755" if status.st_mode & stat.S_IXUSR else "644", digest, "blob")


# Writing it -----------------------------------------------------------------------------------------------------------


@contextmanager
def _written(context: Context, stored: records.StoredRecord, home: Path, progress: Progress | None) -> Iterator[Path]:
    """A new folder with the payload, read-only; it goes if nobody gave it a name."""
    content = stored.record.content
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=home))
    try:
        if content is None:
            document = KINDS[stored.id.kind].primary_document or ""
            (temporary / document).write_bytes(stored.documents[document])
        else:
            fill(payload_of(context, stored), temporary, Report(progress, f"cache {stored.id.spec}", content.size))
        _make_read_only(temporary)
        yield temporary
    finally:
        _remove(temporary)


def _put_in_place(fresh: Path, folder: Path, is_sound: Callable[[], bool]) -> None:
    """Give a folder its name; another process may have been as quick, and who has its folder should keep it."""
    try:
        fresh.rename(folder)
    except OSError:
        if not is_sound():
            _discard(folder)
            fresh.rename(folder)


def _discard(folder: Path) -> None:
    """Take a folder out of the way; whoever has a file of it open may read on."""
    away = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder.parent))
    try:
        with suppress(FileNotFoundError):
            folder.rename(away / folder.name)
    finally:
        _remove(away)


def _remove(folder: Path) -> None:
    if folder.exists():
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)


def _make_read_only(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        path.chmod((path.stat().st_mode & 0o555) | (0o500 if path.is_dir() else 0o400))
