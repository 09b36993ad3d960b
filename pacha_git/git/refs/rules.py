"""What the names of refs mean to whoever keeps a repository, as far as it decides how they are moved and compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NameRules:
    """Rules of names; without any, those of Git on a file system that folds case.

    Attributes:
        alike: What a segment comes to; two that come to the same can't stand side by side.
        first: The beginning of refs that say nothing by themselves: they move first, and may be seen alone.
    """

    alike: Callable[[str], str] = str.lower
    first: str = "refs/remotes/"


PLAIN = NameRules()
