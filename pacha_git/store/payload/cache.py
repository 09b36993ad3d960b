"""Knows where the folders of the cache lie, and takes them out of it.

When one is believed, and how it is written, is ``registry.reading.cache``'s. Beside the folders lie their seals, each
under the same name.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.format.content import Content
from pacha_git.system import folders as system_folders
from pacha_git.system.disk import TEMPORARY
from pacha_git.system.environment import home_folder

FOLDERS: Final = ("pacha", "payloads")
SEALS: Final = ("pacha", "seals")
_LEFT_SECONDS: Final = 3600.0
_HEX: Final = frozenset("0123456789abcdef-")


def cache_base() -> Path:
    """Tell where this person's caches are."""
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base) if base else home_folder() / ".cache"


def name_of(address: str, content: Content | None) -> str:
    """Tell what the folder of a payload is called, or that of a document by its address alone."""
    digest = address.removeprefix("blake3:")
    # Two payloads of one address may differ in the name of their only file.
    return digest if content is None else f"{digest[:40]}-{content.tree[:20]}"


def folders() -> list[Path]:
    """Return every folder that is in the cache now."""
    try:
        found = sorted(cache_base().joinpath(*FOLDERS).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [path for path in found if set(path.name) <= _HEX and path.is_dir() and not path.is_symlink()]


def files_in(folder: Path) -> tuple[int, int]:
    """Tell how many files are in a folder, and their bytes."""
    sizes = [status.st_size for _, status in system_folders.entries(folder) if stat.S_ISREG(status.st_mode)]
    return len(sizes), sum(sizes)


def drop(name: str) -> int:
    """Take a folder out of the cache; returns the bytes of its files."""
    folder = cache_base().joinpath(*FOLDERS, name)
    cache_base().joinpath(*SEALS, name).unlink(missing_ok=True)
    size = files_in(folder)[1] if folder.is_dir() and not folder.is_symlink() else 0
    if os.path.lexists(folder):
        discard(folder)
    return size


def forget(content: Content | None) -> None:
    """Let bytes that were removed leave the cache, too; other versions that have them find it made anew."""
    if content is not None:
        with suppress(OSError, PachaError):  # a cache that can't be reached holds nobody up
            drop(name_of(content.address, content))


def discard(folder: Path) -> None:
    """Take a folder out of the way at once; whoever has a file of it open may read on."""
    away = folder.with_name(f"{TEMPORARY}{folder.name}-{os.urandom(6).hex()}")
    with suppress(FileNotFoundError):  # another process was quicker
        folder.rename(away)
        remove(away)


def remove(path: Path) -> None:
    """Remove a file, or a folder that may be read-only; a link in it is not followed."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        system_folders.remove(path)


def sweep() -> None:
    """Remove what killed processes left half written."""
    for path in cache_base().joinpath(*FOLDERS).glob(f"{TEMPORARY}*"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > _LEFT_SECONDS:
                remove(path)
