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
    "exchange": "bundle_file evict remotes selection status sync",
    "registry.documents": "documents skeleton",
    "registry.importers": "hugging_face",
    "registry.reading": "cache content diff download lineage listing provenance search verify",
    "registry": "run_collection",
    "registry.runs": "start",
    "registry.upkeep": "doctor fsck gc heal init keys layouts reindex serve",
    "registry.versions": "attest recipes register removals remove stages",
}


def __getattr__(name: str) -> Any:
    home = next((package for package, names in _HOME.items() if name in names.split()), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The import system holds its own locks, so threads may ask at once.
    found = globals()[name] = import_module(f"pacha_git.{home}.{name}")
    return found
