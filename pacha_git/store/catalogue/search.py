"""Searches: words and comparisons become one SQL query over the tables of ``search_item``; best first, with the reason.

Whatever a person types reaches SQL as a bound value.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pacha_git.query.fields import contains
from pacha_git.query.where import Expression, Value, comparisons, holds
from pacha_git.store.catalogue.search_where import Condition, condition
from pacha_git.vocabulary.kinds import Kind

TEXTS: Final = ("name", "description", "purpose", "tags", "document", "params", "metrics", "author")
_WEIGHTS: Final = {"name": 10, "description": 4, "purpose": 3, "tags": 5, "document": 1, "params": 2, "metrics": 2,
                   "author": 2}  # fmt: skip
_BEGIN, _END = "\x02", "\x03"
_SNIPPET_WORDS: Final = 12
TOKENIZE: Final = "tokenize = 'unicode61 remove_diacritics 2'"
_WEIGHED: Final = 20_000
_AMONG: Final = "i.id IN (SELECT rowid FROM search WHERE search MATCH ?)"
_NEWEST: Final = "i.created_at DESC, i.kind, i.name, i.version_key DESC"
_TOKEN: Final = re.compile(r"[^\W_]")
_DOCUMENTS: Final = {Kind.MODEL.value: "card", Kind.DATASET.value: "datasheet", Kind.RECIPE.value: "recipe"}
_RUN_TEXTS: Final = {"description": "artifacts", "purpose": "recipe"}

Principal = Callable[[str], str]
"""Whose signature it is, from key, namespace and time as JSON."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for.

    Attributes:
        words: Each must begin a word of one of the texts; one with spaces in it is a phrase.
        kind: Only things of this kind.
        stage: Only versions in this stage.
        tags: Only things that have all of these.
        where: Only things for which this holds.
        limit: At most so many.
        principal: Names signers.
    """

    words: Sequence[str] = ()
    kind: Kind | None = None
    stage: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    where: Expression | None = None
    limit: int | None = None
    principal: Principal = str


@dataclass(frozen=True, slots=True)
class Hit:
    """A thing that was found: its ref, kind, and why (each a field and a piece of its text)."""

    ref: str
    kind: str
    matched: tuple[tuple[str, str], ...]


def match_text(words: Sequence[str], *, whole: bool = False) -> str | None:
    """Words as FTS5 reads them, every one quoted; None if there is nothing in them that a text could contain.

    Args:
        words: What a person typed.
        whole: Whether they must be words as they are, or only begin some.
    """
    star = "" if whole else " *"
    clean = [word.encode("utf-8", "ignore").decode().replace("\0", " ") for word in words]
    return " ".join(f'"{word.replace(chr(34), chr(34) * 2)}"{star}' for word in clean if _TOKEN.search(word)) or None


def find(connection: sqlite3.Connection, query: Query) -> tuple[list[Hit], int]:
    """Return the best hits, and how many there are in all.

    What has the words whole comes before what has words that begin so; then by bm25, a name counting most and a card
    least; then the newest. Where words fit more than 20,000 things, those with the words in the name come first, and
    then the newest: weighing so many takes too long.
    """
    match = match_text(query.words)
    if query.words and match is None:
        return [], 0
    _lend_functions(connection, query.principal)
    parts = _kept(query)
    if match is not None:
        parts.append(Condition(_AMONG, (match,)))
    kept = Condition.joined(" AND ", parts)
    fitting = [number for (number,) in connection.execute(f"SELECT i.id FROM item i WHERE {kept.sql}", kept.values)]
    if len(fitting) <= _WEIGHED:
        # Those that fit are known: what may have been slow to find out is not asked again.
        kept = Condition("i.id IN (SELECT value FROM json_each(?))", (json.dumps(fitting),))
    found = connection.execute(*_ranked(kept, query, len(fitting))).fetchall()
    why = _texts_that_match(connection, match, [number for number, _, _ in found])
    return [
        Hit(ref, kind, (*_named(kind, why.get(number, ())), *_facts_that_match(connection, query, number)))
        for number, ref, kind in found
    ], len(fitting)


def _ranked(kept: Condition, query: Query, total: int) -> tuple[str, list[Any]]:
    """Return the query for hits in their order, and its values."""
    match, limit = match_text(query.words), -1 if query.limit is None else query.limit
    what = "SELECT i.id, i.ref, i.kind FROM item i"
    if match is None:
        return f"{what} WHERE {kept.sql} ORDER BY {_NEWEST} LIMIT ?", [*kept.values, limit]
    if total > _WEIGHED:
        values = [*kept.values, f"{{name}} : ({match})", limit]
        return f"{what} WHERE {kept.sql} ORDER BY {_AMONG} DESC, {_NEWEST} LIMIT ?", values
    rank = f"bm25(search, {', '.join(str(_WEIGHTS[text]) for text in TEXTS)})"
    return (
        f"{what} JOIN search s ON s.rowid = i.id WHERE search MATCH ? AND {kept.sql}"
        f" ORDER BY {_AMONG} DESC, {rank}, {_NEWEST} LIMIT ?",
        [match, *kept.values, match_text(query.words, whole=True), limit],
    )


def is_behind(connection: sqlite3.Connection) -> bool:
    """Tell whether something changed that was not entered yet (see ``search_index``)."""
    return connection.execute("SELECT 1 FROM unsearched LIMIT 1").fetchone() is not None


def _lend_functions(connection: sqlite3.Connection, principal: Principal) -> None:
    """Let SQL call what it can't do itself: upper and lower case of any script, and whose a key is."""

    def has(text: str | None, part: str) -> bool | None:
        return None if text is None else contains(text, part)

    connection.create_function("pacha_contains", 2, has, deterministic=True)
    connection.create_function("pacha_signer", 1, lambda signer: signer and principal(signer))


def _kept(query: Query) -> list[Condition]:
    """Tell what of a query is no word."""
    parts: list[Condition] = []
    if query.kind is not None:
        parts.append(Condition("i.kind = ?", (query.kind.value,)))
    if query.stage is not None:
        parts.append(Condition("i.stage = ?", (query.stage,)))
    for key, value in query.tags.items():
        parts.append(Condition("i.id IN (SELECT item FROM fact WHERE field = ? AND text = ?)", (f"tags.{key}", value)))
    if query.where is not None:
        parts.append(condition(query.where))
    if query.where is None or all(each.field.name != "payload" for each in comparisons(query.where)):
        parts.append(Condition("i.payload IS NOT 'removed'", ()))
    return parts


def _texts_that_match(
    connection: sqlite3.Connection, match: str | None, numbers: Sequence[int]
) -> dict[int, list[tuple[str, str]]]:
    """By item the texts in which words were found, each with the piece around them."""
    if match is None or not numbers:
        return {}
    # Asked of a table of these alone: every question to the whole one would go through all that has the words.
    names = ", ".join(TEXTS)
    connection.execute("DROP TABLE IF EXISTS temp.found")
    connection.execute(f"CREATE VIRTUAL TABLE temp.found USING fts5({names}, {TOKENIZE})")
    copy = f"INSERT INTO temp.found (rowid, {names}) SELECT rowid, {names} FROM search WHERE rowid = ?"
    connection.executemany(copy, [(number,) for number in numbers])
    pieces = ", ".join(f"snippet(found, {at}, ?2, ?3, '…', {_SNIPPET_WORDS})" for at in range(len(TEXTS)))
    rows = connection.execute(f"SELECT rowid, {pieces} FROM temp.found WHERE found MATCH ?1", (match, _BEGIN, _END))
    return {number: list(_marked(cells)) for number, *cells in rows}


def _marked(cells: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Of pieces of all texts those that have a word, with brackets about it."""
    for name, text in zip(TEXTS, cells, strict=True):
        if _BEGIN in text:
            yield name, " ".join(text.replace(_BEGIN, "[").replace(_END, "]").split())


def _named(kind: str, texts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Texts by the names that people know them by."""
    names = {"author": "created_by", "document": _DOCUMENTS.get(kind, "document")}
    if kind == Kind.RUN.value:
        names |= {"name": "id", **_RUN_TEXTS}
    return [(names.get(name, name), text) for name, text in texts]


def _facts_that_match(connection: sqlite3.Connection, query: Query, number: int) -> list[tuple[str, str]]:
    """Return the fields that were asked for and have what was wanted, with their values."""
    wanted = {f"tags.{key}": value for key, value in query.tags.items()}
    asked = comparisons(query.where) if query.where is not None else []
    if not asked:
        return list(wanted.items())
    values = values_of(connection, number, query.principal, {each.field.name for each in asked})
    for each in asked:
        if holds(each, values):
            wanted[each.field.name] = ", ".join(value.text for value in values[each.field.name])
    return list(wanted.items())


def values_of(
    connection: sqlite3.Connection, number: int, principal: Principal, names: set[str]
) -> dict[str, list[Value]]:
    """Tell what an item has in some fields, as comparisons see it."""
    found: dict[str, list[Value]] = {}
    for name in names:
        for text, value in connection.execute(
            "SELECT text, number FROM fact WHERE item = ? AND field = ? ORDER BY text", (number, name)
        ):
            found.setdefault(name, []).append(Value(text, value))
    cursor = connection.execute("SELECT *, oid AS 'commit' FROM item WHERE id = ?", (number,))
    row: dict[str, Any] = dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))
    row["signed_by"] = principal(row["signer"]) if row["signer"] else None
    for name in names & row.keys():
        if row[name] is not None:
            value = row[name]
            found[name] = [Value(str(value), float(value) if isinstance(value, int) else None)]
    return found
