"""A notes ref as Git keeps it: a tree that fans out by the annotated oid, one blob of lines each, a commit a change.

It knows the tree; what a line means is the ledger's. Writers fan out 2/38; any fan-out is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from pacha_git.errors import Corrupt
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.commits import commit_bytes, split_commit
from pacha_git.gitobjects.oid import OID_DIGITS, Oid
from pacha_git.gitobjects.trees import FILE_MODE, TREE_MODE, TreeEntry, parse_tree, tree_bytes
from pacha_git.ledger.notes import merge_commit, parse_note, union

if TYPE_CHECKING:
    from pacha_git.git.changes import Changes

Notes = Mapping[Oid, bytes]

_HEX: Final = re.compile(rb"[0-9a-f]{1,%d}\Z" % OID_DIGITS)
_MOST_TREES: Final = 200_000


def read_notes(repo: GitRepository, tip: Oid | None) -> dict[Oid, bytes]:
    """Return every note of a notes commit, by the oid it annotates; nothing for None.

    Raises:
        Corrupt: the tree is not one of notes.
    """
    if tip is None:
        return {}
    return {annotated: _note(repo, blobs) for annotated, blobs in note_blobs(repo, tip).items()}


def read_note(repo: GitRepository, tip: Oid | None, annotated: Oid) -> bytes:
    """Return the note on one oid; empty if there is none."""
    if tip is None:
        return b""
    return _note(repo, tuple(blob for found, blob in _blobs(repo, tip) if found == annotated))


def note_blobs(repo: GitRepository, tip: Oid) -> dict[Oid, tuple[Oid, ...]]:
    """Give the blobs of every note, by the oid it annotates: several where the tree spells that oid more than once."""
    found: dict[Oid, tuple[Oid, ...]] = {}
    for annotated, blob in _blobs(repo, tip):
        found[annotated] = tuple(sorted({*found.get(annotated, ()), blob}))
    return found


def _note(repo: GitRepository, blobs: tuple[Oid, ...]) -> bytes:
    """Return the lines of a note; of several spellings the union, so that none of them hides another."""
    if len(blobs) == 1:
        return repo.read_as(blobs[0], "blob")
    return union(*(repo.read_as(blob, "blob") for blob in blobs)) if blobs else b""


def _blobs(repo: GitRepository, tip: Oid) -> Iterator[tuple[Oid, Oid]]:
    stack = [("", _tree_of(repo, tip))]
    for _ in range(_MOST_TREES):
        if not stack:
            return
        prefix, tree = stack.pop()
        for entry in parse_tree(repo.read_as(tree, "tree")):
            if not _HEX.match(entry.name):
                raise Corrupt(f"{tip} is no notes commit: it has {entry.name[:60]!r}")
            path = prefix + entry.name.decode("ascii")
            if entry.is_tree and len(path) < OID_DIGITS:
                stack.append((path, entry.oid))
            elif entry.mode == FILE_MODE and len(path) == OID_DIGITS:
                yield Oid(path), entry.oid
            else:
                raise Corrupt(f"{tip} is no notes commit: it has {path[:60]!r}")
    raise Corrupt(f"the notes at {tip} have over {_MOST_TREES} trees")


def _tree_of(repo: GitRepository, tip: Oid) -> Oid:
    return split_commit(repo.read_as(tip, "commit")).tree


def write_notes(
    repo: GitRepository, changes: Changes, tip: Oid | None, changed: Notes, *, identity: str, seconds: int, message: str
) -> Oid:
    """Write a notes commit on top of ``tip`` in which the notes of ``changed`` replace what was there.

    Args:
        repo: Where ``tip`` is read.
        changes: Where the new objects go.
        tip: The notes commit to build on; None for the first.
        changed: Annotated oid → the whole new note; empty to drop it.
        identity: ``Name <email>`` of author and committer.
        seconds: Since 1970.
        message: With its last line feed.

    Returns:
        The oid of the notes commit.
    """
    tree = _patched_tree(repo, changes, tip, changed)
    parents = [tip] if tip else []
    return changes.add(
        "commit", commit_bytes(tree=tree, parents=parents, identity=identity, seconds=seconds, message=message)
    )


def merge_tips(repo: GitRepository, changes: Changes, ours: Oid, theirs: Oid) -> Oid:
    """Return the deterministic merge of two notes commits: the union of their lines, whoever merges.

    Returns:
        ``ours`` or ``theirs`` where one descends from the other and has all its lines, else a new merge commit.
    """
    if ours == theirs:
        return ours
    mine, other = note_blobs(repo, ours), note_blobs(repo, theirs)
    # A tip that descends from the other is the merge, unless somebody deleted a line on the way: a line is never lost.
    if descends(repo, ours, theirs) and _covers(repo, mine, other):
        return ours
    if descends(repo, theirs, ours) and _covers(repo, other, mine):
        return theirs
    changed = {
        annotated: union(_note(repo, mine.get(annotated, ())), _note(repo, blobs))
        for annotated, blobs in other.items()
        if mine.get(annotated) != blobs
    }
    tree = (_patched_tree if _is_fanned(repo, ours) else _written_anew)(repo, changes, ours, changed)
    fields = merge_commit({tip: commit_seconds(repo, tip) for tip in (ours, theirs)})
    return changes.add(
        "commit",
        commit_bytes(
            tree=tree, parents=fields.parents, identity=fields.identity, seconds=fields.seconds, message=fields.message
        ),
    )


def commit_seconds(repo: GitRepository, tip: Oid) -> int:
    """Return the committer date of a commit, in seconds since 1970.

    Raises:
        Corrupt: it has none.
    """
    committer = split_commit(repo.read_as(tip, "commit")).committer
    seconds = committer.rsplit(" ", 2)[-2:-1]
    if not seconds or not seconds[0].isdigit():
        raise Corrupt(f"commit {tip} has no date")
    return int(seconds[0])


def only_gains(repo: GitRepository, older: Oid, newer: Oid) -> bool:
    """Tell whether every line of an older notes commit is in a newer one."""
    return _covers(repo, note_blobs(repo, newer), note_blobs(repo, older))


def _covers(repo: GitRepository, wider: Mapping[Oid, tuple[Oid, ...]], narrower: Mapping[Oid, tuple[Oid, ...]]) -> bool:
    """Tell whether no line of the narrower notes is missing in the wider ones (a deletion upstream must not win)."""
    for annotated, blobs in narrower.items():
        other = wider.get(annotated, ())
        if other == blobs:
            continue
        lines = set(parse_note(_note(repo, other)))
        if not lines.issuperset(parse_note(_note(repo, blobs))):
            return False
    return True


def descends(repo: GitRepository, tip: Oid, ancestor: Oid, limit: int = 100_000) -> bool:
    """Tell whether ``ancestor`` is in the history of ``tip`` (histories of notes are short, and cut at ``limit``)."""
    seen: set[Oid] = set()
    stack = [tip]
    while stack and len(seen) < limit:
        oid = stack.pop()
        if oid == ancestor:
            return True
        if oid not in seen:
            seen.add(oid)
            stack.extend(split_commit(repo.read_as(oid, "commit")).parents)
    return False


def _patched_tree(repo: GitRepository, changes: Changes, tip: Oid | None, changed: Notes) -> Oid:
    root = parse_tree(repo.read_as(_tree_of(repo, tip), "tree")) if tip else []
    if not all(entry.is_tree and len(entry.name) == 2 for entry in root):
        return _written_anew(repo, changes, tip, changed)
    top = {entry.name: entry for entry in root}
    by_fan: dict[bytes, dict[bytes, Oid | None]] = {}
    for annotated, note in changed.items():
        name = annotated.encode("ascii")
        by_fan.setdefault(name[:2], {})[name[2:]] = changes.add("blob", note) if note else None
    for fan, leaves in by_fan.items():
        old = parse_tree(repo.read_as(top[fan].oid, "tree")) if fan in top else []
        if any(entry.mode != FILE_MODE or len(entry.name) != 38 for entry in old):
            return _written_anew(repo, changes, tip, changed)
        merged = {entry.name: entry.oid for entry in old} | leaves
        kept = [(FILE_MODE, name, oid) for name, oid in merged.items() if oid is not None]
        top.pop(fan, None)
        if kept:
            top[fan] = TreeEntry(TREE_MODE, fan, changes.add("tree", tree_bytes(kept)))
    return changes.add("tree", tree_bytes(list(top.values())))


def _is_fanned(repo: GitRepository, tip: Oid) -> bool:
    """Whether all of a notes tree is spelled as we spell it: then who merges makes the same tree from either side."""
    root = parse_tree(repo.read_as(_tree_of(repo, tip), "tree"))
    if not all(entry.is_tree and len(entry.name) == 2 for entry in root):
        return False
    leaves = (leaf for entry in root for leaf in parse_tree(repo.read_as(entry.oid, "tree")))
    return all(leaf.mode == FILE_MODE and len(leaf.name) == 38 for leaf in leaves)


def _written_anew(repo: GitRepository, changes: Changes, tip: Oid | None, changed: Notes) -> Oid:
    """Somebody's other fan-out: write all of it as we write it, each oid spelled once."""
    every = {**read_notes(repo, tip), **changed}
    return _patched_tree(repo, changes, None, every)
