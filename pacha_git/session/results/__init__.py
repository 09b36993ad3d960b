"""What the verbs return: immutable values, each of which can say itself as the JSON of the command-line contract.

They know the keys that scripts rely on, not how a person is shown them. Each file is loaded when one of its
values is first asked for (PEP 562): most commands return one kind of thing, and making classes takes time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pacha_git.session.results.plain import Json, plain

if TYPE_CHECKING:
    from pacha_git.session.results.decisions import Claim, Difference, HistoryEntry, StageChange
    from pacha_git.session.results.documents import DocumentDetail, DocumentProblem
    from pacha_git.session.results.graphs import LineageEdge, LineageGraph, LineageNode
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
        ListedName,
        ListedVersion,
        NameInfo,
        Registered,
        Removal,
        SaidBy,
        VersionDetail,
        VersionInfo,
    )

_HOME: Final = {
    "Bundled": "transfers",
    "CacheCleared": "upkeep",
    "CacheEntry": "upkeep",
    "Claim": "decisions",
    "Difference": "decisions",
    "DocumentDetail": "documents",
    "DocumentProblem": "documents",
    "EdgeInfo": "versions",
    "Evicted": "upkeep",
    "FileInfo": "versions",
    "Finding": "upkeep",
    "FsckReport": "upkeep",
    "GcReport": "upkeep",
    "HistoryEntry": "decisions",
    "KeyInfo": "upkeep",
    "LayoutInfo": "upkeep",
    "LineageEdge": "graphs",
    "LineageGraph": "graphs",
    "LineageNode": "graphs",
    "ListedName": "versions",
    "ListedVersion": "versions",
    "NameInfo": "versions",
    "RecipeProblem": "upkeep",
    "RefResult": "transfers",
    "Registered": "versions",
    "RemoteStatus": "transfers",
    "Removal": "versions",
    "SaidBy": "versions",
    "SettingsInfo": "upkeep",
    "StageChange": "decisions",
    "Stats": "upkeep",
    "Status": "transfers",
    "Transfer": "transfers",
    "Verification": "upkeep",
    "VersionDetail": "versions",
    "VersionInfo": "versions",
}
__all__ = [
    "Bundled",
    "CacheCleared",
    "CacheEntry",
    "Claim",
    "Difference",
    "DocumentDetail",
    "DocumentProblem",
    "EdgeInfo",
    "Evicted",
    "FileInfo",
    "Finding",
    "FsckReport",
    "GcReport",
    "HistoryEntry",
    "Json",
    "KeyInfo",
    "LayoutInfo",
    "LineageEdge",
    "LineageGraph",
    "LineageNode",
    "ListedName",
    "ListedVersion",
    "NameInfo",
    "RecipeProblem",
    "RefResult",
    "Registered",
    "RemoteStatus",
    "Removal",
    "SaidBy",
    "SettingsInfo",
    "StageChange",
    "Stats",
    "Status",
    "Transfer",
    "Verification",
    "VersionDetail",
    "VersionInfo",
    "plain",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
