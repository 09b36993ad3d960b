"""What ``--where`` says: a small language of comparisons, read into a tree; it runs nothing and knows no table.

    metrics.acc > 0.9 and not (stage = archived or tags.team in (fraud, risk))

A comparison holds if what it names is there and compares so; of a thing that has the field several times (aliases), one
is enough. So ``tags.team != fraud`` wants a team, and ``not tags.team = fraud`` does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias, TypeVar

from pacha_git.errors import InvalidInput
from pacha_git.query.fields import Field, Operand, field_of, holds_for, operand_of

T = TypeVar("T")

LENGTH_LIMIT: Final = 4096
DEPTH_LIMIT: Final = 50
COMPARISON_LIMIT: Final = 200
VALUE_LIMIT: Final = 500

_OPERATORS: Final = {"=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "~": "~", "!~": "!~"}
_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<operator>==|!=|<=|>=|!~|[=<>~])
      | (?P<mark>[(),])
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<word>[^\s()=<>!~,"']+(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')?)
    )""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Value:
    """What a thing has in a field: its text, and the number that it is or reads as."""

    text: str
    number: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field, an operator (``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``~``, ``!~``, ``in``, ``not in``), values."""

    field: Field
    operator: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where the other does not."""

    term: Expression


@dataclass(frozen=True, slots=True)
class Every:
    """Holds where all of them do."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Holds where at least one of them does."""

    terms: tuple[Expression, ...]


Expression: TypeAlias = Comparison | Not | Every | Some


def parse_where(text: str) -> Expression:
    """Read an expression.

    Raises:
        InvalidInput: with the column of what is wrong.
    """
    if len(text) > LENGTH_LIMIT:
        raise InvalidInput(f"--where is over {LENGTH_LIMIT} characters")
    return _WhereParser(text).whole()


def holds(expression: Expression, values: Mapping[str, Sequence[Value]]) -> bool:
    """Tell whether an expression holds for a thing, given by what it has in every field."""
    if isinstance(expression, Comparison):
        found = values.get(expression.field.name, ())
        return any(
            holds_for(expression.field, expression.operator, expression.operands, v.text, v.number) for v in found
        )
    if isinstance(expression, Not):
        return not holds(expression.term, values)
    every = (holds(term, values) for term in expression.terms)
    return all(every) if isinstance(expression, Every) else any(every)


def comparisons(expression: Expression) -> list[Comparison]:
    """Return all comparisons of an expression, in order."""
    if isinstance(expression, Comparison):
        return [expression]
    terms = (expression.term,) if isinstance(expression, Not) else expression.terms
    return [found for term in terms for found in comparisons(term)]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    @property
    def lowered(self) -> str:
        """A word as a keyword is compared."""
        return self.text.lower() if self.kind == "word" else ""


class _WhereParser:
    """Reads by recursive descent: ``or`` binds loosest, then ``and``, then ``not``."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._at = 0
        self._count = 0

    def _split(self) -> list[_Token]:
        found: list[_Token] = []
        at = 0
        end = len(self._text.rstrip())
        while at < end:
            match = _TOKEN.match(self._text, at)
            if match is None or match.lastgroup is None:
                at = next(place for place in range(at, end) if not self._text[place].isspace())
                quote = self._text[at] in "\"'"
                raise self._wrong(at, "a quote that is not closed" if quote else f"{self._text[at]!r} means nothing")
            found.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
            at = match.end()
        return [*found, _Token("end", "", end)]

    def whole(self) -> Expression:
        """Return all of the text."""
        if self._next.kind == "end":
            raise self._wrong(0, "nothing stands there")
        found = self._some(0)
        if self._next.kind != "end":
            raise self._expected("and, or, or the end")
        return found

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at += token.kind != "end"
        return token

    def _some(self, depth: int) -> Expression:
        if depth > DEPTH_LIMIT:
            raise self._wrong(self._next.at, f"nested deeper than {DEPTH_LIMIT} levels")
        terms = [self._every(depth)]
        while self._next.lowered == "or":
            self._take()
            terms.append(self._every(depth))
        return terms[0] if len(terms) == 1 else Some(tuple(terms))

    def _every(self, depth: int) -> Expression:
        terms = [self._term(depth)]
        while self._next.lowered == "and":
            self._take()
            terms.append(self._term(depth))
        return terms[0] if len(terms) == 1 else Every(tuple(terms))

    def _term(self, depth: int) -> Expression:
        if self._next.lowered == "not":
            at = self._take().at
            if depth >= DEPTH_LIMIT:
                raise self._wrong(at, f"nested deeper than {DEPTH_LIMIT} levels")
            return Not(self._term(depth + 1))
        if self._next.text == "(" and self._next.kind == "mark":
            self._take()
            inner = self._some(depth + 1)
            self._mark(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        self._count += 1
        if self._count > COMPARISON_LIMIT:
            raise self._wrong(self._next.at, f"more than {COMPARISON_LIMIT} comparisons")
        said = self._take()
        if said.kind != "word" or said.lowered in ("and", "or", "in"):
            raise self._wrong(said.at, "a field is expected, as in metrics.acc")
        field = self._checked(said.at, lambda: field_of(said.text))
        operator, at = self._operator()
        self._checked(at, lambda: field.check(operator))
        tokens = self._values() if operator in ("in", "not in") else [self._value()]
        read = (self._checked(token.at, partial(operand_of, field, operator, token.text)) for token in tokens)
        return Comparison(field, operator, tuple(read))

    def _operator(self) -> tuple[str, int]:
        token = self._take()
        if token.kind == "operator":
            return _OPERATORS[token.text], token.at
        if token.lowered == "in":
            return "in", token.at
        if token.lowered == "not" and self._next.lowered == "in":
            self._take()
            return "not in", token.at
        raise self._wrong(token.at, "an operator is expected: one of = != < <= > >= ~ !~ in")

    def _value(self) -> _Token:
        token = self._take()
        if token.kind not in ("word", "text") or token.lowered in ("and", "or", "not", "in"):
            raise self._wrong(token.at, "a value is expected")
        return token

    def _values(self) -> list[_Token]:
        self._mark("(")
        found = [self._value()]
        while self._next.text == "," and self._next.kind == "mark":
            self._take()
            found.append(self._value())
            if len(found) > VALUE_LIMIT:
                raise self._wrong(found[-1].at, f"more than {VALUE_LIMIT} values")
        self._mark(")")
        return found

    def _mark(self, mark: str) -> None:
        token = self._take()
        if token.kind != "mark" or token.text != mark:
            raise self._wrong(token.at, f"{mark!r} is expected")

    def _expected(self, what: str) -> InvalidInput:
        return self._wrong(self._next.at, f"{what} is expected, not {self._next.text[:40]!r}")

    def _checked(self, at: int, read: Callable[[], T]) -> T:
        """Say where what can't be read stands."""
        try:
            return read()
        except InvalidInput as problem:
            raise self._wrong(at, problem.message, problem.hint) from None

    def _wrong(self, at: int, what: str, hint: str = "") -> InvalidInput:
        here = self._text[:at].lstrip()[-30:] + "⟨here⟩" + self._text[at : at + 30]
        return InvalidInput(f"--where, column {at + 1}: {what}", hint=f"{hint}; {here}" if hint else here)
