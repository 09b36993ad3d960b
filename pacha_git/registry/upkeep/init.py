"""Makes registries: a bare repository with the root commit and settings of its own, in one durable step.

It knows what every registry has from its first day.
"""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final

from pacha_git.chunking.layout import NEWEST
from pacha_git.errors import Corrupt
from pacha_git.format.commits import SYSTEM_IDENTITY
from pacha_git.format.settings import encode_settings, new_settings
from pacha_git.git.changes import changing
from pacha_git.git.ownership import check_owner
from pacha_git.git.repo import GitRepository
from pacha_git.git.shape import is_ours, keep_config, mend_shape
from pacha_git.git.weak import weakly
from pacha_git.store.catalogue.database import Database
from pacha_git.store.payload.index import DedupIndex
from pacha_git.store.payload.soundness import Soundness
from pacha_git.store.readme import write_readme
from pacha_git.store.removals import begin_removals
from pacha_git.store.settings import read_settings, write_root, write_settings
from pacha_git.system.disk import sync_file_system
from pacha_git.vocabulary.ids import REF_ROOT, REGISTRY_REF, ROOT_REF, TMP_ROOT

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
    if is_ours(path):
        check_owner(path)
        mend_shape(path)
    repo = GitRepository.create(path, shared=shared)
    keep_config(path)
    if shared:
        _open_to_group(repo)
    if repo.ref(REGISTRY_REF) is not None:
        read_settings(repo)
        return False
    if any(ref != ROOT_REF and not ref.startswith(TMP_ROOT) for ref in repo.refs_below(REF_ROOT)):
        raise Corrupt(
            f"{path} holds versions, and {REGISTRY_REF} is gone: it would be another registry",
            hint="git pacha doctor --repair brings the settings back",
        )
    begin(repo)
    return True


def begin(repo: GitRepository) -> None:
    """Give a repository the root and settings of a new registry."""
    path = repo.path
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
    keep_config(path)


def _open_to_group(repo: GitRepository) -> None:
    """Set up what a server needs beyond what every registry has: pushes stay packs, and the group may write."""
    for key, value in _SERVER.items():
        repo.configure(key, value)
    for folder in (repo.path / "pacha", repo.path / "pacha/side", repo.path / "pacha/runs"):
        folder.mkdir(exist_ok=True)
        with suppress(PermissionError):  # somebody else's, who did the same
            folder.chmod(0o2775)
