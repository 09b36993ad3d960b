"""The tree of a payload commit: built from the manifest's lines, so that it can be rebuilt and compared anywhere.

It knows trees and manifests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from typing import Final, TypeAlias

from pacha_git.chunking.layout import Grouper, Layout
from pacha_git.format.commits import payload_commit
from pacha_git.format.manifest import FileLine, encode_tree_name, sorted_lines
from pacha_git.gitobjects.oid import Oid, git_oid
from pacha_git.gitobjects.trees import EXECUTABLE_MODE, FILE_MODE, TREE_MODE, tree_bytes
from pacha_git.vocabulary.address import Address

AddObject = Callable[[str, bytes], Oid]
"""Writes (or only names) an object of a type; returns its oid."""

_Entry: TypeAlias = tuple[str, bytes, Oid]
MANIFEST: Final = b"manifest"


def name_only(kind: str, body: bytes) -> Oid:
    """Return an ``AddObject`` that writes nothing: for checking what somebody else wrote."""
    return git_oid(kind, body)


def group_tree(chunks: Sequence[tuple[int, Oid]]) -> bytes:
    """Return the body of a group's tree: (size, oid) of its chunks in order, each named by its offset in the group."""
    entries: list[_Entry] = []
    offset = 0
    for size, oid in chunks:
        entries.append((FILE_MODE, _offset_name(offset), oid))
        offset += size
    return tree_bytes(entries)


def _offset_name(offset: int) -> bytes:
    return f"{offset:012x}".encode("ascii")


class Groups:
    """Gathers the chunks of one file, as they are stored, into group trees."""

    def __init__(self, layout: Layout, add: AddObject) -> None:
        self._grouper = Grouper(layout)
        self._add = add
        self._open: list[tuple[int, Oid]] = []
        self._parts: list[tuple[Oid, int]] = []

    def push(self, oid: Oid, size: int) -> None:
        """Take the next chunk."""
        self._open.append((size, oid))
        if self._grouper.push(oid.raw):
            self._close()

    def end(self) -> tuple[tuple[Oid, int], ...]:
        """Oid and size of every group's tree."""
        if self._open:
            self._close()
        return tuple(self._parts)

    def _close(self) -> None:
        self._parts.append((self._add("tree", group_tree(self._open)), sum(size for size, _ in self._open)))
        self._open = []


def file_tree(parts: Iterable[tuple[Oid, int]]) -> bytes:
    """The body of a chunked file's tree: (oid, size) of its groups in order, each named by its offset in the file."""
    entries: list[_Entry] = []
    offset = 0
    for oid, size in parts:
        entries.append((TREE_MODE, _offset_name(offset), oid))
        offset += size
    return tree_bytes(entries)


def payload_tree(lines: Iterable[FileLine], manifest: bytes, add: AddObject) -> Oid:
    """Write all upper trees of a payload (group trees are there already).

    Args:
        lines: The manifest's lines, with parts.
        manifest: Its bytes.
        add: Writes or names an object.

    Returns:
        The oid of the payload commit's tree.
    """
    blobs, chunked = _Trees(add), _Trees(add)
    for line in sorted_lines(lines):
        assert line.parts is not None
        if line.stored == "blob":
            blobs.put(line.path, EXECUTABLE_MODE if line.mode == "755" else FILE_MODE, line.parts[0][0])
        else:
            chunked.put(line.path, TREE_MODE, add("tree", file_tree(line.parts)))
    entries = [(FILE_MODE, MANIFEST, add("blob", manifest))]
    for name, trees in ((b"blobs", blobs), (b"chunked", chunked)):
        root = trees.end()
        if root is not None:
            entries.append((TREE_MODE, name, root))
    return add("tree", tree_bytes(entries))


class _Trees:
    """The trees above files that come sorted by path: what is below a folder comes in one run, and then it is written.

    So only the folders above one file are in memory, however many there are.
    """

    def __init__(self, add: AddObject) -> None:
        self._add = add
        self._folder = ""
        self._segments: list[str] = []
        self._open: list[list[_Entry]] = [[]]

    def put(self, path: str, mode: str, oid: Oid) -> None:
        folder, _, name = path.rpartition("/")
        if folder != self._folder:
            self._go_to(folder)
        self._open[-1].append((mode, encode_tree_name(name), oid))

    def _go_to(self, folder: str) -> None:
        segments = folder.split("/") if folder else []
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self._segments, segments, strict=False)))
        while len(self._segments) > same:
            self._close()
        for segment in segments[same:]:
            self._segments.append(segment)
            self._open.append([])
        self._folder = folder

    def _close(self) -> None:
        """Write the innermost open folder, and name it in the one above."""
        oid = self._add("tree", tree_bytes(self._open.pop()))
        self._open[-1].append((TREE_MODE, encode_tree_name(self._segments.pop()), oid))

    def end(self) -> Oid | None:
        """Write what is open; returns the root, None if nothing was put."""
        self._go_to("")
        return self._add("tree", tree_bytes(self._open[0])) if self._open[0] else None


def payload_commit_oid(tree: Oid, address: Address) -> Oid:
    """Return the oid that the payload commit of this tree and address has, everywhere."""
    return git_oid("commit", payload_commit(tree, address))
