"""Makes registries: a bare repository with the root commit and settings of its own, in one durable step.

It knows what every registry has from its first day; it refuses to know what comes in later.
"""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final

from pacha_git.chunking.layout import NEWEST
from pacha_git.format.commits import SYSTEM_IDENTITY
from pacha_git.format.settings import encode_settings, new_settings
from pacha_git.git.changes import changing
from pacha_git.git.repo import GitRepository
from pacha_git.git.weak import weakly
from pacha_git.store.catalogue.database import Database
from pacha_git.store.payload.index import DedupIndex
from pacha_git.store.payload.soundness import Soundness
from pacha_git.store.readme import write_readme
from pacha_git.store.removals import begin_removals
from pacha_git.store.settings import read_settings, write_root, write_settings
from pacha_git.system.disk import sync_file_system
from pacha_git.vocabulary.ids import REGISTRY_REF

_SERVER: Final = {
    "receive.unpackLimit": "1",
    "receive.denyDeleteCurrent": "refuse",
    "transfer.hideRefs": "refs/remotes",
}


def init(path: Path, *, shared: bool) -> bool:
    """Make a registry, or bring the Git settings of the one that is there up to date.

    Returns:
        Whether it was made now.

    Raises:
        PachaError: the folder can't be made, has other things in it, or is a registry of a newer format.
    """
    repo = GitRepository.create(path, shared=shared)
    if shared:
        _open_to_group(repo)
    if repo.ref(REGISTRY_REF) is not None:
        read_settings(repo)
        return False
    sound = Soundness(repo, DedupIndex(Database(path)), set())
    repo.vouch = weakly(sound.remembering)
    with changing(repo, "init") as changes:
        write_root(repo, changes)
        write_settings(
            changes,
            encode_settings(new_settings(str(uuid.uuid4()), NEWEST.name)),
            b"",
            parents=[],
            old=None,
            identity=SYSTEM_IDENTITY,
            seconds=int(time.time()),
            message="init\n",
        )
        write_readme(repo, changes)
    begin_removals(repo)
    sync_file_system(path)  # the folder itself, and what `git init` put into it without an fsync
    return True


def _open_to_group(repo: GitRepository) -> None:
    """Set up what a server needs beyond what every registry has: pushes stay packs, and the group may write."""
    for key, value in _SERVER.items():
        repo.git("config", "--local", key, value)
    for folder in (repo.path / "pacha", repo.path / "pacha/side"):
        folder.mkdir(exist_ok=True)
        with suppress(PermissionError):  # somebody else's, who did the same
            folder.chmod(0o2775)
