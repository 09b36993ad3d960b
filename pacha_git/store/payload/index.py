"""The side index for deduplication: BLAKE3 → Git oid of chunks and files, and what files on disk were last seen to be.

It is a hint. Whoever uses an answer checks that the object is here; losing the index loses no more than time.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final, NamedTuple, TypeVar

from pacha_git.format.manifest import FileLine
from pacha_git.gitobjects.oid import Oid
from pacha_git.store.catalogue.database import Database, is_damage
from pacha_git.store.payload.sources import touched_ns

_BATCH: Final = 500
_SORTED: Final = 50_000
_COMPLETE: Final = "SELECT 1 FROM meta WHERE key = 'complete'"
# A file may change again within the clock tick in which it was written, and look the same. So what was written a moment
# before it was hashed is not remembered: it may be another by now.
_RACY_NS: Final = 2_000_000_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file whose bytes are stored: in which parts, and a payload ref that held it (at commit ``payload``)."""

    size: int
    parts: tuple[tuple[Oid, int], ...]
    ref: str
    payload: Oid


class SeenFile(NamedTuple):
    """What a file on disk was when it was last stored: the raw oid of its blob, if whole, and a payload that had it."""

    digest: bytes
    oid: bytes | None
    ref: str
    payload: str


_ANEW: Final = ("chunk", "file")
# All that the file holds: the projection of records is made again with it.
_FORGOTTEN: Final = (
    "chunk", "file", "stat", "holder", "pack", "damaged", "meta", "ref", "version", "name", "edge", "run", "unsearched",
    "item", "fact", "search",
)  # fmt: skip


class DedupIndex:
    """Look-ups never raise for a damaged index: they find nothing, and the index begins anew."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._anew = False

    def _tolerant(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        try:
            return work(self._database.connection)
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                self._database.forget()
            return otherwise  # else locked for longer than we wait, or a full disk: do without

    # Chunks ------------------------------------------------------------------------------------------------------

    def known_chunks(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """Raw BLAKE3 digests → raw oids, for those that were stored once."""
        return dict(self._rows("SELECT digest, oid FROM chunk WHERE digest IN ({marks})", digests))

    def add_chunks(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Remember (raw digest, raw oid) pairs."""
        # Sorted, as the table is, so that each of its pages is written once; not all, for there may be millions.
        rest = iter(pairs)
        while few := sorted(islice(rest, _SORTED)):
            self._write(f"INSERT OR REPLACE INTO {self._table('chunk')} VALUES (?, ?)", few)

    @property
    def complete(self) -> bool:
        """Whether every chunk that is stored is known: not once the index was lost, until it is built anew."""
        return self._tolerant(lambda c: c.execute(_COMPLETE).fetchone() is not None, False)

    def mark_complete(self) -> None:
        """Say that every chunk that is stored is known."""
        self._write("INSERT OR REPLACE INTO meta VALUES ('complete', ?)", [("yes",)])

    def count_chunks(self) -> int:
        """Tell how many chunks are known."""
        return int(self._tolerant(lambda c: c.execute("SELECT count(*) FROM chunk").fetchone()[0], 0))

    @contextmanager
    def anew(self, also: Callable[[], None]) -> Iterator[None]:
        """Gather what the block adds beside the index as it is, which others go on with, and put it in its place then.

        Args:
            also: What else is written in that one step.
        """
        self._begin_anew()
        self._anew = True
        try:
            yield
        finally:
            self._anew = False
        with self._database.writing() as connection:
            for table in _FORGOTTEN:
                connection.execute(f"DELETE FROM {table}")
            for table in _ANEW:
                connection.execute(f"INSERT INTO {table} SELECT * FROM {table}_anew")
                connection.execute(f"DROP TABLE {table}_anew")
            also()

    def _begin_anew(self) -> None:
        with self._database.writing() as connection:
            for table in _ANEW:
                connection.execute(f"DROP TABLE IF EXISTS {table}_anew")
                found = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
                connection.execute(found[0].replace(f"TABLE {table} ", f"TABLE {table}_anew ", 1))

    # Files -------------------------------------------------------------------------------------------------------

    def sizes(self, sizes: Iterable[int]) -> set[int]:
        """Return those of the sizes that any stored file has: if none has, hashing it first is no use."""
        query = "SELECT size FROM file WHERE size IN ({marks})"
        return {size for (size,) in self._rows(query, list(set(sizes)))}

    def files(self, digests: Iterable[bytes], layout: str) -> dict[bytes, KnownFile]:
        """Tell what is known of files with these raw BLAKE3 digests."""
        query = "SELECT digest, size, parts, ref, payload FROM file WHERE digest IN ({marks}) AND layout = ?"
        rows = self._rows(query, list(set(digests)), layout)
        return {
            digest: KnownFile(size, tuple((Oid(oid), part) for oid, part in json.loads(parts)), ref, Oid(payload))
            for digest, size, parts, ref, payload in rows
        }

    def add_files(self, layout: str, lines: Iterable[FileLine], ref: str, payload: Oid) -> None:
        """Remember the files of a payload; those stored whole are known as chunks are."""
        rows = [
            (bytes.fromhex(line.blake3), layout, line.size, json.dumps(line.parts), ref, payload)
            for line in lines
            if line.stored == "chunked"
        ]
        self._write(f"INSERT OR REPLACE INTO {self._table('file')} VALUES (?, ?, ?, ?, ?, ?)", rows)

    # What files on disk were last seen to be -----------------------------------------------------------------------

    def seen(self, marks: Mapping[str, bytes]) -> dict[str, SeenFile]:
        """Absolute path → what is known of it, for files whose marks are what they were when they were hashed."""
        query = (
            "SELECT s.path, s.mark, s.digest, s.oid, h.ref, h.payload FROM stat s JOIN holder h ON h.id = s.holder "
            "WHERE s.path IN ({marks})"
        )
        return {
            path: SeenFile(digest, oid, ref, payload)
            for path, mark, digest, oid, ref, payload in self._rows(query, list(marks))
            if mark == marks[path]
        }

    def remember_seen(
        self, files: Iterable[tuple[str, bytes, bytes, bytes | None]], ref: str, payload: Oid, *, since: int
    ) -> None:
        """Remember what files hashed to.

        Args:
            files: Absolute path, mark, raw digest, and the raw oid of the blob if it was stored whole.
            ref: Of the payload that has them.
            payload: Its commit.
            since: The time, in ns since 1970, when the first of them was about to be hashed; marks are from before.
        """
        settled = (file for file in files if since - touched_ns(file[1]) > _RACY_NS)
        first = next(settled, None)
        if first is None:
            return

        def work(_: sqlite3.Connection) -> None:
            with self._database.writing() as connection:
                connection.execute("INSERT OR IGNORE INTO holder (ref, payload) VALUES (?, ?)", (ref, payload))
                connection.executemany(
                    "INSERT OR REPLACE INTO stat SELECT ?, ?, ?, ?, id FROM holder WHERE ref = ? AND payload = ?",
                    ((*file, ref, payload) for file in chain([first], settled)),
                )

        self._tolerant(work, None)

    # Packs and damage ----------------------------------------------------------------------------------------------

    def pack_marks(self, names: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Pack name → (size, mtime in ns) as they were when its bytes were last known to be good."""
        rows = self._rows("SELECT name, size, mtime_ns FROM pack WHERE name IN ({marks})", list(names))
        return {name: (size, mtime) for name, size, mtime in rows}

    def mark_packs(self, marks: Mapping[str, tuple[int, int]]) -> None:
        """Remember packs as good at their present size and mtime."""
        self._write("INSERT OR REPLACE INTO pack VALUES (?, ?, ?)", [(name, *mark) for name, mark in marks.items()])

    def forget_packs(self, gone: Iterable[str]) -> None:
        """Forget packs that are no more: there come to be many, and few are left."""
        self._write("DELETE FROM pack WHERE name = ?", [(name,) for name in gone])

    def _table(self, name: str) -> str:
        return f"{name}_anew" if self._anew else name

    def together(self, work: Callable[[], None]) -> None:
        """Do work that writes here several times as one step."""

        def at_once(_: sqlite3.Connection) -> None:
            with self._database.writing():
                work()

        self._tolerant(at_once, None)

    def _rows(self, query: str, values: Sequence[Any], *more: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query that has ``{marks}`` where a list of values belongs."""
        nothing: list[tuple[Any, ...]] = []
        return self._tolerant(lambda connection: list(_in_batches(connection, query, values, *more)), nothing)

    def _write(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return

        def work(_: sqlite3.Connection) -> None:
            with self._database.writing() as connection:
                connection.executemany(statement, rows)

        self._tolerant(work, None)


def _in_batches(
    connection: sqlite3.Connection, query: str, values: Sequence[Any], *more: Any
) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(values), _BATCH):
        batch = values[start : start + _BATCH]
        yield from connection.execute(query.format(marks=",".join("?" * len(batch))), [*batch, *more])
