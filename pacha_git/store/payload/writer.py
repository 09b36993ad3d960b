"""Writes files as a payload: what is stored already is relied on, the rest goes straight into a pack.

It knows layouts, the side index and the tree.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import blake3

from pacha_git.chunking.cuts import file_cuts
from pacha_git.chunking.cutter import chunks
from pacha_git.chunking.layout import FIRST, LAYOUTS, Layout
from pacha_git.format.commits import payload_commit
from pacha_git.format.content import Content, make_content
from pacha_git.format.manifest import FileLine, encode_manifest
from pacha_git.git.changes import Changes
from pacha_git.git.packs.key_table import KeyTable
from pacha_git.git.packs.stream import PackStream, StoredChunk
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import OID_BYTES, Oid, git_oid
from pacha_git.progress import Progress
from pacha_git.store.payload.files import contents, digest_of, filler, reader, reading, windows
from pacha_git.store.payload.index import DedupIndex, KnownFile
from pacha_git.store.payload.soundness import Soundness
from pacha_git.store.payload.sources import FoundFile
from pacha_git.store.payload.tree import Groups, payload_tree
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import PAYLOAD_ROOT

# By measurement, of weights and of noise: bytes for each object (a chunk, or a tree of chunks), and how far the number
# of objects strays, in square roots of it.
_BYTES_AN_OBJECT: Final = 77_500
_STRAYING: Final = 1.5
_LOOKED_UP: Final = 10_000


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
    pairs: KeyTable = field(default_factory=lambda: KeyTable(32, OID_BYTES))
    files: list[FileLine] = field(default_factory=list)
    lines: dict[str, FileLine] = field(default_factory=dict)
    seen: list[FoundFile] = field(default_factory=list)
    since: int = field(default_factory=time.time_ns)
    here: str = field(default_factory=os.getcwd)

    def place(self, file: FoundFile) -> str:
        """Tell where a file lies, as the index knows it; links in the path may stay, for the mark tells files apart."""
        return file.location if file.location.startswith("/") else f"{self.here}/{file.location}"

    def as_seen(self, file: FoundFile) -> tuple[str, bytes, bytes, bytes | None]:
        """Tell what the index remembers of a file that was read."""
        line = self.lines[file.path]
        whole = line.parts[0][0].raw if line.parts and line.stored == "blob" else None
        return self.place(file), file.mark, bytes.fromhex(line.blake3), whole

    def count(self, stored: StoredChunk) -> None:
        """Take note of a chunk; those that are new the stream has put among the pairs."""
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
        index.together(lambda: self._tell(index, ref, packs))
        self._sound.heal()

    def _tell(self, index: DedupIndex, ref: str, packs: Iterable[Path]) -> None:
        tally = self._tally
        index.add_chunks(tally.pairs)
        index.add_files(self.content.layout, tally.files, ref, self.commit)
        index.remember_seen(map(tally.as_seen, tally.seen), ref, self.commit, since=tally.since)
        self._sound.remember_touched(pack.stem for pack in packs)


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
        layout: Layout = FIRST,
    ) -> None:
        self._repo = repo
        self._changes = changes
        self._index = index
        self._use_known = use_known
        self._layout = layout
        self._sound = Soundness(repo, index, changes.damaged)
        self._tally = _Tally()
        self._lines = self._tally.lines
        self._held: dict[tuple[str, str], bool] = {}
        self._digests: dict[str, bytes] = {}
        self._done = 0

    def write(self, files: Sequence[FoundFile], progress: Progress | None = None) -> WrittenPayload:
        """Store files, and write their manifest, trees and payload commit.

        Raises:
            PachaError: a file vanished, changed while it was read, or can't be read; the disk is full.
        """
        total = sum(file.size for file in files)
        before = self._changes.stored_bytes
        advance = self._advance(progress, total)
        self._layout = self._layout_that_has(files) or self._layout
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
        """Tell how to find chunks that are here although the index has forgotten them."""
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

    def _layout_that_has(self, files: Sequence[FoundFile]) -> Layout | None:
        """Another layout, if all large files lie here under it and not all do under ours: then nothing is stored anew.

        A payload has one layout, so that whoever has its files and its record can make the same payload again.
        """
        large = [file for file in files if file.size > self._layout.whole_file_limit]
        if not large or not self._use_known or not self._sound.all_packs:
            return None
        known_sizes = self._index.sizes(file.size for file in large)
        if not all(file.size in known_sizes for file in large):
            return None
        for layout in (self._layout, *(other for other in LAYOUTS.values() if other != self._layout)):
            digests = self._digests_of(large, known_sizes)
            known = self._index.files(digests.values(), layout.name)
            if all(self._is_held(known.get(digests[file.path])) for file in large):
                return layout
        return None

    def _is_held(self, known: KnownFile | None) -> bool:
        return known is not None and self._still_held(known.ref, known.payload)

    def _digests_of(self, large: Sequence[FoundFile], known_sizes: Set[int]) -> dict[str, bytes]:
        """Return the hashes of large files that may be here already, by path; each is read at most once."""
        places = {file.path: self._tally.place(file) for file in large if file.path not in self._digests}
        seen = self._index.seen({places[file.path]: file.mark for file in large if file.path in places})
        for file in large:
            found = seen.get(places.get(file.path, ""))
            if found is not None:
                self._digests[file.path] = found.digest
            elif file.path in places and file.size in known_sizes:
                self._digests[file.path] = digest_of(file)
                self._tally.seen.append(file)
        return {file.path: self._digests[file.path] for file in large if file.path in self._digests}

    def _take_known(self, files: Sequence[FoundFile], advance: Callable[[int], None]) -> list[FoundFile]:
        """Take files whose bytes a payload here has as a whole, without cutting them; returns the others."""
        if not self._use_known or not self._sound.all_packs:
            return list(files)
        large = [file.size for file in files if file.size > self._layout.whole_file_limit]
        known_sizes = self._index.sizes(large) if large else set()
        for start in range(0, len(files), _LOOKED_UP):
            few = files[start : start + _LOOKED_UP]
            self._take_known_of(few, known_sizes)
            advance(sum(file.size for file in few if file.path in self._lines))
        return [file for file in files if file.path not in self._lines]

    def _take_known_of(self, files: Sequence[FoundFile], known_sizes: Set[int]) -> None:
        small = [file for file in files if file.size <= self._layout.whole_file_limit]
        places = {file.path: self._tally.place(file) for file in small}
        seen = self._index.seen({places[file.path]: file.mark for file in small}) if small else {}
        for file in small:
            found = seen.get(places[file.path])
            if found is not None and found.oid is not None and self._still_held(found.ref, found.payload):
                self._lines[file.path] = _whole(file, found.digest, found.oid)
                self._tally.shared += file.size
        large = [file for file in files if file.size > self._layout.whole_file_limit]
        digests = self._digests_of(large, known_sizes)
        known = self._known_files(large, digests) if digests else {}
        for file in large if known else ():
            digest = digests.get(file.path, b"")
            as_known = known.get(digest)
            if as_known is not None and as_known.size == file.size and self._still_held(as_known.ref, as_known.payload):
                line = FileLine(file.path, file.size, file.mode, digest.hex(), "chunked", as_known.parts)
                self._lines[file.path] = line
                self._tally.shared += file.size

    def _known_files(self, large: Sequence[FoundFile], digests: Mapping[str, bytes]) -> dict[bytes, KnownFile]:
        """What is known of files, by hash: under our layout, or under another that cuts the file at the same places."""
        known = self._index.files(digests.values(), self._layout.name)
        for other in (each for each in LAYOUTS.values() if each != self._layout):
            rest = {path: digest for path, digest in digests.items() if digest not in known}
            elsewhere = self._index.files(rest.values(), other.name) if rest else {}
            for file in large if elsewhere else ():
                found = elsewhere.get(rest.get(file.path, b""))
                if found is not None and self._cuts(file, other) == self._cuts(file, self._layout):
                    known[rest[file.path]] = found
        return known

    def _cuts(self, file: FoundFile, layout: Layout) -> list[int]:
        with reading(file) as descriptor:
            return file_cuts(reader(descriptor), file.size, layout)

    def _still_held(self, ref: str, payload: str) -> bool:
        """Whether a payload that has a file is still held by its ref, which then must not move before we are done."""
        if (ref, payload) not in self._held:
            held = self._held[ref, payload] = self._repo.refs.get(ref) == payload
            if held:
                self._changes.hold(ref, Oid(payload))
        return self._held[ref, payload]

    # What is not ----------------------------------------------------------------------------------------------------

    def _write_few(self, files: Sequence[FoundFile], advance: Callable[[int], None]) -> None:
        """Store little at once: starting threads would take longer than the work."""
        for file in files:
            body = contents(file)
            digest = blake3.blake3(body).digest()
            known = self._known([digest]).get(digest)
            before = self._changes.stored_bytes
            oid = Oid.of_raw(known) if known is not None else self._add("blob", body)
            new = self._changes.stored_bytes > before
            self._tally.count(StoredChunk(digest, oid.raw, file.size, new, 0))
            self._tally.pairs.add(digest, oid.raw)
            self._keep_whole(file, digest, oid.raw)
            advance(file.size)

    def _write_many(self, files: Sequence[FoundFile], advance: Callable[[int], None]) -> None:
        small = [file for file in files if file.size <= self._layout.whole_file_limit]
        large = [file for file in files if file.size > self._layout.whole_file_limit]
        self._changes.writer.expect(_fewest_objects(sum(file.size for file in large)))
        chunks = self._tally.pairs
        with PackStream(self._changes.writer, self._known, held=self._forgotten(), chunks=chunks) as stream:
            for file in large:
                self._write_large(stream, file, advance)
            self._write_small(stream, small, advance)

    def _write_large(self, stream: PackStream, file: FoundFile, advance: Callable[[int], None]) -> None:
        digest = blake3.blake3()
        groups = Groups(self._layout, self._add)
        with reading(file) as descriptor:
            cuts = file_cuts(reader(descriptor), file.size, self._layout)
            for stored in stream.store(chunks(filler(descriptor), file.size, cuts, self._layout), digest.update):
                self._tally.count(stored)
                groups.push(Oid.of_raw(stored.oid), stored.size)
                advance(stored.size)
        line = FileLine(file.path, file.size, file.mode, digest.hexdigest(), "chunked", groups.end())
        self._lines[file.path] = line
        self._tally.files.append(line)
        self._tally.seen.append(file)

    def _write_small(self, stream: PackStream, files: Sequence[FoundFile], advance: Callable[[int], None]) -> None:
        results = stream.store(windows(files))
        for file in files:
            if file.size:
                stored = next(results)
                self._tally.count(stored)
                self._keep_whole(file, stored.digest, stored.oid)
            else:
                contents(file)  # what says that it is empty may not be: /proc is full of such files
                self._keep_whole(file, blake3.blake3(b"").digest(), self._add("blob", b"").raw)
            advance(file.size)

    def _keep_whole(self, file: FoundFile, digest: bytes, oid: bytes) -> None:
        self._lines[file.path] = _whole(file, digest, oid)
        self._tally.seen.append(file)


def _fewest_objects(size: int) -> int:
    """Tell how many objects so many bytes of weights become at least, nearly always; to say more would be of no use."""
    likely = size / _BYTES_AN_OBJECT
    return int(likely - _STRAYING * likely**0.5)


def _whole(file: FoundFile, digest: bytes, oid: bytes) -> FileLine:
    """Return the line of a file that is stored as one blob."""
    return FileLine(file.path, file.size, file.mode, digest.hex(), "blob", ((Oid.of_raw(oid), file.size),))
