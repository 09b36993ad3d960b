"""The words of the registry and their grammar: Kind, Name, Version, Stage, Oid, Address, and the refs they spell.

It refuses to know what is stored anywhere. The grammar is docs/format.md, "Refs".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache, total_ordering
from typing import Any, Final

import semver

from pacha_git.errors import InvalidInput

REF_ROOT: Final = "refs/pacha/"
NOTES_ROOT: Final = "refs/notes/pacha/"
REGISTRY_REF: Final = "refs/pacha/registry"
ROOT_REF: Final = "refs/pacha/root"
TMP_ROOT: Final = "refs/pacha/tmp/"
PAYLOAD_ROOT: Final = "refs/pacha/payload/"
ROOT_COMMIT: Final = "7ff3960e1416db9c357e3d60610358e4e68c69be"

_SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_ALIAS: Final = re.compile(r"[a-z][a-z0-9._-]{0,63}\Z")
_WINDOWS_DEVICES: Final = frozenset(
    ["con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in "0123456789")]
)
_MAX_VERSION_BYTES: Final = 128


class Kind(Enum):
    """What a thing in the registry is. ``value`` is the word of records and ``--json``."""

    MODEL = "model"
    DATASET = "dataset"
    RECIPE = "recipe"
    RUN = "run"

    @property
    def plural(self) -> str:
        """The word in refs: ``models``, ``datasets``, ``recipes``, ``runs``."""
        return self.value + "s"

    @property
    def noun(self) -> str:
        """The word of the command line: ``model``, ``data``, ``recipe``, ``run``."""
        return "data" if self is Kind.DATASET else self.value

    @classmethod
    def parse(cls, text: str) -> Kind:
        """Read a kind in any spelling of the contract (``data``, ``datasets``, ``model`` …)."""
        try:
            return KIND_WORDS[text.lower()]
        except KeyError:
            raise InvalidInput(f"unknown kind {text!r}", hint="one of model, data, recipe, run") from None


KIND_WORDS: Final = {
    "model": Kind.MODEL, "models": Kind.MODEL, "data": Kind.DATASET, "dataset": Kind.DATASET,
    "datasets": Kind.DATASET, "recipe": Kind.RECIPE, "recipes": Kind.RECIPE, "run": Kind.RUN, "runs": Kind.RUN,
}  # fmt: skip
VERSIONED_KINDS: Final = (Kind.MODEL, Kind.DATASET, Kind.RECIPE)


class Stage(Enum):
    """Where in its life a version is; a new one is in development."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"
    ARCHIVED = "archived"

    @classmethod
    def parse(cls, text: str) -> Stage:
        """Read a stage or one of its synonyms, in any case."""
        stage = STAGE_WORDS.get(text.lower())
        if stage is None:
            raise InvalidInput(
                f"unknown stage {text!r}", hint="one of development (dev), staging (stage), production (prod), archived"
            )
        return stage


STAGE_WORDS: Final = {
    **{stage.value: stage for stage in Stage},
    "dev": Stage.DEVELOPMENT, "stage": Stage.STAGING, "prod": Stage.PRODUCTION, "archive": Stage.ARCHIVED,
}  # fmt: skip


class Oid(str):
    """A Git object id: 40 lowercase hex digits (SHA-1)."""

    __slots__ = ()
    _GRAMMAR = re.compile(r"[0-9a-f]{40}\Z")

    @classmethod
    def parse(cls, text: str) -> Oid:
        """Check and wrap 40 hex digits."""
        if not cls._GRAMMAR.match(text):
            raise InvalidInput(f"not a Git object id: {text[:60]!r}")
        return cls(text)

    @property
    def raw(self) -> bytes:
        """The 20 bytes."""
        return bytes.fromhex(self)

    @classmethod
    def of_raw(cls, raw: bytes) -> Oid:
        """Wrap 20 bytes."""
        return cls(raw.hex())


class Address(str):
    """What bytes are, wherever they lie: ``blake3:`` and 64 lowercase hex digits."""

    __slots__ = ()
    PREFIX = "blake3:"
    _GRAMMAR = re.compile(r"blake3:[0-9a-f]{64}\Z")

    @classmethod
    def parse(cls, text: str) -> Address:
        """Check and wrap a whole address."""
        if not cls._GRAMMAR.match(text):
            raise InvalidInput(f"not a BLAKE3 address: {text[:80]!r}", hint="it reads blake3:<64 hex digits>")
        return cls(text)

    @classmethod
    def of_digest(cls, digest: bytes) -> Address:
        """Wrap a 32-byte BLAKE3 digest."""
        return cls(cls.PREFIX + digest.hex())

    @property
    def hex(self) -> str:
        """The 64 digits alone, as manifests write them."""
        return self[len(self.PREFIX) :]


class Name(str):
    """A registry name: 1 to 4 segments joined by ``/``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Name:
        """Check a name against the grammar.

        Raises:
            InvalidInput: with the rule that it breaks.
        """
        problem = _name_problem(text)
        if problem:
            raise InvalidInput(
                f"bad name {text!r}: {problem}",
                hint="use letters, digits, '.', '_' and '-', up to 4 parts joined by '/', as in team/fraud-detector",
            )
        return cls(text)


# Of a hundred thousand records that arrive, each spells its own name and version eight times.
_remembered = lru_cache(maxsize=256)


@_remembered
def _name_problem(text: str) -> str:
    """Say which rule a name breaks; empty if none."""
    segments = text.split("/")
    if not text:
        return "it is empty"
    if len(segments) > 4:
        return "more than 4 parts"
    if segments[0].lower() in KIND_WORDS:
        return f"{segments[0]!r} is the word for a kind"
    for segment in segments:
        problem = _segment_problem(segment)
        if problem:
            return problem
    return ""


def _segment_problem(segment: str) -> str:
    if not _SEGMENT.match(segment):
        if not segment:
            return "an empty part"
        if segment.startswith("-"):
            return "a part begins with a dash"
        return f"{segment!r} has a character that is not allowed, a bad first character, or over 128 characters"
    if ".." in segment:
        return "it contains '..'"
    if segment.endswith((".lock", ".")):
        return "a part ends in '.lock' or '.'"
    if segment.split(".")[0].lower() in _WINDOWS_DEVICES:
        return f"{segment!r} is a device name on Windows"
    if semver.Version.is_valid(segment):
        return f"{segment!r} reads as a version"
    return ""


@total_ordering
class Version:
    """A SemVer 2.0.0 version, ordered as SemVer orders; ties (build) by text so that sorting is total."""

    __slots__ = ("_key", "text")

    def __init__(self, text: str, parsed: semver.Version) -> None:
        self.text = text
        self._key = parsed

    @classmethod
    def parse(cls, text: str) -> Version:
        """Check and read a version.

        Raises:
            InvalidInput: not SemVer, over 128 bytes, or ending in ``.lock``.
        """
        if len(text.encode("utf-8", "replace")) > _MAX_VERSION_BYTES or text.endswith(".lock"):
            raise InvalidInput(f"bad version {text[:40]!r}: over {_MAX_VERSION_BYTES} bytes, or ends in '.lock'")
        try:
            return cls(text, _semver(text))
        except ValueError:
            raise InvalidInput(
                f"bad version {text!r}", hint="versions are MAJOR.MINOR.PATCH, as in 1.0.0 or 2.1.0-rc.1 (SemVer 2.0.0)"
            ) from None

    @classmethod
    def is_valid(cls, text: str) -> bool:
        """Whether the text reads as a version."""
        try:
            cls.parse(text)
        except InvalidInput:
            return False
        return True

    @property
    def is_prerelease(self) -> bool:
        """Whether it has a ``-pre`` part."""
        return bool(self._key.prerelease)

    @property
    def without_build(self) -> str:
        """The text up to a ``+``: two versions may not differ in build alone."""
        return self.text.split("+", 1)[0]

    @property
    def order(self) -> tuple[Any, ...]:
        """A key that sorts as versions do: a long list is sorted by it ten times as fast."""
        words = self._key.prerelease.split(".") if self._key.prerelease else []
        before = tuple((0, int(word), "") if word.isdigit() else (1, 0, word) for word in words)
        return self._key.major, self._key.minor, self._key.patch, not words, before, self.text

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Version({self.text!r})"

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.text == other.text

    def __lt__(self, other: Version) -> bool:
        order = self._key.compare(other._key)
        return order < 0 if order else self.text < other.text


@_remembered
def _semver(text: str) -> semver.Version:
    return semver.Version.parse(text)


class Alias(str):
    """A movable word for one version of a name, such as ``champion``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Alias:
        """Check an alias: ``[a-z][a-z0-9._-]{0,63}``, and no word that means something else."""
        if not _ALIAS.match(text):
            raise InvalidInput(f"bad alias {text!r}", hint="a lowercase letter, then letters, digits, '.', '_', '-'")
        if text in STAGE_WORDS or text in ("latest", "blake3"):
            raise InvalidInput(f"bad alias {text!r}: the word has a meaning of its own")
        return cls(text)


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


def name_prefix(kind: Kind, name: str) -> str:
    """The prefix of all record refs of a name (those of ``name/more`` too: check with ``parse_record_ref``)."""
    return f"{REF_ROOT}{kind.plural}/{name}/"


def gist(segment: str) -> str:
    """What segments of refs have in common that can't stand side by side: all but case and SemVer's ``+build``."""
    return segment.partition("+")[0].lower()


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
