"""What the registry knows of a version that its card or datasheet should say: facts gathered for a skeleton.

It reads records, runs, recipes and payloads; how a skeleton is written is the schema's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pacha_git.errors import NotFound
from pacha_git.format.documents.document import as_json
from pacha_git.format.documents.kinds import RULES, check_document
from pacha_git.format.documents.recipe import parse_recipe
from pacha_git.format.documents.skeleton import bullets, grid, inline, write_skeleton
from pacha_git.format.record import Edge
from pacha_git.gitobjects.oid import Oid
from pacha_git.progress import Progress
from pacha_git.registry.documents.features import Features, features_of
from pacha_git.registry.documents.skeleton_of_run import circumstances, run_behind
from pacha_git.registry.reading.view import detail
from pacha_git.session.resolve import resolve
from pacha_git.session.results import Json, VersionDetail
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.events import newest_document
from pacha_git.store.runs.commits import StoredRun
from pacha_git.vocabulary.kinds import Kind

_HUB_RELATIONS: Final = {"fine-tuned-from": "finetune", "quantized-from": "quantized", "merged-from": "merge"}
_LIBRARIES: Final = {"gguf": "gguf", "onnx": "onnx", "pytorch": "pytorch", "safetensors": "safetensors"}
_SIZES: Final = (
    (10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"), (10**9, "100M<n<1B"),
)  # fmt: skip
_LICENCE_TAGS: Final = ("license", "licence")
_Texts = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class _Known:
    """A version, the run that made it if one did, and what it came from."""

    session: Session
    stored: records.StoredRecord
    shown: VersionDetail
    run: StoredRun | None

    @property
    def edges(self) -> Sequence[Edge]:
        """Its own, and those of its run: who names the run seldom names its data again."""
        own = self.stored.record.lineage
        known = [edge.target for edge in own]
        inputs = self.run.record.inputs if self.run is not None else []
        return [*own, *(edge for edge in inputs if edge.target not in known)]

    @property
    def measured_by_run(self) -> Mapping[str, Mapping[str, Any]]:
        """The metrics of its run."""
        found = self.run.record.metrics if self.run is not None else {}
        return {name: summary.model_dump() for name, summary in found.items()}

    def targets(self, *relations: str) -> list[str]:
        """Tell what it relates to, as NAME@VERSION."""
        found = [edge.target for edge in self.edges if edge.relation in relations and edge.target.version]
        return [f"{target.name}@{target.version}" for target in found]


def skeleton(
    session: Session, spec: str, *, kind: Kind, version: str | None = None, progress: Progress | None = None
) -> tuple[str, tuple[str, ...]]:
    """Write a card or datasheet to begin with; what the one that holds now says in its front matter is kept.

    Returns:
        The document, and what a person should be told (tables that were not read).

    Raises:
        InvalidInput: the kind has no document.
        NotFound: no such version.
    """
    _, commit = resolve(session, spec, kind=kind, version=version)
    stored = records.read(session.repo, commit)
    known = _Known(session, stored, detail(session, stored), run_behind(session, stored.record.lineage))
    notices: tuple[str, ...] = ()
    if kind is Kind.MODEL:
        metadata, texts = _model_metadata(known), _model_texts(known)
    else:
        found = _features(known, progress)
        notices = found.notices
        metadata, texts = _data_metadata(known, found), _data_texts(known, found)
    metadata |= _own_metadata(session, stored)
    return write_skeleton(RULES[kind], f"{known.shown.name} {known.shown.version}", metadata, texts), notices


def _own_metadata(session: Session, stored: records.StoredRecord) -> dict[str, Any]:
    text, _ = newest_document(session.repo, stored)
    return {} if text is None else check_document(stored.id.kind, text.encode("utf-8", "replace")).json_metadata


def _licence(known: _Known) -> Any:
    """From the tags, else from the card of what it came from: a base hands its licence on, data does not."""
    for key in _LICENCE_TAGS:
        if key in known.shown.tags:
            return known.shown.tags[key]
    bases = [edge.target for edge in known.edges if edge.target.kind == known.stored.record.kind]
    for base in bases:
        found = _own_metadata(known.session, records.read(known.session.repo, Oid(base.commit)))
        if found.get("license"):
            return found["license"]
    return None


def _tags(known: _Known) -> list[str]:
    said = {key: value for key, value in known.shown.tags.items() if key not in _LICENCE_TAGS}
    return [f"{key}:{value}" if value else key for key, value in said.items()]


# Models ---------------------------------------------------------------------------------------------------------------


def _model_metadata(known: _Known) -> dict[str, Any]:
    bases = [edge for edge in known.edges if edge.target.kind == Kind.MODEL.value]
    relations = {_HUB_RELATIONS.get(edge.relation) for edge in bases}
    names = known.targets(*{edge.relation for edge in bases})
    return {
        "license": _licence(known),
        "library_name": _library(known.shown),
        "tags": _tags(known),
        "datasets": known.targets("trained-on"),
        "base_model": names[0] if len(names) == 1 else names,
        "base_model_relation": relations.pop() if len(relations) == 1 else None,
        "metrics": sorted(_measured(known)),
        "model-index": _model_index(known),
    }


def _library(shown: VersionDetail) -> str | None:
    paths = {file.path.rpartition("/")[2] for file in shown.files}
    imports = [str(name) for said in shown.formats for name in said.get("imports", ())]
    if any(name.startswith("sklearn.") for name in imports):
        return "sklearn"
    if "config_sentence_transformers.json" in paths:
        return "sentence-transformers"
    if "config.json" in paths and any(said["format"] in ("safetensors", "pytorch") for said in shown.formats):
        return "transformers"
    found = {_LIBRARIES.get(said["format"]) for said in shown.formats} - {None}
    return found.pop() if len(found) == 1 else None


def _measured(known: _Known) -> dict[str, Any]:
    """Its own metrics, else the last ones of its run."""
    own = dict(known.shown.metrics)
    return own or {name: summary["last"] for name, summary in known.measured_by_run.items()}


def _model_index(known: _Known) -> list[Json]:
    measured = _measured(known)
    on = known.targets("evaluated-on") or known.targets("trained-on")
    if not measured or not on:
        return []
    metrics = [{"type": name, "value": value} for name, value in measured.items()]
    result = {"task": {"type": "other"}, "dataset": {"type": on[0], "name": on[0]}, "metrics": metrics}
    return [{"name": known.shown.name, "results": [result]}]


def _model_texts(known: _Known) -> _Texts:
    shown = known.shown
    details = [
        *_identity(shown),
        *bullets([(str(said["path"]), _said(said)) for said in shown.formats]),
        *bullets([(edge.relation, _named(edge)) for edge in known.edges]),
        *bullets(circumstances(known.run) if known.run is not None else []),
    ]
    settings = _settings(known)
    if settings:
        details += ["", *grid(["setting", "value"], settings)]
    return {
        "Model Details": details,
        "Metrics": [f"- {inline(name)}" for name in sorted(_measured(known))],
        "Evaluation Data": [f"- {inline(name)}" for name in known.targets("evaluated-on")],
        "Training Data": [f"- {inline(name)}" for name in known.targets("trained-on")],
        "Quantitative Analyses": _results(known),
    }


def _identity(shown: VersionDetail) -> list[str]:
    return bullets(
        [
            ("Description", shown.description),
            ("Registered", f"{shown.created_at} by {shown.created_by.partition(' <')[0]}"),
            ("Address", f"`{shown.address}`"),
            ("Size", f"{shown.size:,} bytes in {shown.file_count} file{'s' if shown.file_count != 1 else ''}"),
        ]
    )


def _said(said: Mapping[str, Any]) -> str:
    count = said.get("parameters")
    parts = [str(said["format"])]
    parts += [f"{count:,} parameters"] if isinstance(count, int) else []
    parts += [", ".join(map(str, said["dtypes"]))] if said.get("dtypes") else []
    parts += ["runs code when it is loaded"] if said.get("runs_code") else []
    return "; ".join(parts)


def _named(edge: Edge) -> str:
    version = f"@{edge.target.version}" if edge.target.version else ""
    params = "".join(f", {key}={value}" for key, value in edge.params.items())
    return f"{edge.target.kind} {edge.target.name}{version}{params}"


def _settings(known: _Known) -> list[tuple[str, Any]]:
    """Hyperparameters: those of its run, else those of its recipe."""
    if known.run is not None and known.run.params:
        return sorted(known.run.params.items())
    for edge in known.edges:
        if edge.target.kind == Kind.RECIPE.value:
            stored = records.read(known.session.repo, Oid(edge.target.commit))
            values = parse_recipe(stored.documents["recipe.toml"]).values.get("hyperparameters", {})
            return [(key, as_json(value)) for key, value in values.items() if not isinstance(value, dict)]
    return []


def _results(known: _Known) -> list[str]:
    summaries = known.measured_by_run
    own = [(name, value) for name, value in known.shown.metrics.items()]
    lines = grid(["metric", "value"], own)
    if summaries:
        rows = [(name, s.get("last"), s.get("min"), s.get("max"), s.get("steps")) for name, s in summaries.items()]
        lines += [*([""] if lines else []), *grid(["metric of the run", "last", "min", "max", "points"], rows)]
    return lines


# Datasets -------------------------------------------------------------------------------------------------------------


def _features(known: _Known, progress: Progress | None) -> Features:
    try:
        return features_of(known.session, known.stored, progress)
    except NotFound as error:
        return Features(notices=(f"its tables were not read: {error.message}",))


def _data_metadata(known: _Known, found: Features) -> dict[str, Any]:
    return {
        "license": _licence(known),
        "tags": _tags(known),
        "purpose": known.shown.purpose,
        "creators": [known.shown.created_by.partition(" <")[0]],
        "size_categories": _size_category(found.rows),
        "instance_count": found.rows,
        "features": found.to_json(),
    }


def _size_category(rows: int | None) -> list[str] | None:
    if rows is None:
        return None
    return [next((word for limit, word in _SIZES if rows < limit), "n>1B")]


def _data_texts(known: _Known, found: Features) -> _Texts:
    shown = known.shown
    columns = [
        (column.name, column.dtype, column.nulls, _range(column.minimum, column.maximum, column.dtype))
        for column in found.columns
    ]
    composition = [*_identity(shown), *bullets([("Rows", f"{found.rows:,}" if found.rows is not None else None)])]
    if columns:
        composition += ["", *grid(["column", "type", "nulls", "range"], columns)]
    return {
        "Motivation": _lines(shown.purpose),
        "Composition": composition,
        "Preprocessing/cleaning/labeling": [f"- derived from {inline(name)}" for name in known.targets("derived-from")],
        "Maintenance": bullets([("Registered by", shown.created_by.partition(" <")[0])]),
    }


def _lines(text: str | None) -> list[str]:
    return text.splitlines() if text else []


def _range(low: Any, high: Any, dtype: str) -> str:
    if low is None:
        return ""
    return f"{low} to {high} characters" if dtype == "string" else f"{low} to {high}"
