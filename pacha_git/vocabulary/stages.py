"""The stages of a version's life, and every word for them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from pacha_git.errors import InvalidInput

StageWord = Literal["development", "dev", "staging", "stage", "production", "prod", "archived", "archive"]


class Stage(StrEnum):
    """Where in its life a version is; a new one is in development. It may be used as its word."""

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
