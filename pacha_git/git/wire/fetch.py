"""Fetches objects by id into a side repository, within limits, sending and asking for no more than needed.

It knows haves, wants, shallow lines and what a server may refuse.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pacha_git.errors import RemoteError
from pacha_git.git.side import Side
from pacha_git.git.wire.stall import Patience
from pacha_git.git.wire.transport import Moved, OnProgress, bounded_there, hung_up, own_settings, remote_errors, talk
from pacha_git.gitobjects.oid import Oid
from pacha_git.system.process import CommandFailed
from pacha_git.system.secrets import mask_urls

_FSCK: Final = "fsck error in pack"
_REFUSED: Final = ("not allow request for unadvertised", "not our ref", "unadvertised object")


class WantRefused(RemoteError):
    """The server gives only what its refs point at; ``moved`` tells whether they may just have moved."""


class ObjectRefused(RemoteError):
    """Git's own check refused an object that came, and kept nothing of what came with it."""


def fetch(
    side: Side,
    remote: str,
    wants: Iterable[Oid],
    *,
    haves: Iterable[Oid] = (),
    shallow: Oid | None = None,
    checked: bool = True,
    most: int,
    on_progress: OnProgress | None = None,
) -> Moved:
    """Fetch objects, and all that they reach, as one pack that stays in the side repository.

    Args:
        side: Where to.
        remote: Name or URL.
        wants: What is wanted.
        haves: Commits that are here, and likely there: nothing that they reach comes again.
        shallow: For commits without parents: a commit that both sides have, called shallow so that the other side
            compares with everything that the haves reach. A server that fails on it is asked without; what moved then
            says so.
        checked: Let Git check what comes; whoever takes it unchecked sees to that.
        most: Bytes that may arrive.
        on_progress: Is told how far it is.

    Raises:
        ObjectRefused: Git's check refused an object.
        WantRefused: the server gives nothing by its id (protocol v0), or no longer has it.
        RemoteError: it can't be reached, breaks off, or sends more than ``most``.
    """
    known = side.path / "haves"
    known.write_text("".join(f"{oid}\n" for oid in haves))
    options = ["-c", f"core.alternateRefsCommand=cat {shlex.quote(str(known.absolute()))} #", "-c", "pack.window=0"]
    options += [] if checked else ["-c", "fetch.fsckObjects=false"]
    argv = [*own_settings(remote), *options]
    argv += ["fetch", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--progress", "--stdin"]
    argv += bounded_there(side.path, remote, "upload-pack")
    stdin = "".join(f"{oid}\n" for oid in dict.fromkeys(wants)).encode()

    def ask(line: str | None) -> Moved:
        with shallow_file(side.path, line) as env:
            patience = Patience(side.path, remote, f"pull {mask_urls(remote)}", lambda: side.size)
            return talk(
                side.path, [*argv, remote], env=env, stdin=stdin, on_progress=on_progress, patience=patience,
                guard=_guard(side, remote, most),
            )[1]  # fmt: skip

    before = side.size
    with remote_errors(remote):
        try:
            return ask(shallow)
        except CommandFailed as error:
            if _FSCK in error.stderr:
                raise ObjectRefused(f"{remote} has an object that Git refuses", hint="ask who put it there") from None
            if any(words in error.stderr for words in _REFUSED):
                raise WantRefused(f"{remote} gives nothing by its id", hint=HOW_TO_RESUME) from None
            if shallow is None or not hung_up(error) or side.size > before:
                raise
            return _asked_plainly(ask, error)


def _asked_plainly(ask: Callable[[None], Moved], first: CommandFailed) -> Moved:
    """Ask a server again that hung up before it sent anything, without the line that it may have failed on."""
    try:
        moved = ask(None)
    except CommandFailed:
        raise first from None
    moved.plain = True
    return moved


HOW_TO_RESUME: Final = (
    "to let a pull resume there, on the server: git config uploadpack.allowAnySHA1InWant true, "
    "or AcceptEnv GIT_PROTOCOL in sshd_config"
)


def _guard(side: Side, remote: str, most: int) -> Callable[[], None]:
    """Ends a stream that has no end."""
    before = side.size

    def look() -> None:
        if side.size - before > most:
            raise RemoteError(
                f"{remote} sends more than the {most} bytes that what was asked for can take",
                hint="nothing of it was kept; whose machine is that?",
            )

    return look


@contextmanager
def shallow_file(folder: Path, line: str | None) -> Iterator[dict[str, str]]:
    """Commits without parents share no history, so git would send everything again.

    With any shallow line it compares with all that the other side has instead. The file is thrown away: one that stays
    in a repository would make git leave payloads out.
    """
    if line is None:
        yield {}
        return
    path = folder / "shallow-of-this-transfer"
    path.write_text(line + "\n")
    try:
        yield {"GIT_SHALLOW_FILE": str(path.absolute())}
    finally:
        path.unlink(missing_ok=True)
