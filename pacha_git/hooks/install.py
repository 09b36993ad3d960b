"""Puts our shims among the hooks of a repository, where Git looks for them; a hook of somebody else's stays.

It knows files and the words of ``git config``.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pacha_git.errors import Conflict, InvalidInput, NotFound, PachaError
from pacha_git.session.locate import is_registry
from pacha_git.system.disk import make_folders, share, whole_file, write_all
from pacha_git.system.process import CommandFailed, run

SHIMS: Final = ("pre-commit", "pre-merge-commit")
DOCUMENTS: Final = "pre-receive-documents"
_GUARD: Final = "pre-receive"
_OURS: Final = b"git-pacha hook run"


@dataclass(frozen=True, slots=True)
class Installed:
    """A hook that is in place.

    Attributes:
        path: The file.
        changed: Whether it was not there before as it is now.
        former: Where the hook that it replaced lies now.
        shared: Whether ``core.hooksPath`` put it outside of the repository, where other repositories may use it too.
        chained: Where the hook that was there lies now, if it runs after ours.
        passed_by: The folder outside of the repository whose hooks no longer run here.
    """

    path: Path
    changed: bool
    former: Path | None = None
    shared: bool = False
    chained: Path | None = None
    passed_by: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Return all fields, paths as text."""
        paths = {"former": self.former, "chained": self.chained, "passed_by": self.passed_by}
        said = {key: str(path) if path else None for key, path in paths.items()}
        return {"path": str(self.path), "changed": self.changed, "shared": self.shared, **said}


def install(folder: Path, *, force: bool = False, shims: Sequence[str] = SHIMS) -> list[Installed]:
    """Put shims into the repository that a folder lies in.

    Args:
        folder: A work tree or anything in it, or a bare repository.
        shims: Which.
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


def install_server(folder: Path) -> Installed:
    """Put the hook into a bare repository that others push to: the guard of a registry, or the one that checks code.

    Raises:
        NotFound, InvalidInput: it is no bare repository.
        Conflict, PachaError: as ``guard``.
    """
    bare = (folder / "HEAD").is_file() and (folder / "objects").is_dir()
    if not bare:
        raise InvalidInput(
            f"{folder} is no bare repository", hint="name the one that is pushed to; a work tree takes `hook install`"
        )
    return guard(folder, _GUARD if is_registry(folder) else DOCUMENTS)


def guard(folder: Path, shim: str = _GUARD) -> Installed:
    """Put the hook into a registry that others push to, so that it never takes a push unchecked.

    A hook of somebody else's that is there, or that ``core.hooksPath`` leads to, runs after ours: each may refuse.

    Raises:
        Conflict: a hook that was put aside before is in the way.
        PachaError: the file can't be written.
    """
    hooks, outside = _hooks_folder(folder)
    own = folder.resolve() / "hooks"
    try:
        make_folders(own)
        share(own)
        # By its whole path: Git takes a relative one from wherever its process stands, and would run what is there.
        run(["git", f"--git-dir={folder}", "config", "--local", "core.hooksPath", str(own)])
        done = _guard(own / _GUARD, _shim(shim))
        share(done.path)
        if not outside:
            return done
        theirs, link = hooks / _GUARD, own / f"{_GUARD}.chained"
        if os.access(theirs, os.X_OK) and not os.path.lexists(link):
            link.symlink_to(theirs.absolute())
            done = replace(done, chained=link)
        return replace(done, passed_by=hooks)
    except OSError as error:
        raise PachaError(f"can't write {error.filename or hooks}: {error.strerror}") from None


def _guard(target: Path, shim: bytes) -> Installed:
    target.parent.mkdir(parents=True, exist_ok=True)
    chained = None
    if os.path.lexists(target) and not (target.is_file() and _OURS in target.read_bytes()):
        chained = target.with_name(f"{target.name}.chained")
        if os.path.lexists(chained):
            raise Conflict(f"{chained} is there already", hint="move it away first: it is where a former hook is kept")
        target.rename(chained)
    if target.is_file() and target.read_bytes() == shim and os.access(target, os.X_OK):
        return Installed(target, changed=False)
    _write(target, shim)
    return Installed(target, changed=True, chained=chained)


def _shim(name: str) -> bytes:
    """Return the bytes of a hook of ours; it finds our program also where the PATH of a server does not lead to it."""
    programs = str(Path(sys.executable).parent).replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    raw = files("pacha_git.hooks").joinpath("shims", name).read_bytes()
    return raw.replace(b"@PROGRAMS@", programs.replace("`", "\\`").encode())


def _write(target: Path, data: bytes) -> None:
    temporary = target.with_name(f".{target.name}.new")
    temporary.write_bytes(data)
    temporary.chmod(0o755)
    temporary.replace(target)


def _hooks_folder(folder: Path) -> tuple[Path, bool]:
    """Tell where Git looks for hooks, and whether that is outside of the repository."""
    if not folder.is_dir():
        raise NotFound(f"no such folder: {folder}")
    try:
        # --git-path knows core.hooksPath, work trees and submodules.
        bare = (folder / "HEAD").is_file() and (folder / "objects").is_dir()
        git = ["git", "--git-dir=."] if bare else ["git"]  # Git may be told to open no bare one that is not named
        said = run([*git, "rev-parse", "--git-path", "hooks", "--git-common-dir"], cwd=folder).stdout.decode()
    except CommandFailed:
        raise NotFound(f"{folder} lies in no Git repository", hint=f"git init {folder}") from None
    hooks, common = (Path(os.path.abspath(folder / line)) for line in said.splitlines())  # noqa: PTH100 — links stay
    inside = (common, common.parent if common.name == ".git" else common)
    return hooks, not any(hooks.is_relative_to(place) for place in inside)


def _install(target: Path, *, shared: bool, force: bool) -> Installed:
    shim = _shim(target.name)
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
