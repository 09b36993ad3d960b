"""Which names and versions can't stand beside one another: they differ in case or in SemVer's build alone."""

from __future__ import annotations

from collections.abc import Iterable

from pacha_git.git.repo import GitRepository
from pacha_git.store import records
from pacha_git.vocabulary.ids import VersionId
from pacha_git.vocabulary.kinds import Kind


def name_clash(repo: GitRepository, fresh: Iterable[VersionId]) -> dict[VersionId, str]:
    """Which of these new versions can't be beside what is here, or beside one another, and why."""
    spellings: dict[tuple[Kind, str], str] = {}
    builds: dict[tuple[Kind, str, str], VersionId] = {}
    for known, _ in records.all_versions(repo):
        _take_spelling(known, spellings, builds)
    return {version: why for version in fresh if (why := _take_spelling(version, spellings, builds))}


def _take_spelling(
    version: VersionId, spellings: dict[tuple[Kind, str], str], builds: dict[tuple[Kind, str, str], VersionId]
) -> str:
    """Enter a version among those taken; says what it clashes with, if anything."""
    segments = version.name.split("/")
    for count in range(1, len(segments) + 1):
        prefix = "/".join(segments[:count])
        taken = spellings.setdefault((version.kind, prefix.lower()), prefix)
        if taken != prefix:
            return f"{taken} is here, which differs only in case"
    key = (version.kind, str(version.name), version.version.without_build.lower())
    other = builds.setdefault(key, version)
    return "" if other == version else f"{other} is here, which differs only in build or case"
