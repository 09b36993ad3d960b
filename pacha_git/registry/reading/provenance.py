"""Lineage in the words of W3C PROV-DM: what was made (entities), by what (activities), by whom (agents), as PROV-JSON.

It translates a graph that ``lineage`` walked. Standards: https://www.w3.org/TR/prov-dm/ and
https://www.w3.org/Submission/2013/SUBM-prov-json-20130424/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pacha_git.gitobjects.oid import Oid
from pacha_git.registry.reading.view import info
from pacha_git.session.resolve import address_of
from pacha_git.session.results import Json, LineageEdge, LineageGraph, LineageNode
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.runs import commits as run_commits
from pacha_git.vocabulary.kinds import Kind

NAMESPACE: Final = "urn:pacha:"
_USES: Final = frozenset(["trained-on", "evaluated-on"])


@dataclass(slots=True)
class _Document:
    """A PROV-JSON document while it grows."""

    sections: dict[str, dict[str, Json]] = field(default_factory=dict)

    def element(self, section: str, name: str, values: Mapping[str, Any]) -> str:
        """Add an entity, activity or agent; returns its name with the prefix."""
        key = f"pacha:{name}"
        known = {field: value for field, value in values.items() if value not in (None, "")}
        self.sections.setdefault(section, {}).setdefault(key, {}).update(known)
        return key

    def relation(self, section: str, values: Mapping[str, Any]) -> None:
        """Add a relation; the same one twice is one."""
        found = self.sections.setdefault(section, {})
        if values not in found.values():
            found[f"_:{section}{len(found) + 1}"] = dict(values)


def prov_json(session: Session, graph: LineageGraph) -> Json:
    """Translate a graph.

    Args:
        session: The registry that it is from.
        graph: What ``lineage`` found, up or down.

    Returns:
        PROV-JSON: ``prefix``, ``entity``, ``activity``, ``agent``, ``wasGeneratedBy``, ``used``, ``wasDerivedFrom``,
        ``wasAttributedTo``, ``wasAssociatedWith``.
    """
    document = _Document()
    runs_of = {edge.from_: edge.to for edge in graph.edges if edge.to.startswith("run:")}
    for node in graph.nodes:
        if node.kind == Kind.RUN.value:
            _add_run(session, document, node)
        else:
            _add_version(session, document, node, runs_of.get(node.id))
    for edge in graph.edges:
        _add_edge(document, edge, runs_of)
    prefix = {"pacha": NAMESPACE, "prov": "http://www.w3.org/ns/prov#", "xsd": "http://www.w3.org/2001/XMLSchema#"}
    return {"prefix": prefix, **document.sections}


def _name(node_id: str) -> str:
    """``model:team/x@1.0.0`` without the colon, which would end a prefix."""
    return node_id.replace(":", "/", 1)


def _term(name: str) -> Json:
    """Return a word of a vocabulary, where PROV-JSON would else take it for a text."""
    return {"$": name, "type": "prov:QUALIFIED_NAME"}


def _add_version(session: Session, document: _Document, node: LineageNode, run: str | None) -> None:
    stored = records.read(session.repo, Oid(node.commit))
    shown = info(session, stored)
    entity = document.element(
        "entity",
        _name(node.id),
        {
            "prov:type": _term(f"pacha:{node.kind}"),
            "prov:label": f"{node.name} {node.version}",
            "pacha:address": str(address_of(stored)),
            "pacha:commit": node.commit,
            "pacha:description": shown.description,
            "pacha:stage": shown.stage,
        },
    )
    activity = f"pacha:{_name(run)}" if run is not None else _registration(document, node, shown.created_at)
    document.relation(
        "wasGeneratedBy",
        {"prov:entity": entity, "prov:activity": activity} | ({} if run else {"prov:time": shown.created_at}),
    )
    creator = _agent(document, shown.created_by)
    document.relation("wasAttributedTo", {"prov:entity": entity, "prov:agent": creator})
    if run is None:
        document.relation("wasAssociatedWith", {"prov:activity": activity, "prov:agent": creator})
    if shown.signed_by:
        signer = _agent(document, shown.signed_by)
        document.relation(
            "wasAttributedTo", {"prov:entity": entity, "prov:agent": signer, "prov:type": _term("pacha:signature")}
        )


def _registration(document: _Document, node: LineageNode, at: str) -> str:
    return document.element(
        "activity",
        f"registration/{_name(node.id)}",
        {"prov:startTime": at, "prov:endTime": at, "prov:type": _term("pacha:registration")},
    )


def _agent(document: _Document, identity: str) -> str:
    """Somebody by identity (``Name <email>``) or by the name of a trusted key: the email tells who is who."""
    name, _, email = identity.rstrip(">").partition(" <")
    return document.element("agent", f"agent/{email or name}", {"prov:type": _term("prov:Person"), "prov:label": name})


def _add_run(session: Session, document: _Document, node: LineageNode) -> None:
    record = run_commits.read(session.repo, Oid(node.commit)).record
    activity = document.element(
        "activity",
        _name(node.id),
        {
            "prov:startTime": record.started_at,
            "prov:endTime": record.finished_at,
            "prov:type": _term("pacha:run"),
            "prov:label": f"run {record.id}",
            "pacha:status": record.status,
        },
    )
    agent = _agent(document, record.by)
    document.relation("wasAssociatedWith", {"prov:activity": activity, "prov:agent": agent})


def _add_edge(document: _Document, edge: LineageEdge, runs_of: Mapping[str, str]) -> None:
    """An edge: what a run or a registration used, and what a version was derived from."""
    if edge.to.startswith("run:"):
        return  # its generation, told with the version
    source = f"pacha:{_name(edge.to)}"
    told = {f"pacha:{key}": str(value) for key, value in edge.params.items() if key.isidentifier()}
    if edge.from_.startswith("run:"):
        document.relation("used", {"prov:activity": f"pacha:{_name(edge.from_)}", "prov:entity": source, **told}
                          | {"prov:role": _term(f"pacha:{edge.relation}")})  # fmt: skip
        return
    derived = f"pacha:{_name(edge.from_)}"
    run = runs_of.get(edge.from_)
    activity = f"pacha:{_name(run)}" if run else f"pacha:registration/{_name(edge.from_)}"
    document.relation(
        "used", {"prov:activity": activity, "prov:entity": source, "prov:role": _term(f"pacha:{edge.relation}")}
    )
    if edge.relation not in _USES and edge.relation != "generated-by":
        document.relation(
            "wasDerivedFrom",
            {
                "prov:generatedEntity": derived,
                "prov:usedEntity": source,
                "prov:type": _term(f"pacha:{edge.relation}"),
                **told,
            },
        )
