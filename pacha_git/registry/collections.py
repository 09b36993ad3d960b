"""The models, the datasets and the recipes of a registry: three small faces over one implementation.

What every kind can do stands in ``Collection``; what one kind alone can, with its own arguments, in its face. Each
method hands on to the module of its verb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Final

from pacha_git.registry import verbs
from pacha_git.registry.face import Face as Face
from pacha_git.registry.reading.view import detail
from pacha_git.session.resolve import resolve
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.vocabulary.kinds import Kind

if TYPE_CHECKING:
    from pacha_git.progress import Progress
    from pacha_git.registry.runs.live import Run
    from pacha_git.session.results import (
        Difference,
        DocumentDetail,
        HistoryEntry,
        LineageGraph,
        RecipeProblem,
        Registered,
        StageChange,
        VersionDetail,
        VersionInfo,
    )
    from pacha_git.vocabulary.choices import Direction
    from pacha_git.vocabulary.stages import Stage, StageWord

AnyPath = str | PathLike[str]


class Collection(Face):
    """All versions of one kind. A SPEC is what the command line takes, as ``NAME@1.0.0`` or ``NAME@production``.

    Here stands what all kinds have in common; ``Models``, ``Datasets`` and ``Recipes`` add what is theirs alone.
    """

    kind: ClassVar[Kind]

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._session.path)!r})"

    def get(self, spec: str, *, version: str | None = None) -> VersionDetail:
        """Return a version with its files and its document.

        Raises:
            InvalidInput, Ambiguous, NotFound: as ``Registry.resolve``.
        """
        _, commit = resolve(self._session, spec, kind=self.kind, version=version)
        return detail(self._session, records.read(self._session.repo, commit))

    def list(
        self,
        name: str | None = None,
        *,
        stage: Stage | StageWord | None = None,
        tags: Mapping[str, str] | None = None,
        all: bool = False,
        removed: bool = False,
    ) -> list[VersionInfo]:
        """Return the latest version of every name; of one name all versions; with ``all`` every version of every name.

        Raises:
            NotFound: no such name.
        """
        return verbs.listing.list_versions(
            self._session, self.kind, name, stage=stage, tags=tags, every=all, removed=removed
        )

    def download(
        self,
        spec: str,
        out: AnyPath,
        *,
        version: str | None = None,
        force: bool = False,
        progress: Progress | None = None,
        left: Callable[[Sequence[str]], None] | None = None,
    ) -> Path:
        """Write a version's bytes to ``out``, each checked while it is written; returns the file or folder written.

        A version of several files, or that was registered as a folder, becomes a folder.

        Args:
            spec: Which.
            out: Where to; a link to a folder is like that folder.
            version: What stood after ``-v``.
            force: Write over what is there.
            progress: Is told how far it is.
            left: Is told which files in the folder are not of the version, and stay as they were.

        Raises:
            Conflict: something is there, and not ``force``.
            PachaError: the payload is not here, or the disk is full.
            VerificationFailed: the stored bytes are not what the record says.
        """
        _, commit = resolve(self._session, spec, kind=self.kind, version=version)
        return verbs.download.download(self._session, commit, Path(out), force=force, progress=progress, left=left)

    def path(self, spec: str, *, version: str | None = None, progress: Progress | None = None) -> Path:
        """The payload as a read-only folder in the cache, checked, and made anew if need be; errors as ``download``."""
        _, commit = resolve(self._session, spec, kind=self.kind, version=version)
        return verbs.cache.cached(self._session, commit, progress)

    def open(self, spec: str, file: str | None = None, *, version: str | None = None) -> BinaryIO:
        """One file of a version, seekable; only the chunks that are read are fetched from the store.

        Raises:
            NotFound: no such version or file.
            InvalidInput: several files, and none named.
        """
        return verbs.content.open_file(self._session, spec, file, kind=self.kind, version=version)

    def cat(self, spec: str, *, byte_range: str | None = None, version: str | None = None) -> Iterator[bytes]:
        """Return the bytes of one file; ``byte_range`` is ``A-B`` (inclusive), ``A-`` or ``-N``; errors as ``open``."""
        return verbs.content.cat(self._session, spec, kind=self.kind, byte_range=byte_range, version=version)

    def stage(
        self,
        spec: str,
        target: Stage | StageWord,
        *,
        version: str | None = None,
        reason: str | None = None,
        replace: bool = False,
        sign: bool | None = None,
    ) -> StageChange:
        """Move a version to a stage; see ``stages.stage``."""
        return verbs.stages.stage(
            self._session, spec, target, kind=self.kind, version=version, reason=reason, replace=replace, sign=sign
        )

    def alias(
        self,
        name: str,
        alias: str,
        *,
        version: str | None = None,
        unset: bool = False,
        reason: str | None = None,
        sign: bool | None = None,
    ) -> VersionInfo:
        """Let an alias name a version, or nothing; see ``stages.alias``."""
        return verbs.stages.alias(
            self._session, name, alias, kind=self.kind, version=version, unset=unset, reason=reason, sign=sign
        )

    def tag(self, spec: str, changes: Sequence[str], *, version: str | None = None) -> VersionInfo:
        """Set (``K=V``) and take away (``K-``) tags."""
        return verbs.attest.tag(self._session, spec, changes, kind=self.kind, version=version)

    def describe(self, spec: str, text: str, *, version: str | None = None) -> VersionInfo:
        """Give a version another description."""
        return verbs.attest.describe(self._session, spec, text, kind=self.kind, version=version)

    def provenance(
        self, spec: str, *, version: str | None = None, direction: Direction = "up", depth: int | None = None
    ) -> dict[str, Any]:
        """Return the lineage of a version as PROV-JSON; see ``provenance.prov_json``."""
        return verbs.provenance.prov_json(
            self._session, self.lineage(spec, version=version, direction=direction, depth=depth)
        )

    def history(self, name: str) -> Sequence[HistoryEntry]:
        """Tell who moved which version to which stage or alias, when, why; oldest first."""
        return verbs.stages.history(self._session, name, kind=self.kind)

    def lineage(
        self, spec: str, *, version: str | None = None, direction: Direction = "up", depth: int | None = None
    ) -> LineageGraph:
        """Tell what a version came from (``up``) or what came from it (``down``)."""
        return verbs.lineage.lineage(
            self._session, spec, kind=self.kind, version=version, direction=direction, depth=depth
        )

    def diff(self, a: str, b: str) -> Difference:
        """Tell how two versions differ."""
        return verbs.diff.diff(self._session, a, b, kind=self.kind)

    def remove(
        self, spec: str, *, version: str | None = None, reason: str | None = None, unpushed: bool = False
    ) -> VersionInfo:
        """Remove a version's bytes (``reason``), or undo its registration (``unpushed``)."""
        return verbs.remove.remove(
            self._session, spec, kind=self.kind, version=version, reason=reason, unpushed=unpushed
        )

    def undo_removal(self, spec: str, *, version: str | None = None) -> VersionInfo:
        """Take a version's removal back, with its bytes as far as they are still here."""
        return verbs.removals.undo(self._session, spec, kind=self.kind, version=version)


class Models(Collection):
    """All models of a registry."""

    kind = Kind.MODEL

    def register(
        self,
        name: str,
        paths: AnyPath | Sequence[AnyPath],
        *,
        version: str,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        data: str | Sequence[str] = (),
        recipe: str | None = None,
        run: str | Run | None = None,
        lineage: Sequence[str] = (),
        card: AnyPath | None = None,
        exclude: Sequence[str] = (),
        include: Sequence[str] = (),
        follow_symlinks: bool = False,
        sign: bool | None = None,
        dry_run: bool = False,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> Registered:
        """Register a version of files and folders; it is durable when this returns.

        Args:
            name: As in ``team/fraud-detector``.
            paths: Files and folders.
            version: SemVer.
            description: What it is.
            tags: Words by which to find it.
            metrics: What was measured of it; any finite or not finite numbers.
            data: Datasets it was trained on (SPECs).
            recipe: The recipe it was made by (SPEC).
            run: The run it was made by (its id, or the run itself).
            lineage: ``RELATION=SPEC[,KEY=VALUE]…`` each.
            card: A file with its model card.
            exclude: gitignore patterns of what to leave out.
            include: gitignore patterns of what to store though it would be left out, as caches of programs are.
            follow_symlinks: Store what links in folders point to.
            sign: Sign it; None: as ``pacha.sign.default`` says.
            dry_run: Say what it would cost and change nothing.
            strict: Refuse what looks like a credential in small text files, and files of which a part lies elsewhere;
                else these are notices.
            progress: Is told how far it is.

        Raises:
            InvalidInput, NotFound: a word, path or target of lineage that can't be.
            Conflict: the version exists already.
            PachaError: a file can't be read, the disk is full, Git knows no identity.
        """
        wanted = verbs.register.NewVersion(
            kind=self.kind, name=name, version=version, paths=_paths(paths), description=description or "",
            tags=tags or {}, metrics=metrics or {}, data=_words(data), recipe=recipe, run=_run_id(run), lineage=lineage,
            document=_path(card), exclude=exclude, include=include, follow_symlinks=follow_symlinks, sign=sign,
            dry_run=dry_run,
            strict=strict,
        )  # fmt: skip
        return verbs.register.register(self._session, wanted, progress)

    def import_hf(
        self,
        folder: AnyPath,
        name: str | None = None,
        *,
        version: str = "1.0.0",
        tags: Mapping[str, str] | None = None,
        sign: bool | None = None,
        dry_run: bool = False,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> Registered:
        """Register a model that was downloaded from the Hugging Face Hub.

        Args:
            folder: A snapshot, its repository in the Hub's cache, or a folder that it was downloaded to.
            name: The name; None: that of the repository.
            version: SemVer.
            tags: Tags over those that README.md and config.json give.
            sign: As in ``register``; so are ``dry_run`` and ``progress``.
            dry_run: Change nothing.
            strict: As in ``register``; and a file that the download lacks is refused, not left out and said.
            progress: Is told how far it is.

        Raises:
            InvalidInput: no model, or a name that can't be.
            NotFound: there is no such folder.
            PachaError: a link leads out of the download; else as ``register``.
        """
        return verbs.hugging_face.import_hf(
            self._session, Path(folder), name, version=version, tags=tags or {}, sign=sign, dry_run=dry_run,
            strict=strict, progress=progress,
        )  # fmt: skip

    def card(self, spec: str, *, version: str | None = None) -> DocumentDetail:
        """Return the newest card of a version, checked."""
        return verbs.documents.read_document(self._session, spec, kind=self.kind, version=version)

    def set_card(
        self, spec: str, text: str, *, version: str | None = None, what: str = "the text", sign: bool | None = None
    ) -> VersionInfo:
        """Put another card in place of the one that holds; the record stays as it is.

        Raises:
            PachaError: its front matter can't be read; ``what`` names the text in the message.
        """
        return verbs.documents.set_document(
            self._session, spec, text, kind=self.kind, version=version, what=what, sign=sign
        )

    def card_skeleton(
        self, spec: str, *, version: str | None = None, progress: Progress | None = None
    ) -> tuple[str, tuple[str, ...]]:
        """Return a card to begin with, filled with what the registry knows; and what could not be looked at."""
        return verbs.skeleton.skeleton(self._session, spec, kind=self.kind, version=version, progress=progress)


class Datasets(Collection):
    """All datasets of a registry."""

    kind = Kind.DATASET

    def register(
        self,
        name: str,
        paths: AnyPath | Sequence[AnyPath],
        *,
        version: str,
        description: str | None = None,
        purpose: str | None = None,
        tags: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        data: str | Sequence[str] = (),
        recipe: str | None = None,
        run: str | Run | None = None,
        lineage: Sequence[str] = (),
        datasheet: AnyPath | None = None,
        exclude: Sequence[str] = (),
        include: Sequence[str] = (),
        follow_symlinks: bool = False,
        sign: bool | None = None,
        dry_run: bool = False,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> Registered:
        """Register a version of files and folders; it is durable when this returns.

        What stands in ``Models.register`` too is the same, and raises the same.

        Args:
            name: As in ``team/transactions``.
            paths: Files and folders.
            version: SemVer.
            description: What it is.
            purpose: What the data was gathered for.
            tags: Words by which to find it.
            metrics: What was measured of it.
            data: Datasets that what made it was trained on (SPECs).
            recipe: The recipe it was made by (SPEC).
            run: The run it was made by.
            lineage: What else it came from.
            datasheet: A file with its datasheet.
            exclude: gitignore patterns.
            include: gitignore patterns of what to store though it would be left out.
            follow_symlinks: Store what links point to.
            sign: Sign it.
            dry_run: Change nothing.
            strict: Refuse what looks like a credential.
            progress: Is told how far it is.
        """
        wanted = verbs.register.NewVersion(
            kind=self.kind, name=name, version=version, paths=_paths(paths), description=description or "",
            purpose=purpose, tags=tags or {}, metrics=metrics or {}, data=_words(data), recipe=recipe,
            run=_run_id(run), lineage=lineage, document=_path(datasheet), exclude=exclude,
            include=include, follow_symlinks=follow_symlinks, sign=sign, dry_run=dry_run,
            strict=strict,
        )  # fmt: skip
        return verbs.register.register(self._session, wanted, progress)

    def datasheet(self, spec: str, *, version: str | None = None) -> DocumentDetail:
        """Return the newest datasheet of a version, checked."""
        return verbs.documents.read_document(self._session, spec, kind=self.kind, version=version)

    def set_datasheet(
        self, spec: str, text: str, *, version: str | None = None, what: str = "the text", sign: bool | None = None
    ) -> VersionInfo:
        """Put another datasheet in place of the one that holds; the record stays as it is.

        Raises:
            PachaError: its front matter can't be read; ``what`` names the text in the message.
        """
        return verbs.documents.set_document(
            self._session, spec, text, kind=self.kind, version=version, what=what, sign=sign
        )

    def datasheet_skeleton(
        self, spec: str, *, version: str | None = None, progress: Progress | None = None
    ) -> tuple[str, tuple[str, ...]]:
        """Return a datasheet to begin with, filled with what the registry knows; and what could not be looked at."""
        return verbs.skeleton.skeleton(self._session, spec, kind=self.kind, version=version, progress=progress)


class Recipes(Collection):
    """All recipes of a registry."""

    kind = Kind.RECIPE

    def register(self, file: AnyPath, *, sign: bool | None = None, strict: bool = False) -> Registered:
        """Register a recipe under the name and version that stand in it; it is durable when this returns.

        Args:
            file: The TOML.
            sign: Sign it; None: as ``pacha.sign.default`` says.
            strict: Refuse what looks like a credential; else it is a notice.

        Raises:
            NotFound: no such file, or a dataset that it names is not here.
            PachaError: it has problems, each with its line; Git knows no identity.
            Conflict: the version exists already.
        """
        return verbs.recipes.register_recipe(self._session, Path(file), sign=sign, strict=strict)

    def validate(self, spec_or_path: AnyPath) -> Sequence[RecipeProblem]:
        """Return every problem of a recipe, registered (a SPEC) or in a file.

        Raises:
            NotFound: neither such a file nor such a recipe.
        """
        return verbs.recipes.validate(self._session, str(spec_or_path))


COLLECTIONS: Final = {each.kind: each for each in (Models, Datasets, Recipes)}
"""The face of each kind that has versions."""


def _words(said: str | Sequence[str]) -> Sequence[str]:
    return [said] if isinstance(said, str) else said


def _paths(said: AnyPath | Sequence[AnyPath]) -> Sequence[Path]:
    return [Path(path) for path in ([said] if isinstance(said, str | PathLike) else said)]


def _path(said: AnyPath | None) -> Path | None:
    return None if said is None else Path(said)


def _run_id(run: str | Run | None) -> str | None:
    return None if run is None else str(run)
