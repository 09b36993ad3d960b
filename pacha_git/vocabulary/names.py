"""Names and aliases: the grammar of docs/format.md 4. What is stored anywhere is no matter here."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import semver

from pacha_git.errors import InvalidInput
from pacha_git.vocabulary.kinds import KIND_WORDS
from pacha_git.vocabulary.stages import STAGE_WORDS

_SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_ALIAS: Final = re.compile(r"[a-z][a-z0-9._-]{0,63}\Z")
_WINDOWS_DEVICES: Final = frozenset(
    ["con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in "0123456789")]
)


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


@lru_cache(maxsize=256)
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


def gist(segment: str) -> str:
    """Tell what segments of refs have in common that can't stand side by side: all but case and SemVer's ``+build``."""
    return segment.partition("+")[0].lower()
