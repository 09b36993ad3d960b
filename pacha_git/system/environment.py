"""Knows what of this process's surroundings counts: which of Git's variables a git of ours inherits, and where home is.

A git that works on a registry obeys a person's settings however they were given (``git -c``, ``GIT_CONFIG_COUNT``), and
nothing that names another repository. Add a variable to ``LOCAL_ENV_VARS`` only if it does the latter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pacha_git.errors import InvalidInput, NotFound

# Of what `git rev-parse --local-env-vars` prints all but the two that carry settings: set for hooks and aliases, and
# wrong for any other repository.
LOCAL_ENV_VARS: Final = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_OBJECT_DIRECTORY", "GIT_DIR", "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_INDEX_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_COMMON_DIR", "GIT_INTERNAL_SUPER_PREFIX",
    # Beyond that list, as wrong: a hook of a push may move no refs in the repository pushed to, nor out of a namespace.
    "GIT_QUARANTINE_PATH", "GIT_NAMESPACE",
)  # fmt: skip
PARAMETERS: Final = "GIT_CONFIG_PARAMETERS"
COUNT: Final = "GIT_CONFIG_COUNT"
_KEY: Final = "GIT_CONFIG_KEY_"

# What a repository is rather than what a person wants: said of one, it is wrong for another.
_TIED: Final = re.compile(r"core\.(bare|worktree|repositoryformatversion)\Z|extensions\.", re.IGNORECASE)
_NOTHING: Final = "pacha.nothing"
_WORD: Final = re.compile(r"(?:[^\s'\\]|\\.|'[^']*')+")


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give the environment for a git that works on a registry: ours, less what names another one, in plain English."""
    env = {key: value for key, value in os.environ.items() if key not in LOCAL_ENV_VARS}
    _untie(env)
    env.update(LC_ALL="C", GIT_NO_REPLACE_OBJECTS="1", GIT_OPTIONAL_LOCKS="0")
    if extra:
        env.update(extra)
    return env


def settings_given() -> tuple[str, ...]:
    """The variables by which settings were given to this process alone, with their values; equal if nothing changed."""
    if PARAMETERS not in os.environ and COUNT not in os.environ:
        return ()
    return tuple(f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("GIT_CONFIG_"))


def _untie(env: dict[str, str]) -> None:
    """Take out of the settings given by variables those that tie to another repository."""
    if PARAMETERS in env:
        env[PARAMETERS] = " ".join(word for word in _WORD.findall(env[PARAMETERS]) if not _is_tied(word))
    if COUNT in env:
        # Replaced, not left out: the others keep their numbers.
        env |= {name: _NOTHING for name, key in env.items() if name.startswith(_KEY) and _TIED.match(key)}


def _is_tied(word: str) -> bool:
    """Tell whether a word of ``GIT_CONFIG_PARAMETERS`` (``'key'='value'``, once ``'key=value'``) is of a tied key."""
    import shlex  # seldom needed

    try:
        plain = "".join(shlex.split(word))
    except ValueError:
        return False  # git says what is wrong with it
    return _TIED.match(plain.partition("=")[0]) is not None


def home_folder() -> Path:
    """Return the home folder of the person.

    Raises:
        NotFound: ``HOME`` is not set and the system has no entry for the user, as in a container with a uid of its own.
    """
    try:
        return Path.home()
    except RuntimeError:
        raise NotFound(
            "there is no home folder: HOME is not set, and the system does not know this user",
            hint="export HOME=/a/folder/of/yours; or name what is meant: --registry PATH, XDG_CACHE_HOME",
        ) from None


def expanded(path: Path | str) -> Path:
    """Return a path with ``~`` and ``~user`` replaced.

    Raises:
        InvalidInput: there is no such user, or no home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InvalidInput(f"can't tell whose home {path} begins with", hint="give the whole path") from None
