"""Reads the bytes of a payload: whole files, or any range of one without reading the rest.

It knows manifests and trees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import blake3

from pacha_git.errors import REPAIR, Corrupt, InvalidInput, NotFound, VerificationFailed
from pacha_git.format.manifest import FileLine, decode_manifest
from pacha_git.format.record import Content
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import FILE_MODE, TreeEntry, parse_tree
from pacha_git.inspectors.seekable import SeekableFile

_HEX_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a file's bytes: where it begins in the file, and the blob that has it."""

    offset: int
    oid: Oid


class Payload:
    """The payload of one record, which must be here.

    Args:
        repo: Where it lies.
        content: What the record says of it.
    """

    def __init__(self, repo: GitRepository, content: Content) -> None:
        self._repo = repo
        self.content = content
        self._groups: dict[Oid, tuple[Piece, ...]] = {}

    @cached_property
    def lines(self) -> tuple[FileLine, ...]:
        """The manifest.

        Raises:
            NotFound, Corrupt: it is not here, or can't be right.
        """
        return tuple(decode_manifest(self._repo.read_as(Oid(self.content.manifest), "blob")))

    def line(self, path: str | None) -> FileLine:
        """One file; None is the only one.

        Raises:
            NotFound: there is no such file.
            InvalidInput: there are several, and none was named.
        """
        lines = self.lines
        if path is None:
            if len(lines) == 1:
                return lines[0]
            names = ", ".join(line.path for line in lines[:5])
            raise InvalidInput(f"{len(lines)} files, and none named", hint=f"name one after a ':', of {names} …")
        for line in lines:
            if line.path == path:
                return line
        near = [line.path for line in lines if line.path.endswith("/" + path)] or [line.path for line in lines]
        raise NotFound(
            f"no file {path!r} in it", hint="it has " + ", ".join(near[:5]) + (" …" if len(near) > 5 else "")
        )

    def pieces(self, line: FileLine, start: int = 0, end: int | None = None) -> Iterator[Piece]:
        """The blobs that hold bytes ``start`` to ``end`` (excluded) of a file; only the groups needed are read."""
        end = line.size if end is None else min(end, line.size)
        assert line.parts is not None
        if line.stored == "blob":
            yield Piece(0, line.parts[0][0])
            return
        offset = 0
        for oid, size in line.parts:
            if offset < end and offset + size > start:
                yield from self._pieces_within(oid, offset, size, start, end)
            offset += size

    def _pieces_within(self, group: Oid, offset: int, size: int, start: int, end: int) -> Iterator[Piece]:
        pieces = self._group(group)
        ends = [piece.offset for piece in pieces[1:]] + [size]
        for piece, until in zip(pieces, ends, strict=True):
            if offset + piece.offset < end and offset + until > start:
                yield Piece(offset + piece.offset, piece.oid)

    def _group(self, oid: Oid) -> tuple[Piece, ...]:
        found = self._groups.get(oid)
        if found is None:
            found = group_pieces(parse_tree(self._repo.read_as(oid, "tree")), oid)
            if len(self._groups) > 64:
                self._groups.clear()  # bounded whatever is read; in order, each is asked for once
            self._groups[oid] = found
        return found

    def blocks(self, line: FileLine) -> Iterator[bytes]:
        """Return all bytes of a file, chunk by chunk, checked against its BLAKE3 when the last one was handed out.

        Raises:
            VerificationFailed: they are not what the manifest says.
            NotFound, Corrupt: an object is missing or damaged.
        """
        return _checked(line, self._repo.read_blobs(piece.oid for piece in self.pieces(line)))

    def files(self) -> Iterator[tuple[FileLine, Iterator[bytes]]]:
        """Yield every file with its blocks, as ``blocks`` gives them; all blocks of one must be taken before the next.

        They are read ahead as one stream: to begin anew for each of many small files would take longer than to read it.
        """
        stream = self._repo.read_blobs(piece.oid for line in self.lines for piece in self.pieces(line))
        for line in self.lines:
            yield line, _checked(line, stream)

    def block(self, piece: Piece) -> bytes:
        """Return the bytes of one piece."""
        return self._repo.read_as(piece.oid, "blob")

    def range(self, line: FileLine, start: int, end: int) -> Iterator[bytes]:
        """Bytes ``start`` to ``end`` (excluded) of a file; each chunk is checked against its oid."""
        pieces = list(self.pieces(line, start, end))
        for piece, block in zip(pieces, self._repo.read_blobs(piece.oid for piece in pieces), strict=True):
            yield block[max(0, start - piece.offset) : max(0, end - piece.offset)]


def _checked(line: FileLine, stream: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the blocks of one file off a stream, checked when the last one was handed out."""
    digest = blake3.blake3()
    size = 0
    for block in stream:
        digest.update(block)
        size += len(block)
        yield block
        if size >= line.size:
            break
    if size != line.size or digest.hexdigest() != line.blake3:
        raise VerificationFailed(
            f"the stored bytes of {line.path} are not what the record says",
            hint=REPAIR,
        )


def group_pieces(entries: Iterable[TreeEntry], oid: Oid) -> tuple[Piece, ...]:
    """Read a group's tree.

    Raises:
        Corrupt: it has something else than blobs named by their offsets, ascending from 0.
    """
    pieces: list[Piece] = []
    for entry in entries:
        offset = offset_of(entry.name)
        if entry.mode != FILE_MODE or offset is None or (offset <= pieces[-1].offset if pieces else offset != 0):
            raise Corrupt(f"tree {oid} is no group of chunks: it has {entry.name[:60]!r}")
        pieces.append(Piece(offset, entry.oid))
    if not pieces:
        raise Corrupt(f"tree {oid} is no group of chunks: it is empty")
    return tuple(pieces)


def offset_of(name: bytes) -> int | None:
    """Return the offset that a tree entry's name spells; None if it spells none."""
    if len(name) != _HEX_DIGITS or name.lower() != name:
        return None
    try:
        return int(name, 16)
    except ValueError:
        return None


class PayloadFile(SeekableFile):
    """One file of a payload as a seekable stream; reads the chunks that it needs and keeps the last one."""

    def __init__(self, payload: Payload, line: FileLine) -> None:
        super().__init__(line.size)
        self._payload = payload
        self._line = line
        self._block: tuple[int, bytes] = (0, b"")

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read up to the end of the chunk that the position is in."""
        view = memoryview(buffer).cast("B")
        if self._position >= self._line.size or not len(view):
            return 0
        start, block = self._block
        if not start <= self._position < start + len(block):
            start, block = self._block = self._load(self._position)
        piece = block[self._position - start : self._position - start + len(view)]
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _load(self, position: int) -> tuple[int, bytes]:
        piece = next(self._payload.pieces(self._line, position, position + 1))
        return piece.offset, self._payload.block(piece)
