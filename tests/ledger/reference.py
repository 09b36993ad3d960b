"""The fold once more, word for word as docs/format.md has it: sets, not clocks; nothing shared with the package."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import blake3
import rfc8785

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
HASH = re.compile(r"[0-9a-f]{64}")
ALIAS = re.compile(r"[a-z][a-z0-9._-]{0,63}")
NO_ALIAS = {
    *("latest", "blake3", "development", "dev", "staging", "stage", "production", "prod", "archived", "archive"),
}
WAYS = {
    "development": {"staging", "archived"},
    "staging": {"development", "production", "archived"},
    "production": {"staging", "archived"},
    "archived": {"development"},
}


@dataclass
class Node:
    id: str
    hash: str
    body: dict[str, Any]
    commits: set[str]
    past: set[str] = field(default_factory=set)
    register: tuple[str, str] | None = None
    value: str | None = None
    legal: bool = False
    depth: int = 0

    @property
    def rank(self) -> tuple[int, str, str]:
        return self.depth, self.id, self.hash


class Fold:
    """``nodes`` by hash, ``winners`` by register, ``tips``; what a reader of the format would say."""

    def __init__(self, notes: dict[str, list[bytes]], kind: str, name: str) -> None:
        self.nodes: dict[str, Node] = {}
        for commit, lines in notes.items():
            for line in lines:
                self._add(commit, line)
        named = {parent for node in self.nodes.values() for parent in node.body["after"]}
        self.tips = sorted(self.nodes.keys() - named)
        for node in self._parents_first():
            self._rule(node, kind, name)
        self.winners = self._winners(self.nodes.values())

    def _add(self, commit: str, line: bytes) -> None:
        head, _, tail = line.partition(b"\t")
        try:
            body = json.loads(tail)
        except ValueError:
            return
        parses = (
            len(line) <= 1_048_576
            and ID.fullmatch(head.decode("latin-1"))
            and isinstance(body, dict)
            and rfc8785.dumps(body) == tail
            and isinstance(body.get("after"), list)
            and all(isinstance(one, str) and HASH.fullmatch(one) for one in body["after"])
        )
        if parses:
            key = blake3.blake3(line).hexdigest()
            self.nodes.setdefault(key, Node(head.decode(), key, body, set())).commits.add(commit)

    def _parents_first(self) -> list[Node]:
        done: dict[str, Node] = {}
        while len(done) < len(self.nodes):
            for key, node in self.nodes.items():
                parents = set(node.body["after"]) & self.nodes.keys()
                if key not in done and parents <= done.keys():
                    node.past = parents.union(*(done[parent].past for parent in parents))
                    done[key] = node
        return list(done.values())

    def _rule(self, node: Node, kind: str, name: str) -> None:
        target = node.body.get("target")
        if not isinstance(target, dict) or target.get("commit") not in node.commits:
            return
        if target.get("kind") != kind or target.get("name") != name or node.body.get("id") != node.id:
            return
        if node.body.get("type") == "stage":
            node.register, node.value = ("stage", target["commit"]), node.body.get("to")
        elif node.body.get("type") == "alias":
            alias, op = node.body.get("name"), node.body.get("op")
            if not isinstance(alias, str) or not ALIAS.fullmatch(alias) or alias in NO_ALIAS:
                return
            if op not in ("set", "unset"):
                return
            node.register, node.value = ("alias", alias), target["commit"] if op == "set" else None
        else:
            return
        before = self._winners(self.nodes[key] for key in node.past).get(node.register)
        node.depth = 1 + (before.depth if before else 0)
        now = (before.value if before else None) or "development"
        node.legal = node.register[0] == "alias" or (node.body.get("from") == now and node.value in WAYS[now])

    @staticmethod
    def _winners(nodes: Any) -> dict[tuple[str, str], Node]:
        winners: dict[tuple[str, str], Node] = {}
        for node in nodes:
            if node.legal and (node.register not in winners or winners[node.register].rank < node.rank):
                winners[node.register] = node
        return winners

    def stages(self) -> dict[str, str | None]:
        return {key: node.value for (what, key), node in self.winners.items() if what == "stage"}

    def aliases(self) -> dict[str, str]:
        return {key: node.value for (what, key), node in self.winners.items() if what == "alias" and node.value}

    def crossing(self) -> set[str]:
        return {
            node.hash
            for node in self.nodes.values()
            if node.legal and self._concurrent(node, self.winners[node.register])  # type: ignore[index]
        }

    @staticmethod
    def _concurrent(one: Node, other: Node) -> bool:
        return one.hash != other.hash and one.hash not in other.past and other.hash not in one.past

    def statuses(self) -> dict[str, str]:
        """Per hash, the word of ``Status``."""
        story = set()
        for register, winner in self.winners.items():
            step: Node | None = winner
            while step:
                story.add(step.hash)
                step = self._winners(self.nodes[key] for key in step.past).get(register)
        return {key: self._status(node, story) for key, node in self.nodes.items()}

    @staticmethod
    def _status(node: Node, story: set[str]) -> str:
        if node.register is None:
            return "void"
        if not node.legal:
            return "illegal"
        return "effective" if node.hash in story else "overridden"
