"""The searchable projection of records and events: what a list shows, without reading a thousand objects.

It is brought up to date with the refs before every answer and rebuilt when lost; no answer depends on its being there.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pacha_git.errors import InvalidInput, PachaError, VerificationFailed
from pacha_git.format.event import signed_part
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.attestations import Attested
from pacha_git.ledger.statements import RECORD_SCOPE
from pacha_git.query.fields import version_key
from pacha_git.store import records
from pacha_git.store.catalogue import runs as runs_catalogue
from pacha_git.store.catalogue.database import Database, is_damage
from pacha_git.store.catalogue.rows import HERE, NO_FOLD, Row, SignerNote, rows
from pacha_git.store.events import ATTESTATIONS, crossing, read_attestations, read_ledger
from pacha_git.vocabulary.ids import NOTES_ROOT, REF_ROOT, NameId, VersionId, parse_notes_ref, parse_record_ref
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.versions import Version

if TYPE_CHECKING:
    from pacha_git.ledger.removals import Removals
    from pacha_git.store.catalogue.search import Hit, Query
    from pacha_git.store.removals import RemovalList

T = TypeVar("T")
_FEW: Final = 500
_ROOTS: Final = (REF_ROOT, NOTES_ROOT)
_JUDGED: Final = "removals"


VersionLine = tuple[str, str, str, str]
"""Kind, name, version and commit."""
NameFolds = dict[tuple[str, str], dict[str, Any]]
"""What the events of each name come to, by kind and name."""


class Catalogue:
    """The projection of one registry. ``project`` says what a record's row has beyond the record (see ``refresh``)."""

    def __init__(
        self,
        repo: GitRepository,
        database: Database,
        project: Callable[[records.StoredRecord], dict[str, Any]],
        removals: Callable[[], RemovalList],
    ) -> None:
        self._repo = repo
        self._database = database
        self._project = project
        self._removals = removals

    def _answer(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Bring the projection up to date and ask it; a damaged one is begun anew, one that can't be written left."""
        for _ in range(2):
            try:
                return self._fresh(work)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    break
                self._database.forget()
        with self._database.aside():
            return self._fresh(work)

    def _fresh(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._database.pinned() as connection:
            self.refresh()
            return work(connection)

    # Answers -----------------------------------------------------------------------------------------------------

    def rows(self, kind: Kind, name: str | None = None) -> list[Row]:
        """Return every version of a kind, or of a name, by name and then ascending by SemVer."""
        clause, values = ("kind = ? AND name = ?", (kind.value, name)) if name else ("kind = ?", (kind.value,))
        return self._answer(lambda connection: list(rows(connection, clause, values)))

    def latest_rows(self, kind: Kind) -> list[tuple[Row, int]]:
        """Return the latest version of every name of a kind that has any, with how many it has; by name."""

        def work(connection: sqlite3.Connection) -> list[tuple[Row, int]]:
            counts = dict(
                connection.execute("SELECT latest, versions FROM name WHERE kind = ?", (kind.value,)).fetchall()
            )
            clause = "ref IN (SELECT latest FROM name WHERE kind = ?)"
            return [(row, counts[row.ref]) for row in rows(connection, clause, (kind.value,))]

        return self._answer(work)

    def children(self, commit: Oid) -> list[VersionId]:
        """Return the versions whose lineage names a commit."""
        found = self._answer(
            lambda c: c.execute("SELECT child FROM edge WHERE parent = ? ORDER BY child", (commit,)).fetchall()
        )
        return [version for (ref,) in found if (version := parse_record_ref(ref)) is not None]

    def runs(self, run_ids: Collection[str] | None = None) -> list[runs_catalogue.RunRow]:
        """Return every run, oldest first; or those with these ids."""
        return self._answer(lambda connection: runs_catalogue.rows(connection, run_ids))

    def child_runs(self, commit: Oid) -> list[str]:
        """Return the ids of the runs that had a record commit as input."""
        return self._answer(lambda connection: runs_catalogue.children(connection, commit))

    def find(self, query: Query) -> tuple[list[Hit], int]:
        """Search; the best hits first, and how many there are in all."""
        from pacha_git.store.catalogue.search import find, is_behind  # what few commands need

        def work(connection: sqlite3.Connection) -> tuple[list[Hit], int]:
            if is_behind(connection):
                from pacha_git.store.catalogue.search_index import catch_up  # reads records: most find all entered

                catch_up(self._database, self._repo)
            return find(connection, query)

        return self._answer(work)

    def rows_at(self, refs: Sequence[str]) -> dict[str, Row]:
        """Versions by their refs."""

        def work(connection: sqlite3.Connection) -> dict[str, Row]:
            found: dict[str, Row] = {}
            for start in range(0, len(refs), _FEW):
                few = tuple(refs[start : start + _FEW])
                clause = f"ref IN ({', '.join('?' * len(few))})"
                found |= {row.ref: row for row in rows(connection, clause, few)}
            return found

        return self._answer(work)

    def unsettled(self) -> tuple[NameFolds, list[VersionLine], list[VersionLine]]:
        """What the events of each name come to; the versions that no key signed; those whose bytes are not here."""

        def work(connection: sqlite3.Connection) -> tuple[NameFolds, list[VersionLine], list[VersionLine]]:
            said = connection.execute("SELECT kind, name, fold FROM name").fetchall()
            query = "SELECT v.kind, v.name, v.version, v.oid FROM version v JOIN name USING (kind, name)"
            order = "ORDER BY v.kind, v.name, v.version_key"
            return (
                {(kind, name): json.loads(fold) for kind, name, fold in said},
                connection.execute(f"{query} WHERE v.signer IS NULL {order}").fetchall(),
                connection.execute(f"{query} WHERE NOT {HERE} {order}").fetchall(),
            )

        return self._answer(work)

    def totals(self) -> dict[str, tuple[int, int, int]]:
        """Per kind: names, versions, and bytes as registered of those whose bytes are here."""
        query = (
            f"SELECT v.kind, count(DISTINCT v.name), count(*), sum(CASE WHEN {HERE} THEN v.size ELSE 0 END) "
            "FROM version v GROUP BY v.kind"
        )
        rows = self._answer(lambda c: c.execute(query).fetchall())
        return {kind: (names, versions, size) for kind, names, versions, size in rows}

    # Keeping up ----------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Take over what changed in the refs since the last time."""
        connection = self._database.connection
        stamp = self._repo.refs.packed_stamp()
        same = not any(self._differences(connection, stamp)[:2]) and _meta(connection, "packed") == stamp
        if same and self._stands(connection):
            return
        with self._database.writing() as connection:
            changed, deleted, loose = self._differences(connection, stamp)
            if not self._stands(connection):
                self._take_removals(connection)
            self._take(connection, changed, deleted, loose)
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('packed', ?)", (stamp,))

    def _stands(self, connection: sqlite3.Connection) -> bool:
        """Whether what decides on removals is as it was when a tombstone was last judged; true where there is none."""
        judged = _meta(connection, _JUDGED)
        return judged is None or judged == self._removals().stamp()

    def _take_removals(self, connection: sqlite3.Connection) -> None:
        """Judge every tombstone anew: the list, the signers or the setting changed."""
        query = "SELECT kind, name, fold FROM name"
        for kind, name, fold in connection.execute(query).fetchall():
            if json.loads(fold).get("tombstones"):
                self._take_name(connection, Kind(kind), name)
                ref = NameId(Kind(kind), name).notes_ref(ATTESTATIONS)
                connection.execute("INSERT OR IGNORE INTO unsearched VALUES (?)", (ref,))

    def _differences(self, connection: sqlite3.Connection, stamp: str) -> tuple[dict[str, Oid], list[str], set[str]]:
        """Refs that are new or moved, refs that are gone, and those that are loose now."""
        loose: dict[str, Oid] = {}
        for root in _ROOTS:
            loose.update(self._repo.refs.loose_below(root))
        if _meta(connection, "packed") == stamp:
            now = loose
            known = dict(connection.execute("SELECT ref, oid FROM ref WHERE loose = 1").fetchall())
        else:
            now = {ref: oid for root in _ROOTS for ref, oid in self._repo.refs.below(root).items()}
            known = dict(connection.execute("SELECT ref, oid FROM ref").fetchall())
        # A name that is no text is none of ours, and SQLite takes it for an error: fsck's business.
        changed = {ref: oid for ref, oid in now.items() if known.get(ref) != oid and ref.isascii()}
        return changed, [ref for ref in known if ref not in now], set(filter(str.isascii, loose))

    def _take(
        self, connection: sqlite3.Connection, changed: Mapping[str, Oid], deleted: Iterable[str], loose: set[str]
    ) -> None:
        touched: set[tuple[Kind, str]] = set()
        for ref in deleted:
            connection.execute("DELETE FROM ref WHERE ref = ?", (ref,))
            connection.execute("DELETE FROM version WHERE ref = ?", (ref,))
            connection.execute("DELETE FROM edge WHERE child = ?", (ref,))
            runs_catalogue.forget(connection, ref)
            touched.update(_name_of(ref))
        self._take_records(connection, changed)
        for ref, oid in changed.items():
            runs_catalogue.take(connection, self._repo, ref, oid)
            touched.update(_name_of(ref))
        connection.executemany(
            "INSERT OR REPLACE INTO ref VALUES (?, ?, ?)",
            [(ref, oid, int(ref in loose)) for ref, oid in changed.items()],
        )
        connection.executemany("INSERT OR IGNORE INTO unsearched VALUES (?)", [(ref,) for ref in (*changed, *deleted)])
        # Also where nothing else changed: refs that were packed meanwhile are no longer missed among the loose ones.
        connection.execute("UPDATE ref SET loose = 0 WHERE loose = 1")
        connection.executemany("UPDATE ref SET loose = 1 WHERE ref = ?", [(ref,) for ref in loose])
        for kind, name in touched:
            self._take_name(connection, kind, name)

    def _take_records(self, connection: sqlite3.Connection, changed: Mapping[str, Oid]) -> None:
        read = (found for ref, oid in changed.items() if (found := self._read(ref, oid)) is not None)
        while few := list(islice(read, _FEW)):
            connection.executemany("DELETE FROM edge WHERE child = ?", [row[:1] for row, _ in few])
            connection.executemany(
                "INSERT OR REPLACE INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [row for row, _ in few],
            )
            edges = [(row[0], at, parent) for row, parents in few for at, parent in enumerate(parents)]
            connection.executemany("INSERT INTO edge VALUES (?, ?, ?)", edges)

    def _read(self, ref: str, oid: Oid) -> tuple[tuple[Any, ...], list[Oid]] | None:
        """Return the row of a record, and its parents; None if the ref holds none."""
        version = _or_none(parse_record_ref, ref)
        if version is None:
            return None
        try:
            stored = records.read(self._repo, oid)
        except PachaError:
            return None  # fsck's business; a list goes on without it
        projected = self._project(stored)
        record = stored.record.model_dump(exclude={"content": {"files"}})
        row = (
            ref, version.kind.value, version.name, str(version.version), version_key(str(version.version)), oid,
            projected["address"], projected["size"], stored.record.created_at, stored.record.description,
            projected["signer_key"], projected["shown"], projected["shown_last"], bool(stored.documents),
            json.dumps(record),
        )  # fmt: skip
        return row, list(dict.fromkeys(stored.record.parents))

    def _take_name(self, connection: sqlite3.Connection, kind: Kind, name: str) -> None:
        query = "SELECT ref, version, oid FROM version WHERE kind = ? AND name = ? ORDER BY version_key DESC"
        found = connection.execute(query, (kind.value, name)).fetchall()
        if not found:
            connection.execute("DELETE FROM name WHERE kind = ? AND name = ?", (kind.value, name))
            return
        fold = self._fold(kind, name)
        if fold.get("tombstones"):
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_JUDGED, self._removals().stamp()))
        here = [row for row in found if row[2] not in fold["removed"]] or found
        released = (ref for ref, version, _ in here if not Version.parse(version).is_prerelease)
        latest = next(released, here[0][0])
        connection.execute(
            "INSERT OR REPLACE INTO name VALUES (?, ?, ?, ?, ?)",
            (kind.value, name, latest, len(found), json.dumps(fold)),
        )

    def _fold(self, kind: Kind, name: str) -> dict[str, Any]:
        try:
            ledger = read_ledger(self._repo, kind, name, keeps=False)
            attested = read_attestations(self._repo, kind, name, keeps=False)
            has_tombstones = any(about.tombstones for about in attested.of.values())
            counting = self._removals().of(kind, name, attested) if has_tombstones else None
        except PachaError:
            return dict(NO_FOLD)
        return {
            "stages": {commit: stage.value for commit, stage in ledger.stages.items()},
            "aliases": dict(ledger.aliases),
            "tags": {commit: about.tags for commit, about in attested.of.items() if about.tags},
            "descriptions": {c: about.description for c, about in attested.of.items() if about.description is not None},
            "removed": {} if counting is None else _removed(counting),
            "tombstones": has_tombstones,
            "endorsed": {
                commit: keys for commit, about in attested.of.items() if (keys := self._endorsers(commit, about))
            },
            "crossing": crossing(ledger),
        }

    def _endorsers(self, commit: Oid, about: Attested) -> list[SignerNote]:
        """Tell who made every endorsement of this very record with a good signature, newest first."""
        signed = [event for event in about.endorsements if event.sig is not None]
        if not signed:
            return []
        from pacha_git.trust import sshsig  # 14 ms to load

        found: list[SignerNote] = []
        with suppress(PachaError):  # a record that is not here is endorsed by nobody yet
            target = records.read(self._repo, commit).target
            for event in reversed(signed):
                if (event.record, event.version, event.text("scope")) == (target.record, target.version, RECORD_SCOPE):
                    with suppress(VerificationFailed, InvalidInput):
                        key = sshsig.verify(event.sig or "", signed_part(event.line), sshsig.EVENT_NAMESPACE)
                        found.append((key.text, sshsig.EVENT_NAMESPACE, event.at))
        return found


def _removed(removals: Removals) -> dict[Oid, dict[str, Any]]:
    """Tell who removed each version that is removed, when, why, and whose good signature says so."""
    last = {commit: events[-1] for commit, events in removals.counting.items()}
    return {
        commit: {
            "by": event.by, "at": event.at, "reason": event.reason, "signed_by": removals.signatures[event.hash].shown,
        }
        for commit, event in last.items()
    }  # fmt: skip


def _meta(connection: sqlite3.Connection, key: str) -> str | None:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return row[0] if row else None


def _name_of(ref: str) -> list[tuple[Kind, str]]:
    """Return the name whose fold or versions a ref belongs to, if any."""
    version = _or_none(parse_record_ref, ref)
    if version is not None:
        return [(version.kind, version.name)]
    notes = _or_none(parse_notes_ref, ref)
    return [(notes[0], notes[1])] if notes is not None else []


def _or_none(parse: Callable[[str], T | None], ref: str) -> T | None:
    try:
        return parse(ref)
    except PachaError:
        return None  # a ref that breaks the grammar is fsck's business
