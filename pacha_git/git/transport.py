"""Moves objects and refs between repositories by the stock git binary, over whatever it speaks.

It knows remotes, refspecs and what git prints. It has never heard of a model.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pacha_git.errors import Conflict, InvalidInput, NotFound, PachaError, RemoteError
from pacha_git.git.repo import GitRepository
from pacha_git.names import ROOT_COMMIT, Oid
from pacha_git.process import CommandFailed, run_watched

OnProgress = Callable[[str, int, int], None]
"""Called with what git is doing, and how many of how many objects are done."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_PROGRESS: Final = re.compile(r"(Receiving objects|Writing objects|Resolving deltas):\s+\d+% \((\d+)/(\d+)\)")
# Never collect, never leave a commit-graph of half a history behind, keep what arrives as packs.
_QUIET: Final = (
    "-c", "maintenance.auto=false", "-c", "gc.auto=0", "-c", "fetch.writeCommitGraph=false",
    "-c", "fetch.unpackLimit=1",
    "-c", "core.fsync=all", "-c", "core.fsyncMethod=fsync", "-c", "fetch.fsckObjects=true", "-c", "push.gpgSign=false",
    "-c", "push.followTags=false", "-c", "push.recurseSubmodules=no", "-c", "fetch.recurseSubmodules=no",
)  # fmt: skip
_ARGUMENTS: Final = 500


@dataclass(frozen=True, slots=True)
class PushedRef:
    """What the other side made of one ref: ``ok`` (new, updated, deleted, up to date), or why not."""

    ref: str
    ok: bool
    summary: str


# Remotes --------------------------------------------------------------------------------------------------------------


def remotes(repo: GitRepository) -> dict[str, str]:
    """Name → URL of every remote."""
    try:
        listed = repo.git_text("config", "--local", "--get-regexp", r"^remote\..*\.url$")
    except CommandFailed:
        return {}
    found: dict[str, str] = {}
    for line in listed.splitlines():
        key, _, url = line.partition(" ")
        found.setdefault(key[len("remote.") : -len(".url")], url)
    return found


def add_remote(repo: GitRepository, name: str, url: str) -> None:
    """Write a remote into the repository's configuration.

    Raises:
        InvalidInput: a name or URL that can't be.
        Conflict: there is one of this name.
    """
    if not _NAME.match(name) or name.endswith((".", ".lock")) or ".." in name:
        raise InvalidInput(f"bad remote name {name!r}", hint="one word of letters, digits, '.', '_', '-', as in origin")
    if not url or url.startswith("-") or any(ord(char) < 32 for char in url):
        raise InvalidInput(f"bad URL {url!r}", hint="as in git@example.org:models.git, https://… or a folder")
    if name in remotes(repo):
        raise Conflict(f"there is a remote {name} already", hint=f"git pacha remote remove {name}")
    repo.git("config", "--local", f"remote.{name}.url", url)


def remove_remote(repo: GitRepository, name: str) -> None:
    """Take a remote out of the configuration.

    Raises:
        NotFound: there is none of this name.
    """
    if name not in remotes(repo):
        raise NotFound(f"no remote {name}", hint="git pacha remote list shows what there is")
    repo.git("config", "--local", "--remove-section", f"remote.{name}")


# Transfers ------------------------------------------------------------------------------------------------------------


def list_refs(repo: GitRepository, remote: str) -> dict[str, Oid]:
    """Every ref of a remote below refs/pacha, refs/notes/pacha and refs/heads.

    Raises:
        RemoteError: it can't be reached.
    """
    with _remote_errors(remote):
        patterns = ("refs/pacha/*", "refs/notes/pacha/*", "refs/heads/*")
        listed = repo.git("ls-remote", "--quiet", "--refs", remote, *patterns)
    found: dict[str, Oid] = {}
    for line in listed.decode("utf-8", "replace").splitlines():
        oid, _, ref = line.partition("\t")
        found[ref] = Oid.parse(oid)
    return found


def fetch(
    repo: GitRepository,
    remote: str,
    refspecs: Sequence[str],
    *,
    tips: Sequence[Oid] = (),
    shallow: bool = False,
    on_progress: OnProgress | None = None,
) -> int:
    """Fetch refs, as one pack that stays a pack.

    Args:
        repo: Where to.
        remote: Name or URL.
        refspecs: Without a destination only the objects come.
        tips: What to tell the other side that we have; empty for all refs.
        shallow: For commits without parents: let the other side compare with everything it knows us to have.
        on_progress: Is told how far it is.

    Returns:
        Bytes that the new packs take.

    Raises:
        RemoteError: it can't be reached, or has not what was asked for.
    """
    before = _packs(repo)
    argv = ["fetch", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--progress", "--stdin"]
    argv += [f"--negotiation-tip={tip}" for tip in tips[:_ARGUMENTS]]
    with _shallow_file(ROOT_COMMIT if shallow else None) as env, _remote_errors(remote):
        _git(repo, [*argv, remote], env=env, stdin="\n".join(refspecs) + "\n", on_progress=on_progress)
    return sum(size for name, size in _packs(repo).items() if name not in before)


def push(
    repo: GitRepository,
    remote: str,
    refspecs: Sequence[str],
    *,
    leases: Mapping[str, Oid] | None = None,
    atomic: bool = False,
    shallow: bool = False,
    on_progress: OnProgress | None = None,
) -> list[PushedRef]:
    """Push refs.

    Args:
        repo: Where from.
        remote: Name or URL.
        refspecs: What to push where.
        leases: Refs that may be replaced or deleted, if they are where these oids say.
        atomic: All or none, where the server can.
        shallow: As in ``fetch``.
        on_progress: Is told how far it is.

    Returns:
        What became of each ref, refused ones included.

    Raises:
        RemoteError: it can't be reached, or broke off.
    """
    results: list[PushedRef] = []
    leased = [f"--force-with-lease={ref}:{oid}" for ref, oid in (leases or {}).items()]
    step = len(refspecs) if atomic else _ARGUMENTS
    for start in range(0, len(refspecs), max(step, 1)):
        batch = list(refspecs[start : start + step])
        argv = ["push", "--porcelain", "--no-verify", "--progress", *leased]
        with _shallow_file("f" * 40 if shallow else None) as env, _remote_errors(remote):
            results += _push_once(repo, argv, remote, batch, env, atomic=atomic, on_progress=on_progress)
    return results


def _push_once(
    repo: GitRepository,
    argv: list[str],
    remote: str,
    batch: list[str],
    env: Mapping[str, str],
    *,
    atomic: bool,
    on_progress: OnProgress | None,
) -> list[PushedRef]:
    flags = ["--atomic"] if atomic else []
    try:
        output = _git(repo, [*argv, *flags, remote, *batch], env=env, on_progress=on_progress)
    except CommandFailed as error:
        if atomic and "does not support --atomic" in error.stderr:
            return _push_once(repo, argv, remote, batch, env, atomic=False, on_progress=on_progress)
        refused = _parse_pushed(error.stdout)
        if not refused:
            raise
        return refused
    return _parse_pushed(output)


def _parse_pushed(output: bytes) -> list[PushedRef]:
    """Read ``git push --porcelain``: flag TAB from:to TAB summary."""
    found: list[PushedRef] = []
    for line in output.decode("utf-8", "replace").splitlines():
        flag, _, rest = line.partition("\t")
        refs, _, summary = rest.partition("\t")
        if len(flag) == 1 and ":" in refs:
            found.append(PushedRef(refs.rpartition(":")[2], flag != "!", summary))
    return found


def _git(
    repo: GitRepository,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: str | None = None,
    on_progress: OnProgress | None,
) -> bytes:
    def on_stderr(line: str) -> None:
        match = _PROGRESS.search(line)
        if match is not None and on_progress is not None:
            on_progress(match[1], int(match[2]), int(match[3]))

    data = stdin.encode("utf-8") if stdin is not None else None
    whole = ["git", f"--git-dir={repo.path}", *_QUIET, *argv]
    return run_watched(whole, on_stderr=on_stderr, env=env, stdin=data).stdout


@contextmanager
def _shallow_file(line: str | None) -> Iterator[dict[str, str]]:
    """Commits without parents share no history, so git would send everything again.

    With any shallow line it compares with all that the other side has instead. The file is thrown away: one left in the
    repository would make git leave payloads out.
    """
    if line is None:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="pacha-") as folder:
        path = Path(folder) / "shallow"
        path.write_text(line + "\n")
        yield {"GIT_SHALLOW_FILE": str(path)}


def _packs(repo: GitRepository) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in (repo.objects / "pack").glob("pack-*.pack")}


@contextmanager
def _remote_errors(remote: str) -> Iterator[None]:
    try:
        yield
    except CommandFailed as error:
        raise _remote_error(remote, error) from None


def _remote_error(remote: str, error: CommandFailed) -> PachaError:
    said = [
        line.removeprefix("fatal: ").removeprefix("error: ").removeprefix("remote: ")
        for line in error.stderr.splitlines()
        if line.strip()
        and not _PROGRESS.search(line)
        and not line.startswith(("hint:", "Please make sure", "and the repo"))
    ]
    reason = next(
        (line for line in said if "does not appear" in line or "not found" in line.lower()), said[-1] if said else ""
    )
    hint = "is the URL right, is the machine up, may you read and write there? git pacha remote list shows the URLs"
    if (
        "Authentication failed" in error.stderr
        or "could not read Username" in error.stderr
        or "Permission denied" in error.stderr
    ):
        hint = "Git's own credentials are used: try git ls-remote with the URL first"
    return RemoteError(f"{remote}: {reason.strip() or 'git gave up'}", hint=hint)
