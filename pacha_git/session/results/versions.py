"""What is said of one version, or of a name by its latest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pacha_git.session.results.plain import Json, plain
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.stages import Stage

PayloadState = Literal["here", "thin", "removed"]


@dataclass(frozen=True, slots=True)
class EdgeInfo:
    """What something came from: the version, or the run (``version`` None), at its commit, and how."""

    relation: str
    kind: Kind
    name: str
    version: str | None
    commit: str
    params: Mapping[str, Any]

    def to_json(self) -> Json:
        """Return all fields."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file of a version: its path in it, its bytes, ``644`` or ``755`` (executable), and its BLAKE3 in hex."""

    path: str
    size: int
    mode: str
    blake3: str

    def to_json(self) -> Json:
        """Return all fields."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class SaidBy:
    """Who said a word of a version; ``signed_by`` is None where no good signature says so."""

    by: str
    signed_by: str | None

    def to_json(self) -> Json:
        """Both fields."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class Removal:
    """Who removed a version, when, why; ``signed_by`` is None where no good signature says so."""

    by: str
    at: str
    reason: str
    signed_by: str | None

    def to_json(self) -> Json:
        """Return all fields."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One version as people see it: its record, and what was decided about it since.

    ``size`` and the byte counts are bytes; times are ``YYYY-MM-DDTHH:MM:SSZ``; ``payload`` is here, thin or
    removed, and ``removed`` then says by whom.
    """

    kind: Kind
    name: str
    version: str
    stage: Stage
    aliases: tuple[str, ...]
    description: str
    address: str
    size: int
    file_count: int
    created_at: str
    created_by: str
    commit: str
    tags: Mapping[str, str]
    metrics: Mapping[str, int | float | str]
    lineage: tuple[EdgeInfo, ...]
    signed_by: str | None
    payload: PayloadState
    purpose: str | None = None
    removed: Removal | None = None

    def to_json(self) -> Json:
        """Return the contract's keys for a version; ``removed`` only where it is."""
        return plain(self, leave_out=() if self.removed is not None else ("removed",))

    def json_text(self) -> str:
        """Return the same as JSON."""
        return json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False)


class FieldSource(Protocol):
    """Where the fields of listed versions can be had; what it knows each by, the source itself has said."""

    def glance(self, row: Any) -> Mapping[str, object]:
        """Some of the fields, quickly."""

    def read(self, row: Any) -> VersionInfo:
        """Return all of them."""

    def text(self, row: Any) -> str | None:
        """Return the JSON of all fields, if it lies ready."""


class ListedVersion(VersionInfo):
    """One of perhaps a hundred thousand versions: a field is read when somebody asks for it."""

    __slots__ = ("_row", "_source", "_whole")
    _row: Any
    _source: FieldSource
    _whole: VersionInfo | None

    @classmethod
    def of(cls, source: FieldSource, row: Any) -> ListedVersion:
        """Return a version whose fields are to be had there by this row."""
        listed = cls.__new__(cls)
        object.__setattr__(listed, "_source", source)
        object.__setattr__(listed, "_row", row)
        object.__setattr__(listed, "_whole", None)
        return listed

    def __getattr__(self, name: str) -> Any:
        return _read_now(self, name)

    def json_text(self) -> str:
        """As every version's; most lie ready."""
        source = getattr(self, "_source", None)  # a copy has none
        return (source.text(self._row) if source is not None else None) or VersionInfo.json_text(self)


@dataclass(frozen=True, slots=True)
class VersionDetail(VersionInfo):
    """A version with its files, what they say of themselves, and its document (what ``get`` shows)."""

    files: tuple[FileInfo, ...] = ()
    formats: tuple[Json, ...] = ()
    formats_more: Json | None = None
    document_key: str = ""
    document: Any = None
    words: Mapping[str, SaidBy] = field(default_factory=dict)
    claims: tuple[Removal, ...] = ()

    def to_json(self) -> Json:
        """Return the keys of a version, ``removed``, ``files``, ``formats``, ``words``, ``claims`` and its document.

        ``words`` tells of ``description``, ``card``, ``datasheet``, ``stage``, ``aliases.NAME`` and ``tags.KEY`` who
        said them: ``{by, signed_by}``. ``claims`` are removals that do not count here. ``formats_more`` is there only
        where the record had no room for all.
        """
        value = plain(self, leave_out=("document_key", "document"))
        if self.formats_more is None:
            del value["formats_more"]
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
        """Return the keys of a version and the three counts."""
        value = plain(self, leave_out=("notices", "dry_run", "removed"))
        if self.dry_run:
            value["dry_run"] = True
        return value


@dataclass(frozen=True, slots=True)
class NameInfo(VersionInfo):
    """A name by its latest version, with how many ``versions`` it has."""

    versions: int = 0


class ListedName(NameInfo):
    """A name as ``ListedVersion`` is a version: its fields are read when somebody asks for them."""

    __slots__ = ("_row", "_source", "_whole")
    _row: Any
    _source: FieldSource
    _whole: VersionInfo | None

    @classmethod
    def of(cls, source: FieldSource, row: Any, versions: int) -> ListedName:
        """Return a name whose latest version is to be had there by this row."""
        listed = cls.__new__(cls)
        object.__setattr__(listed, "_source", source)
        object.__setattr__(listed, "_row", row)
        object.__setattr__(listed, "_whole", None)
        object.__setattr__(listed, "versions", versions)
        return listed

    def __getattr__(self, name: str) -> Any:
        return _read_now(self, name)

    def json_text(self) -> str:
        """As every name's; most lie ready."""
        source = getattr(self, "_source", None)  # a copy has none
        text = source.text(self._row) if source is not None else None
        return VersionInfo.json_text(self) if text is None else f'{text[:-1]}, "versions": {self.versions}}}'


def _read_now(listed: Any, name: str) -> Any:
    """Read a field of a listed version; Python asks here for what has no value yet."""
    if name not in VersionInfo.__slots__:
        raise AttributeError(name)
    whole = listed._whole
    if whole is None:
        found = listed._source.glance(listed._row)
        if name in found:
            for field, value in found.items():
                object.__setattr__(listed, field, value)
            return found[name]
        whole = listed._source.read(listed._row)
        object.__setattr__(listed, "_whole", whole)
    value = getattr(whole, name)
    object.__setattr__(listed, name, value)
    return value
