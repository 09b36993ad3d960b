"""Which names and versions can't stand beside one another: they differ in case or in SemVer's build alone.

One rule (docs/format.md 4, "Case"), asked in two ways: by look-ups, of one new version; by a table, of many at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from pacha_git.errors import Conflict
from pacha_git.git.repo import GitRepository
from pacha_git.store import records
from pacha_git.vocabulary.ids import REF_ROOT, NameId, VersionId
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Name


def check_free(repo: GitRepository, version: VersionId) -> None:
    """Check that a version may be created.

    Raises:
        Conflict: it exists, one that differs only in ``+build`` does, or another name differs only in case.
    """
    if repo.ref(version.ref) is not None:
        raise taken(version)
    same = _same_but_for_build_or_case(repo, version)
    if same:
        raise Conflict(
            f"{version.name} has version {same} already, which SemVer orders the same",
            hint="change more than '+build' or case",
        )
    other = _other_case(repo, version.kind, version.name)
    if other:
        raise Conflict(f"there is {other} already, which differs from {version.name} only in case", hint=f"use {other}")


def taken(version: VersionId) -> Conflict:
    """Tell what to say of a version that exists."""
    return Conflict(
        f"{version.kind.noun} {version.name} {version.version} exists already",
        hint=f"give it another version; git pacha {version.kind.noun} get {version.spec} shows what is there",
    )


def _same_but_for_build_or_case(repo: GitRepository, version: VersionId) -> str | None:
    """Return a version of the name that can't be told apart."""
    prefix = NameId(version.kind, version.name).prefix
    alike = repo.alike_below(prefix, str(version.version))
    return next((other for other in sorted(alike) if repo.ref(prefix + other) is not None), None)


def _other_case(repo: GitRepository, kind: Kind, name: Name) -> str | None:
    """Return a name that begins like this one, but in other letters."""
    root = above = f"{REF_ROOT}{kind.plural}/"
    for segment in name.split("/"):
        spellings = repo.alike_below(above, segment)
        if segment not in spellings:
            return above[len(root) :] + min(spellings) if spellings else None
        above += f"{segment}/"  # it exists as it is, so up to here nothing can differ from it
    return None


class Spellings:
    """The names and versions that are taken, each entered in turn."""

    def __init__(self) -> None:
        self._prefixes: dict[tuple[Kind, str], str] = {}
        self._builds: dict[tuple[Kind, str, str], VersionId] = {}

    def enter(self, version: VersionId) -> str:
        """Take a version's spelling; says what it clashes with, empty if nothing."""
        segments = version.name.split("/")
        for count in range(1, len(segments) + 1):
            prefix = "/".join(segments[:count])
            taken = self._prefixes.setdefault((version.kind, prefix.lower()), prefix)
            if taken != prefix:
                return f"{taken} is here, which differs only in case"
        key = (version.kind, str(version.name), version.version.without_build.lower())
        other = self._builds.setdefault(key, version)
        return "" if other == version else f"{other} is here, which differs only in build or case"


def clashes(repo: GitRepository, fresh: Iterable[VersionId]) -> dict[VersionId, str]:
    """Find which of these new versions can't be beside what is here, or beside one another, and why."""
    spellings = Spellings()
    for known, _ in records.all_versions(repo):
        spellings.enter(known)
    return {version: why for version in fresh if (why := spellings.enter(version))}
