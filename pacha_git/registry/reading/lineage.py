"""Where a version came from and what came from it: walks commit parents and edges, and draws what it found.

It knows graphs of versions; which relations exist is the schema's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from pacha_git.errors import InvalidInput
from pacha_git.format.record import Edge, Target
from pacha_git.gitobjects.oid import Oid
from pacha_git.session.find_run import find_run
from pacha_git.session.resolve import resolve
from pacha_git.session.results import LineageEdge, LineageGraph, LineageNode
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.runs import commits as run_commits
from pacha_git.vocabulary.choices import parse_direction
from pacha_git.vocabulary.ids import RunId, VersionId
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.printable import one_line

FORMATS: Final = ("tree", "dot", "mermaid", "json", "prov")


def lineage(
    session: Session,
    spec: str,
    *,
    kind: Kind | None = None,
    version: str | None = None,
    direction: str = "up",
    depth: int | None = None,
) -> LineageGraph:
    """Walk lineage from a version or run, breadth first.

    Args:
        session: The registry.
        spec: From which.
        kind: Its kind; None to find out which kind of version.
        version: What stood after ``-v``.
        direction: ``up`` to what it came from, ``down`` to what came from it.
        depth: How many steps at most; None for all.

    Raises:
        InvalidInput: another direction, or a depth below 0.
        NotFound: no such version or run.
    """
    parse_direction(direction)
    if depth is not None and depth < 0:
        raise InvalidInput(f"a depth of {depth}", hint="0 or more steps")
    neighbours = _above if direction == "up" else _below
    root = _root(session, spec, kind, version)
    nodes, edges = {Oid(root.commit): root}, []
    queue = deque([(Oid(root.commit), 0)])
    while queue:
        here, steps = queue.popleft()
        if depth is not None and steps >= depth:
            continue
        for node, edge in neighbours(session, nodes[here]):
            edges.append(edge)
            if node.commit not in nodes:
                nodes[Oid(node.commit)] = node
                queue.append((Oid(node.commit), steps + 1))
    return LineageGraph(root.id, direction, tuple(nodes.values()), tuple(edges))


def _root(session: Session, spec: str, kind: Kind | None, version: str | None) -> LineageNode:
    if kind is not Kind.RUN:
        return _node(*resolve(session, spec, kind=kind, version=version))
    run_id = find_run(session, spec)
    return LineageNode(kind, run_id, None, run_commits.read_run(session.repo, run_id).commit)


def _node(version: VersionId, commit: Oid) -> LineageNode:
    return LineageNode(version.kind, version.name, str(version.version), commit)


def _above(session: Session, node: LineageNode) -> Iterator[tuple[LineageNode, LineageEdge]]:
    for edge in edges_at(session, Oid(node.commit), node.kind):
        target = _target_node(session, edge.target)
        yield target, LineageEdge(node.id, target.id, edge.relation, edge.params)


def edges_at(session: Session, commit: Oid, kind: str) -> list[Edge]:
    """Return the edges of the record or run at a commit."""
    if kind == Kind.RUN.value:
        return list(run_commits.read(session.repo, commit).record.inputs)
    return list(records.read(session.repo, commit).record.lineage)


def _target_node(session: Session, target: Target) -> LineageNode:
    """Return the node of a target; a run is one node wherever it stood when it was named."""
    commit = session.repo.ref(RunId(target.name).ref) if target.kind == Kind.RUN.value else None
    return LineageNode(Kind(target.kind), target.name, target.version, commit or target.commit)


def _below(session: Session, node: LineageNode) -> Iterator[tuple[LineageNode, LineageEdge]]:
    commits = {node.commit}
    if node.kind == Kind.RUN.value:
        commits |= set(run_commits.history(session.repo, Oid(node.commit)))
    for commit in commits:
        for child, stood, edges in _children(session, Oid(commit)):
            for edge in edges:
                if edge.target.commit == stood:
                    yield child, LineageEdge(child.id, node.id, edge.relation, edge.params)


def _children(session: Session, commit: Oid) -> Iterator[tuple[LineageNode, Oid, list[Edge]]]:
    """Yield the versions and runs that name a commit, each with the edges it has."""
    for child in session.catalogue.children(commit):
        stored = records.read_version(session.repo, child)
        yield _node(child, stored.commit), commit, stored.record.lineage
    for run_id in session.catalogue.child_runs(commit):
        run = run_commits.read_run(session.repo, run_id)
        yield LineageNode(Kind.RUN, run_id, None, run.commit), commit, run.record.inputs


# Drawings -----------------------------------------------------------------------------------------------------------


def render_lineage(graph: LineageGraph, form: str) -> str:
    """Draw a graph.

    Args:
        graph: What ``lineage`` found.
        form: ``tree``, ``dot`` or ``mermaid``.

    Raises:
        InvalidInput: another form.
    """
    drawings: dict[str, Callable[[LineageGraph], str]] = {"tree": _tree, "dot": _dot, "mermaid": _mermaid}
    if form not in drawings:
        raise InvalidInput(f"unknown format {form!r}", hint="one of " + ", ".join(FORMATS))
    return drawings[form](graph)


def _label(edge: LineageEdge) -> str:
    """A relation and its parameters, in one line whatever these hold: nobody's text can draw a branch of its own."""
    if not edge.params:
        return edge.relation
    return one_line(f"{edge.relation} ({', '.join(f'{key}={value}' for key, value in edge.params.items())})")


def _tree(graph: LineageGraph) -> str:
    """One line a node; one met again is named with an ellipsis, so that a diamond stays readable."""
    up = graph.direction == "up"
    below: dict[str, list[tuple[str, str]]] = {}
    for edge in graph.edges:
        near, far = (edge.from_, edge.to) if up else (edge.to, edge.from_)
        below.setdefault(near, []).append((_label(edge), far))
    lines = [graph.root]
    shown = {graph.root}
    # An explicit stack: a chain of a thousand versions is no reason to fail.
    stack: list[tuple[str, str, str, bool]] = _branches(below, graph.root, "")
    while stack:
        indent, label, node, last = stack.pop()
        again = node in shown and bool(below.get(node))
        lines.append(f"{indent}{'└── ' if last else '├── '}{label}: {node}{' …' if again else ''}")
        if not again:
            shown.add(node)
            stack.extend(_branches(below, node, indent + ("    " if last else "│   ")))
    return "\n".join(lines) + "\n"


def _branches(below: dict[str, list[tuple[str, str]]], node: str, indent: str) -> list[tuple[str, str, str, bool]]:
    branches = below.get(node, [])
    return [(indent, label, far, at == len(branches) - 1) for at, (label, far) in enumerate(branches)][::-1]


def _dot(graph: LineageGraph) -> str:
    lines = ["digraph lineage {", "  rankdir=BT;", "  node [shape=box];"]
    lines += [f"  {_quoted(node.id)};" for node in graph.nodes]
    lines += [f"  {_quoted(e.from_)} -> {_quoted(e.to)} [label={_quoted(_label(e))}];" for e in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _mermaid(graph: LineageGraph) -> str:
    number = {node.id: f"n{at}" for at, node in enumerate(graph.nodes)}
    lines = ["graph BT"]
    lines += [f'  {number[node.id]}["{_escaped(node.id)}"]' for node in graph.nodes]
    lines += [f'  {number[e.from_]} -->|"{_escaped(_label(e))}"| {number[e.to]}' for e in graph.edges]
    return "\n".join(lines) + "\n"


def _escaped(text: Any) -> str:
    return str(text).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
