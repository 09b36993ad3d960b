"""Finds the objects among what arrived that must not come among ours, and which tips reach them.

Git's own check ends at the first object that it refuses and takes nothing; here the rest is still taken. Only objects
that arrived are looked at, so the work is in proportion to what came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.git.repo import GitRepository
from pacha_git.git.side import Side
from pacha_git.gitobjects.commits import split_commit
from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import parse_tree
from pacha_git.system.process import CommandFailed

_REFUSED: Final = re.compile(r"^error in (?:commit|tree|blob|tag) ([0-9a-f]{40}): (.*)$", re.MULTILINE)


def faults(side: Side, most: int, *, git_refused: bool) -> dict[Oid, str]:
    """Return the objects that arrived and must not stay, each with what is wrong.

    Args:
        side: Where they are.
        most: Bytes of the largest object that may stay.
        git_refused: Git's own check refused one of them: which, is found out here.

    Raises:
        Corrupt: an object can't be read.
    """
    found = dict.fromkeys(side.larger_than(most), f"an object of over {most >> 20} MiB")
    if git_refused:
        found |= _refused_by_git(side)
    return found


def _refused_by_git(side: Side) -> dict[Oid, str]:
    # Apart from the registry's own objects, which would take as long as all of it to check.
    alone = side.path / "alone"
    for folder in ("objects", "refs"):
        (alone / folder).mkdir(parents=True, exist_ok=True)
    (alone / "HEAD").write_text("ref: refs/heads/main\n")
    (alone / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
    packs = alone / "objects/pack"
    if not packs.exists():
        packs.symlink_to(Path("../../objects/pack"))
    try:
        GitRepository(alone).git("fsck", "--full", "--strict", "--no-dangling", "--no-progress")
    except CommandFailed as error:
        return {Oid(oid): f"object {oid[:12]}: Git refuses it ({why})" for oid, why in _REFUSED.findall(error.stderr)}
    return {}


def tainted(side: Side, tips: Iterable[Oid], bad: Mapping[Oid, str]) -> dict[Oid, str]:
    """Return those of the tips that reach a bad object among what arrived, each with what is wrong."""
    if not bad:
        return {}
    arrived = frozenset(side.arrived())
    why: dict[Oid, str] = {**dict.fromkeys(arrived, ""), **bad}
    done = set(bad)
    for tip in tips:
        _settle(side.repo, tip, arrived, why, done)
    return {tip: why[tip] for tip in tips if why.get(tip)}


def _settle(objects: GitRepository, tip: Oid, arrived: frozenset[Oid], why: dict[Oid, str], done: set[Oid]) -> None:
    """Find out for a tip, and for all that it reaches among what arrived, whether something there is bad."""
    stack: list[tuple[Oid, list[Oid] | None]] = [(tip, None)]
    while stack:
        oid, below = stack.pop()
        if below is not None:
            why[oid] = why[oid] or next((why[each] for each in below if why.get(each)), "")
            continue
        if oid in done or oid not in arrived:
            continue
        done.add(oid)
        try:
            named = [each for each in _named(objects, oid) if each in arrived]
        except PachaError as error:
            why[oid] = error.message
            continue
        stack.append((oid, named))
        stack += [(each, None) for each in named]


def _named(objects: GitRepository, oid: Oid) -> list[Oid]:
    """Return the objects that an object names."""
    kind, body = objects.read(oid)
    if kind == "commit":
        commit = split_commit(body)
        return [commit.tree, *commit.parents]
    return [entry.oid for entry in parse_tree(body)] if kind == "tree" else []
