"""What every verb works on: the repository, its side index, its settings, and who is acting.

It opens them and keeps them together.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pacha_git.errors import PachaError
from pacha_git.git.ownership import check_owner
from pacha_git.git.refs.rules import NameRules
from pacha_git.git.repo import GitRepository
from pacha_git.git.weak import weakly
from pacha_git.gitobjects.oid import Oid
from pacha_git.session.caller import Caller
from pacha_git.session.identity import Acting
from pacha_git.session.signing import Signing
from pacha_git.store.events import Author, read_attestations
from pacha_git.store.settings import StoredSettings, read_settings
from pacha_git.vocabulary.ids import PAYLOAD_ROOT, VersionId
from pacha_git.vocabulary.names import gist

if TYPE_CHECKING:
    from pacha_git.chunking.layout import Layout
    from pacha_git.git.changes import Changes
    from pacha_git.store.catalogue.database import Database
    from pacha_git.store.catalogue.versions import Catalogue
    from pacha_git.store.payload.index import DedupIndex
    from pacha_git.store.payload.store import PayloadStore
    from pacha_git.store.removals import RemovalList
    from pacha_git.trust.signers import Signers
    from pacha_git.vocabulary.kinds import Kind

UPKEEP_FAILED: Final = "pacha/upkeep.failed"
DECIDE_LOCK: Final = "pacha/decide.lock"


class Session:
    """One registry, opened.

    Attributes:
        path: Its folder.
        caller: Who works on it.

    Args:
        path: Its folder.
        caller: Who works on it.
        damaged: Whether to open it though refs or settings can't be read; who asks for those settings is told.

    Raises:
        NotFound: the folder is no registry.
        PachaError: it is of a newer format, uses SHA-256 or reftable, or is somebody else's.
    """

    def __init__(self, path: Path, caller: Caller, *, damaged: bool = False) -> None:
        self.path = path
        self.caller = caller
        self.repo = GitRepository(path, NameRules(alike=gist, first=PAYLOAD_ROOT), going_on=damaged)
        check_owner(path)
        self.repo.settle = weakly(self._settle)
        self.repo.vouch = weakly(self._vouch)
        # Reading them is what finds a folder that is no registry, or one of a newer format.
        self._settings: StoredSettings | None = None if damaged else read_settings(self.repo)

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process opens it anew: locks, connections and what is about to change are this one's.
        return Session, (self.path.absolute(), self.caller)

    def close(self) -> None:
        """Let go of every file and process; whatever is asked of it from now on is refused."""
        opened = self.__dict__
        if "database" in opened:
            self.database.close()
        if "repo" in opened:
            self.repo.close()
        path = self.path
        opened.clear()
        self.path = path

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # Python asks here for what is not there: all but the path once it is closed.
            if "repo" in self.__dict__ or name == "path" or name.startswith("__"):
                raise AttributeError(name)
            raise PachaError(f"the registry {self.path} was closed", hint="open it again: Registry.open(path)")

    def _vouch(self) -> Callable[[Iterable[Path]], None]:
        from pacha_git.store.payload.soundness import Soundness

        return Soundness(self.repo, self.index, set()).remembering()

    def _settle(self) -> None:
        from pacha_git.store.upkeep import tidy

        tidy(self.repo, self.index)

    @property
    def notices(self) -> tuple[str, ...]:
        """What whoever opens the registry should know of its upkeep."""
        if not os.path.exists(f"{self.path}/{UPKEEP_FAILED}"):  # noqa: PTH110 — each command asks
            return ()
        from pacha_git.store.upkeep import failures

        count, message = failures(self.path)
        told = f"upkeep of {self.path} failed {count} times running: {message}; git pacha doctor says more"
        return (told,) if count > 1 else ()

    @property
    def settings(self) -> StoredSettings:
        """The settings as they stand now."""
        if self._settings is None or self.repo.ref("refs/pacha/registry") != self._settings.commit:
            self._settings = read_settings(self.repo)
        return self._settings

    @property
    def registry_id(self) -> str:
        """The UUID of this registry."""
        return self.settings.settings.registry

    def _layout_now(self) -> Layout:
        return self.layout

    @property
    def layout(self) -> Layout:
        """How this registry cuts files, as its settings say."""
        from pacha_git.chunking.layout import layout_named

        return layout_named(self.settings.settings.values.get("layout"))

    # What a command seldom needs is loaded when it does: to load all of it takes as long as to answer.

    @cached_property
    def database(self) -> Database:
        """The file of caches."""
        from pacha_git.store.catalogue.database import Database

        return Database(self.path)

    @cached_property
    def index(self) -> DedupIndex:
        """What is known to be stored."""
        from pacha_git.store.payload.index import DedupIndex

        return DedupIndex(self.database)

    @cached_property
    def payloads(self) -> PayloadStore:
        """Where the bytes of versions and runs lie."""
        from pacha_git.store.payload.store import GitPayloads

        return GitPayloads(self.repo, self.index, weakly(self._layout_now))

    @cached_property
    def catalogue(self) -> Catalogue:
        """The searchable projection."""
        from pacha_git.store.catalogue.versions import Catalogue

        return Catalogue(self.repo, self.database, self.caller.project, weakly(self._removals))

    @cached_property
    def removals(self) -> RemovalList:
        """Which removals count here."""
        from pacha_git.store.removals import RemovalList

        return RemovalList(self.repo, weakly(self._signers), weakly(self._removals_wanted))

    def _removals_wanted(self) -> str:
        from pacha_git.session import gitconfig
        from pacha_git.store.removals import SETTING

        return gitconfig.value_for(self.path, SETTING)

    def is_removed(self, version: VersionId | None, commit: Oid) -> bool:
        """Tell whether the payload of a version is removed here; that of a run (None) never is."""
        return version is not None and commit in self.removed(version.kind, version.name)

    def removed(self, kind: Kind, name: str) -> Collection[Oid]:
        """Return the record commits of a name whose payload is removed here."""
        attested = read_attestations(self.repo, kind, name)
        if not any(about.tombstones for about in attested.of.values()):
            return ()  # most names: the list of removals is not even loaded
        return self.removals.of(kind, name, attested).removed

    def _removals(self) -> RemovalList:
        return self.removals

    @cached_property
    def signing(self) -> Signing:
        """Signs and verifies by this registry's settings."""
        return Signing(self.caller.keys, weakly(self._signers))

    def _signers(self) -> Signers:
        return self.settings.signers

    def acting(self) -> Acting:
        """Tell who acts, at this moment.

        Raises:
            PachaError: Git knows nobody.
        """
        return self.caller.now()

    def author(self, sign: bool | None, acting: Acting | None = None) -> Author:
        """Tell who makes an event now, with a key if ``sign`` (None: as ``sign.default`` says)."""
        acting = acting or self.acting()
        signer = self.signing.signer(sign, "pacha-event")
        return Author(self.registry_id, acting.identity, acting.seconds, acting.at, signer)

    @contextlib.contextmanager
    def deciding(self, reason: str) -> Iterator[Changes]:
        """Changes that depend on the events read within: on this machine one decides after the other."""
        from pacha_git.git.changes import changing

        with changing(self.repo, reason) as changes:
            changes.lock(self.path / DECIDE_LOCK)
            yield changes
