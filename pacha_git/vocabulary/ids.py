"""What versions, names and runs are called, and the refs that spell them: docs/format.md 3.

``parse_ref`` is the one reader of refs; what an id is called in a ref, the id itself says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

from pacha_git.errors import InvalidInput
from pacha_git.vocabulary.kinds import VERSIONED_KINDS, Kind
from pacha_git.vocabulary.names import Name
from pacha_git.vocabulary.versions import Version

REF_ROOT: Final = "refs/pacha/"
NOTES_ROOT: Final = "refs/notes/pacha/"
REGISTRY_REF: Final = "refs/pacha/registry"
ROOT_REF: Final = "refs/pacha/root"
TMP_ROOT: Final = "refs/pacha/tmp/"
PAYLOAD_ROOT: Final = "refs/pacha/payload/"
RUNS_ROOT: Final = f"{REF_ROOT}{Kind.RUN.plural}/"
RUN_PAYLOADS_ROOT: Final = f"{PAYLOAD_ROOT}{Kind.RUN.plural}/"
ROOT_COMMIT: Final = "7ff3960e1416db9c357e3d60610358e4e68c69be"


NotesName = Literal["_events", "_attestations"]
_RUN_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")


class NameId(NamedTuple):
    """A name of one kind: what its versions and its notes belong to."""

    kind: Kind
    name: Name

    @property
    def prefix(self) -> str:
        """What all record refs of its versions begin with (those of ``name/more`` do too: ask ``parse_ref``)."""
        return f"{REF_ROOT}{self.kind.plural}/{self.name}/"

    def notes_ref(self, what: str) -> str:
        """Return the ref of its notes: ``_events`` or ``_attestations``."""
        return f"{NOTES_ROOT}{self.kind.plural}/{self.name}/{what}"

    def __str__(self) -> str:
        return f"{self.kind.noun}:{self.name}"


class RunId(str):
    """The id of a run: a UUIDv7 in lowercase."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> RunId:
        """Check an id.

        Raises:
            InvalidInput: it is none.
        """
        if not _RUN_ID.match(text):
            hint = "it is what `git pacha run start` printed, a UUIDv7"
            raise InvalidInput(f"{text[:80]!r} is no run id", hint=hint)
        return cls(text)

    @property
    def ref(self) -> str:
        """The ref of the run."""
        return RUNS_ROOT + self

    @property
    def payload_ref(self) -> str:
        """The ref of its payload."""
        return RUN_PAYLOADS_ROOT + self


@dataclass(frozen=True, slots=True)
class VersionId:
    """One version of one name: what a record ref spells."""

    kind: Kind
    name: Name
    version: Version

    @property
    def ref(self) -> str:
        """The record ref."""
        return f"{REF_ROOT}{self.kind.plural}/{self.name}/{self.version}"

    @property
    def payload_ref(self) -> str:
        """The payload ref."""
        return f"{PAYLOAD_ROOT}{self.kind.plural}/{self.name}/{self.version}"

    @property
    def name_id(self) -> NameId:
        """The name that it is a version of."""
        return NameId(self.kind, self.name)

    @property
    def spec(self) -> str:
        """``NAME@VERSION``, as a person types it under the noun of its kind."""
        return f"{self.name}@{self.version}"

    def __str__(self) -> str:
        return f"{self.kind.noun}:{self.name}@{self.version}"

    @classmethod
    def parse(cls, kind: Kind, name: str, version: str) -> VersionId:
        """Check all three."""
        return _version_id(kind, name, version)


@lru_cache(maxsize=256)
def _version_id(kind: Kind, name: str, version: str) -> VersionId:
    # The last ones: who works on a version asks for it again and again.
    return VersionId(kind, Name.parse(name), Version.parse(version))


def payload_ref_of(record_ref: str) -> str:
    """Return the ref of the bytes of what lies under a record's or a run's ref."""
    return PAYLOAD_ROOT + record_ref.removeprefix(REF_ROOT)


def record_ref_of(payload_ref: str) -> str:
    """Return the ref of the record or run whose bytes lie under a payload ref; any other ref is handed back."""
    if not payload_ref.startswith(PAYLOAD_ROOT):
        return payload_ref
    return REF_ROOT + payload_ref.removeprefix(PAYLOAD_ROOT)


class ItemRef(NamedTuple):
    """Where the record of a version, or a run, lies."""

    id: VersionId | RunId


class PayloadRef(NamedTuple):
    """Where the bytes of a version or a run lie."""

    id: VersionId | RunId


class NotesRef(NamedTuple):
    """Where the events or the attestations of a name lie."""

    kind: Kind
    name: Name
    what: NotesName


Ref: TypeAlias = ItemRef | PayloadRef | NotesRef


def parse_ref(ref: str) -> Ref | None:
    """Read a ref of a version, a run, the payload of either, or notes; None for any other ref.

    Raises:
        InvalidInput: the ref lies where such things lie but breaks the grammar.
    """
    if ref.startswith(NOTES_ROOT):
        return _parse_notes(ref)
    root, made = (PAYLOAD_ROOT, PayloadRef) if ref.startswith(PAYLOAD_ROOT) else (REF_ROOT, ItemRef)
    if not ref.startswith(root):
        return None
    plural, _, rest = ref[len(root) :].partition("/")
    if plural == Kind.RUN.plural:
        return made(RunId.parse(rest))
    kind = _BY_PLURAL.get(plural)
    if kind is None:
        return None
    name, _, version = rest.rpartition("/")
    return made(VersionId.parse(kind, name, version))


def _parse_notes(ref: str) -> NotesRef | None:
    plural, _, rest = ref[len(NOTES_ROOT) :].partition("/")
    kind = _BY_PLURAL.get(plural)
    name, _, what = rest.rpartition("/")
    if kind is None or (what != "_events" and what != "_attestations"):
        return None
    return NotesRef(kind, Name.parse(name), "_events" if what == "_events" else "_attestations")


def parse_record_ref(ref: str) -> VersionId | None:
    """Read a record ref of a versioned kind; None for any other ref, whatever it spells; raises as ``parse_ref``."""
    return _version_of(parse_ref(ref)) if ref.startswith(_RECORD_ROOTS) else None


def parse_payload_ref(ref: str) -> VersionId | None:
    """Read a payload ref of a versioned kind; None for any other ref, whatever it spells; raises as ``parse_ref``."""
    return _version_of(parse_ref(ref)) if ref.startswith(_PAYLOAD_ROOTS) else None


def parse_notes_ref(ref: str) -> NotesRef | None:
    """Read a notes ref of ours; None for any other ref, whatever it spells; raises as ``parse_ref``."""
    return _parse_notes(ref) if ref.startswith(NOTES_ROOT) else None


def _version_of(found: Ref | None) -> VersionId | None:
    return found.id if isinstance(found, ItemRef | PayloadRef) and isinstance(found.id, VersionId) else None


_BY_PLURAL: Final = {kind.plural: kind for kind in VERSIONED_KINDS}
_RECORD_ROOTS: Final = tuple(f"{REF_ROOT}{plural}/" for plural in _BY_PLURAL)
_PAYLOAD_ROOTS: Final = tuple(f"{PAYLOAD_ROOT}{plural}/" for plural in _BY_PLURAL)
