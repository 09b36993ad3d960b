"""What a version is called, and the refs that spell it: docs/format.md 3."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pacha_git.vocabulary.kinds import VERSIONED_KINDS, Kind
from pacha_git.vocabulary.names import Name
from pacha_git.vocabulary.versions import Version

REF_ROOT: Final = "refs/pacha/"
NOTES_ROOT: Final = "refs/notes/pacha/"
REGISTRY_REF: Final = "refs/pacha/registry"
ROOT_REF: Final = "refs/pacha/root"
TMP_ROOT: Final = "refs/pacha/tmp/"
PAYLOAD_ROOT: Final = "refs/pacha/payload/"
ROOT_COMMIT: Final = "7ff3960e1416db9c357e3d60610358e4e68c69be"


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
    """The ref of the bytes of what lies under a record's or a run's ref."""
    return PAYLOAD_ROOT + record_ref.removeprefix(REF_ROOT)


def record_ref_of(payload_ref: str) -> str:
    """The ref of the record or run whose bytes lie under a payload ref; any other ref is handed back."""
    if not payload_ref.startswith(PAYLOAD_ROOT):
        return payload_ref
    return REF_ROOT + payload_ref.removeprefix(PAYLOAD_ROOT)


def name_prefix(kind: Kind, name: str) -> str:
    """The prefix of all record refs of a name (those of ``name/more`` too: check with ``parse_record_ref``)."""
    return f"{REF_ROOT}{kind.plural}/{name}/"


def notes_ref(kind: Kind, name: str, what: str) -> str:
    """The notes ref of a name; ``what`` is ``_events`` or ``_attestations``."""
    return f"{NOTES_ROOT}{kind.plural}/{name}/{what}"


def parse_record_ref(ref: str) -> VersionId | None:
    """Read a record ref of a versioned kind; None for any other ref.

    Raises:
        InvalidInput: the ref lies where records lie but breaks the grammar.
    """
    return _parse_versioned(ref, REF_ROOT)


def parse_payload_ref(ref: str) -> VersionId | None:
    """Read a payload ref of a versioned kind; None for any other ref."""
    return _parse_versioned(ref, PAYLOAD_ROOT)


def _parse_versioned(ref: str, root: str) -> VersionId | None:
    if not ref.startswith(root):
        return None
    plural, _, rest = ref[len(root) :].partition("/")
    kind = _BY_PLURAL.get(plural)
    if kind is None:
        return None
    name, _, version = rest.rpartition("/")
    return VersionId.parse(kind, name, version)


def parse_notes_ref(ref: str) -> tuple[Kind, Name, str] | None:
    """Read a notes ref of ours: kind, name, ``_events`` or ``_attestations``; None for any other ref."""
    if not ref.startswith(NOTES_ROOT):
        return None
    plural, _, rest = ref[len(NOTES_ROOT) :].partition("/")
    kind = _BY_PLURAL.get(plural)
    name, _, what = rest.rpartition("/")
    if kind is None or what not in ("_events", "_attestations"):
        return None
    return kind, Name.parse(name), what


_BY_PLURAL: Final = {kind.plural: kind for kind in VERSIONED_KINDS}
