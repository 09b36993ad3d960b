"""The SQLite file beside the registry: a cache that can be lost, truncated or full of noise without losing anything.

It knows how to open it, and to begin again when it is not what it should be.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.system import locks
from pacha_git.system.disk import make_folders, share

SCHEMA_VERSION: Final = 8
FILE: Final = "pacha/index.sqlite"
_LOCK: Final = "index.lock"
_BUSY_SECONDS = 10.0
_DAMAGED: Final = (
    "malformed", "no such table", "no such column", "has no column", "not a database", "vtable constructor", "corrupt",
    "missing row",
)  # fmt: skip

_TABLES: Final = """
CREATE TABLE chunk (digest BLOB PRIMARY KEY, oid BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE file (
  digest BLOB NOT NULL, layout TEXT NOT NULL, size INTEGER NOT NULL, parts TEXT NOT NULL,
  ref TEXT NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (digest, layout)) WITHOUT ROWID;
CREATE INDEX file_size ON file (size);
CREATE TABLE holder (id INTEGER PRIMARY KEY, ref TEXT NOT NULL, payload TEXT NOT NULL, UNIQUE (ref, payload));
CREATE TABLE stat (
  path TEXT PRIMARY KEY, mark BLOB NOT NULL, digest BLOB NOT NULL, oid BLOB, holder INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pack (name TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER) WITHOUT ROWID;
CREATE TABLE damaged (oid BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE ref (ref TEXT PRIMARY KEY, oid TEXT NOT NULL, loose INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX ref_loose ON ref (loose) WHERE loose = 1;
CREATE TABLE version (
  ref TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, version_key TEXT NOT NULL,
  oid TEXT NOT NULL, address TEXT NOT NULL, size INTEGER NOT NULL, created_at TEXT NOT NULL,
  description TEXT NOT NULL, signer TEXT, shown TEXT NOT NULL, shown_last TEXT NOT NULL, documents INTEGER NOT NULL,
  record TEXT NOT NULL);
CREATE INDEX version_order ON version (kind, name, version_key);
CREATE INDEX version_oid ON version (oid);
CREATE TABLE name (
  kind TEXT NOT NULL, name TEXT NOT NULL, latest TEXT NOT NULL, versions INTEGER NOT NULL, fold TEXT NOT NULL,
  PRIMARY KEY (kind, name)) WITHOUT ROWID;
CREATE TABLE edge (
  child TEXT NOT NULL, position INTEGER NOT NULL, parent TEXT NOT NULL, PRIMARY KEY (child, position)) WITHOUT ROWID;
CREATE INDEX edge_parent ON edge (parent);
CREATE TABLE run (
  ref TEXT PRIMARY KEY, oid TEXT NOT NULL, status TEXT NOT NULL, started_at TEXT NOT NULL, said TEXT NOT NULL,
  params TEXT NOT NULL, artifacts TEXT NOT NULL, commits TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE unsearched (ref TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE item (
  id INTEGER PRIMARY KEY, ref TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, name TEXT NOT NULL, version TEXT,
  version_key TEXT, stage TEXT, status TEXT, size INTEGER NOT NULL, file_count INTEGER NOT NULL,
  created_at TEXT NOT NULL, finished_at TEXT, created_by TEXT NOT NULL, address TEXT, oid TEXT NOT NULL, recipe TEXT,
  signer TEXT, payload TEXT, state TEXT NOT NULL, description TEXT NOT NULL);
CREATE INDEX item_name ON item (kind, name);
CREATE INDEX item_stage ON item (stage);
CREATE INDEX item_order ON item (created_at DESC, kind, name, version_key DESC);
CREATE TABLE fact (
  item INTEGER NOT NULL, field TEXT NOT NULL, text TEXT NOT NULL, number REAL,
  PRIMARY KEY (item, field, text)) WITHOUT ROWID;
CREATE INDEX fact_number ON fact (field, number);
CREATE INDEX fact_text ON fact (field, text);
CREATE VIRTUAL TABLE search USING fts5(
  name, description, purpose, tags, document, params, metrics, author,
  tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3');
"""


class Database:
    """One SQLite file, opened once for each thread, made anew when it can't be read."""

    def __init__(self, registry: Path) -> None:
        self._path = registry / FILE
        self._name = str(self._path)
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._inherited: list[sqlite3.Connection] = []
        _alive.add(self)

    def __del__(self) -> None:
        # A connection refers to itself, so it would stay open until the collector comes by.
        self.close()

    def close(self) -> None:
        """Close the connections of all threads; the next use opens anew."""
        self._local = threading.local()
        while self._opened:
            self._opened.pop().close()

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        if getattr(self._local, "aside", False):
            aside: sqlite3.Connection = self._local.memory
            return aside
        pin: sqlite3.Connection | None = getattr(self._local, "pin", None)
        if pin is not None:
            return pin
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None or getattr(self._local, "inode", None) != self._inode():
            connection = self._open()
            self._opened.append(connection)
            self._local.connection = connection
            self._local.inode = self._inode()
        return connection

    def _inode(self) -> int | None:
        try:
            return os.stat(self._name).st_ino  # noqa: PTH116 — each use of the file asks
        except OSError:
            return None

    def fault(self) -> str:
        """Tell what SQLite finds wrong with the file; empty if nothing."""
        try:
            said = self.connection.execute("PRAGMA quick_check").fetchone()[0]
        except sqlite3.DatabaseError as error:
            return str(error)
        return "" if said == "ok" else str(said)

    def let_go(self) -> None:
        """Before a fork: close this thread's connection, which SQLite allows to no child to share."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None and not connection.in_transaction:
            self._opened.remove(connection)
            self._local.connection = None
            connection.close()

    def begin_anew(self) -> None:
        """In a process that was forked off: leave what is still open to the parent, and don't close it either."""
        self._inherited += self._opened
        self._opened = []
        self._local = threading.local()

    def _open(self) -> sqlite3.Connection:
        if self._inherited:
            return _connect(":memory:")  # SQLite here takes the parent's locks for its own: the file would be damaged
        with contextlib.suppress(OSError, sqlite3.DatabaseError):
            make_folders(self._path.parent)
            if not self._path.exists():
                # Before SQLite makes it, which takes the rights that it has for the files beside it.
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
            share(self._path)
            try:
                return self._connected()
            except sqlite3.DatabaseError as error:
                if is_damage(error):
                    self.forget()
                    return self._connected()
        # A registry that we may only read, or a full disk: work without a file of our own rather than not at all.
        with contextlib.suppress(sqlite3.DatabaseError):
            return _connect(str(self._path), read_only=True)
        return _connect(":memory:")

    def _connected(self) -> sqlite3.Connection:
        # Whoever opens the file while another throws it away might find the log of the one and the pages of the other.
        with self._guarded(locks.shared):
            return _connect(str(self._path))

    @contextmanager
    def _guarded(self, lock: Callable[[Path], AbstractContextManager[object]]) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(PachaError):  # a folder that we may only read: nobody throws anything away there
                stack.enter_context(lock(self._path.with_name(_LOCK)))
            yield

    def forget(self) -> None:
        """Throw the file away; the next use begins an empty one."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None
        with self._guarded(locks.exclusive):
            for suffix in ("-wal", "-shm", ""):
                with contextlib.suppress(OSError):  # one that can't be removed is found damaged again, and passed by
                    self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    @contextmanager
    def pinned(self) -> Iterator[sqlite3.Connection]:
        """Within, this thread goes on with one connection, though another process may put a new file in its place."""
        connection = self.connection
        before = getattr(self._local, "pin", None)
        self._local.pin = connection
        try:
            yield connection
        finally:
            self._local.pin = before

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Within, this thread works in memory alone: the file can't be written."""
        if getattr(self._local, "memory", None) is None:
            self._local.memory = _connect(":memory:")
        self._local.aside = True
        try:
            yield
        finally:
            self._local.aside = False

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction; waits for another process's."""
        connection = self.connection
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


# Whatever is open when a process forks. What a child inherited stays in memory to its end: to close it is the parent's.
_alive: weakref.WeakSet[Database] = weakref.WeakSet()
_parents: Final[list[sqlite3.Connection]] = []


def _before_fork() -> None:
    for database in list(_alive):
        database.let_go()


def _in_child() -> None:
    for database in list(_alive):
        database.begin_anew()
        _parents.extend(database._inherited)


os.register_at_fork(before=_before_fork, after_in_child=_in_child)


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Tell whether the file is not what it should be; else it is locked, can't be written, or the disk is full."""
    return not isinstance(error, sqlite3.OperationalError) or any(word in str(error) for word in _DAMAGED)


def _connect(path: str, *, read_only: bool = False) -> sqlite3.Connection:
    uri = Path(path).absolute().as_uri() + "?mode=ro&immutable=1" if read_only else path
    connection = sqlite3.connect(
        uri, timeout=_BUSY_SECONDS, isolation_level=None, uri=read_only, check_same_thread=False
    )
    try:
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found != SCHEMA_VERSION:
            if read_only:
                raise sqlite3.OperationalError("it was made by another pacha-git, and can't be made anew")
            _build(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _build(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have built it while we waited for the lock.
        if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            # A virtual table takes those with it that it keeps its own things in.
            tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY sql LIKE 'CREATE VIRTUAL%' DESC"
            for (name,) in connection.execute(tables).fetchall():
                connection.execute(f'DROP TABLE IF EXISTS "{name}"')
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
