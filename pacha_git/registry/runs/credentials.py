"""Keeps credentials out of what a run records of its surroundings, before it is hashed: once pushed, it stays.

What counts as one is said in ``system.secrets``. Parameters and tags are a person's own words: they are kept as
they are, and a warning says which of them look like credentials.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from pacha_git.errors import InvalidInput, NotFound, PachaError
from pacha_git.session import gitconfig
from pacha_git.system import secrets
from pacha_git.system.environment import home_folder

FULL: Final = "full"
CLEAN: Final = "clean"
NONE: Final = "none"
MODES: Final = (FULL, CLEAN, NONE)
MODE_VARIABLE: Final = "PACHA_RECORD_COMMAND"
_SETTING: Final = "pacha.recordcommand"
_COMMAND: Final = "command"


def recording_mode(said: str | None = None) -> str:
    """How much of a command line is recorded: what was said now, by who began the run, in the settings; else clean.

    Raises:
        InvalidInput: it is none of ``MODES``.
    """
    mode = said or os.environ.get(MODE_VARIABLE) or gitconfig.value(_SETTING) or CLEAN
    if mode not in MODES:
        raise InvalidInput(f"a command line can't be recorded as {mode!r}", hint=f"one of {', '.join(MODES)}")
    return mode


def disclosed(environment: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """Return the surroundings of a run as they are recorded.

    Args:
        environment: What was found out; ``command`` is a command line.
        mode: One of ``MODES``; all but the command line is always cleaned.
    """
    command = environment.get(_COMMAND)
    rest = secrets.clean_values({key: value for key, value in environment.items() if key != _COMMAND}, _home())
    if mode == NONE or not isinstance(command, list | tuple):
        return dict(rest)
    words = [str(word) for word in command]
    return {_COMMAND: words if mode == FULL else secrets.clean_command(words, _home()), **rest}


def clean(value: Any) -> Any:
    """Return a text, or a value of texts, less its credentials and with paths below home as ``~``."""
    return secrets.clean_values(value, _home())


def clean_elsewhere(value: Any) -> Any:
    """Return the same for what somebody else's program noted: it comes out alike on every machine that takes it in."""
    return secrets.clean_values(value, secrets.ANY_HOME)


def suspects(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of parameters or tags that look like credentials."""
    for name, value in values.items():
        if isinstance(value, str) and secrets.clean_values({name: value})[name] != value:
            yield name


def warnings(kinds: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Tell what a person should be told who gave such values, by what they are (parameter, tag)."""
    return tuple(
        f"Warning: the {kind} {name} looks like a credential, and is recorded as it is: it travels with every push"
        for kind, values in kinds.items()
        for name in suspects(values)
    )


def refuse(command: Sequence[str], mode: str, kinds: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a run that would record, or be run with, what looks like a credential (``--strict``).

    Raises:
        PachaError: with where it stands; never with what it is.
    """
    found: list[str] = [f"the {kind} {name}" for kind, values in kinds.items() for name in suspects(values)]
    if mode != NONE and list(command) != secrets.clean_command(command):
        found.append("the command line")
    if found:
        raise PachaError(
            f"{_listed(found)} looks like a credential",
            hint="hand it on in the environment or a file; or leave out --strict, which records a command line cleaned",
        )


def _listed(found: Iterable[str]) -> str:
    return " and ".join(found)


def _home() -> str:
    with suppress(NotFound):
        return str(home_folder())
    return ""
