"""pacha-git: a registry for models, datasets, recipes and runs that is a Git repository.

``Registry`` opens one; everything that ``git pacha`` does is a method. All that a program needs is exported here:
results, errors, kinds, ids. To export one more, name it three times below; a test compares the three.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pacha_git.errors import (
    Ambiguous,
    Conflict,
    Corrupt,
    InvalidInput,
    NotFound,
    PachaError,
    RemoteError,
    VerificationFailed,
)

if TYPE_CHECKING:
    from pacha_git.format.documents.frontmatter import parse_front_matter
    from pacha_git.format.kinds import RELATIONS
    from pacha_git.progress import Progress
    from pacha_git.registry.collections import Collection, Datasets, Models, Recipes
    from pacha_git.registry.demo import run_demo
    from pacha_git.registry.documents.documents import read_document_file
    from pacha_git.registry.reading.lineage import render_lineage
    from pacha_git.registry.reading.search import Found, FoundRun, FoundVersion, Matched, SearchResult
    from pacha_git.registry.registry import Registry
    from pacha_git.registry.run_collection import Runs
    from pacha_git.registry.runs.execute import Executed
    from pacha_git.registry.runs.live import Run
    from pacha_git.registry.runs.take_in import Imported
    from pacha_git.registry.upkeep.keys import generate_key, own_keys
    from pacha_git.registry.upkeep.serve import Serving
    from pacha_git.registry.versions.recipes import validate_recipe_file
    from pacha_git.session.caller import Actor, Clock
    from pacha_git.session.results.decisions import Claim, Difference, HistoryEntry, StageChange
    from pacha_git.session.results.documents import DocumentDetail, DocumentProblem
    from pacha_git.session.results.graphs import LineageEdge, LineageGraph, LineageNode
    from pacha_git.session.results.runs import BestRun, MetricSummary, RunComparison, RunInfo
    from pacha_git.session.results.transfers import Bundled, RefResult, RemoteStatus, Status, Transfer
    from pacha_git.session.results.upkeep import (
        CacheCleared,
        CacheEntry,
        Evicted,
        Finding,
        FsckReport,
        GcReport,
        KeyInfo,
        LayoutInfo,
        RecipeProblem,
        SettingsInfo,
        Stats,
        Verification,
    )
    from pacha_git.session.results.versions import (
        EdgeInfo,
        FileInfo,
        NameInfo,
        Registered,
        Removal,
        SaidBy,
        VersionDetail,
        VersionInfo,
    )
    from pacha_git.session.signing import Keys, PersonalKeys
    from pacha_git.store.runs.series import Series
    from pacha_git.trust.change import TrustChange, TrustedKey
    from pacha_git.vocabulary.address import Address
    from pacha_git.vocabulary.choices import Direction, Goal, parse_end_status, parse_run_status
    from pacha_git.vocabulary.ids import (
        REGISTRY_REF,
        ItemRef,
        NameId,
        NotesRef,
        PayloadRef,
        RunId,
        VersionId,
        parse_ref,
    )
    from pacha_git.vocabulary.kinds import KIND_WORDS, VERSIONED_KINDS, Kind
    from pacha_git.vocabulary.names import Alias, Name
    from pacha_git.vocabulary.specs import parse_spec, selector_text
    from pacha_git.vocabulary.stages import Stage
    from pacha_git.vocabulary.versions import Version

__version__ = "0.1.0"

# What each module gives. It is loaded when one of its names is first used (PEP 562): `git pacha version` needs none.
_HOME: Final = {
    "format.documents.frontmatter": "parse_front_matter",
    "format.kinds": "RELATIONS",
    "progress": "Progress",
    "registry.collections": "Collection Datasets Models Recipes",
    "registry.demo": "run_demo",
    "registry.documents.documents": "read_document_file",
    "registry.reading.lineage": "render_lineage",
    "registry.reading.search": "Found FoundRun FoundVersion Matched SearchResult",
    "registry.registry": "Registry",
    "registry.run_collection": "Runs",
    "registry.runs.execute": "Executed",
    "registry.runs.live": "Run",
    "registry.runs.take_in": "Imported",
    "registry.upkeep.keys": "generate_key own_keys",
    "registry.upkeep.serve": "Serving",
    "registry.versions.recipes": "validate_recipe_file",
    "session.caller": "Actor Clock",
    "session.results.decisions": "Claim Difference HistoryEntry StageChange",
    "session.results.documents": "DocumentDetail DocumentProblem",
    "session.results.graphs": "LineageEdge LineageGraph LineageNode",
    "session.results.runs": "BestRun MetricSummary RunComparison RunInfo",
    "trust.change": "TrustChange TrustedKey",
    "session.results.transfers": "Bundled RefResult RemoteStatus Status Transfer",
    "session.results.upkeep": (
        "CacheCleared CacheEntry Evicted Finding FsckReport GcReport KeyInfo LayoutInfo RecipeProblem SettingsInfo "
        "Stats Verification"
    ),
    "session.results.versions": "EdgeInfo FileInfo NameInfo Registered Removal SaidBy VersionDetail VersionInfo",
    "session.signing": "Keys PersonalKeys",
    "store.runs.series": "Series",
    "vocabulary.address": "Address",
    "vocabulary.choices": "Direction Goal parse_end_status parse_run_status",
    "vocabulary.ids": "REGISTRY_REF ItemRef NameId NotesRef PayloadRef RunId VersionId parse_ref",
    "vocabulary.kinds": "KIND_WORDS VERSIONED_KINDS Kind",
    "vocabulary.names": "Alias Name",
    "vocabulary.specs": "parse_spec selector_text",
    "vocabulary.versions": "Version",
    "vocabulary.stages": "Stage",
}

__all__ = [
    "KIND_WORDS",
    "REGISTRY_REF",
    "RELATIONS",
    "VERSIONED_KINDS",
    "Actor",
    "Address",
    "Alias",
    "Ambiguous",
    "BestRun",
    "Bundled",
    "CacheCleared",
    "CacheEntry",
    "Claim",
    "Clock",
    "Collection",
    "Conflict",
    "Corrupt",
    "Datasets",
    "Difference",
    "Direction",
    "DocumentDetail",
    "DocumentProblem",
    "EdgeInfo",
    "Evicted",
    "Executed",
    "FileInfo",
    "Finding",
    "Found",
    "FoundRun",
    "FoundVersion",
    "FsckReport",
    "GcReport",
    "Goal",
    "HistoryEntry",
    "Imported",
    "InvalidInput",
    "ItemRef",
    "KeyInfo",
    "Keys",
    "Kind",
    "LayoutInfo",
    "LineageEdge",
    "LineageGraph",
    "LineageNode",
    "Matched",
    "MetricSummary",
    "Models",
    "Name",
    "NameId",
    "NameInfo",
    "NotFound",
    "NotesRef",
    "PachaError",
    "PayloadRef",
    "PersonalKeys",
    "Progress",
    "RecipeProblem",
    "Recipes",
    "RefResult",
    "Registered",
    "Registry",
    "RemoteError",
    "RemoteStatus",
    "Removal",
    "Run",
    "RunComparison",
    "RunId",
    "RunInfo",
    "Runs",
    "SaidBy",
    "SearchResult",
    "Series",
    "Serving",
    "SettingsInfo",
    "Stage",
    "StageChange",
    "Stats",
    "Status",
    "Transfer",
    "TrustChange",
    "TrustedKey",
    "Verification",
    "VerificationFailed",
    "Version",
    "VersionDetail",
    "VersionId",
    "VersionInfo",
    "__version__",
    "generate_key",
    "own_keys",
    "parse_end_status",
    "parse_front_matter",
    "parse_ref",
    "parse_run_status",
    "parse_spec",
    "read_document_file",
    "render_lineage",
    "run_demo",
    "selector_text",
    "validate_recipe_file",
]


def __getattr__(name: str) -> Any:
    home = next((module for module, names in _HOME.items() if name in names.split()), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
