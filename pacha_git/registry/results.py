"""What the verbs return: immutable values, each of which can say itself as the JSON of the command-line contract.

It knows the keys that scripts rely on, and refuses to know how a person is shown them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

Json = dict[str, Any]


class Progress(Protocol):
    """Called as work goes on: ``done`` of ``total`` (None: not known) units, bytes unless ``unit`` says otherwise."""

    def __call__(self, what: str, done: int, total: int | None, unit: str = "bytes") -> None:
        """Report one step."""


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
        return _plain(self)


@dataclass(frozen=True, slots=True)
class VersionDetail(VersionInfo):
    """A version with its files and its document (what ``get`` shows)."""

    files: tuple[Json, ...] = ()
    document_key: str = ""
    document: Any = None

    def to_json(self) -> Json:
        """The keys of a version, ``files``, and ``card``, ``datasheet`` or ``recipe``."""
        value = _plain(self, leave_out=("document_key", "document"))
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
        value = _plain(self, leave_out=("notices", "dry_run"))
        if self.dry_run:
            value["dry_run"] = True
        return value


@dataclass(frozen=True, slots=True)
class NameInfo(VersionInfo):
    """A name by its latest version, with how many ``versions`` it has."""

    versions: int = 0


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Who moved which version to which stage or alias, when, why."""

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

    def to_json(self) -> Json:
        """The contract's keys; ``from_`` is written ``from``."""
        return {key.rstrip("_"): value for key, value in _plain(self).items()}


@dataclass(frozen=True, slots=True)
class StageChange:
    """What ``stage`` did: the steps recorded, and what the caller should be told."""

    kind: str
    name: str
    version: str
    stage: str
    steps: tuple[tuple[str, str], ...]
    archived: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """One object; ``steps`` as ``[{from, to}]``."""
        return _plain(self, leave_out=("steps",)) | {"steps": [{"from": a, "to": b} for a, b in self.steps]}


@dataclass(frozen=True, slots=True)
class LineageNode:
    """A version (or a run: ``version`` None) in a lineage graph."""

    kind: str
    name: str
    version: str | None
    commit: str

    @property
    def id(self) -> str:
        """``kind:name@version``, or ``run:ID``."""
        return f"{self.kind}:{self.name}@{self.version}" if self.version is not None else f"{self.kind}:{self.name}"

    def to_json(self) -> Json:
        """kind, name, version, commit."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class LineageEdge:
    """From the newer side to what it came from."""

    from_: str
    to: str
    relation: str
    params: Mapping[str, Any]

    def to_json(self) -> Json:
        """from, to, relation, params."""
        return {"from": self.from_, "to": self.to, "relation": self.relation, "params": dict(self.params)}


@dataclass(frozen=True, slots=True)
class LineageGraph:
    """What a version came from (``direction`` up) or what came from it (down); ``root`` is its node's id."""

    root: str
    direction: str
    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]

    def to_json(self) -> Json:
        """``{nodes, edges}``."""
        return {"nodes": [n.to_json() for n in self.nodes], "edges": [e.to_json() for e in self.edges]}


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
        value = _plain(self, leave_out=("a", "b"))
        return {"a": f"{self.a.name}@{self.a.version}", "b": f"{self.b.name}@{self.b.version}"} | value


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``verify`` found about one version; ``payload_ok`` None: the bytes are not here."""

    kind: str
    name: str
    version: str
    ok: bool
    signer: str | None
    payload_ok: bool | None
    problems: tuple[str, ...]

    def to_json(self) -> Json:
        """The contract's keys."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class RefResult:
    """What became of one ref in a transfer: new, updated, up-to-date, removed, conflict, rejected, skipped."""

    ref: str
    result: str
    detail: str = ""

    def to_json(self) -> Json:
        """ref, result, and detail where there is one."""
        return _plain(self, leave_out=() if self.detail else ("detail",))


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a fetch, pull or push moved. ``bytes`` as they crossed the wire; ``payloads`` moved whole or in part."""

    refs: tuple[RefResult, ...]
    bytes: int = 0
    objects: int = 0
    payloads: int = 0
    warnings: tuple[str, ...] = ()
    remote: str = ""
    dry_run: bool = False

    @property
    def conflicts(self) -> tuple[RefResult, ...]:
        """The refs that were refused because both sides have something else there."""
        return tuple(result for result in self.refs if result.result == "conflict")

    def to_json(self) -> Json:
        """``{refs, bytes, objects, payloads}``."""
        return _plain(self, leave_out=("warnings", "refs", "dry_run", "remote")) | {
            "refs": [r.to_json() for r in self.refs]
        }


@dataclass(frozen=True, slots=True)
class RemoteStatus:
    """How this registry stands to one remote, by what was last fetched."""

    remote: str
    url: str
    ahead: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    diverged: tuple[str, ...] = ()
    settings_differ: bool = False
    fetched: bool = False

    def to_json(self) -> Json:
        """All fields."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class Status:
    """What stands out in this registry, and how it stands to its remotes."""

    path: str
    thin: tuple[str, ...]
    unsigned: tuple[str, ...]
    crossing: tuple[str, ...]
    remotes: tuple[RemoteStatus, ...]

    def to_json(self) -> Json:
        """All fields, remotes as objects."""
        return _plain(self, leave_out=("remotes",)) | {"remotes": [r.to_json() for r in self.remotes]}


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
        """The contract's keys."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class FsckReport:
    """What ``fsck`` looked at and what is wrong."""

    checked: int
    problems: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """``{checked, problems}``."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class GcReport:
    """What ``gc`` freed, or with a dry run would free; ``removed`` names what goes and why."""

    freed_bytes: int
    kept: int
    removed: tuple[str, ...] = ()
    dry_run: bool = False

    def to_json(self) -> Json:
        """``{freed_bytes, kept, removed}``."""
        return _plain(self, leave_out=("dry_run",))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing ``doctor`` looked at: ``ok``, ``fixed`` or ``problem``, and what to do."""

    check: str
    state: str
    message: str
    hint: str = ""

    def to_json(self) -> Json:
        """All fields."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class RecipeProblem:
    """What is wrong with a recipe, and where (line from 1; 0: the file as a whole)."""

    line: int
    key: str
    message: str

    def to_json(self) -> Json:
        """All fields."""
        return _plain(self)


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
        """All fields."""
        return _plain(self)


def _plain(value: Any, leave_out: Sequence[str] = ()) -> Json:
    """Turn a result into JSON values, tuples into lists."""
    return {f.name: _jsonable(getattr(value, f.name)) for f in fields(value) if f.name not in leave_out}


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_jsonable(item) for item in value]
    return value
