"""The settings of a registry as they lie in Git: ``registry.toml`` and ``allowed_signers`` below refs/pacha/registry.

It knows the commit and its two files; what a policy means is for the verbs that obey it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from pacha_git.errors import REPAIR, Corrupt, NotFound
from pacha_git.format.commits import SYSTEM_IDENTITY
from pacha_git.format.settings import RULES, Settings, parse_settings
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.commits import commit_bytes, split_commit
from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import FILE_MODE, parse_tree, tree_bytes
from pacha_git.vocabulary.ids import REGISTRY_REF, ROOT_COMMIT, ROOT_REF

if TYPE_CHECKING:
    from pacha_git.git.changes import Changes
    from pacha_git.trust.signers import Signers

SETTINGS_FILE: Final = "registry.toml"
SIGNERS_FILE: Final = "allowed_signers"
_LIMIT: Final = 1 << 20


class StoredSettings(NamedTuple):
    """The settings as they stand at a commit; ``others`` are files of theirs that only a later release knows."""

    commit: Oid
    settings: Settings
    toml: bytes
    signers_file: bytes
    others: tuple[tuple[str, bytes, Oid], ...] = ()

    @property
    def signers(self) -> Signers:
        """Who may sign."""
        from pacha_git.trust.signers import Signers  # few commands ask who is trusted

        return Signers.parse(self.signers_file)


def read_settings(repo: GitRepository, ref: str = REGISTRY_REF) -> StoredSettings:
    """Read the settings.

    Raises:
        NotFound: there are none: this is no registry.
        PachaError: they are of a newer format.
        Corrupt: they can't be read.
    """
    commit = repo.ref(ref)
    if commit is None:
        raise NotFound(f"{repo.path} is a Git repository, but no registry", hint=f"git pacha init {repo.path}")
    return settings_at(repo, commit)


def settings_at(repo: GitRepository, commit: Oid) -> StoredSettings:
    """Read the settings of a commit; errors as ``read_settings``."""
    tree = split_commit(repo.read_as(commit, "commit")).tree
    entries = parse_tree(repo.read_as(tree, "tree"))
    files = {entry.name.decode("utf-8", "replace"): entry.oid for entry in entries if entry.mode == FILE_MODE}
    if SETTINGS_FILE not in files:
        raise Corrupt(f"the settings at {commit} have no {SETTINGS_FILE}", hint=REPAIR)
    toml = repo.read_as(files[SETTINGS_FILE], "blob")
    signers = repo.read_as(files[SIGNERS_FILE], "blob") if SIGNERS_FILE in files else b""
    if max(len(toml), len(signers)) > _LIMIT:
        raise Corrupt(f"the settings at {commit} are over {_LIMIT >> 20} MiB")
    own = (SETTINGS_FILE.encode(), SIGNERS_FILE.encode())
    others = tuple((entry.mode, entry.name, entry.oid) for entry in entries if entry.name not in own)
    return StoredSettings(commit, parse_settings(toml), toml, signers, others)


def check_settings(stored: StoredSettings) -> None:
    """See to it that settings which came mean something to every reader.

    Raises:
        Corrupt: a rule of the policy is not what it must be, or the signers are no text.
    """
    for rule in RULES:
        stored.settings.rule(rule)
    try:
        stored.signers_file.decode("utf-8")
    except UnicodeDecodeError:
        raise Corrupt(f"{SIGNERS_FILE} is not UTF-8") from None


def write_settings(
    changes: Changes,
    toml: bytes,
    signers_file: bytes,
    *,
    parents: list[Oid],
    old: Oid | None,
    identity: str,
    seconds: int,
    message: str,
    others: Iterable[tuple[str, bytes, Oid]] = (),
) -> Oid:
    """Write settings as a commit on top of ``parents``, and move the ref from ``old`` to it; ``others`` go along."""
    parse_settings(toml)
    entries: list[tuple[int | str, bytes, Oid]] = [*others]
    entries.append((FILE_MODE, SETTINGS_FILE.encode(), changes.add("blob", toml)))
    if signers_file:
        entries.append((FILE_MODE, SIGNERS_FILE.encode(), changes.add("blob", signers_file)))
    tree = changes.add("tree", tree_bytes(entries))
    commit = changes.add(
        "commit", commit_bytes(tree=tree, parents=parents, identity=identity, seconds=seconds, message=message)
    )
    changes.move(REGISTRY_REF, commit, old)
    return commit


def write_root(repo: GitRepository, changes: Changes) -> None:
    """Write the root commit, the same in every registry, unless it is here."""
    if repo.ref(ROOT_REF) is not None:
        return
    tree = changes.add("tree", b"")
    commit = changes.add(
        "commit", commit_bytes(tree=tree, parents=(), identity=SYSTEM_IDENTITY, seconds=0, message="pacha registry\n")
    )
    assert commit == ROOT_COMMIT
    changes.move(ROOT_REF, commit, None)
