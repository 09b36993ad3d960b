"""Reads the arrays of an HDF5 file by walking its groups from object header to object header; numbers are passed by.

Groups whose links lie in a heap of their own (many, in the newest layout) are not followed, and that is said.
Format: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pacha_git.inspectors.facts import Facts, Tensor
from pacha_git.inspectors.source import Damaged, Source

_MOST_OBJECTS: Final = 20_000
_MOST_BLOCKS: Final = 64
_MOST_MESSAGES: Final = 2_000
_LARGEST_BLOCK: Final = 1 << 20
_LONGEST_NAME: Final = 1 << 10
_DATASPACE, _LINK_INFO, _DATATYPE, _LINK, _CONTINUED, _SYMBOLS = 1, 2, 3, 6, 16, 17
_INTEGER, _FLOAT, _TEXT, _COMPOUND, _ENUM, _VARIABLE = 0, 1, 3, 6, 8, 9


@dataclass(slots=True)
class _Hdf5:
    """A file under way: the width of its offsets and lengths, where it begins, and what was found."""

    source: Source
    offsets: int
    lengths: int
    base: int
    tensors: list[Tensor] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    groups: int = 0
    dense: int = 0

    def at(self, address: int, size: int) -> bytes:
        return self.source.at(self.base + address, size)

    def offset(self, data: bytes, at: int) -> int:
        return int.from_bytes(data[at : at + self.offsets], "little")


def read_hdf5(source: Source, without: Collection[str] = ()) -> Facts:
    """Read the arrays.

    Args:
        source: The file.
        without: Names of groups at its root whose arrays don't count.

    Raises:
        Damaged: it is cut short, or can't be followed.
    """
    head = source.some(0, 128)
    version = head[8] if len(head) > 8 else 255
    if version not in (0, 1, 2, 3):
        raise Damaged(f"a superblock of version {version}")
    width, lengths = (head[13], head[14]) if version < 2 else (head[9], head[10])
    first = {0: 24, 1: 28}.get(version, 12)
    if width not in (2, 4, 8) or lengths not in (2, 4, 8):
        raise Damaged("its superblock can't be read")
    base = int.from_bytes(head[first : first + width], "little")
    end = int.from_bytes(head[first + 2 * width : first + 3 * width], "little")
    if base + end > source.size:
        raise Damaged(f"cut short: it ends at {base + end}, the file at {source.size}")
    file = _Hdf5(source, width, lengths, base)
    # Of the older superblocks the root is an entry of a table, whose second field is the object header.
    root = file.offset(head, first + 5 * width if version < 2 else first + 3 * width)
    _follow(file, root, without)
    said: dict[str, Any] = {"superblock": version, "groups": file.groups}
    if file.dense:  # a count of some would be taken for a count of all
        return Facts("hdf5", None, {**said, "not_looked_at": f"{file.dense} groups with many links"})
    return Facts("hdf5", tuple(file.tensors), said)


def _follow(file: _Hdf5, root: int, without: Collection[str]) -> None:
    pending: list[tuple[int, bool]] = [(root, True)]
    while pending:
        address, is_root = pending.pop()
        if address in file.seen or len(file.seen) >= _MOST_OBJECTS:
            continue
        file.seen.add(address)
        messages = list(_messages(file, address))
        kinds = dict(messages)
        if _DATASPACE in kinds and _DATATYPE in kinds:
            file.tensors.append(Tensor(_dtype(kinds[_DATATYPE]), _shape(file, kinds[_DATASPACE])))
            continue
        file.groups += 1
        links = list(_links(file, messages))
        file.dense += not links and _has_heap(file, kinds.get(_LINK_INFO, b""))
        pending += [(child, False) for name, child in links if not (is_root and name in without)]


def _has_heap(file: _Hdf5, info: bytes) -> bool:
    """Tell whether the links of a group lie in a heap of their own."""
    at = 2 + (8 if info[1:2] and info[1] & 1 else 0)
    return len(info) >= at + file.offsets and info[at : at + file.offsets] != b"\xff" * file.offsets


# Messages of an object ------------------------------------------------------------------------------------------------


def _messages(file: _Hdf5, address: int) -> Iterator[tuple[int, bytes]]:
    """Kind and body of each message in an object header, in either of its versions."""
    start = file.at(address, 16)
    newer = start.startswith(b"OHDR")
    if newer:
        flags = start[5]
        at = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        head = file.at(address, at + width)
        blocks = [(address + at + width, int.from_bytes(head[at : at + width], "little"))]
    elif start[0] == 1:
        flags, blocks = 0, [(address + 16, int.from_bytes(start[8:12], "little"))]
    else:
        raise Damaged("an object in it can't be read")
    count = 0
    for number, (place, size) in enumerate(blocks):
        if size > _LARGEST_BLOCK or number >= _MOST_BLOCKS:
            raise Damaged("an object in it is larger than any tool writes it")
        for kind, body in _split(file.at(place, size), newer=newer, ordered=bool(flags & 4)):
            count += 1
            if count > _MOST_MESSAGES:
                raise Damaged("an object in it has too many messages")
            if kind == _CONTINUED:
                size = int.from_bytes(body[file.offsets : file.offsets + file.lengths], "little")
                # In the newer version a mark stands before the messages, and a check sum behind them.
                blocks.append((file.offset(body, 0) + (4 if newer else 0), max(0, size - (8 if newer else 0))))
            yield kind, body


def _split(block: bytes, *, newer: bool, ordered: bool) -> Iterator[tuple[int, bytes]]:
    head = (6 if ordered else 4) if newer else 8
    at = 0
    while at + head <= len(block):
        kind = block[at] if newer else int.from_bytes(block[at : at + 2], "little")
        size_at = at + (1 if newer else 2)
        size = int.from_bytes(block[size_at : size_at + 2], "little")
        # What is shared with other objects stands elsewhere.
        shared = block[at + (3 if newer else 4)] & 2
        yield kind, b"" if shared else block[at + head : at + head + size]
        at += head + size


def _shape(file: _Hdf5, body: bytes) -> tuple[int, ...]:
    if not body:
        return ()
    if len(body) < 4 or body[0] not in (1, 2):
        raise Damaged("a shape in it can't be read")
    start = 8 if body[0] == 1 else 4
    width = file.lengths
    if len(body) < start + body[1] * width:
        raise Damaged("a shape in it is cut short")
    return tuple(int.from_bytes(body[at : at + width], "little") for at in range(start, start + body[1] * width, width))


def _dtype(body: bytes) -> str:
    if len(body) < 8:
        return "?"  # named, and shared with other objects
    kind, bits = body[0] & 15, 8 * int.from_bytes(body[4:8], "little")
    if kind == _INTEGER:
        return f"{'int' if body[1] & 8 else 'uint'}{bits}"
    return {
        _FLOAT: f"float{bits}", _TEXT: "bytes", _COMPOUND: "record", _ENUM: "enum", _VARIABLE: "str",
    }.get(kind, f"type {kind}")  # fmt: skip


# Links of a group -----------------------------------------------------------------------------------------------------


def _links(file: _Hdf5, messages: list[tuple[int, bytes]]) -> Iterator[tuple[str, int]]:
    """Name and object of each hard link."""
    for kind, body in messages:
        if kind == _LINK:
            link = _link(file, body)
            if link is not None:
                yield link
        elif kind == _SYMBOLS and len(body) >= 2 * file.offsets:
            names = file.at(file.offset(body, file.offsets), 8 + 2 * file.lengths + file.offsets)
            if not names.startswith(b"HEAP"):
                raise Damaged("names in it can't be read")
            yield from _table(file, file.offset(body, 0), file.offset(names, 8 + 2 * file.lengths))


def _link(file: _Hdf5, body: bytes) -> tuple[str, int] | None:
    flags = body[1] if len(body) > 1 else 0
    at = 2
    if flags & 8:
        if body[at : at + 1] != b"\0":
            return None  # soft, or to another file
        at += 1
    at += (8 if flags & 4 else 0) + (1 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    length = int.from_bytes(body[at : at + width], "little")
    at += width
    return body[at : at + length].decode("utf-8", "replace"), file.offset(body, at + length)


def _table(file: _Hdf5, tree: int, names: int) -> Iterator[tuple[str, int]]:
    """Yield the entries of the tables that a tree leads to."""
    pending = [tree]
    entry = 2 * file.offsets + 24
    while pending:
        address = pending.pop()
        if address in file.seen or len(file.seen) >= _MOST_OBJECTS:
            continue
        file.seen.add(address)
        start = file.at(address, 8)
        count = int.from_bytes(start[6:8], "little")
        if start.startswith(b"TREE"):
            width = file.lengths + file.offsets
            keys = file.at(address + 8 + 2 * file.offsets, count * width + file.lengths)
            pending += [file.offset(keys, number * width + file.lengths) for number in range(count)]
        elif start.startswith(b"SNOD"):
            body = file.at(address + 8, count * entry)
            for at in range(0, count * entry, entry):
                name = file.source.some(file.base + names + file.offset(body, at), _LONGEST_NAME)
                yield name.split(b"\0", 1)[0].decode("utf-8", "replace"), file.offset(body, at + file.offsets)
        else:
            raise Damaged("a table of links in it can't be read")
