"""Lineage as people write it (``fine-tuned-from=base@1.0.0,epochs=3``), read into the edges of a record.

It knows the words of relations and finds their targets; what the graph looks like is lineage's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pacha_git.errors import InvalidInput
from pacha_git.format.canonical import json_number
from pacha_git.format.kinds import RELATIONS, check_relation
from pacha_git.format.record import Edge
from pacha_git.session.find_run import find_run, says_run
from pacha_git.session.resolve import resolve
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.runs import commits as run_commits
from pacha_git.vocabulary.ids import VersionId
from pacha_git.vocabulary.kinds import KIND_WORDS, Kind

_INTEGER: Final = re.compile(r"[+-]?[0-9]+\Z")
_WORDS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class EdgeRequest:
    """An edge that was asked for: what relates, to which SPEC, with which parameters."""

    relation: str
    spec: str
    params: dict[str, Any]


def parse_wish(text: str) -> EdgeRequest:
    """Read ``RELATION=SPEC[,KEY=VALUE]…``.

    Raises:
        InvalidInput: it has another shape, or the relation is unknown.
    """
    relation, equals, rest = text.partition("=")
    if not equals or not rest:
        raise InvalidInput(
            f"bad lineage {text!r}", hint="as in fine-tuned-from=base@1.0.0 or merged-from=a@1.0.0,weight=0.5"
        )
    if relation not in RELATIONS:
        raise InvalidInput(f"unknown relation {relation!r}", hint="one of " + ", ".join(RELATIONS))
    spec, *params = rest.split(",")
    return EdgeRequest(relation, spec, dict(_parameter(param, text) for param in params))


def _parameter(text: str, whole: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InvalidInput(f"bad parameter {text!r} in {whole!r}", hint="as in merged-from=a@1.0.0,weight=0.5")
    return key, parse_value(value)


def parse_value(text: str) -> Any:
    """Read a value as it is typed: an integer, a number, true, false, or text; as canonical JSON can hold it."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.match(text):
        return json_number(int(text))
    try:
        return json_number(float(text))
    except ValueError:
        return text


def wishes(lineage: Iterable[str], data: Sequence[str], recipe: str | None, run: str | None) -> list[EdgeRequest]:
    """Return all edges that the flags of ``register`` ask for, in the order data, recipe, run, lineage."""
    wanted = [EdgeRequest("trained-on", spec, {}) for spec in data]
    wanted += [EdgeRequest("generated-by", recipe, {})] if recipe else []
    wanted += [EdgeRequest("generated-by", run if run.startswith("run:") else f"run:{run}", {})] if run else []
    return wanted + [parse_wish(text) for text in lineage]


def edges_of(session: Session, child: VersionId, wanted: Iterable[EdgeRequest]) -> list[Edge]:
    """Find the targets.

    Raises:
        NotFound: a target does not exist.
        InvalidInput: a relation that this kind can't have, an edge to itself, or one edge twice.
    """
    edges: dict[tuple[str, str], Edge] = {}
    for wish in wanted:
        edge = _edge(session, child, wish)
        key = (wish.relation, edge.target.commit)
        if key in edges:
            raise InvalidInput(f"{wish.relation} {wish.spec} is named twice")
        edges[key] = edge
    return list(edges.values())


def _edge(session: Session, child: VersionId, wish: EdgeRequest) -> Edge:
    check_relation(child.kind, wish.relation)
    if says_run(wish.spec):
        return _run_edge(session, wish)
    kind = None if _says_kind(wish.spec) else RELATIONS[wish.relation] or child.kind
    if kind is not None and _is_itself(child, kind, wish.spec):
        raise InvalidInput(f"{child} can't be {wish.relation} itself")
    version, commit = resolve(session, wish.spec, kind=kind)
    if version == child:
        raise InvalidInput(f"{child} can't be {wish.relation} itself")
    return Edge(relation=wish.relation, target=records.read(session.repo, commit).target, params=wish.params)


def _run_edge(session: Session, wish: EdgeRequest) -> Edge:
    """Return an edge to a run, at the commit where it stands now."""
    if wish.relation != "generated-by":
        raise InvalidInput(f"nothing is {wish.relation} a run", hint=f"generated-by={wish.spec}")
    run_id = find_run(session, wish.spec)
    return Edge(relation=wish.relation, target=run_commits.read_run(session.repo, run_id).target, params=wish.params)


def _says_kind(spec: str) -> bool:
    return spec.startswith("pacha://") or spec.partition(":")[0].lower() in KIND_WORDS


def _is_itself(child: VersionId, kind: Kind, spec: str) -> bool:
    return kind is child.kind and spec in (child.spec, f"{child.name}:{child.version}")
