"""The modules of the verbs, each loaded when it is first asked for: a command loads only the verb that it needs.

To add one, name it twice below. ``registry`` and ``collections`` hand on to ``verbs.NAME.function``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pacha_git.exchange import bundle_file as bundle_file
    from pacha_git.exchange import evict as evict
    from pacha_git.exchange import remotes as remotes
    from pacha_git.exchange import selection as selection
    from pacha_git.exchange import status as status
    from pacha_git.exchange import sync as sync
    from pacha_git.registry import run_collection as run_collection
    from pacha_git.registry.documents import documents as documents
    from pacha_git.registry.documents import skeleton as skeleton
    from pacha_git.registry.importers import hugging_face as hugging_face
    from pacha_git.registry.reading import cache as cache
    from pacha_git.registry.reading import content as content
    from pacha_git.registry.reading import diff as diff
    from pacha_git.registry.reading import download as download
    from pacha_git.registry.reading import lineage as lineage
    from pacha_git.registry.reading import listing as listing
    from pacha_git.registry.reading import provenance as provenance
    from pacha_git.registry.reading import search as search
    from pacha_git.registry.reading import verify as verify
    from pacha_git.registry.runs import start as start
    from pacha_git.registry.upkeep import doctor as doctor
    from pacha_git.registry.upkeep import fsck as fsck
    from pacha_git.registry.upkeep import gc as gc
    from pacha_git.registry.upkeep import heal as heal
    from pacha_git.registry.upkeep import init as init
    from pacha_git.registry.upkeep import keys as keys
    from pacha_git.registry.upkeep import layouts as layouts
    from pacha_git.registry.upkeep import reindex as reindex
    from pacha_git.registry.upkeep import serve as serve
    from pacha_git.registry.versions import attest as attest
    from pacha_git.registry.versions import recipes as recipes
    from pacha_git.registry.versions import register as register
    from pacha_git.registry.versions import removals as removals
    from pacha_git.registry.versions import remove as remove
    from pacha_git.registry.versions import stages as stages

_HOME: Final = {
    "attest": "registry.versions",
    "bundle_file": "exchange",
    "cache": "registry.reading",
    "content": "registry.reading",
    "diff": "registry.reading",
    "doctor": "registry.upkeep",
    "documents": "registry.documents",
    "download": "registry.reading",
    "evict": "exchange",
    "fsck": "registry.upkeep",
    "gc": "registry.upkeep",
    "heal": "registry.upkeep",
    "hugging_face": "registry.importers",
    "init": "registry.upkeep",
    "keys": "registry.upkeep",
    "layouts": "registry.upkeep",
    "lineage": "registry.reading",
    "listing": "registry.reading",
    "provenance": "registry.reading",
    "recipes": "registry.versions",
    "register": "registry.versions",
    "reindex": "registry.upkeep",
    "remotes": "exchange",
    "removals": "registry.versions",
    "remove": "registry.versions",
    "run_collection": "registry",
    "search": "registry.reading",
    "selection": "exchange",
    "serve": "registry.upkeep",
    "skeleton": "registry.documents",
    "stages": "registry.versions",
    "start": "registry.runs",
    "status": "exchange",
    "sync": "exchange",
    "verify": "registry.reading",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The import system holds its own locks, so threads may ask at once.
    found = globals()[name] = import_module(f"pacha_git.{_HOME[name]}.{name}")
    return found
