"""One bare Git repository: its objects, its refs, and changes that become durable all at once.

It knows objects, refs and locks. It has never heard of a model.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, Protocol

from pacha_git.errors import Corrupt, NotFound, PachaError
from pacha_git.git import leftovers
from pacha_git.git.configfile import put_values
from pacha_git.git.ownership import check_owner
from pacha_git.git.packs.files import storing
from pacha_git.git.packs.loose import OtherObjects, loose_path
from pacha_git.git.packs.reader import PackSet
from pacha_git.git.refs.refs import Refs
from pacha_git.git.refs.rules import PLAIN, NameRules
from pacha_git.git.refs.staged import StagedRefs
from pacha_git.git.weak import weakly
from pacha_git.gitobjects.oid import Oid
from pacha_git.system.process import run

ObjectType = Literal["blob", "tree", "commit"]


class Overlay(Protocol):
    """New objects and moved refs (None: deleted) that are not in the repository yet."""

    pending: dict[Oid, tuple[str, bytes]]
    moved: StagedRefs


_CONFIG: Final = {
    "gc.auto": "0",
    "maintenance.auto": "false",
    "receive.autoGC": "false",
    "core.fsync": "all",
    "core.fsyncMethod": "fsync",
    "core.logAllRefUpdates": "false",
    "transfer.fsckObjects": "true",
    "repack.writeBitmaps": "true",
    "core.bigFileThreshold": "16m",
    # Git would map whole packs, and look for deltas in whatever memory it takes.
    "core.packedGitWindowSize": "16m",
    "core.packedGitLimit": "128m",
    "pack.deltaCacheSize": "32m",
    "pack.windowMemory": "64m",
    # What nothing reaches has no name for Git, so info/attributes does not keep it from looking for deltas of chunks.
    "repack.cruftWindow": "0",
    "uploadpack.allowAnySHA1InWant": "true",
    "uploadpack.allowFilter": "true",
}
# And that no setting or attribute of a person changes bytes on their way out of `git archive`.
_ATTRIBUTES: Final = """\
chunked/** -delta
blobs/** -delta
* -text -filter -ident -export-ignore -export-subst !eol !working-tree-encoding
"""


class GitRepository:
    """A bare repository folder, opened.

    Args:
        path: The folder.
        going_on: Whether refs that can't be read count as absent: for those who list damage by other means.

    Attributes:
        rules: What the names of its refs mean.
        vouch: Called before changes touch packs; what it returns is called with those they wrote, once durable.
        settle: Called after changes are durable and their locks are free; it may tidy up, and raises nothing for it.

    Raises:
        NotFound: the folder is no bare Git repository.
        PachaError: it uses SHA-256 or reftable, which the libraries below us can't read.
    """

    def __init__(self, path: Path, rules: NameRules = PLAIN, *, going_on: bool = False) -> None:
        self.path = path
        self.rules = rules
        _check_layout(path)
        self.refs = Refs(path, weakly(self._kind_of), rules, going_on=going_on)
        self._local = threading.local()
        self.settle: Callable[[], None] | None = None
        self.vouch: Callable[[], Callable[[Iterable[Path]], None]] | None = None

    @classmethod
    def create(cls, path: Path, *, shared: bool = False) -> GitRepository:
        """Make a bare repository, or bring the settings of one that exists up to date.

        Raises:
            PachaError: the folder can't be made, or holds something else.
        """
        if path.exists() and not path.is_dir():
            raise PachaError(f"{path} is a file", hint="name a folder that does not exist yet")
        if path.is_dir() and any(path.iterdir()) and not (path / "HEAD").exists():
            raise PachaError(
                f"{path} is a folder with other things in it", hint="name a folder that does not exist yet"
            )
        if path.is_dir():
            check_owner(path)
        if (path / "config").is_file():
            _check_layout(path)  # which says it better than git's refusal to begin anew
            _check_bare(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PachaError(f"can't make {path}: {error.strerror}") from None
        argv = ["git", "-c", "init.defaultBranch=main", "init", "--quiet", "--bare", "--template="]
        if shared:
            argv.append("--shared=group")
        run(
            [*argv, "--object-format=sha1", str(path)],
            env={"GIT_DEFAULT_HASH": "sha1", "GIT_DEFAULT_REF_FORMAT": "files"},
        )
        _write_settings(path)
        return cls(path)

    def close(self) -> None:
        """Let go of the files of packs and refs, and of the programs that wait for work; the next use opens anew."""
        self.__dict__.pop("packs", None)
        self.refs.close()

    @property
    def objects(self) -> Path:
        """The ``objects`` folder."""
        return self.path / "objects"

    @cached_property
    def packs(self) -> PackSet:
        """The reader of all packs here."""
        return PackSet(self.objects, OtherObjects(self.path))

    # Objects -----------------------------------------------------------------------------------------------------

    def read(self, oid: Oid) -> tuple[str, bytes]:
        """Type and body of an object.

        Raises:
            NotFound: it is not here.
            Corrupt: it is here and can't be read.
        """
        if self.overlay is not None:
            pending = self.overlay.pending.get(oid)
            if pending is not None:
                return pending
        return self.packs.read(oid)

    def read_as(self, oid: Oid, wanted: ObjectType) -> bytes:
        """Return the body of an object that must have the type.

        Raises:
            NotFound, Corrupt: as ``read``; Corrupt too if it has another type.
        """
        kind, body = self.read(oid)
        if kind != wanted:
            raise Corrupt(f"object {oid} is a {kind}, not a {wanted}")
        return body

    def read_blobs(self, oids: Iterable[Oid]) -> Iterator[bytes]:
        """Return the bodies of many blobs in order, read ahead in threads; errors as ``read``."""
        return self.packs.read_many(oids)

    def has(self, oid: Oid) -> bool:
        """Tell whether an object is here."""
        if self.overlay is not None and oid in self.overlay.pending:
            return True
        return self.packs.find(oid) is not None or loose_path(self.objects, oid).exists()

    def missing(self, oids: Iterable[Oid]) -> list[Oid]:
        """Return those of the objects that are not here."""
        return [Oid.of_raw(raw) for raw in self.packs.missing(oid.raw for oid in oids)]

    def _kind_of(self, oid: Oid) -> str:
        try:
            return self.read(oid)[0]
        except (NotFound, Corrupt):
            return ""

    # Refs --------------------------------------------------------------------------------------------------------

    def ref(self, ref: str) -> Oid | None:
        """Tell where a ref stands, counting what this thread is about to change."""
        if self.overlay is not None and ref in self.overlay.moved:
            return self.overlay.moved[ref]
        return self.refs.get(ref)

    def tips(self, ref: str) -> tuple[Oid, ...]:
        """Tell where a ref stands, as a sequence: none, or one."""
        commit = self.ref(ref)
        return () if commit is None else (commit,)

    def refs_below(self, prefix: str) -> dict[str, Oid]:
        """Return all refs below a prefix that ends in ``/``, counting what this thread is about to change."""
        found = self.refs.below(prefix)
        for ref, oid in self.overlay.moved.below(prefix) if self.overlay is not None else ():
            if oid is None:
                found.pop(ref, None)
            else:
                found[ref] = oid
        return found

    def alike_below(self, prefix: str, segment: str) -> set[str]:
        """What comes right after a prefix (ending in ``/``) in names of refs, and by ``rules.alike`` to the same."""
        found = self.refs.alike_below(prefix, segment)
        return found | self.overlay.moved.alike_below(prefix, segment) if self.overlay is not None else found

    # What is about to change ---------------------------------------------------------------------------------------

    @property
    def overlay(self) -> Overlay | None:
        """What this thread is about to change: it reads as if it were done."""
        overlay: Overlay | None = getattr(self._local, "overlay", None)
        return overlay

    @overlay.setter
    def overlay(self, overlay: Overlay | None) -> None:
        self._local.overlay = overlay

    # Shape -------------------------------------------------------------------------------------------------------

    def git(self, *arguments: str, stdin: bytes | None = None, keeps: int | None = None) -> bytes:
        """Tell what a stock git command on this repository writes; ``keeps`` is a lock that it holds with us."""
        return run(["git", f"--git-dir={self.path}", *arguments], stdin=stdin, keeps=keeps).stdout

    def configure(self, *words: str) -> None:
        """Change the configuration, as ``git config --local`` does; a lock that a killed git left is no hindrance."""
        leftovers.clear(self.path, [self.path / "config.lock"], alone=True)
        self.git("config", "--local", *words)

    def git_text(self, *arguments: str) -> str:
        """Return the same as text without the last line end."""
        return self.git(*arguments).decode("utf-8", "replace").rstrip("\n")


def _write_settings(path: Path) -> None:
    leftovers.clear(path, [path / "config.lock"], alone=True)
    put_values(path / "config", _CONFIG)
    attributes = path / "info" / "attributes"
    with suppress(OSError):
        if attributes.read_text() == _ATTRIBUTES:
            return  # it may be another user's
    with storing(path):
        attributes.parent.mkdir(exist_ok=True)
        attributes.write_text(_ATTRIBUTES)
        mode = path.stat().st_mode & 0o7777  # whoever may read the registry repacks it, whatever our umask
        attributes.parent.chmod(mode)
        attributes.chmod(mode & 0o666)


def _check_layout(path: Path) -> None:
    try:
        config = (path / "config").read_text("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        _refuse_remains(path, "config")
        raise NotFound(f"{path} is no registry", hint=f"make one with: git pacha init {path}") from None
    except OSError as error:
        raise PachaError(f"{path} can't be read: {error.strerror}") from None
    if not (path / "objects").is_dir() or not (path / "HEAD").exists():
        _refuse_remains(path, "HEAD")
        raise NotFound(f"{path} is no registry", hint=f"make one with: git pacha init {path}")
    if re.search(r"(?im)^\s*objectformat\s*=\s*sha256", config):
        raise PachaError(
            f"{path} uses SHA-256 object names; registries use SHA-1", hint="make one with: git pacha init"
        )
    if re.search(r"(?im)^\s*refstorage\s*=\s*+(?!\"?files\"?\s*(?:[#;].*)?$)", config) or (path / "reftable").is_dir():
        raise PachaError(
            f"{path} keeps its refs in a reftable; registries use files",
            hint=f"git -C {path} refs migrate --ref-format=files",
        )


def _refuse_remains(path: Path, file: str) -> None:
    """Say of what is left of a registry that it is damaged, and not that there is none."""
    if (path / "objects").is_dir() and (path / "pacha").is_dir():
        raise Corrupt(f"{path} is a registry whose {file} is gone", hint="git pacha doctor makes it again")


def _check_bare(path: Path) -> None:
    """Refuse the ``.git`` of a work tree: made bare, it would let go of its files."""
    if re.search(r"(?im)^\s*(bare\s*=\s*false|worktree\s*=)", (path / "config").read_text("utf-8", "replace")):
        raise PachaError(f"{path} belongs to a work tree", hint="name a folder that does not exist yet")
