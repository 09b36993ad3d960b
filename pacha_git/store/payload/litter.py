"""Tells what programs leave behind in folders and nobody means to store: caches, settings of file managers, registries.

The least of rules: whatever a person says of a path (``--include``, ``--exclude``, ``.pachaignore``) goes before it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_FILES: Final[Mapping[str, str]] = {".DS_Store": "what the Finder remembers of a folder"}
_FOLDERS: Final[Mapping[str, str]] = {
    "__pycache__": "compiled code of Python",
    ".ipynb_checkpoints": "older states of notebooks",
}
_HUB: Final = "what the Hub's downloader remembers, with times: two downloads of one model would differ"
_DATASETS_CACHE: Final = re.compile(r"cache-[0-9a-f]{16}(_\d{5}_of_\d{5})?\.arrow\Z")
_DATASETS_MARKS: Final = ("state.json", "dataset_info.json")


def may_be_litter(name: str) -> bool:
    """Tell whether a file's or folder's name makes it worth asking ``litter_kind``."""
    return name in _FILES or name in _FOLDERS or name in ("huggingface", ".huggingface") or name.startswith("cache-")


def litter_kind(folder: str, name: str, *, is_folder: bool) -> str | None:
    """Tell what a file or folder is, if it was left behind by a program; None if it was not.

    Args:
        folder: Where it lies.
        name: Its name.
        is_folder: Whether it is a folder.
    """
    if not is_folder:
        if _DATASETS_CACHE.match(name) and any(Path(folder, mark).is_file() for mark in _DATASETS_MARKS):
            return "what datasets keeps of a computation"
        return _FILES.get(name)
    if name in _FOLDERS:
        return _FOLDERS[name]
    if name == ".huggingface" or (name == "huggingface" and Path(folder).name == ".cache"):
        return _HUB
    return "a registry" if _is_registry(os.path.join(folder, name)) else None  # noqa: PTH118  # asked of every folder


def _is_registry(folder: str) -> bool:
    head = f"{folder}/HEAD"
    if not os.path.lexists(head):
        return False
    return Path(folder, "objects").is_dir() and (Path(folder, "pacha").is_dir() or Path(folder, "refs/pacha").is_dir())
