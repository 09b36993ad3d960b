"""The closed sets of words that options take: as types, so that a checker knows them, and read from text.

A word that stands in none of them is refused by its ``parse_…``, with those that there are.
"""

from __future__ import annotations

from typing import Literal, cast, get_args

from pacha_git.errors import InvalidInput

Direction = Literal["up", "down"]
Goal = Literal["maximize", "minimize"]
PayloadChoice = Literal["all", "none"]
Side = Literal["ours", "theirs"]
EndStatus = Literal["completed", "failed", "cancelled"]
RunStatus = Literal["pending", "running", "completed", "failed", "cancelled", "interrupted"]


def parse_direction(text: str) -> Direction:
    """Read which way lineage is walked."""
    return cast(Direction, _one_of(text, get_args(Direction), f"unknown direction {text!r}"))


def parse_goal(text: str) -> Goal:
    """Read in which direction a metric is better."""
    return cast(Goal, _one_of(text, get_args(Goal), f"unknown goal {text!r}"))


def parse_payload_choice(text: str) -> PayloadChoice:
    """Read whether all bytes move or none."""
    return cast(PayloadChoice, _one_of(text, get_args(PayloadChoice), f"unknown payload choice {text!r}"))


def parse_side(text: str) -> Side:
    """Read whose settings hold where both changed."""
    return cast(Side, _one_of(text, get_args(Side), f"{text!r} is neither ours nor theirs"))


def parse_end_status(text: str) -> EndStatus:
    """Read how a run ends."""
    return cast(EndStatus, _one_of(text, get_args(EndStatus), f"a run can't end as {text!r}"))


def parse_run_status(text: str) -> RunStatus:
    """Read where a run is."""
    return cast(RunStatus, _one_of(text, get_args(RunStatus), f"unknown status {text!r}"))


def _one_of(text: str, words: tuple[str, ...], problem: str) -> str:
    if text not in words:
        hint = f"{words[0]} or {words[1]}" if len(words) == 2 else "one of " + ", ".join(words)
        raise InvalidInput(problem, hint=hint)
    return text
