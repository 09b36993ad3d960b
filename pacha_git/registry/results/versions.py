"""What is said of one version, or of a name by its latest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pacha_git.registry.results.plain import Json, plain


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One version as people see it: its record, and what was decided about it since.

    ``size`` and the byte counts are bytes; times are ``YYYY-MM-DDTHH:MM:SSZ``; ``payload`` is here, thin or removed.
    """

    kind: str
    name: str
    version: str
    stage: str
    aliases: tuple[str, ...]
    description: str
    address: str
    size: int
    file_count: int
    created_at: str
    created_by: str
    commit: str
    tags: Mapping[str, str]
    metrics: Mapping[str, Any]
    lineage: tuple[Json, ...]
    signed_by: str | None
    payload: str
    purpose: str | None = None

    def to_json(self) -> Json:
        """The contract's keys for a version."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class VersionDetail(VersionInfo):
    """A version with its files, what they say of themselves, and its document (what ``get`` shows)."""

    files: tuple[Json, ...] = ()
    formats: tuple[Json, ...] = ()
    document_key: str = ""
    document: Any = None

    def to_json(self) -> Json:
        """The keys of a version, ``files``, ``formats``, and ``card``, ``datasheet`` or ``recipe``."""
        value = plain(self, leave_out=("document_key", "document"))
        if self.document_key:
            value[self.document_key] = self.document
        return value


@dataclass(frozen=True, slots=True)
class Registered(VersionInfo):
    """A version just registered, and what it cost.

    ``stored_bytes`` are new on disk, ``new_bytes`` the same before compression, ``shared_bytes`` were here already.
    """

    stored_bytes: int = 0
    new_bytes: int = 0
    shared_bytes: int = 0
    notices: tuple[str, ...] = ()
    dry_run: bool = False

    def to_json(self) -> Json:
        """The keys of a version and the three counts."""
        value = plain(self, leave_out=("notices", "dry_run"))
        if self.dry_run:
            value["dry_run"] = True
        return value


@dataclass(frozen=True, slots=True)
class NameInfo(VersionInfo):
    """A name by its latest version, with how many ``versions`` it has."""

    versions: int = 0
