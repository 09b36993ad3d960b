"""Puts our shims among the hooks of a repository, where Git looks for them; a hook of somebody else's stays.

It knows files and the words of ``git config``; what the hooks do it refuses to know.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pacha_git.errors import Conflict, NotFound, PachaError
from pacha_git.system.disk import whole_file, write_all
from pacha_git.system.process import CommandFailed, run

SHIMS: Final = ("pre-commit",)
SERVER_SHIMS: Final = ("pre-receive",)
_OURS: Final = b"git-pacha hook run"


@dataclass(frozen=True, slots=True)
class Installed:
    """A hook that is in place.

    Attributes:
        path: The file.
        changed: Whether it was not there before as it is now.
        former: Where the hook that it replaced lies now.
        shared: Whether ``core.hooksPath`` put it outside of the repository, where other repositories may use it too.
    """

    path: Path
    changed: bool
    former: Path | None = None
    shared: bool = False

    def to_json(self) -> dict[str, Any]:
        """All fields, paths as text."""
        former = str(self.former) if self.former else None
        return {"path": str(self.path), "changed": self.changed, "former": former, "shared": self.shared}


def install(folder: Path, *, force: bool = False, shims: Sequence[str] = SHIMS) -> list[Installed]:
    """Put shims into the repository that a folder lies in.

    Args:
        folder: A work tree or anything in it, or a bare repository.
        shims: Which; those for who commits, or ``SERVER_SHIMS``.
        force: Replace a hook of somebody else's; it is kept beside ours, as ``NAME.former``.

    Raises:
        NotFound: the folder lies in no repository.
        Conflict: there is such a hook already, and not ``force``; or a kept one is there already.
        PachaError: the file can't be written.
    """
    hooks, shared = _hooks_folder(folder)
    try:
        hooks.mkdir(parents=True, exist_ok=True)
        return [_install(hooks / name, shared=shared, force=force) for name in shims]
    except OSError as error:
        raise PachaError(f"can't write {error.filename or hooks}: {error.strerror}") from None


def _hooks_folder(folder: Path) -> tuple[Path, bool]:
    """Where Git looks for hooks, and whether that is outside of the repository."""
    if not folder.is_dir():
        raise NotFound(f"no such folder: {folder}")
    try:
        # --git-path knows core.hooksPath, work trees and submodules.
        said = run(["git", "rev-parse", "--git-path", "hooks", "--git-common-dir"], cwd=folder).stdout.decode()
    except CommandFailed:
        raise NotFound(f"{folder} lies in no Git repository", hint=f"git init {folder}") from None
    hooks, common = (Path(os.path.abspath(folder / line)) for line in said.splitlines())  # noqa: PTH100 — links stay
    inside = (common, common.parent if common.name == ".git" else common)
    return hooks, not any(hooks.is_relative_to(place) for place in inside)


def _install(target: Path, *, shared: bool, force: bool) -> Installed:
    shim = files("pacha_git.hooks").joinpath("shims", target.name).read_bytes()
    there = target.read_bytes() if target.is_file() else None
    if there == shim and os.access(target, os.X_OK):
        return Installed(target, changed=False, shared=shared)
    former = None
    if os.path.lexists(target) and (there is None or _OURS not in there):
        former = _put_aside(target, force=force)
    with whole_file(target) as descriptor:
        os.fchmod(descriptor, 0o755)  # whatever the umask: everybody who pushes runs it
        write_all(descriptor, [shim])
    return Installed(target, changed=True, former=former, shared=shared)


def _put_aside(target: Path, *, force: bool) -> Path:
    if not force:
        raise Conflict(
            f"{target} is a hook of somebody else's",
            hint=f"add the line `git-pacha hook run {shlex.quote(target.name)} || exit 1` to it; --force replaces it",
        )
    former = target.with_name(f"{target.name}.former")
    if os.path.lexists(former):
        raise Conflict(f"{former} is there already", hint="move it away first")
    target.rename(former)
    return former
