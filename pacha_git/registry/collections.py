"""The models, the datasets or the recipes of a registry: every verb that is about one kind, by one implementation.

It hands on to the verbs' own modules and refuses to know how any of them works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pacha_git.errors import InvalidInput
from pacha_git.format.kinds import KINDS
from pacha_git.registry.deferred import Deferred
from pacha_git.registry.reading.view import detail
from pacha_git.session.context import Context
from pacha_git.session.resolve import resolve
from pacha_git.store import records
from pacha_git.vocabulary.kinds import Kind

if TYPE_CHECKING:
    from pacha_git.progress import Progress
    from pacha_git.registry.documents import documents, skeleton
    from pacha_git.registry.importers import hugging_face as importing
    from pacha_git.registry.reading import cache as caching
    from pacha_git.registry.reading import content, lineage, listing, provenance
    from pacha_git.registry.reading import diff as compare
    from pacha_git.registry.reading import download as downloading
    from pacha_git.registry.runs.live import Run
    from pacha_git.registry.versions import attest, recipes, removals, remove, stages
    from pacha_git.registry.versions import register as registering
    from pacha_git.session.results import (
        Difference,
        DocumentDetail,
        HistoryEntry,
        LineageGraph,
        Registered,
        StageChange,
        VersionDetail,
        VersionInfo,
    )
else:
    attest = Deferred("pacha_git.registry.versions.attest")
    compare = Deferred("pacha_git.registry.reading.diff")
    content = Deferred("pacha_git.registry.reading.content")
    documents = Deferred("pacha_git.registry.documents.documents")
    caching = Deferred("pacha_git.registry.reading.cache")
    downloading = Deferred("pacha_git.registry.reading.download")
    importing = Deferred("pacha_git.registry.importers.hugging_face")
    lineage = Deferred("pacha_git.registry.reading.lineage")
    listing = Deferred("pacha_git.registry.reading.listing")
    provenance = Deferred("pacha_git.registry.reading.provenance")
    recipes = Deferred("pacha_git.registry.versions.recipes")
    removals = Deferred("pacha_git.registry.versions.removals")
    remove = Deferred("pacha_git.registry.versions.remove")
    skeleton = Deferred("pacha_git.registry.documents.skeleton")
    stages = Deferred("pacha_git.registry.versions.stages")
    registering = Deferred("pacha_git.registry.versions.register")

AnyPath = str | PathLike[str]


class Collection:
    """All versions of one kind. A SPEC is what the command line takes, as ``NAME@1.0.0`` or ``NAME@production``."""

    def __init__(self, context: Context, kind: Kind) -> None:
        self._context = context
        self._kind = kind

    def register(
        self,
        name: str | AnyPath,
        paths: AnyPath | Sequence[AnyPath] = (),
        *,
        version: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        purpose: str | None = None,
        data: str | Sequence[str] = (),
        recipe: str | None = None,
        run: str | Run | None = None,
        lineage: Sequence[str] = (),
        card: AnyPath | None = None,
        datasheet: AnyPath | None = None,
        exclude: Sequence[str] = (),
        follow_symlinks: bool = False,
        sign: bool | None = None,
        dry_run: bool = False,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> Registered:
        """Register a version; it is durable when this returns.

        Args:
            name: The name; of recipes the TOML file, in which name and version stand.
            paths: Files and folders.
            version: SemVer.
            description: What it is.
            tags: Words by which to find it.
            metrics: What was measured of it; any finite or not finite numbers.
            purpose: Of a dataset: what it is for.
            data: Datasets it was trained on (SPECs).
            recipe: The recipe it was made by (SPEC).
            run: The run it was made by (its id, or the run itself).
            lineage: ``RELATION=SPEC[,KEY=VALUE]…`` each.
            card: Of a model: a file with its card.
            datasheet: Of a dataset: a file with its datasheet.
            exclude: gitignore patterns of what to leave out.
            follow_symlinks: Store what links in folders point to.
            sign: Sign it; None: as ``pacha.sign.default`` says.
            dry_run: Say what it would cost and change nothing.
            strict: Refuse what looks like a credential in small text files; else it is a notice.
            progress: Is told how far it is.

        Raises:
            InvalidInput, NotFound: a word, path or target of lineage that can't be.
            Conflict: the version exists already.
            PachaError: a file can't be read, the disk is full, Git knows no identity.
        """
        if not KINDS[self._kind].has_payload:
            return recipes.register_recipe(self._context, Path(name), sign=sign, strict=strict)
        if version is None:
            raise InvalidInput("say which version it is", hint="as in -v 1.0.0")
        wanted = registering.NewVersion(
            kind=self._kind,
            name=str(name),
            version=version,
            paths=[Path(path) for path in _as_list(paths)],
            description=description or "",
            tags=tags or {},
            metrics=metrics or {},
            purpose=purpose,
            data=[data] if isinstance(data, str) else data,
            recipe=recipe,
            run=None if run is None else str(run),
            lineage=lineage,
            document=_path(card if self._kind is Kind.MODEL else datasheet),
            exclude=exclude,
            follow_symlinks=follow_symlinks,
            sign=sign,
            dry_run=dry_run,
            strict=strict,
        )
        return registering.register(self._context, wanted, progress)

    def import_hf(
        self,
        folder: AnyPath,
        name: str | None = None,
        *,
        version: str = "1.0.0",
        tags: Mapping[str, str] | None = None,
        sign: bool | None = None,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> Registered:
        """Register a model that was downloaded from the Hugging Face Hub; models only.

        Args:
            folder: A snapshot, its repository in the Hub's cache, or a folder that it was downloaded to.
            name: The name; None: that of the repository.
            version: SemVer.
            tags: Tags over those that README.md and config.json give.
            sign: As in ``register``; so are ``dry_run`` and ``progress``.
            dry_run: Change nothing.
            progress: Is told how far it is.

        Raises:
            InvalidInput: no model, or a name that can't be.
            NotFound: there is no such folder.
            PachaError: a link leads out of the download; else as ``register``.
        """
        if self._kind is not Kind.MODEL:
            raise InvalidInput("only models are imported from the Hub", hint="git pacha data register takes any folder")
        return importing.import_hf(
            self._context, Path(folder), name, version=version, tags=tags or {}, sign=sign, dry_run=dry_run,
            progress=progress,
        )  # fmt: skip

    def get(self, spec: str, version: str | None = None) -> VersionDetail:
        """A version with its files and its document.

        Raises:
            InvalidInput, Ambiguous, NotFound: as ``Registry.resolve``.
        """
        _, commit = resolve(self._context, spec, kind=self._kind, version=version)
        return detail(self._context, records.read(self._context.repo, commit))

    def list(
        self,
        name: str | None = None,
        *,
        stage: str | None = None,
        tags: Mapping[str, str] | None = None,
        all: bool = False,
        removed: bool = False,
    ) -> list[VersionInfo]:
        """The latest version of every name; of one name all versions; with ``all`` every version of every name.

        Raises:
            NotFound: no such name.
        """
        return listing.list_versions(
            self._context, self._kind, name, stage=stage, tags=tags, every=all, removed=removed
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
        _, commit = resolve(self._context, spec, kind=self._kind, version=version)
        return downloading.download(self._context, commit, Path(out), force=force, progress=progress, left=left)

    def path(self, spec: str, version: str | None = None, progress: Progress | None = None) -> Path:
        """The payload as a read-only folder in the cache, checked, and made anew if need be; errors as ``download``."""
        _, commit = resolve(self._context, spec, kind=self._kind, version=version)
        return caching.cached(self._context, commit, progress)

    def open(self, spec: str, file: str | None = None) -> BinaryIO:
        """One file of a version, seekable; only the chunks that are read are fetched from the store.

        Raises:
            NotFound: no such version or file.
            InvalidInput: several files, and none named.
        """
        return content.open_file(self._context, spec, file, kind=self._kind)

    def cat(self, spec: str, *, byte_range: str | None = None, version: str | None = None) -> Iterator[bytes]:
        """The bytes of one file; ``byte_range`` is ``A-B`` (inclusive), ``A-`` or ``-N``; errors as ``open``."""
        return content.cat(self._context, spec, kind=self._kind, byte_range=byte_range, version=version)

    def stage(
        self,
        spec: str,
        target: str,
        *,
        version: str | None = None,
        reason: str | None = None,
        replace: bool = False,
        sign: bool | None = None,
    ) -> StageChange:
        """Move a version to a stage; see ``stages.stage``."""
        return stages.stage(
            self._context, spec, target, kind=self._kind, version=version, reason=reason, replace=replace, sign=sign
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
        return stages.alias(
            self._context, name, alias, kind=self._kind, version=version, unset=unset, reason=reason, sign=sign
        )

    def tag(self, spec: str, changes: Sequence[str], *, version: str | None = None) -> VersionInfo:
        """Set (``K=V``) and take away (``K-``) tags."""
        return attest.tag(self._context, spec, changes, kind=self._kind, version=version)

    def describe(self, spec: str, text: str, *, version: str | None = None) -> VersionInfo:
        """Give a version another description."""
        return attest.describe(self._context, spec, text, kind=self._kind, version=version)

    def card(self, spec: str, *, version: str | None = None) -> DocumentDetail:
        """The newest card of a model, or datasheet of a dataset, checked.

        Raises:
            InvalidInput: recipes have none.
        """
        return documents.read_document(self._context, spec, kind=self._kind, version=version)

    def set_card(
        self, spec: str, text: str, *, version: str | None = None, what: str = "the text", sign: bool | None = None
    ) -> VersionInfo:
        """Put another card or datasheet in place of the one that holds; the record stays as it is.

        Raises:
            PachaError: its front matter can't be read; ``what`` names the text in the message.
        """
        return documents.set_document(self._context, spec, text, kind=self._kind, version=version, what=what, sign=sign)

    def card_skeleton(
        self, spec: str, *, version: str | None = None, progress: Progress | None = None
    ) -> tuple[str, tuple[str, ...]]:
        """A card or datasheet to begin with, filled with what the registry knows; and what could not be looked at."""
        return skeleton.skeleton(self._context, spec, kind=self._kind, version=version, progress=progress)

    def provenance(
        self, spec: str, *, version: str | None = None, direction: str = "up", depth: int | None = None
    ) -> dict[str, Any]:
        """The lineage of a version as PROV-JSON; see ``provenance.prov_json``."""
        return provenance.prov_json(
            self._context, self.lineage(spec, version=version, direction=direction, depth=depth)
        )

    def history(self, name: str) -> Sequence[HistoryEntry]:
        """Who moved which version to which stage or alias, when, why; oldest first."""
        return stages.history(self._context, name, kind=self._kind)

    def lineage(
        self, spec: str, *, version: str | None = None, direction: str = "up", depth: int | None = None
    ) -> LineageGraph:
        """What a version came from (``up``) or what came from it (``down``)."""
        return lineage.lineage(self._context, spec, kind=self._kind, version=version, direction=direction, depth=depth)

    def diff(self, a: str, b: str) -> Difference:
        """How two versions differ."""
        return compare.diff(self._context, a, b, kind=self._kind)

    def remove(
        self, spec: str, *, version: str | None = None, reason: str | None = None, unpushed: bool = False
    ) -> VersionInfo:
        """Remove a version's bytes (``reason``), or undo its registration (``unpushed``)."""
        return remove.remove(self._context, spec, kind=self._kind, version=version, reason=reason, unpushed=unpushed)

    def undo_removal(self, spec: str, *, version: str | None = None) -> VersionInfo:
        """Take a version's removal back, with its bytes as far as they are still here."""
        return removals.undo(self._context, spec, kind=self._kind, version=version)


def _as_list(paths: AnyPath | Sequence[AnyPath]) -> Sequence[AnyPath]:
    return [paths] if isinstance(paths, str | PathLike) else paths


def _path(path: Any) -> Path | None:
    return None if path is None else Path(path)
