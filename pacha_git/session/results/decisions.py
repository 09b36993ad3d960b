"""What was decided about versions: stages, aliases, and how two of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pacha_git.session.results.plain import Json, plain
from pacha_git.session.results.versions import Removal, VersionInfo
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.stages import Stage


@dataclass(frozen=True, slots=True)
class Claim(Removal):
    """A removal that does not count here, of the version that ``spec`` names."""

    spec: str

    def to_json(self) -> Json:
        """Return all fields, the spec first."""
        return {"spec": self.spec} | plain(self)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Who moved which version to which stage or alias, or removed it, when, why.

    ``type`` is stage, alias, tombstone or revoke. ``status`` says what became of it: effective, overridden, void,
    illegal; of a removal effective, claim or taken back. ``said_version`` is what the line calls the version,
    where the record says otherwise.
    """

    at: str
    by: str
    version: str
    type: str
    from_: str | None
    to: str | None
    alias: str | None
    op: str | None
    reason: str | None
    overridden: bool
    crossing: bool
    signed_by: str | None
    status: str = "effective"
    said_version: str | None = None

    def to_json(self) -> Json:
        """Return the contract's keys; ``from_`` is written ``from``."""
        return {key.rstrip("_"): value for key, value in plain(self).items()}


@dataclass(frozen=True, slots=True)
class StageChange:
    """What ``stage`` did: the steps recorded, and what the caller should be told."""

    kind: Kind
    name: str
    version: str
    stage: Stage
    steps: tuple[tuple[str, str], ...]
    archived: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """One object; ``steps`` as ``[{from, to}]``."""
        return plain(self, leave_out=("steps",)) | {"steps": [{"from": a, "to": b} for a, b in self.steps]}


@dataclass(frozen=True, slots=True)
class Difference:
    """How two versions differ; byte counts are of chunks, uncompressed, None where a payload is not here to tell."""

    a: VersionInfo
    b: VersionInfo
    metadata: Mapping[str, tuple[Any, Any]]
    metrics: Mapping[str, tuple[Any, Any]]
    values: Mapping[str, tuple[Any, Any]]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: int
    shared_bytes: int | None
    differing_bytes: int | None

    def to_json(self) -> Json:
        """Both versions' specs, and every difference as ``{key: [a, b]}``."""
        value = plain(self, leave_out=("a", "b"))
        return {"a": f"{self.a.name}@{self.a.version}", "b": f"{self.b.name}@{self.b.version}"} | value
