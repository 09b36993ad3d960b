"""The ways between stages; it knows the rule alone."""

from __future__ import annotations

from typing import Final

from pacha_git.errors import PachaError
from pacha_git.vocabulary.stages import Stage

INITIAL: Final = Stage.DEVELOPMENT
WAYS: Final = {
    Stage.DEVELOPMENT: (Stage.STAGING, Stage.ARCHIVED),
    Stage.STAGING: (Stage.DEVELOPMENT, Stage.PRODUCTION, Stage.ARCHIVED),
    Stage.PRODUCTION: (Stage.STAGING, Stage.ARCHIVED),
    Stage.ARCHIVED: (Stage.DEVELOPMENT,),
}
LEGAL: Final = frozenset((origin, target) for origin, targets in WAYS.items() for target in targets)

_VIA: Final = {(Stage.DEVELOPMENT, Stage.PRODUCTION): Stage.STAGING}


def steps(origin: Stage, target: Stage) -> list[tuple[Stage, Stage]]:
    """Say which moves bring a version from one stage to another: none if it is there, two for development → production.

    Raises:
        PachaError: there is no such way; the hint names the one there is.
    """
    if origin is target:
        return []
    if (origin, target) in LEGAL:
        return [(origin, target)]
    via = _VIA.get((origin, target))
    if via is not None:
        return [(origin, via), (via, target)]
    ways = " or ".join(stage.value for stage in WAYS[origin])
    raise PachaError(
        f"no way from {origin.value} to {target.value}", hint=f"from {origin.value} it goes to {ways} first"
    )
