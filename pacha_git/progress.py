"""How long work tells how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called as work goes on: ``done`` of ``total`` (None: not known) units, bytes unless ``unit`` says otherwise."""

    def __call__(self, what: str, done: int, total: int | None, unit: str = "bytes") -> None:
        """Report one step."""
