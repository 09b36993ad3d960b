"""What checking, counting and keeping found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pacha_git.session.results.plain import Json, plain
from pacha_git.vocabulary.kinds import Kind


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``verify`` found about one version; ``payload_ok`` None: the bytes are not here.

    ``warnings`` fail nothing.
    """

    kind: Kind
    name: str
    version: str
    ok: bool
    signer: str | None
    payload_ok: bool | None
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """Return the contract's keys."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class Stats:
    """How much is here. ``payload_bytes`` as registered, ``stored_bytes`` as they lie on disk."""

    models: int
    datasets: int
    recipes: int
    runs: int
    versions: int
    payload_bytes: int
    stored_bytes: int
    chunks: int

    def to_json(self) -> Json:
        """Return the contract's keys."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A folder of the cache, and which versions of this registry it holds the files of."""

    path: str
    size: int
    file_count: int
    specs: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """``{path, size, file_count, specs}``."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class CacheCleared:
    """The folders that left the cache, and their bytes."""

    freed_bytes: int
    removed: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """``{freed_bytes, removed}``."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class FsckReport:
    """What ``fsck`` looked at and what is wrong; ``notes`` are worth knowing and break nothing."""

    checked: int
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """``{checked, problems, notes}``."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class GcReport:
    """What ``gc`` freed, or with a dry run would free; ``removed`` names what goes and why."""

    freed_bytes: int
    kept: int
    removed: tuple[str, ...] = ()
    dry_run: bool = False

    def to_json(self) -> Json:
        """``{freed_bytes, kept, removed}``."""
        return plain(self, leave_out=("dry_run",))


@dataclass(frozen=True, slots=True)
class Evicted:
    """What was dropped here because ``remote`` has it; ``size`` as registered.

    ``version`` is None for a run, ``remote`` for what was removed and nobody is to have.
    """

    kind: Kind
    name: str
    version: str | None
    size: int
    remote: str | None

    def to_json(self) -> Json:
        """Return all fields."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing ``doctor`` looked at: ``ok``, ``fixed``, ``note`` or ``problem``, and what to do."""

    check: str
    state: str
    message: str
    hint: str = ""

    def to_json(self) -> Json:
        """Return all fields."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class RecipeProblem:
    """What is wrong with a recipe, and where.

    ``line`` counts from 1 (0: the file as a whole), ``column`` too (None where the TOML itself can be read).
    """

    line: int
    key: str
    message: str
    column: int | None = None

    def to_json(self) -> Json:
        """Return all fields."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key that signs here, or a signer that is trusted; ``private`` tells whether the private half is here."""

    name: str
    fingerprint: str
    path: str | None = None
    principal: str | None = None
    private: bool = False
    trusted: bool = field(default=False)

    def to_json(self) -> Json:
        """Return all fields."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class SettingsInfo:
    """What a registry and its remotes agree on: the values of ``registry.toml``, and the lines of its signers."""

    values: Mapping[str, Any]
    allowed_signers: tuple[str, ...]

    @property
    def registry(self) -> str:
        """The UUID of the registry."""
        return str(self.values["registry"])

    def to_json(self) -> Json:
        """Return the values, and ``allowed_signers`` beside them."""
        return {**self.values, "allowed_signers": list(self.allowed_signers)}


@dataclass(frozen=True, slots=True)
class LayoutInfo:
    """How files are cut in a registry, and what it costs to move on.

    Attributes:
        layout: The layout that is written.
        newest: The newest that is known here.
        known: All that are.
        files: How many files of the newest versions are stored anew in part when they are registered again.
        bytes: Their bytes.
        was: The layout before the move that was made.
        dry_run: Whether a move was only looked at.
    """

    layout: str
    newest: str
    known: tuple[str, ...]
    files: int | None = None
    bytes: int | None = None
    was: str | None = None
    dry_run: bool = False

    def to_json(self) -> Json:
        """Tell what there is to say: nothing of a move that was not asked for."""
        value = plain(self, leave_out=() if self.dry_run else ("dry_run",))
        return {key: item for key, item in value.items() if item is not None}
