"""Lineage as nodes and edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pacha_git.session.results.plain import Json, plain
from pacha_git.vocabulary.kinds import Kind


@dataclass(frozen=True, slots=True)
class LineageNode:
    """A version (or a run: ``version`` None) in a lineage graph."""

    kind: Kind
    name: str
    version: str | None
    commit: str

    @property
    def id(self) -> str:
        """``kind:name@version``, or ``run:ID``."""
        return f"{self.kind}:{self.name}@{self.version}" if self.version is not None else f"{self.kind}:{self.name}"

    def to_json(self) -> Json:
        """kind, name, version, commit."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class LineageEdge:
    """From the newer side to what it came from."""

    from_: str
    to: str
    relation: str
    params: Mapping[str, Any]

    def to_json(self) -> Json:
        """from, to, relation, params."""
        return {"from": self.from_, "to": self.to, "relation": self.relation, "params": dict(self.params)}


@dataclass(frozen=True, slots=True)
class LineageGraph:
    """What a version came from (``direction`` up) or what came from it (down); ``root`` is its node's id."""

    root: str
    direction: str
    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]

    def to_json(self) -> Json:
        """``{nodes, edges}``."""
        return {"nodes": [n.to_json() for n in self.nodes], "edges": [e.to_json() for e in self.edges]}
