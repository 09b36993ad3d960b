"""What is said of one version: the record of a model, dataset or recipe, as a value and as its canonical bytes.

The format is docs/format.md, "Records"; unknown keys survive a round trip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import blake3
from pydantic import Field, ValidationError, model_validator

from pacha_git.errors import Corrupt, InvalidInput, PachaError
from pacha_git.format import canonical
from pacha_git.format.content import FILES_LIMIT, Content, check_content, encode_with_content, make_content
from pacha_git.format.fields import (
    AddressText,
    IdentityText,
    KindWord,
    NameText,
    Number,
    OidText,
    Part,
    RelationText,
    TimeText,
    first_problem,
)
from pacha_git.gitobjects.oid import Oid
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import RunId, VersionId
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Name
from pacha_git.vocabulary.versions import Version

__all__ = [
    "FILES_LIMIT",
    "FORMAT",
    "PARENT_LIMIT",
    "RECORD_LIMIT",
    "RECORD_TYPES",
    "Content",
    "DatasetRecord",
    "Edge",
    "ModelRecord",
    "RecipeRecord",
    "Record",
    "Target",
    "check_content",
    "decode_record",
    "encode_record",
    "make_content",
    "make_record",
    "record_address",
    "refuse_newer",
]

FORMAT: Final = 1
RECORD_LIMIT: Final = 2**20
PARENT_LIMIT: Final = 1000

_MAY_BE_MISSING: Final = frozenset(["metrics", "purpose"])


class Target(Part):
    """The version an edge points to: who it is, and the hash and the commit of its record.

    Of a run, ``name`` is its id and ``version`` is None.
    """

    kind: KindWord
    name: str
    version: str | None
    record: AddressText
    commit: OidText

    @model_validator(mode="after")
    def _check(self) -> Target:
        try:
            if self.kind == Kind.RUN.value:
                RunId.parse(self.name)
                if self.version is not None:
                    raise InvalidInput("a run has no version")
            else:
                Name.parse(self.name)
                Version.parse(self.version or "")
        except InvalidInput as error:
            raise ValueError(error.message) from None
        return self

    def __str__(self) -> str:
        """As lineage prints it: ``model:x@1.0.0``, ``run:ID``."""
        noun = Kind(self.kind).noun
        return f"{noun}:{self.name}" if self.version is None else f"{noun}:{self.name}@{self.version}"


class Edge(Part):
    """Where a version comes from: one typed edge, with its parameters."""

    relation: RelationText
    target: Target
    params: dict[str, Any]


class Record(Part):
    """What every kind says of a version; never changed once registered."""

    format: Literal[1] = FORMAT
    kind: KindWord
    name: NameText
    version: str
    created_at: TimeText
    created_by: IdentityText
    description: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
    content: Content | None = None
    lineage: list[Edge] = Field(default_factory=list)

    @model_validator(mode="after")
    def _check(self) -> Record:
        try:
            Version.parse(self.version)
        except InvalidInput as error:
            raise ValueError(error.message) from None
        problem = _lineage_problem(self)
        if problem:
            raise ValueError(problem)
        return self

    @property
    def id(self) -> VersionId:
        """Which version this is."""
        return VersionId.parse(Kind(self.kind), self.name, self.version)

    @property
    def parents(self) -> list[Oid]:
        """The record commits of its lineage, each once, in the order of ``lineage``."""
        return [Oid(commit) for commit in dict.fromkeys(edge.target.commit for edge in self.lineage)]


class ModelRecord(Record):
    """A model: its payload and what was measured of it."""

    kind: Literal["model"] = "model"
    content: Content
    metrics: dict[str, Number] = Field(default_factory=dict)


class DatasetRecord(Record):
    """A dataset: its payload, what it is for, and what was measured of it."""

    kind: Literal["dataset"] = "dataset"
    content: Content
    metrics: dict[str, Number] = Field(default_factory=dict)
    purpose: str = ""


class RecipeRecord(Record):
    """A recipe: its bytes are the document ``recipe.toml``, so it has no payload."""

    kind: Literal["recipe"] = "recipe"
    content: None = None


RECORD_TYPES: Final[Mapping[str, type[Record]]] = {
    "model": ModelRecord,
    "dataset": DatasetRecord,
    "recipe": RecipeRecord,
}


def _lineage_problem(record: Record) -> str:
    seen: dict[tuple[str, str, str | None], tuple[str, str]] = {}
    for edge in record.lineage:
        target = edge.target
        identity = (target.kind, target.name, target.version)
        if identity == (record.kind, record.name, record.version):
            return f"{target} would come from itself"
        if seen.setdefault(identity, (target.record, target.commit)) != (target.record, target.commit):
            return f"{target} stands for two records in its lineage"
    commits = {commit for _, commit in seen.values()}
    if len(commits) < len(seen):
        return "one commit stands for two versions in its lineage"
    return f"it comes from more than {PARENT_LIMIT} versions" if len(commits) > PARENT_LIMIT else ""


def make_record(values: Mapping[str, Any]) -> Record:
    """Build a record from its values, picking the class by ``kind``; what is left out gets its default.

    Raises:
        InvalidInput: with the field that can't be so.
    """
    return _validated(values, InvalidInput)


def _validated(values: Mapping[str, Any], error_type: type[PachaError]) -> Record:
    kind = values.get("kind")
    record_type = RECORD_TYPES.get(kind) if isinstance(kind, str) else None
    if record_type is None:
        raise error_type(f"no record can be of the kind {str(kind)[:40]!r}")
    if type(values.get("format", FORMAT)) is not int:
        # True equals 1, and is not it.
        raise error_type("the format of a record is a whole number")
    try:
        return record_type.model_validate(values)
    except ValidationError as error:
        name, version = str(values.get("name"))[:128], str(values.get("version"))[:128]
        raise error_type(f"bad record of {kind} {name} {version}: {first_problem(error)}") from None


def encode_record(record: Record) -> bytes:
    """Write ``record.json``: canonical JSON, at most 1 MiB; its list of files is left out from 256 KiB on.

    Raises:
        InvalidInput: larger than that, or a value that canonical JSON can't hold.
    """
    data = encode_with_content(record.model_dump())
    if len(data) > RECORD_LIMIT:
        raise InvalidInput(
            f"the record of {record.id} would be {len(data)} bytes, the limit is {RECORD_LIMIT}",
            hint="shorten the description, tags or metrics",
        )
    return data


def decode_record(data: bytes) -> Record:
    """Read ``record.json``, whoever wrote it: ``encode_record(decode_record(x)) == x``, or it is refused.

    (But for a missing ``metrics`` or ``purpose``: read as empty, and written.)

    Raises:
        PachaError: it was made by a newer pacha-git.
        Corrupt: too large or too deep, not canonical, a key missing or wrong.
    """
    value = canonical.decode(data, limit=RECORD_LIMIT, what="record.json")
    if not isinstance(value, dict):
        raise Corrupt("record.json is no JSON object")
    refuse_newer(value.get("format"), f"the record of {str(value.get('name'))[:128]} {str(value.get('version'))[:128]}")
    record = _validated(value, Corrupt)
    missing = type(record).model_fields.keys() - value.keys() - _MAY_BE_MISSING
    if missing:
        raise Corrupt(f"the record of {record.id} lacks {', '.join(sorted(missing))}")
    content = value["content"]
    if content is not None and "files" in content and (content["files"] is None or len(data) >= FILES_LIMIT):
        raise Corrupt(
            f"the record of {record.id} has files where it may have none (null, or {FILES_LIMIT} bytes or more)"
        )
    return record


def refuse_newer(format_number: Any, what: str) -> None:
    """Refuse what a newer release wrote.

    Raises:
        PachaError: ``format_number`` is a whole number above ours.
    """
    if type(format_number) is int and format_number > FORMAT:
        raise PachaError(
            f"{what} was made by a newer pacha-git (format {format_number}, this one reads {FORMAT})",
            hint="upgrade: pip install --upgrade pacha-git",
        )


def record_address(data: bytes) -> Address:
    """Return the identity of a record: the BLAKE3 of the bytes of ``record.json``."""
    return Address.of_digest(blake3.blake3(data).digest())
