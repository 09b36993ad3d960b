"""The registry as a program uses it: everything that ``git pacha`` does, as methods that hand on to the verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from pacha_git.errors import InvalidInput
from pacha_git.registry import verbs
from pacha_git.registry.collections import COLLECTIONS, Collection, Datasets, Face, Models, Recipes
from pacha_git.registry.reading.view import project
from pacha_git.registry.trust_methods import TrustMethods
from pacha_git.session import locate
from pacha_git.session.caller import Actor, Clock, caller
from pacha_git.session.resolve import resolve
from pacha_git.session.session import Session
from pacha_git.session.signing import Keys
from pacha_git.vocabulary.ids import VersionId
from pacha_git.vocabulary.kinds import Kind

if TYPE_CHECKING:
    from pacha_git.progress import Progress
    from pacha_git.registry.reading.search import SearchResult
    from pacha_git.registry.run_collection import Runs
    from pacha_git.registry.runs.live import Run
    from pacha_git.registry.upkeep.serve import Serving
    from pacha_git.session import results
    from pacha_git.trust.change import TrustChange
    from pacha_git.vocabulary.choices import PayloadChoice
    from pacha_git.vocabulary.kinds import KindWord
    from pacha_git.vocabulary.stages import Stage, StageWord

AnyPath = str | PathLike[str]


class Registry(TrustMethods, Face):
    """One registry. Values it returns don't change; it may be used by several threads and many processes.

    Open one with ``Registry.open``, make one with ``Registry.init`` or ``Registry.clone``. It pickles as its path,
    which a spawned worker opens; a forked one goes on with it. As a context manager it is closed with its block.
    """

    def __init__(self, session: Session, *, created: bool = False) -> None:
        self._session = session
        self.created = created
        self.models = Models(session)
        self.datasets = Datasets(session)
        self.recipes = Recipes(session)
        self.notices = session.notices

    def __repr__(self) -> str:
        return f"Registry({str(self.path)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._session,)

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every file and process; whatever is asked of it from now on is refused."""
        self._session.close()

    @classmethod
    def init(cls, path: AnyPath | None = None, *, shared: bool = False) -> Registry:
        """Make a registry, or open the one that is there (``created`` tells).

        Raises:
            PachaError: the folder can't be made, or has other things in it.
        """
        folder = locate.wanted_path(path)
        created = verbs.init.init(folder, shared=shared)
        return cls(Session(folder, caller(project)), created=created)

    @classmethod
    def open(
        cls,
        path: AnyPath | None = None,
        *,
        actor: str | Actor | None = None,
        clock: Clock | None = None,
        keys: Keys | None = None,
    ) -> Registry:
        """Open a registry: ``path``, else where the contract says.

        Args:
            path: Its folder.
            actor: Who acts, ``Name <email>``, or what says so each time; None: whom Git knows.
            clock: What says the time, in seconds since 1970; None: this machine's.
            keys: What signs; None: the keys of the person at the keyboard.

        Raises:
            NotFound: there is none, or the folder is no registry.
            PachaError: it is of a newer format, or uses SHA-256 or reftable.
        """
        return cls(Session(locate.existing_path(path), caller(project, actor=actor, clock=clock, keys=keys)))

    @classmethod
    def open_healed(
        cls, path: AnyPath | None = None, *, keys: Keys | None = None, progress: Progress | None = None
    ) -> Registry:
        """Open a registry; one that is too damaged for that is repaired first, from its remotes too."""
        return cls(verbs.heal.open_healed(locate.existing_path(path), caller(project, keys=keys), progress))

    @classmethod
    def clone(
        cls,
        url: str,
        path: AnyPath | None = None,
        *,
        payload: PayloadChoice = "none",
        trust: Sequence[str] = (),
        tell: Callable[[TrustChange], None] | None = None,
        progress: Progress | None = None,
    ) -> Registry:
        """Make a registry that has all records of a remote, and with ``payload="all"`` all bytes.

        Args:
            url: Where it is.
            path: Where to.
            payload: Whose bytes come along.
            trust: The fingerprints of all keys that it may trust; none for whoever it is.
            tell: Is told whom it trusts before anybody counts.
            progress: Is told how far it is.

        Raises:
            VerificationFailed: it trusts others than ``trust`` names (nothing was made), or something there is not
                sound (the rest is here).
            Conflict: there is a registry at ``path`` already.
            RemoteError: the remote can't be reached or is no registry.
        """
        folder = locate.wanted_path(path)
        from pacha_git.trust.change import Newcomer

        newcomer = Newcomer(tuple(trust), tell)
        verbs.sync.clone(url, folder, payload=payload, progress=progress, caller=caller(project), newcomer=newcomer)
        return cls(Session(folder, caller(project)), created=True)

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._session.path

    @cached_property
    def runs(self) -> Runs:
        """Its runs."""
        return verbs.run_collection.Runs(self._session)

    def run(
        self,
        *,
        recipe: str | None = None,
        data: str | Sequence[str] = (),
        model: str | Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        seed: int | None = None,
        diff: bool = False,
        resume: str | None = None,
    ) -> Run:
        """Begin a run, or take part in one; as ``with r.run(…) as run:`` it ends with its block.

        Below ``git pacha run exec`` (``PACHA_RUN_ID``) the first call of a process takes part in that run.

        What it takes is what ``Runs.start`` takes; ``resume`` goes on with a run (its id) that was interrupted.

        Raises:
            InvalidInput, NotFound: a parameter or an input that can't be.
            Conflict: the run to resume has ended.
            PachaError: Git knows no identity, or the disk is full.
        """
        if resume is not None:
            return self.runs.resume(resume)
        wanted = verbs.start.NewRun(
            recipe, verbs.start.as_list(data), verbs.start.as_list(model), params or {}, tags or {}, seed
        )
        around = verbs.start.joinable(self._session)
        if around is not None:
            return verbs.start.join(self._session, around, wanted)
        return verbs.start.start(self._session, wanted, diff=diff)

    @overload
    def collection(self, kind: Literal[Kind.MODEL, "model", "models"]) -> Models: ...
    @overload
    def collection(self, kind: Literal[Kind.DATASET, "data", "dataset", "datasets"]) -> Datasets: ...
    @overload
    def collection(self, kind: Literal[Kind.RECIPE, "recipe", "recipes"]) -> Recipes: ...
    @overload
    def collection(self, kind: Kind | KindWord) -> Collection: ...
    def collection(self, kind: Kind | KindWord) -> Collection:
        """Return the collection of a kind.

        Raises:
            InvalidInput: no kind, or that of runs, which are in ``runs``.
        """
        wanted = Kind.parse(kind)
        if wanted not in COLLECTIONS:
            raise InvalidInput(f"{wanted.plural} have no versions", hint=f"they are in registry.{wanted.plural}")
        return COLLECTIONS[wanted](self._session)

    def resolve(self, spec: str, *, kind: Kind | KindWord | None = None, version: str | None = None) -> VersionId:
        """Tell which version a SPEC means.

        Raises:
            InvalidInput: it can't be read.
            Ambiguous: several answer to it.
            NotFound: none does.
        """
        return resolve(self._session, spec, kind=_kind(kind), version=version)[0]

    @contextmanager
    def batch(self) -> Iterator[Registry]:
        """Many changes as one durable step: all of them at the end of the block, or none if it raises."""
        from pacha_git.git.changes import changing

        with changing(self._session.repo, "batch"):
            yield self

    def cat(self, spec: str, *, byte_range: str | None = None) -> Iterator[bytes]:
        """Return the bytes of one file of a version of any kind; see ``Collection.cat``."""
        return verbs.content.cat(self._session, spec, kind=None, byte_range=byte_range)

    # Finding ---------------------------------------------------------------------------------------------------------

    def search(
        self,
        words: str | Sequence[str] = (),
        *,
        kind: Kind | KindWord | None = None,
        stage: Stage | StageWord | None = None,
        tags: Mapping[str, str] | None = None,
        where: str | None = None,
        limit: int | None = 100,
    ) -> SearchResult:
        """Find versions and runs; best first, each with why it was found.

        Args:
            words: Each must begin a word of a name, description, card, datasheet, recipe, purpose, tag, parameter or
                metric; in a sequence one with spaces in it is a phrase.
            kind: Only model, data, recipe or run.
            stage: Only versions in this stage.
            tags: Only what has all of these tags.
            where: Only what this holds for, as in ``metrics.acc > 0.9 and not stage = archived`` (docs/search.md).
            limit: At most so many; None or 0 is no limit. ``total`` tells how many there are.

        Raises:
            InvalidInput: an unknown kind or stage, or a ``where`` that can't be read, with the column.
        """
        words = words.split() if isinstance(words, str) else words
        return verbs.search.search(
            self._session, verbs.search.SearchQuery(words, kind, stage, tags or {}, where, limit)
        )

    # Other machines ------------------------------------------------------------------------------------------------

    def remotes(self) -> list[tuple[str, str]]:
        """Name and URL of every remote."""
        return verbs.remotes.list_remotes(self._session)

    def add_remote(self, name: str, url: str) -> str:
        """Name a remote; returns its URL as it is kept: a folder by its whole path.

        Raises:
            Conflict: there is one of this name.
        """
        return verbs.remotes.add(self._session, name, url)

    def remove_remote(self, name: str) -> None:
        """Forget a remote and what was last seen of it.

        Raises:
            NotFound: there is none of this name.
        """
        verbs.remotes.remove(self._session, name)

    def fetch(self, remote: str | None = None, *, progress: Progress | None = None) -> results.Transfer:
        """See what a remote has, and change nothing here but what was last seen of it."""
        return verbs.sync.fetch(self._session, remote, progress)

    def pull(
        self,
        remote: str | None = None,
        specs: Sequence[str] = (),
        *,
        payload: PayloadChoice | None = None,
        stage: Stage | StageWord | None = None,
        kind: Kind | KindWord | None = None,
        lineage_payloads: bool = False,
        without: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> results.Transfer:
        """Take over all records and events of a remote, and the payloads that are asked for and not here.

        Args:
            remote: Which one; None for origin, and then the others as far as something is still missing.
            specs: Whose payloads: SPECs, or patterns such as ``fraud*@production``.
            payload: all, none, or None: those of ``specs``, ``stage`` and ``kind``.
            stage: Only payloads of versions in this stage.
            kind: Only payloads of this kind.
            lineage_payloads: Also the payloads of everything that these come from.
            without: Names whose versions and events there are passed by; ``run:ID`` and refs, too.
            progress: Is told how far it is.

        Raises:
            RemoteError: no remote could be reached, or it broke off; what came of a large payload is kept.
            VerificationFailed: what came is not what it must be; all that is sound was taken over.
            NotFound: no remote has the bytes.
        """
        wish = verbs.selection.TransferRequest(tuple(specs), payload, stage, kind, lineage_payloads, tuple(without))
        return verbs.heal.pull(self._session, remote, wish, progress, self._session.caller)

    def push(
        self,
        remote: str | None = None,
        specs: Sequence[str] = (),
        *,
        payload: PayloadChoice | None = None,
        stage: Stage | StageWord | None = None,
        kind: Kind | KindWord | None = None,
        lineage_payloads: bool = False,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> results.Transfer:
        """Give a remote all records, events and payloads that it has not, or only what belongs to some versions.

        ``payload`` none keeps all bytes back; the other arguments are those of ``pull``. What is another thing there
        than here stays out and stands in the result's ``conflicts``; the rest goes.

        Raises:
            RemoteError: the remote can't be reached, or refused.
            VerificationFailed: a record moved or vanished there.
        """
        wish = verbs.selection.TransferRequest(tuple(specs), payload, stage, kind, lineage_payloads)
        return verbs.sync.push(self._session, remote, wish, dry_run, progress)

    def status(self) -> results.Status:
        """Tell what stands out here, and how this registry stands to its remotes by what was last fetched."""
        return verbs.status.status(self._session)

    def create_bundle(
        self,
        file: AnyPath,
        specs: Sequence[str] = (),
        *,
        payload: PayloadChoice | None = None,
        since: str | None = None,
        force: bool = False,
        stage: Stage | StageWord | None = None,
        kind: Kind | KindWord | None = None,
        lineage_payloads: bool = False,
        progress: Progress | None = None,
    ) -> results.Bundled:
        """Write versions, the records of their lineage, their events and bytes into one file for a machine far away.

        Stock Git reads it as a bundle. ``since`` (an earlier bundle, or a remote) leaves out what its reader has.
        """
        wish = verbs.selection.TransferRequest(tuple(specs), payload, stage, kind, lineage_payloads)
        return verbs.bundle_file.create(self._session, Path(file), wish, since=since, force=force, progress=progress)

    def import_bundle(self, file: AnyPath, *, progress: Progress | None = None) -> results.Transfer:
        """Take over what a bundle has, if all of it is sound.

        Raises:
            VerificationFailed: it is not; nothing was taken over.
        """
        return verbs.bundle_file.import_(self._session, Path(file), progress)

    def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 9420,
        writable: bool = False,
        private: bool = False,
        token: str | None = None,
        report: Callable[[str], None] | None = None,
    ) -> Serving:
        """Listen for other machines over Git's smart HTTP; ``run`` of what is returned serves them.

        Reading is open unless ``private``; pushing is refused unless ``writable``, and then takes the token.
        """
        return verbs.serve.Serving(
            self._session, host=host, port=port, writable=writable, private=private, token=token, report=report
        )

    # Keeping ---------------------------------------------------------------------------------------------------------

    def fsck(self, *, fast: bool = False, progress: Progress | None = None) -> results.FsckReport:
        """Check everything against the format; ``fast`` reads no payload."""
        return verbs.fsck.fsck(self.path, self._session.caller, fast=fast, progress=progress)

    def reindex(self, *, progress: Progress | None = None) -> int:
        """Build the side index anew; returns how many chunks it has."""
        return verbs.reindex.reindex(self._session, progress)

    def gc(
        self, *, dry_run: bool = False, grace_days: float | None = None, progress: Progress | None = None
    ) -> results.GcReport:
        """Free what nothing holds and has been so for ``grace_days``."""
        return verbs.gc.gc(self._session, dry_run=dry_run, grace_days=grace_days, progress=progress)

    def evict(self, specs: Sequence[str]) -> list[results.Evicted]:
        """Drop local bytes of versions once a remote says that it has the same; ``pull`` gets them back.

        Raises:
            PachaError: no remote has the bytes of one of them; nothing was dropped.
        """
        return verbs.evict.evict(self._session, specs)

    def cache_list(self) -> list[results.CacheEntry]:
        """Tell what ``path`` keeps in the cache, for this registry and others."""
        return verbs.cache.listed(self._session)

    def cache_clear(self, specs: Sequence[str] = ()) -> results.CacheCleared:
        """Remove the folders of some versions (SPECs) from the cache, or without any all of them.

        Raises:
            NotFound: nothing answers to a SPEC.
            PachaError: the cache can't be written.
        """
        return verbs.cache.clear(self._session, specs)

    @classmethod
    def check(
        cls, path: AnyPath | None = None, *, fast: bool = False, progress: Progress | None = None
    ) -> results.FsckReport:
        """As ``fsck``, of a registry that may be too damaged to be opened."""
        return verbs.fsck.fsck(locate.existing_path(path), caller(project), fast=fast, progress=progress)

    @classmethod
    def examine(
        cls, path: AnyPath | None = None, *, repair: bool = False, progress: Progress | None = None
    ) -> list[results.Finding]:
        """As ``doctor``, of a registry that may be too damaged to be opened."""
        return verbs.doctor.doctor(locate.existing_path(path), caller(project), repair=repair, progress=progress)

    def doctor(self, *, repair: bool = False, progress: Progress | None = None) -> list[results.Finding]:
        """Look for what is unhealthy about the folder, and mend what can be mended without a loss."""
        return verbs.doctor.doctor(self.path, self._session.caller, repair=repair, progress=progress)

    def stats(self) -> results.Stats:
        """Tell how much is here."""
        return verbs.listing.stats(self._session)


def _kind(kind: Kind | KindWord | None) -> Kind | None:
    return None if kind is None else Kind.parse(kind)
