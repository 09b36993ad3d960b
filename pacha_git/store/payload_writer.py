"""Writes files as a payload: what is stored already is relied on, the rest goes straight into a pack.

It knows layouts, the side index and the tree; whose payload it is it refuses to know.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import blake3

from pacha_git.chunking.cutter import chunks
from pacha_git.chunking.layout import CURRENT, Grouper, Layout
from pacha_git.chunking.tensors import tensor_cuts
from pacha_git.git.changes import Changes
from pacha_git.git.keytable import KeyTable
from pacha_git.git.packstream import PackStream, Stored
from pacha_git.git.repo import GitRepository
from pacha_git.names import PAYLOAD_ROOT, Address, Oid
from pacha_git.schema.commit import git_oid, payload_commit
from pacha_git.schema.content import Content, make_content
from pacha_git.schema.manifest import FileLine, encode_manifest
from pacha_git.store.files import contents, digest_of, reader, reading, windows
from pacha_git.store.index import DedupIndex, KnownFile
from pacha_git.store.soundness import Soundness
from pacha_git.store.sources import SourceFile
from pacha_git.store.tree import group_tree, payload_tree

# Chunks of weights are 79,500 bytes on average; files that have a few more than are expected are the ones it pays for.
_MORE_THAN_MEAN_CHUNK: Final = 83_700


class Progress(Protocol):
    """Is told how many of how many bytes are done."""

    def __call__(self, what: str, done: int, total: int | None, unit: str = "bytes") -> None:
        """Report one step."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a version cost, in bytes: new as stored, new before compression, here already."""

    stored_bytes: int
    new_bytes: int
    shared_bytes: int


@dataclass(slots=True)
class _Tally:
    new: int = 0
    shared: int = 0
    pairs: KeyTable = field(default_factory=lambda: KeyTable(32, 20))
    files: list[FileLine] = field(default_factory=list)
    seen: list[tuple[str, os.stat_result, bytes]] = field(default_factory=list)

    def count(self, stored: Stored) -> None:
        if stored.new:
            self.new += stored.size
        else:
            self.shared += stored.size
        self.pairs.add(stored.digest, stored.oid)


@dataclass(frozen=True, slots=True)
class WrittenPayload:
    """A payload whose objects are written: its commit, what the record says of it, its cost, what to remember."""

    commit: Oid
    content: Content
    cost: Cost
    _tally: _Tally
    _sound: Soundness

    def remember(self, index: DedupIndex, ref: str, packs: Iterable[Path]) -> None:
        """Tell the side index, once all of it is durable under ``ref``, in ``packs`` and those that were here."""
        index.add_chunks(self._tally.pairs)
        known = [
            (bytes.fromhex(line.blake3), KnownFile(line.size, line.stored, line.parts or (), ref, self.commit))
            for line in self._tally.files
        ]
        index.add_files(self.content.layout, known)
        index.remember_seen(self._tally.seen)
        self._sound.remember(pack.stem for pack in packs)
        self._sound.heal()


class PayloadWriter:
    """Writes one payload.

    Args:
        repo: Where.
        changes: What its objects become durable with.
        index: What is known to be stored.
        use_known: Whether to rely on what is stored already; without, all is written again.
        layout: How files are cut.
    """

    def __init__(
        self,
        repo: GitRepository,
        changes: Changes,
        index: DedupIndex,
        *,
        use_known: bool = True,
        layout: Layout = CURRENT,
    ) -> None:
        self._repo = repo
        self._changes = changes
        self._index = index
        self._use_known = use_known
        self._layout = layout
        self._sound = Soundness(repo, index, changes.damaged)
        self._tally = _Tally()
        self._lines: dict[str, FileLine] = {}
        self._held: dict[str, Oid | None] = {}
        self._here = Path.cwd()
        self._done = 0

    def write(self, files: Sequence[SourceFile], progress: Progress | None = None) -> WrittenPayload:
        """Store files, and write their manifest, trees and payload commit.

        Raises:
            PachaError: a file vanished, changed while it was read, or can't be read; the disk is full.
        """
        total = sum(file.size for file in files)
        before = self._changes.stored_bytes
        advance = self._advance(progress, total)
        rest = self._take_known(files, advance)
        if sum(file.size for file in rest) <= self._layout.whole_file_limit:
            self._write_few(rest, advance)
        else:
            self._write_many(rest, advance)
        lines = [self._lines[file.path] for file in files]
        manifest = encode_manifest(lines)
        tree = payload_tree(lines, manifest, self._add)
        content = make_content(lines, layout=self._layout.name, tree=tree, manifest=git_oid("blob", manifest))
        commit = self._changes.add("commit", payload_commit(tree, Address(content.address)))
        cost = Cost(self._changes.stored_bytes - before, self._tally.new, self._tally.shared)
        return WrittenPayload(commit, content, cost, self._tally, self._sound)

    def _advance(self, progress: Progress | None, total: int) -> Callable[[int], None]:
        def advance(count: int) -> None:
            self._done += count
            if progress is not None:
                progress("register", self._done, total)

        return advance

    def _add(self, kind: str, body: bytes) -> Oid:
        return self._changes.add(kind, body)  # type: ignore[arg-type]

    # What is stored already ---------------------------------------------------------------------------------------

    def _known(self, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Chunks that are here, sound, and protected from now on."""
        if not self._use_known:
            return {}
        found = self._sound.known_chunks(digests)
        self._changes.rely_on(Oid.of_raw(oid) for oid in found.values())
        return found

    def _forgotten(self) -> Callable[[Mapping[bytes, bytes]], Set[bytes]] | None:
        """How to find chunks that are here although the index has forgotten them."""
        if not self._use_known or self._index.complete:
            return None
        if not self._repo.refs_below(PAYLOAD_ROOT):
            self._index.mark_complete()
            return None

        def held(chunks: Mapping[bytes, bytes]) -> Set[bytes]:
            found = self._sound.forgotten_chunks(chunks)
            self._changes.rely_on(Oid.of_raw(oid) for oid in found)
            return found

        return held

    def _take_known(self, files: Sequence[SourceFile], advance: Callable[[int], None]) -> list[SourceFile]:
        """Take files whose bytes a payload here has as a whole, without cutting them; returns the others."""
        if not self._use_known or not self._sound.all_packs:
            return list(files)
        places = {file.path: _place(file, self._here) for file in files}
        digests = self._index.seen({places[file.path]: file.status for file in files})
        known_sizes = self._index.sizes(file.size for file in files if file.size > self._layout.whole_file_limit)
        for file in files:
            if file.size in known_sizes and places[file.path] not in digests:
                hashed = digests[places[file.path]] = digest_of(file)
                self._tally.seen.append((places[file.path], file.status, hashed))
        known = self._index.files(digests.values(), self._layout.name)
        rest: list[SourceFile] = []
        for file in files:
            digest = digests.get(places[file.path], b"")
            found = known.get(digest)
            if found is None or found.size != file.size or not self._still_held(found):
                rest.append(file)
                continue
            self._lines[file.path] = FileLine(file.path, file.size, file.mode, digest.hex(), found.stored, found.parts)
            self._tally.shared += file.size
            advance(file.size)
        return rest

    def _still_held(self, known: KnownFile) -> bool:
        """Whether a payload that has the file is still held by its ref, which then must not move before we are done."""
        if known.ref not in self._held:
            self._held[known.ref] = self._repo.refs.get(known.ref)
        if self._held[known.ref] != known.payload:
            return False
        self._changes.hold(known.ref, known.payload)
        return True

    # What is not ----------------------------------------------------------------------------------------------------

    def _write_few(self, files: Sequence[SourceFile], advance: Callable[[int], None]) -> None:
        """Store little at once: starting threads would take longer than the work."""
        for file in files:
            body = contents(file)
            digest = blake3.blake3(body).digest()
            known = self._known([digest]).get(digest)
            before = self._changes.stored_bytes
            oid = Oid.of_raw(known) if known is not None else self._add("blob", body)
            new = self._changes.stored_bytes > before
            self._tally.count(Stored(digest, oid.raw, file.size, new, 0))
            self._keep(file, FileLine(file.path, file.size, file.mode, digest.hex(), "blob", ((oid, file.size),)))
            advance(file.size)

    def _write_many(self, files: Sequence[SourceFile], advance: Callable[[int], None]) -> None:
        small = [file for file in files if file.size <= self._layout.whole_file_limit]
        large = [file for file in files if file.size > self._layout.whole_file_limit]
        self._changes.writer.expect(sum(file.size for file in large) // _MORE_THAN_MEAN_CHUNK)
        with PackStream(self._changes.writer, self._known, held=self._forgotten()) as stream:
            for file in large:
                self._write_large(stream, file, advance)
            self._write_small(stream, small, advance)

    def _write_large(self, stream: PackStream, file: SourceFile, advance: Callable[[int], None]) -> None:
        digest = blake3.blake3()
        groups = _Groups(self._layout, self._add)
        with reading(file) as opened:
            cuts = tensor_cuts(reader(opened), file.size, self._layout)
            for stored in stream.store(chunks(opened.readinto, file.size, cuts, self._layout), digest.update):
                self._tally.count(stored)
                groups.push(stored)
                advance(stored.size)
        self._keep(file, FileLine(file.path, file.size, file.mode, digest.hexdigest(), "chunked", groups.end()))

    def _write_small(self, stream: PackStream, files: Sequence[SourceFile], advance: Callable[[int], None]) -> None:
        results = stream.store(windows(files))
        for file in files:
            if file.size:
                stored = next(results)
                self._tally.count(stored)
                digest, oid = stored.digest, Oid.of_raw(stored.oid)
            else:
                contents(file)  # what says that it is empty may not be: /proc is full of such files
                digest, oid = blake3.blake3(b"").digest(), self._add("blob", b"")
            self._keep(file, FileLine(file.path, file.size, file.mode, digest.hex(), "blob", ((oid, file.size),)))
            advance(file.size)

    def _keep(self, file: SourceFile, line: FileLine) -> None:
        self._lines[file.path] = line
        self._tally.files.append(line)
        self._tally.seen.append((_place(file, self._here), file.status, bytes.fromhex(line.blake3)))


class _Groups:
    """Gathers the chunks of one file into group trees."""

    def __init__(self, layout: Layout, add: Callable[[str, bytes], Oid]) -> None:
        self._grouper = Grouper(layout)
        self._add = add
        self._open: list[tuple[int, Oid]] = []
        self._parts: list[tuple[Oid, int]] = []

    def push(self, stored: Stored) -> None:
        self._open.append((stored.size, Oid.of_raw(stored.oid)))
        if self._grouper.push(stored.oid):
            self._close()

    def end(self) -> tuple[tuple[Oid, int], ...]:
        if self._open:
            self._close()
        return tuple(self._parts)

    def _close(self) -> None:
        self._parts.append((self._add("tree", group_tree(self._open)), sum(size for size, _ in self._open)))
        self._open = []


def _place(file: SourceFile, here: Path) -> str:
    """Where a file lies, as the index knows it; links in the path may stay, for the stat tells files apart."""
    return file.location if file.location.startswith("/") else f"{here}/{file.location}"
