"""The stages of a version's life, and every word for them."""

from __future__ import annotations

from enum import Enum
from typing import Final

from pacha_git.errors import InvalidInput


class Stage(Enum):
    """Where in its life a version is; a new one is in development."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"
    ARCHIVED = "archived"

    @classmethod
    def parse(cls, text: str) -> Stage:
        """Read a stage or one of its synonyms, in any case."""
        stage = STAGE_WORDS.get(text.lower())
        if stage is None:
            raise InvalidInput(
                f"unknown stage {text!r}", hint="one of development (dev), staging (stage), production (prod), archived"
            )
        return stage


STAGE_WORDS: Final = {
    **{stage.value: stage for stage in Stage},
    "dev": Stage.DEVELOPMENT, "stage": Stage.STAGING, "prod": Stage.PRODUCTION, "archive": Stage.ARCHIVED,
}  # fmt: skip
