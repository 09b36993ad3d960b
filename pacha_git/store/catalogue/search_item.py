"""What a version or a run is to those who search: its columns, its facts (metrics, params, tags), and its texts.

It reads values and writes rows of three tables.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pacha_git.errors import PachaError
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.query.fields import version_key
from pacha_git.query.where import Value
from pacha_git.store import records
from pacha_git.store.catalogue.runs import RunRow, rows
from pacha_git.store.catalogue.search import TEXTS
from pacha_git.vocabulary.ids import RUNS_ROOT
from pacha_git.vocabulary.kinds import Kind

_COLUMNS: Final = (
    "ref", "kind", "name", "version", "version_key", "stage", "status", "size", "file_count", "created_at",
    "finished_at", "created_by", "address", "oid", "recipe", "signer", "payload", "state", "description",
)  # fmt: skip
_WORDS: Final = {"NaN": None, "Infinity": float("inf"), "-Infinity": float("-inf")}
_FACT_TEXT_LIMIT: Final = 4096


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of a version after it was registered; None and empty where nothing was."""

    stage: str = "development"
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str | None] = field(default_factory=dict)
    description: str | None = None
    document: str | None = None
    removed: bool = False
    signers: tuple[tuple[str, str, str], ...] = ()


NOTHING_SAID: Final = Said()


@dataclass(frozen=True, slots=True)
class SearchEntry:
    """A thing as it is entered: its columns by name, its facts, and its texts by name."""

    columns: Mapping[str, Any]
    facts: Iterable[tuple[str, Value]]
    texts: Mapping[str, str]


def version_entry(repo: GitRepository, row: Mapping[str, Any], said: Said, state: str) -> SearchEntry:
    """Return a version, from its row in the catalogue and what was said since.

    Args:
        repo: Where its documents are.
        row: ``ref, oid, address, size, record, signer, documents``, and ``here``: whether its payload is.
        said: What was said.
        state: By which it is known whether something else is said later.
    """
    record = json.loads(row["record"])
    tags = {key: value for key, value in {**record["tags"], **said.tags}.items() if value is not None}
    document = _document(repo, row) if said.document is None else said.document
    params = dict(flat(_recipe_values(document))) if record["kind"] == Kind.RECIPE.value else {}
    metrics = record.get("metrics") or {}
    content = record["content"]
    columns = {
        "ref": row["ref"], "kind": record["kind"], "name": record["name"], "version": record["version"],
        "version_key": version_key(record["version"]), "stage": said.stage, "size": row["size"],
        "file_count": content["file_count"] if content is not None else 1, "created_at": record["created_at"],
        "created_by": record["created_by"], "address": row["address"], "oid": row["oid"],
        "signer": _signer(row["signer"], record["created_at"], said), "state": state,
        "payload": "removed" if said.removed else "here" if content is None or row["here"] else "thin",
        "description": record["description"] if said.description is None else said.description,
    }  # fmt: skip
    texts = {
        "name": " ".join([record["name"], record["version"], *said.aliases]),
        "description": columns["description"],
        "purpose": record.get("purpose") or "",
        "tags": lines(tags),
        "document": document,
        "metrics": lines(metrics),
        "author": record["created_by"],
    }
    facts = [*facts_of("metrics", metrics), *facts_of("params", params), *facts_of("tags", tags)]
    return SearchEntry(columns, [*facts, *(("alias", Value(alias)) for alias in said.aliases)], texts)


def run_entry(row: RunRow, *, here: bool) -> SearchEntry:
    """Return a run, as its newest commit has it; ``here`` is whether its payload is."""
    said = row.said
    metrics = {name: summary["last"] for name, summary in said["metrics"].items()}
    params = dict(flat(row.params))
    content = said["content"]
    columns = {
        "ref": RUNS_ROOT + said["id"], "kind": Kind.RUN.value, "name": said["id"], "status": said["status"],
        "size": content["size"] if content else 0, "file_count": content["file_count"] if content else 0,
        "created_at": said["started_at"], "finished_at": said["finished_at"], "created_by": said["by"],
        "address": content["address"] if content else None, "oid": row.commit, "recipe": _recipe_of(said),
        "state": "", "payload": None if content is None else "here" if here else "thin", "description": "",
    }  # fmt: skip
    texts = {
        "name": said["id"],
        "description": "\n".join([said["error"] or "", *row.artifacts]).strip(),
        "purpose": _recipe_of(said) or "",
        "tags": lines(said["tags"]),
        "params": lines(params),
        "metrics": lines(metrics),
        "author": said["by"],
    }
    facts = [*facts_of("metrics", metrics), *facts_of("params", params), *facts_of("tags", said["tags"])]
    return SearchEntry(columns, facts, texts)


def _recipe_of(said: Mapping[str, Any]) -> str | None:
    targets = (edge["target"] for edge in said["inputs"])
    return next((f"{t['name']}@{t['version']}" for t in targets if t["kind"] == Kind.RECIPE.value), None)


def _document(repo: GitRepository, row: Mapping[str, Any]) -> str:
    """Return the card, datasheet or recipe that a record was registered with."""
    if not row["documents"]:
        return ""
    try:
        documents = records.read(repo, Oid(row["oid"])).documents
    except PachaError:
        return ""  # fsck's business; the rest of it can be found
    return "\n".join(data.decode("utf-8", "replace") for _, data in sorted(documents.items()))


def _recipe_values(text: str) -> Mapping[str, Any]:
    from pacha_git.format.documents.recipe import parse_recipe  # only where there are recipes

    return parse_recipe(text.encode("utf-8")).json_values


def _signer(key: str | None, created_at: str, said: Said) -> str | None:
    """Key, namespace and time of the signature that counts: the record's, else the newest endorsement's."""
    if key:
        return json.dumps([key, "git", created_at])
    return json.dumps(list(said.signers[0])) if said.signers else None


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values by dotted names; those below ``hyperparameters`` also by their own."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
            if not prefix and key == "hyperparameters":
                yield from flat(value)
        else:
            yield f"{prefix}{key}", value


def lines(values: Mapping[str, Any]) -> str:
    """Values as they are found by words: ``key=value``, one a line."""
    return "\n".join(f"{key}={_text(value)}" for key, value in values.items())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def facts_of(area: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    """Values as ``--where`` compares them: of a list, each item."""
    for key, value in values.items():
        for item in value if isinstance(value, list) else [value]:
            yield f"{area}.{key}", value_of(item)


def value_of(value: Any) -> Value:
    """Return the text of a value, and the number that it is or reads as."""
    text = _text(value)[:_FACT_TEXT_LIMIT]
    if text in _WORDS:
        return Value(text, _WORDS[text])
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return Value(text)
    try:
        number = float(value) if "_" not in text else None
    except (ValueError, OverflowError):
        number = None
    return Value(text, number if number == number else None)


def enter(connection: sqlite3.Connection, entry: SearchEntry) -> None:
    """Write a thing in place of what stood under its ref."""
    leave(connection, entry.columns["ref"])
    cells = [entry.columns.get(column) for column in _COLUMNS]
    number = connection.execute(_INSERT_ITEM, cells).lastrowid
    connection.executemany(
        "INSERT OR IGNORE INTO fact VALUES (?, ?, ?, ?)",
        [(number, name, value.text, value.number) for name, value in entry.facts],
    )
    connection.execute(_INSERT_TEXTS, [number, *(entry.texts.get(name, "") for name in TEXTS)])


_INSERT_ITEM: Final = f"INSERT INTO item ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_INSERT_TEXTS: Final = f"INSERT INTO search (rowid, {', '.join(TEXTS)}) VALUES ({', '.join('?' * (len(TEXTS) + 1))})"


def leave(connection: sqlite3.Connection, ref: str) -> None:
    """Take away what stands under a ref."""
    found = connection.execute("SELECT id FROM item WHERE ref = ?", (ref,)).fetchone()
    if found is not None:
        connection.execute("DELETE FROM search WHERE rowid = ?", found)
        connection.execute("DELETE FROM fact WHERE item = ?", found)
        connection.execute("DELETE FROM item WHERE id = ?", found)


def run_at(connection: sqlite3.Connection, run_id: str) -> RunRow | None:
    """Return the row of a run in the catalogue."""
    return next(iter(rows(connection, [run_id])), None)
