"""The tree of a payload commit: built from the manifest's lines, so that it can be rebuilt and compared anywhere.

It knows trees and manifests; where the bytes came from, and who wants them, it refuses to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from pacha_git.git.trees import EXECUTABLE_MODE, FILE_MODE, TREE_MODE
from pacha_git.names import Address, Oid
from pacha_git.schema.commit import git_oid, payload_commit, tree_bytes
from pacha_git.schema.manifest import FileLine, tree_path

AddObject = Callable[[str, bytes], Oid]
"""Writes (or only names) an object of a type; returns its oid."""

_Folder: TypeAlias = "dict[bytes, tuple[str, Oid] | _Folder]"
MANIFEST: Final = b"manifest"


def name_only(kind: str, body: bytes) -> Oid:
    """An ``AddObject`` that writes nothing: for checking what somebody else wrote."""
    return git_oid(kind, body)


def group_tree(chunks: Sequence[tuple[int, Oid]]) -> bytes:
    """The body of a group's tree: (size, oid) of its chunks in order, each named by its offset in the group."""
    entries: list[tuple[str, bytes, Oid]] = []
    offset = 0
    for size, oid in chunks:
        entries.append((FILE_MODE, _offset_name(offset), oid))
        offset += size
    return tree_bytes(entries)


def _offset_name(offset: int) -> bytes:
    return f"{offset:012x}".encode("ascii")


def file_tree(parts: Iterable[tuple[Oid, int]]) -> bytes:
    """The body of a chunked file's tree: (oid, size) of its groups in order, each named by its offset in the file."""
    entries: list[tuple[str, bytes, Oid]] = []
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
    blobs: _Folder = {}
    chunked: _Folder = {}
    for line in lines:
        assert line.parts is not None
        if line.stored == "blob":
            mode = EXECUTABLE_MODE if line.mode == "755" else FILE_MODE
            _put(blobs, tree_path(line.path), (mode, line.parts[0][0]))
        else:
            _put(chunked, tree_path(line.path), (TREE_MODE, add("tree", file_tree(line.parts))))
    entries = [(FILE_MODE, MANIFEST, add("blob", manifest))]
    for name, folder in ((b"blobs", blobs), (b"chunked", chunked)):
        if folder:
            entries.append((TREE_MODE, name, _add_folder(folder, add)))
    return add("tree", tree_bytes(entries))


def _put(folder: _Folder, segments: Sequence[bytes], leaf: tuple[str, Oid]) -> None:
    *above, name = segments
    for segment in above:
        below = folder.setdefault(segment, {})
        assert isinstance(below, dict)  # check_paths has refused a file and a folder of one path
        folder = below
    folder[name] = leaf


def _add_folder(folder: _Folder, add: AddObject) -> Oid:
    entries = [
        (TREE_MODE, name, _add_folder(item, add)) if isinstance(item, dict) else (item[0], name, item[1])
        for name, item in folder.items()
    ]
    return add("tree", tree_bytes(entries))


def payload_commit_oid(tree: Oid, address: Address) -> Oid:
    """The oid that the payload commit of this tree and address has, everywhere."""
    return git_oid("commit", payload_commit(tree, address))
