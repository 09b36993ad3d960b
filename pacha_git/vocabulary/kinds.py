"""The kinds of thing that a registry keeps, and every word for them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from pacha_git.errors import InvalidInput

KindWord = Literal["model", "models", "data", "dataset", "datasets", "recipe", "recipes", "run", "runs"]


class Kind(StrEnum):
    """What a thing in the registry is: the word of records and ``--json``, as which it may be used too."""

    MODEL = "model"
    DATASET = "dataset"
    RECIPE = "recipe"
    RUN = "run"

    @property
    def plural(self) -> str:
        """The word in refs: ``models``, ``datasets``, ``recipes``, ``runs``."""
        return self.value + "s"

    @property
    def noun(self) -> str:
        """The word of the command line: ``model``, ``data``, ``recipe``, ``run``."""
        return "data" if self is Kind.DATASET else self.value

    @classmethod
    def parse(cls, text: str) -> Kind:
        """Read a kind in any spelling of the contract (``data``, ``datasets``, ``model`` …)."""
        try:
            return KIND_WORDS[text.lower()]
        except KeyError:
            raise InvalidInput(f"unknown kind {text!r}", hint="one of model, data, recipe, run") from None


KIND_WORDS: Final = {
    "model": Kind.MODEL, "models": Kind.MODEL, "data": Kind.DATASET, "dataset": Kind.DATASET,
    "datasets": Kind.DATASET, "recipe": Kind.RECIPE, "recipes": Kind.RECIPE, "run": Kind.RUN, "runs": Kind.RUN,
}  # fmt: skip


VERSIONED_KINDS: Final = (Kind.MODEL, Kind.DATASET, Kind.RECIPE)
