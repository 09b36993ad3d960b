"""Finds credentials that a release before this one recorded in runs, so that a person can take these away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from pacha_git.errors import PachaError
from pacha_git.session.results import Finding
from pacha_git.session.session import Session
from pacha_git.store.runs import commits as run_commits
from pacha_git.system import secrets

_LOOKED_AT: Final = ("environment", "git", "tags", "error")
_COMMAND: Final = "command"
# Hundreds of names in each run, and versions: none is a credential, and some are called tokenizers.
_PASSED_BY: Final = "packages"


def old_credentials(session: Session) -> Finding:
    """Look through what all runs say of their surroundings."""
    found: dict[str, str] = {}
    runs = run_commits.all_runs(session.repo)
    for run_id, commit in runs.items():
        try:
            value = json.loads(run_commits.read(session.repo, commit).data)
        except PachaError:
            continue  # fsck's business
        places = list(_places(value))
        if places:
            found[run_id] = " and ".join(places)
    if not found:
        return Finding("credentials", "ok", f"{len(runs)} runs record none that can be recognised")
    first, where = next(iter(found.items()))
    more = f", and {len(found) - 1} other runs" if len(found) > 1 else ""
    return Finding(
        "credentials",
        "problem",
        f"run {first} records what looks like a credential, in {where}{more}",
        "change it where it is used; docs/runs.md says how to take such a run away",
    )


def _places(value: dict[str, Any]) -> Iterator[str]:
    for key in _LOOKED_AT:
        said = value.get(key)
        if isinstance(said, dict):
            said = {name: item for name, item in said.items() if name != _PASSED_BY}
            command = said.pop(_COMMAND, None)
            if isinstance(command, list) and (words := [str(word) for word in command]) != secrets.clean_command(words):
                yield f"{key}.{_COMMAND}"
        if said and secrets.clean_values(said) != said:
            yield key
