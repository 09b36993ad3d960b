"""Keeps the tables that are searched up to the catalogue: what changed since the last search is entered anew.

It knows what has to be looked at again; what is entered is ``search_item``'s. Nothing is done before somebody searches,
so that registering and pulling don't wait for it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any

from pacha_git.errors import InvalidInput, PachaError
from pacha_git.git.repo import GitRepository
from pacha_git.store.catalogue.database import Database
from pacha_git.store.catalogue.rows import Fold
from pacha_git.store.catalogue.search_item import NOTHING_SAID, Said, enter, leave, run_at, run_entry, version_entry
from pacha_git.store.events import read_attestations
from pacha_git.vocabulary.ids import PAYLOAD_ROOT, REF_ROOT, NotesRef, RunId, parse_ref
from pacha_git.vocabulary.kinds import Kind


def catch_up(database: Database, repo: GitRepository) -> None:
    """Enter what changed since the last search."""
    with database.writing() as connection:
        names: dict[tuple[Kind, str], list[str]] = {}
        run_ids: set[str] = set()
        for (ref,) in connection.execute("SELECT ref FROM unsearched ORDER BY ref"):
            with suppress(InvalidInput):  # a ref that breaks the grammar is fsck's business
                _sort(ref, names, run_ids)
        for (kind, name), changed in names.items():
            _take_name(connection, repo, kind, name, changed)
        for run_id in sorted(run_ids):
            _take_run(connection, run_id)
        connection.execute("DELETE FROM unsearched")


def _sort(ref: str, names: dict[tuple[Kind, str], list[str]], run_ids: set[str]) -> None:
    """Note what has to be looked at for a ref: versions by their name, or a run."""
    found = parse_ref(ref)
    if found is None:
        return
    if isinstance(found, NotesRef):
        names.setdefault((found.kind, found.name), [])
        return
    item = found.id
    if isinstance(item, RunId):
        run_ids.add(item)
    else:
        names.setdefault((item.kind, item.name), []).append(item.ref)


def _take_run(connection: sqlite3.Connection, run_id: str) -> None:
    row = run_at(connection, run_id)
    if row is None:
        leave(connection, RunId(run_id).ref)
    else:
        enter(connection, run_entry(row, here=_is_here(connection, RunId(run_id).payload_ref)))


def _take_name(
    connection: sqlite3.Connection, repo: GitRepository, kind: Kind, name: str, changed: Iterable[str]
) -> None:
    """Enter the versions of a name that changed, and those of which something else is said than was entered."""
    said = _said(connection, repo, kind, name)
    states = {oid: _state(about) for oid, about in said.items()}
    stale = connection.execute(
        "SELECT ref, oid, state FROM item WHERE kind = ? AND name = ? AND"
        " (state != '' OR oid IN (SELECT value FROM json_each(?)))",
        (kind.value, name, json.dumps(list(states))),
    ).fetchall()
    todo = dict.fromkeys([*changed, *(ref for ref, oid, state in stale if states.get(oid, "") != state)])
    for ref in todo:
        row = _version_row(connection, ref)
        if row is None:
            leave(connection, ref)
        else:
            oid = row["oid"]
            enter(connection, version_entry(repo, row, said.get(oid, NOTHING_SAID), states.get(oid, "")))


def _version_row(connection: sqlite3.Connection, ref: str) -> dict[str, Any] | None:
    columns = ("ref", "oid", "address", "size", "record", "signer", "documents")
    found = connection.execute(f"SELECT {', '.join(columns)} FROM version WHERE ref = ?", (ref,)).fetchone()
    if found is None:
        return None
    payload = PAYLOAD_ROOT + ref.removeprefix(REF_ROOT)
    return dict(zip(columns, found, strict=True)) | {"here": _is_here(connection, payload)}


def _is_here(connection: sqlite3.Connection, ref: str) -> bool:
    return connection.execute("SELECT 1 FROM ref WHERE ref = ?", (ref,)).fetchone() is not None


def _said(connection: sqlite3.Connection, repo: GitRepository, kind: Kind, name: str) -> Mapping[str, Said]:
    """Tell what is said of the versions of a name, by their commits; those of which nothing is are left out."""
    found = connection.execute("SELECT fold FROM name WHERE kind = ? AND name = ?", (kind.value, name)).fetchone()
    if found is None:
        return {}
    fold = Fold(json.loads(found[0]))
    documents = _documents(repo, kind, name)
    return {
        oid: Said(
            stage=fold.stages.get(oid, NOTHING_SAID.stage),
            aliases=fold.aliases.get(oid, ()),
            tags=fold.tags.get(oid, {}),
            description=fold.descriptions.get(oid),
            document=documents.get(oid),
            removed=oid in fold.removed,
            signers=tuple(fold.endorsed.get(oid, ())),
        )
        for oid in fold.mentioned | documents.keys()
    }


def _documents(repo: GitRepository, kind: Kind, name: str) -> dict[str, str]:
    """Return the newest attested card or datasheet of each version that has one."""
    try:
        attested = read_attestations(repo, kind, name, keeps=False)
    except PachaError:
        return {}  # fsck's business
    texts = {oid: about.card if kind is Kind.MODEL else about.datasheet for oid, about in attested.of.items()}
    return {oid: text for oid, text in texts.items() if text is not None}


def _state(said: Said) -> str:
    """Return a text that is the same for the same things said."""
    everything = (said.stage, said.aliases, said.tags, said.description, said.document, said.removed, said.signers)
    return sha256(json.dumps(everything, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()
