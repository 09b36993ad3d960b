"""Checks a payload commit against the record it belongs to: form, tree, manifest, every byte.

It trusts nothing that it reads; whoever wrote it may have been hostile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

import blake3

from pacha_git.errors import Corrupt, VerificationFailed
from pacha_git.format.commits import payload_commit
from pacha_git.format.manifest import FileLine, decode_manifest
from pacha_git.format.record import Content, check_content
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import parse_tree
from pacha_git.store.payload.reader import Payload, group_pieces
from pacha_git.store.payload.tree import name_only, payload_tree
from pacha_git.vocabulary.address import Address

MANIFEST_LIMIT: Final = 256 << 20

FileKey: TypeAlias = tuple[str, str, tuple[tuple[Oid, int], ...] | None]
"""What two files have in common if they are the same bytes in the same objects: BLAKE3, how they are stored, parts."""


def key_of(line: FileLine) -> FileKey:
    """Return the key of a file."""
    return line.blake3, line.stored, line.parts


def check_payload(
    repo: GitRepository,
    commit: Oid,
    content: Content,
    *,
    fast: bool = False,
    progress: Callable[[int], None] | None = None,
    seen: Callable[[Oid, bytes], None] | None = None,
    sound: Container[FileKey] = frozenset(),
) -> None:
    """Check that a payload commit is what a record's content says.

    Args:
        repo: Where it lies.
        commit: The payload commit.
        content: What the record says of it.
        fast: Check its form and trees, and read no chunk.
        progress: Is told how many bytes were hashed so far.
        seen: Is shown every chunk and whole file as it is read.
        sound: Files that were just hashed, and need not be again.

    Raises:
        NotFound: an object is missing.
        Corrupt, VerificationFailed: with what is wrong.
    """
    address = Address.parse(content.address)
    if repo.read_as(commit, "commit") != payload_commit(Oid(content.tree), address):
        raise Corrupt(f"payload commit {commit} is not the one that the record spells")
    payload = Payload(repo, content)
    _check_tree(repo, payload)
    if fast:
        return
    done = 0
    for oid, block in _checked_blocks(repo, [line for line in payload.lines if key_of(line) not in sound]):
        done += len(block)
        if seen is not None:
            seen(oid, block)
        if progress is not None:
            progress(done)


def _check_tree(repo: GitRepository, payload: Payload) -> None:
    """The manifest must be the record's, and the tree exactly what the manifest spells."""
    content = payload.content
    manifest = repo.read_as(Oid(content.manifest), "blob")
    if len(manifest) > MANIFEST_LIMIT:
        raise Corrupt(f"a manifest of {len(manifest)} bytes")
    lines = decode_manifest(manifest)
    check_content(content, lines)
    if payload_tree(lines, manifest, name_only) != content.tree:
        raise VerificationFailed("the tree of the payload is not what its manifest spells")


class _Expected(NamedTuple):
    """One piece of a file, as the manifest and the tree of its group announce it; the file may end with it."""

    oid: Oid
    size: int
    ends: bool


def _checked_blocks(repo: GitRepository, lines: Sequence[FileLine]) -> Iterator[tuple[Oid, bytes]]:
    """Read and hash files; every group's tree must be contiguous, every chunk as long as the tree says.

    They are read ahead as one stream: to begin anew for each of many small files would take longer than to read it.
    """
    ahead: deque[_Expected] = deque()
    stream = repo.read_blobs(_noted((piece for line in lines for piece in _pieces_of(repo, line)), ahead))
    for line in lines:
        digest = blake3.blake3()
        for block in stream:
            piece = ahead.popleft()
            if len(block) != piece.size:
                raise VerificationFailed(f"a chunk of {line.path} has {len(block)} bytes instead of {piece.size}")
            digest.update(block)
            yield piece.oid, block
            if piece.ends:
                break
        if digest.hexdigest() != line.blake3:
            raise VerificationFailed(f"the bytes of {line.path} are not what the record says (BLAKE3 differs)")


def _noted(pieces: Iterable[_Expected], ahead: deque[_Expected]) -> Iterator[Oid]:
    for piece in pieces:
        ahead.append(piece)
        yield piece.oid


def _pieces_of(repo: GitRepository, line: FileLine) -> Iterator[_Expected]:
    """Yield every piece of a file, group after group: a file may have more than memory should hold."""
    assert line.parts is not None
    if line.stored == "blob":
        yield _Expected(line.parts[0][0], line.size, ends=True)
        return
    for number, (group, size) in enumerate(line.parts, 1):
        pieces = pieces_of_group(repo, group, size)
        for count, (oid, length) in enumerate(pieces, 1):
            yield _Expected(oid, length, ends=number == len(line.parts) and count == len(pieces))


def pieces_of_group(repo: GitRepository, group: Oid, size: int) -> list[tuple[Oid, int]]:
    """Return the oid and size of every chunk of a group that the manifest says has ``size`` bytes.

    Raises:
        NotFound, Corrupt: its tree is missing, or none.
    """
    pieces = group_pieces(parse_tree(repo.read_as(group, "tree")), group)
    until = [piece.offset for piece in pieces[1:]] + [size]
    if until[-1] <= pieces[-1].offset:
        raise Corrupt(f"tree {group} has more than the {size} bytes that the manifest gives it")
    return [(piece.oid, end - piece.offset) for piece, end in zip(pieces, until, strict=True)]
