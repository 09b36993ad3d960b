"""Keeps payloads as read-only folders in the cache, and hands one out only while it is what it was.

A folder is trusted by its seal: a hash over the stat of every file in it, taken when its bytes were last hashed. While
the seal fits, nothing is read; when it doesn't, all is hashed, and what differs is written anew.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
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
from pacha_git.session.resolve import address_of, resolve, without_removed
from pacha_git.session.results import CacheCleared, CacheEntry
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.payload import cache
from pacha_git.store.payload.checkout import Report, fill
from pacha_git.system.disk import TEMPORARY, write_whole
from pacha_git.system.folders import entries
from pacha_git.system.hashing import many_core_hasher
from pacha_git.system.private import check_private, make_private_folder


def cached(session: Session, commit: Oid, progress: Progress | None) -> Path:
    """The payload as a read-only folder in the cache, written once for all versions and registries with these bytes.

    What was removed is not handed out, and leaves the cache.

    Raises:
        PachaError: the cache is another's or others can write in it, the payload is not here, or the disk is full.
    """
    stored = records.read(session.repo, commit)
    name = cache.name_of(address_of(stored), stored.record.content)
    with disk_errors(cache.cache_base()):
        _forget_removed(session, stored, name)
        home = make_private_folder(cache.cache_base(), *cache.FOLDERS)
        folder, seal = home / name, make_private_folder(cache.cache_base(), *cache.SEALS) / name
        if not _is_sound(folder, seal, stored):
            with _written(session, stored, home, progress) as fresh:
                _put_in_place(fresh, folder, lambda: _is_sound(folder, seal, stored))
            _put_seal(folder, seal)
    return folder


def _forget_removed(session: Session, stored: records.StoredRecord, name: str) -> None:
    own = stored.id
    if stored.record.content is None or session.repo.ref(own.payload_ref) is not None:
        return
    if not without_removed(session, own.kind, own.name, {own.version: stored.commit}):
        cache.drop(name)
        payload_of(session, stored)  # which says who removed it, and why


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
    """Return a hash over the stat of all that is in a folder: any write changes a ctime, which nobody can set back."""
    hasher = blake3()
    for path, status in entries(folder):
        facts = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_uid)
        hasher.update(os.fsencode(path) + f"\0{facts}\n".encode())
    return hasher.hexdigest()


def _has_the_bytes(folder: Path, stored: records.StoredRecord) -> bool:
    """Hash all that is in a folder, and see whether it is what the record says."""
    content = stored.record.content
    found = [(path, status) for path, status in entries(folder) if not stat.S_ISDIR(status.st_mode)]
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
    digest = many_core_hasher().update_mmap(folder / path).hexdigest()
    return FileLine(path, status.st_size, "755" if status.st_mode & stat.S_IXUSR else "644", digest, "blob")


# Writing it -----------------------------------------------------------------------------------------------------------


@contextmanager
def _written(session: Session, stored: records.StoredRecord, home: Path, progress: Progress | None) -> Iterator[Path]:
    """Yield a new folder with the payload, read-only; it goes if nobody gave it a name."""
    content = stored.record.content
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=home))
    try:
        if content is None:
            document = KINDS[stored.id.kind].primary_document or ""
            (temporary / document).write_bytes(stored.documents[document])
        else:
            fill(payload_of(session, stored), temporary, Report(progress, f"cache {stored.id.spec}", content.size))
        _make_read_only(temporary)
        yield temporary
    finally:
        cache.remove(temporary)


def _put_in_place(fresh: Path, folder: Path, is_sound: Callable[[], bool]) -> None:
    """Give a folder its name; another process may have been as quick, and who has its folder should keep it."""
    try:
        fresh.rename(folder)
    except OSError:
        if not is_sound():
            cache.discard(folder)
            fresh.rename(folder)


def _make_read_only(folder: Path) -> None:
    for path, status in [*entries(folder), ("", folder.stat())]:
        mode = (status.st_mode & 0o555) | (0o500 if stat.S_ISDIR(status.st_mode) else 0o400)
        os.chmod(f"{folder}/{path}", mode)  # noqa: PTH101 — paths as text: there may be very many


# What is in it --------------------------------------------------------------------------------------------------------


def listed(session: Session) -> list[CacheEntry]:
    """Tell what is in the cache; see ``Registry.cache_list``."""
    found = cache.folders()
    known = _known(session) if found else {}
    with disk_errors(cache.cache_base()):
        counted = [(folder, *cache.files_in(folder)) for folder in found]
    return [CacheEntry(str(folder), size, count, tuple(known.get(folder.name, ()))) for folder, count, size in counted]


def _known(session: Session) -> dict[str, list[str]]:
    """Tell which versions of this registry a folder is of, by its name."""
    found: dict[str, list[str]] = {}
    for version, commit in records.all_versions(session.repo):
        stored = records.read(session.repo, commit)
        name = cache.name_of(address_of(stored), stored.record.content)
        found.setdefault(name, []).append(f"{version.kind.noun}:{version.spec}")
    return found


def clear(session: Session, specs: Sequence[str]) -> CacheCleared:
    """Take folders out of the cache; see ``Registry.cache_clear``."""
    here = {folder.name: folder for folder in cache.folders()}
    wanted = [_name_of(session, spec) for spec in specs] if specs else list(here)
    gone = [here[name] for name in dict.fromkeys(wanted) if name in here]
    with disk_errors(cache.cache_base()):
        freed = sum(cache.drop(folder.name) for folder in gone)
        cache.sweep()
    return CacheCleared(freed, tuple(map(str, gone)))


def _name_of(session: Session, spec: str) -> str:
    stored = records.read(session.repo, resolve(session, spec, kind=None)[1])
    return cache.name_of(address_of(stored), stored.record.content)
