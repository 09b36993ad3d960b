"""Which folder is the registry: what was said, the environment, the repository one stands in, or the one at home.

It knows the order of the contract, and opens nothing.
"""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from typing import Final

from pacha_git.errors import NotFound, PachaError
from pacha_git.session import gitconfig
from pacha_git.system.environment import expanded, home_folder
from pacha_git.system.process import CommandFailed, run

ENVIRONMENT: Final = "PACHA_REGISTRY"
CONFIG_KEY: Final = "pacha.registry"


def default_path() -> Path:
    """Return the registry at home."""
    return home_folder() / ".pacha" / "registry.git"


def wanted_path(said: str | PathLike[str] | None = None) -> Path:
    """Tell where the registry is, or would be made, in the order of the contract."""
    if said is not None:
        return expanded(os.fspath(said)).absolute()
    from_environment = os.environ.get(ENVIRONMENT)
    if from_environment:
        return expanded(from_environment).absolute()
    return _from_config() or _stood_in() or default_path()


def existing_path(said: str | PathLike[str] | None = None) -> Path:
    """Tell where the registry is.

    Raises:
        NotFound: there is none; the hint says how to make one.
    """
    path = wanted_path(said)
    if not path.exists():
        hint = "git pacha init" if _is_default(path) else f"git pacha init {path}"
        raise NotFound(f"no registry at {path}", hint=f"make one with: {hint}")
    return path


def _is_default(path: Path) -> bool:
    try:
        return path == default_path()
    except NotFound:
        return False  # nobody's home: any path was named


def _from_config() -> Path | None:
    try:
        said = gitconfig.asked("--type=path", "--get", CONFIG_KEY)
    except NotFound:
        return None  # git itself is not there; who needs it says so
    except PachaError as error:
        hint = f"git config --show-origin --get-all {CONFIG_KEY} says where it stands; --registry PATH goes past it"
        raise PachaError(f"can't tell which registry {CONFIG_KEY} means: {error.message}", hint=hint) from None
    said = (said or "").strip("\n")
    if not said:
        return None
    return Path(os.path.normpath(_repository_root() / said))


def _repository_root() -> Path:
    """Tell what a relative path in the configuration starts from: the top of the work tree, else here."""
    try:
        return Path(run(["git", "rev-parse", "--show-toplevel"]).stdout.decode("utf-8", "surrogateescape").strip())
    except CommandFailed:
        return Path.cwd()


def _stood_in() -> Path | None:
    """Return the registry that the working directory lies in: a bare repository that has our settings."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if is_registry(folder):
            return folder
    return None


def is_registry(folder: Path) -> bool:
    """Tell whether a folder looks like a registry: bare, and with our settings or root ref."""
    if not (folder / "HEAD").is_file() or not (folder / "objects").is_dir():
        return False
    if (folder / "refs" / "pacha").is_dir() or (folder / "pacha").is_dir():
        return True
    try:
        return b" refs/pacha/root\n" in (folder / "packed-refs").read_bytes()
    except OSError:
        return False
