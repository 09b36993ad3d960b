"""Modules that are loaded when one of their names is first used, so that a command loads only the verbs it needs.

It knows names of modules, and nothing of what is in them.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any


class Deferred:
    """Stands for a module of the registry until something of it is asked for.

    The import system holds its own locks, so threads may ask at once.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._module: ModuleType | None = None

    def __getattr__(self, attribute: str) -> Any:
        if self._module is None:
            self._module = import_module(self._name)
        return getattr(self._module, attribute)
