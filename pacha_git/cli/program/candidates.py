"""What can be filled in: names, versions, runs and remotes of the registry, and the words that there are few of.

It knows what stands for what; where in a line the cursor is, it is told. What can't be looked up is not offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pacha_git import KIND_WORDS, VERSIONED_KINDS, Kind, PachaError, Stage
from pacha_git.cli.program import shells

if TYPE_CHECKING:
    from pacha_git import Registry, VersionInfo

_STATUSES: Final = ("cancelled", "completed", "failed")


@dataclass(frozen=True, slots=True)
class Blank:
    """What is to be filled in.

    Attributes:
        what: The word that help shows for it, as in SPEC.
        flag: The flag whose value it is; empty for an argument.
        command: The words of the command, noun first.
        said: The arguments before it.
        folder: What ``--registry`` said.
    """

    what: str
    flag: str
    command: tuple[str, ...]
    said: tuple[str, ...]
    folder: str | None

    def open(self) -> Registry:
        """Return the registry that the line means."""
        from pacha_git import Registry

        return Registry.open(Path(self.folder) if self.folder else None)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Of what kind a version named here is: as the flag says, else the noun; else it may be any."""
        said = KIND_WORDS.get(self.flag.lstrip("-")) or KIND_WORDS.get(self.command[0] if self.command else "")
        return (said,) if said in VERSIONED_KINDS else tuple(VERSIONED_KINDS)


def offered(blank: Blank, word: str) -> Iterable[str]:
    """Tell what can stand in a blank whose beginning is ``word``."""
    try:
        return list(_OFFERS.get(blank.what, _nothing)(blank, word))
    except PachaError:
        return []


def _nothing(blank: Blank, word: str) -> Iterable[str]:
    return ()


def _specs(blank: Blank, word: str) -> Iterable[str]:
    """Names, after an ``@`` or ``:`` the versions of that name; with a kind before it, of that kind."""
    head, colon, rest = word.partition(":")
    if colon and KIND_WORDS.get(head) in VERSIONED_KINDS:
        return [f"{head}:{spec}" for spec in _specs_of((KIND_WORDS[head],), blank, rest)]
    return _specs_of(blank.kinds, blank, word)


def _specs_of(kinds: Iterable[Kind], blank: Blank, word: str) -> Iterable[str]:
    sign = "@" if "@" in word else ":"
    name, parted, _ = word.partition(sign)
    if not parted:
        registry = blank.open()
        return [info.name for kind in kinds for info in registry.collection(kind).list()]
    found = _versions(kinds, blank, name)
    words = _decided(found) if sign == "@" else {info.version for info in found}
    return [f"{name}{sign}{each}" for each in words]


def _versions(kinds: Iterable[Kind], blank: Blank, name: str) -> list[VersionInfo]:
    registry, found = blank.open(), []
    for kind in kinds:
        try:
            found += registry.collection(kind).list(name)
        except PachaError:
            continue  # another kind has the name
    return found


def _decided(found: Iterable[VersionInfo]) -> set[str]:
    """Tell what may follow an ``@``."""
    return {word for info in found for word in (info.version, info.stage, *info.aliases, "latest")}


def _after_v(blank: Blank, word: str) -> Iterable[str]:
    """Tell what may follow ``-v``: what follows ``@``, but nothing for a version that is yet to come."""
    if "register" in blank.command or not blank.said:
        return ()
    kinds = (Kind.RECIPE,) if blank.command[0] == "run" else blank.kinds
    return _decided(_versions(kinds, blank, blank.said[0]))


def _names(blank: Blank, word: str) -> Iterable[str]:
    return () if "@" in word or ":" in word else _specs_of(blank.kinds, blank, word)


def _aliases(blank: Blank, word: str) -> Iterable[str]:
    return {alias for info in _versions(blank.kinds, blank, blank.said[0]) for alias in info.aliases}


def _recipes(blank: Blank, word: str) -> Iterable[str]:
    return _specs_of((Kind.RECIPE,), blank, word)


def _relations(blank: Blank, word: str) -> Iterable[str]:
    """Relations, and after the ``=`` what can stand in one."""
    from pacha_git import RELATIONS

    relation, equals, spec = word.partition("=")
    if not equals:
        return [f"{each}=" for each in RELATIONS]
    kind = RELATIONS.get(relation)
    found = _specs_of((kind,), blank, spec) if kind else _specs(blank, spec)
    return [f"{relation}={each}" for each in found]


def _runs(blank: Blank, word: str) -> Iterable[str]:
    return [run.id for run in blank.open().runs.list()]


def _remotes(blank: Blank, word: str) -> Iterable[str]:
    return [name for name, _ in blank.open().remotes()]


def _remotes_and_specs(blank: Blank, word: str) -> Iterable[str]:
    return [*_remotes(blank, word), *_specs(blank, word)]


# What stands where: arguments and values of flags are told apart by the word that help shows for them.
_OFFERS: Final[dict[str, Callable[[Blank, str], Iterable[str]]]] = {
    "SPEC": _specs,
    "SPEC|FILE.toml": _specs,
    "VERSION": _after_v,
    "NAME": _names,
    "ALIAS": _aliases,
    "RECIPE": _recipes,
    "RELATION=SPEC": _relations,
    "ID": _runs,
    "REMOTE": _remotes,
    "[REMOTE] SPEC": _remotes_and_specs,
    "STAGE": lambda blank, word: [stage.value for stage in Stage],
    "STATUS": lambda blank, word: _STATUSES,
    "KIND": lambda blank, word: [kind.noun for kind in VERSIONED_KINDS],
    "SHELL": lambda blank, word: shells.SCRIPTS,
    "all|none": lambda blank, word: ("all", "none"),
    "FORMAT": lambda blank, word: ("dot", "json", "mermaid", "prov", "tree"),
}
