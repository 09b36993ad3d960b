"""Turns what ``--where`` says into SQL over the tables of ``search_item``; every value is bound, none is spelled out.

It means exactly what ``schema.where.holds`` means, and refuses to run anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pacha_git.query.fields import Operand, Type, version_key
from pacha_git.query.where import Comparison, Every, Expression, Not

# Field → the SQL of its text, and of its number.
_COLUMNS: Final = {
    "kind": "i.kind", "name": "i.name", "version": "i.version", "stage": "i.stage", "status": "i.status",
    "created_at": "i.created_at", "finished_at": "i.finished_at", "created_by": "i.created_by", "address": "i.address",
    "commit": "i.oid", "recipe": "i.recipe", "payload": "i.payload", "signed_by": "pacha_signer(i.signer)",
    "description": "i.description", "size": "i.size",
    "file_count": "i.file_count",
}  # fmt: skip
_NEGATED: Final = {"!=": "=", "!~": "~", "not in": "in"}


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of SQL that is true or false, and the values of its question marks."""

    sql: str
    values: tuple[Any, ...]

    @classmethod
    def joined(cls, word: str, parts: Sequence[Condition]) -> Condition:
        """Several as one; of none, one that is always true."""
        if not parts:
            return cls("1", ())
        sql = word.join(f"({part.sql})" for part in parts)
        return cls(sql, tuple(value for part in parts for value in part.values))


def condition(expression: Expression) -> Condition:
    """Return an expression over the item ``i``."""
    if isinstance(expression, Comparison):
        return _comparison(expression)
    if isinstance(expression, Not):
        inner = condition(expression.term)
        return Condition(f"NOT ({inner.sql})", inner.values)
    word = " AND " if isinstance(expression, Every) else " OR "
    return Condition.joined(word, [condition(term) for term in expression.terms])


def _comparison(said: Comparison) -> Condition:
    column = _COLUMNS.get(said.field.name) if said.field.type is not Type.ANY else None
    if column is not None:
        inner = _compared(said, column, column)
        return Condition(f"ifnull({inner.sql}, 0)", inner.values)
    inner = _compared(said, "text", "number")
    return Condition(
        f"i.id IN (SELECT item FROM fact WHERE field = ? AND {inner.sql})", (said.field.name, *inner.values)
    )


def _compared(said: Comparison, text: str, number: str) -> Condition:
    base = _NEGATED.get(said.operator, said.operator)
    if base == "in":
        found = Condition.joined(" OR ", [_one(said, "=", operand, text, number) for operand in said.operands])
    else:
        found = _one(said, base, said.operands[0], text, number)
    if base == said.operator:
        return Condition(f"({found.sql})", found.values)
    # A number that is none (NaN, or a text) is not equal; a field that is not there is neither.
    return Condition(f"({text} IS NOT NULL AND NOT ifnull({found.sql}, 0))", found.values)


def _one(said: Comparison, operator: str, operand: Operand, text: str, number: str) -> Condition:
    if operator == "~":
        return Condition(f"pacha_contains({text}, ?)", (operand.text,))
    if operand.number is not None:
        return Condition(f"{number} {operator} ?", (operand.number,))
    if operand.span is not None:
        return _in_time(operator, operand.span, text)
    if said.field.type is Type.VERSION and operator != "=":
        return Condition(f"i.version_key {operator} ?", (version_key(operand.text),))
    return Condition(f"{text} {operator} ?", (operand.text,))


def _in_time(operator: str, span: tuple[str, str], text: str) -> Condition:
    begin, end = span
    match operator:
        case "=":
            return Condition(f"({text} >= ? AND {text} < ?)", (begin, end))
        case "<" | ">=":
            return Condition(f"{text} {operator} ?", (begin,))
        case "<=":
            return Condition(f"{text} < ?", (end,))
        case _:
            return Condition(f"{text} >= ?", (end,))
