"""The documents that a push would bring into a repository of code: those that its branches and tags do not have yet.

Cherry-pick, rebase and fast-forward run no hook of the client that could look; a push always runs this one. It knows
refs, trees and quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pacha_git.hooks.links import Entry, resolved
from pacha_git.hooks.receive import Move
from pacha_git.hooks.worktree import blobs
from pacha_git.system.process import CommandFailed, run

_COMPARED: Final = 50


def read_pushed(
    moves: Iterable[Move], suffixes: tuple[str, ...], inherited: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """Yield the bytes of files that a push adds or changes, each once, by their paths.

    Args:
        moves: What the push would do.
        suffixes: In lower case; other files are passed by.
        inherited: What Git told the hook through its environment: the repository, and where the new objects are.
    """
    known: set[tuple[str, bytes]] | None = None
    seen: set[tuple[str, bytes]] = set()
    for move in moves:
        if move.new is None:
            continue
        entries = _tree(move.new, inherited)
        if move.old is not None:
            before = {(path, entry.oid) for path, entry in _tree(move.old, inherited).items()}
        else:
            known = _of_branches(inherited) if known is None else known
            before = known
        changed = {path for path, entry in entries.items() if (path, entry.oid) not in before}
        found = resolved(entries, changed, suffixes, lambda oid: next(blobs([oid], inherited)))
        wanted = [each for each in found if each not in seen]
        seen.update(wanted)
        yield from zip((path for path, _ in wanted), blobs([oid for _, oid in wanted], inherited), strict=True)


def _of_branches(inherited: Mapping[str, str]) -> set[tuple[str, bytes]]:
    """Tell what the branches have now: a new one is compared with them."""
    listed = run(
        [
            "git",
            "for-each-ref",
            f"--count={_COMPARED}",
            "--sort=-committerdate",
            "--format=%(objectname)",
            "refs/heads",
        ],
        env=inherited,
    ).stdout.decode()
    return {(path, entry.oid) for tip in listed.split() for path, entry in _tree(tip, inherited).items()}


def _tree(tip: str, inherited: Mapping[str, str]) -> dict[str, Entry]:
    """Return every file of a commit by its path; nothing for what has no files, such as a tag of a blob."""
    try:
        listed = run(["git", "ls-tree", "-r", "-z", "--full-tree", f"{tip}^{{commit}}"], env=inherited).stdout
    except CommandFailed:
        return {}
    found: dict[str, Entry] = {}
    for line in listed.split(b"\0"):
        head, _, path = line.partition(b"\t")
        if path:
            mode, _, oid = head.split(b" ")
            found[path.decode("utf-8", "surrogateescape")] = Entry(mode, oid)
    return found
