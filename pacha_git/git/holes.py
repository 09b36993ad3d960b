"""Finds what is missing from that which refs reach. It has never heard of a model.

Every commit and tree on the way is read and hashed; of blobs it is only asked whether they are here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from pacha_git.errors import Corrupt, NotFound, PachaError
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.commits import split_commit
from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import parse_tree

_LINK: Final = "160000"


class _Step(NamedTuple):
    oid: Oid
    rest: Iterator[Oid]


class Holes:
    """What is missing below the tips that were looked at.

    Attributes:
        missing: Objects that are not here or can't be read, in the order they were met.
    """

    def __init__(self, repo: GitRepository) -> None:
        self._repo = repo
        self._whole: dict[Oid, bool] = {}
        self.missing: dict[Oid, None] = {}

    def is_whole(self, tip: Oid) -> bool:
        """Tell whether a commit, tree or blob and all that it reaches are here."""
        found = self._whole.get(tip)
        if found is not None:
            return found
        steps = [_Step(tip, self._below(tip))]
        while steps:
            oid, rest = steps[-1]
            child = next((each for each in rest if each not in self._whole), None)
            if child is not None:
                self._whole[child] = True  # met; a cycle can't be, for each names the hash of the other
                steps.append(_Step(child, self._below(child)))
                continue
            steps.pop()
            if steps and not self._whole.get(oid, True):
                self._whole[steps[-1].oid] = False
            self._whole.setdefault(oid, True)
        return self._whole[tip]

    def _below(self, oid: Oid) -> Iterator[Oid]:
        """Return the commits and trees right below an object, its blobs being asked for at once."""
        try:
            kind, body = self._repo.read(oid)
        except (NotFound, Corrupt):
            self._lack(oid, oid)
            return iter(())
        try:
            if kind == "commit":
                commit = split_commit(body)
                return self._known(oid, [commit.tree, *commit.parents])
            if kind == "tree":
                entries = parse_tree(body)
                blobs = [entry.oid for entry in entries if not entry.is_tree and entry.mode != _LINK]
                for gone in self._repo.missing(blobs):
                    self._lack(oid, gone)
                return self._known(oid, [entry.oid for entry in entries if entry.is_tree])
        except PachaError:
            return iter(())  # what it means is for others to judge: it is here
        return iter(())

    def _known(self, oid: Oid, children: Iterable[Oid]) -> Iterator[Oid]:
        every = list(children)
        if any(self._whole.get(child) is False for child in every):
            self._whole[oid] = False
        return iter(every)

    def _lack(self, oid: Oid, gone: Oid) -> None:
        self._whole[oid] = False
        self.missing[gone] = None
