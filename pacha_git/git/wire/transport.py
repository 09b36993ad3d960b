"""Speaks to remotes through the stock git binary: which there are, what they have, and what went wrong.

It knows remotes, refs and what git prints; moving objects is fetching's and pushing's. It has never heard of a model.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pacha_git.errors import Conflict, InvalidInput, NotFound, PachaError, RemoteError
from pacha_git.git.repo import GitRepository
from pacha_git.git.shape import keep_config
from pacha_git.git.wire.credentials import nobody_to_ask
from pacha_git.git.wire.stall import Patience
from pacha_git.gitobjects.oid import OID_DIGITS, OID_PATTERN, Oid
from pacha_git.system.process import (
    CommandFailed,
    Completed,
    foreign_folder,
    run,
    run_watched,
    trust_line,
    within_memory,
)
from pacha_git.system.secrets import mask_urls

OnProgress = Callable[[str, int, int], None]
"""Called with what git is doing, and how many of how many objects are done."""

ROOTS: Final = ("refs/pacha/", "refs/notes/pacha/", "refs/heads/")
LISTING_LIMIT: Final = 1 << 30
_LEAST_MEMORY: Final = 512 << 20
_LISTED: Final = re.compile(rb"(?:%s\t[^\n]+\n)*\Z" % OID_PATTERN.encode())
_LISTED_SHA256: Final = re.compile(rb"[0-9a-f]{64}\t")
_EMPTY: Final = "pachaEmpty"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_PROGRESS: Final = re.compile(
    r"(Receiving objects|Writing objects|Resolving deltas|Counting objects):\s+\d+% \((\d+)/(\d+)\)"
    r"(?:, ([0-9.]+) (bytes|KiB|MiB|GiB))?"
)
_UNITS: Final = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
# Never collect, never leave a commit-graph of half a history behind, keep what arrives as packs.
_WINDOW: Final = ("-c", "core.packedGitWindowSize=16m", "-c", "core.packedGitLimit=128m")
_QUIET: Final = (
    *_WINDOW,
    "-c", "maintenance.auto=false", "-c", "gc.auto=0", "-c", "fetch.writeCommitGraph=false",
    "-c", "fetch.unpackLimit=1", "-c", "core.fsync=all", "-c", "core.fsyncMethod=fsync", "-c", "fetch.fsckObjects=true",
    "-c", "push.gpgSign=false", "-c", "push.followTags=false", "-c", "push.recurseSubmodules=no",
    "-c", "fetch.recurseSubmodules=no", "-c", "fetch.negotiationAlgorithm=default",
)  # fmt: skip
# One object that claims to be larger than this is not read into memory.
_ALLOCATION: Final = "1g"


@dataclass(slots=True)
class Moved:
    """How much a transfer moved.

    Attributes:
        bytes: As git counted them on the wire.
        objects: How many.
        plain: Whether the other side fails on being told to compare, so that what both had may have moved too.
    """

    bytes: int = 0
    objects: int = 0
    plain: bool = False

    def add(self, other: Moved) -> None:
        """Count another transfer too."""
        self.bytes += other.bytes
        self.objects += other.objects
        self.plain |= other.plain


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
        raise InvalidInput(
            f"bad URL {mask_urls(url)!r}", hint="as in git@example.org:models.git, https://… or a folder"
        )
    if name in remotes(repo):
        raise Conflict(f"there is a remote {name} already", hint=f"git pacha remote remove {name}")
    repo.configure(f"remote.{name}.url", url)
    keep_config(repo.path)


def note_empty(repo: GitRepository, name: str) -> None:
    """Remember of a remote that it was asked and had nothing: no ref here can say so."""
    repo.configure(f"remote.{name}.{_EMPTY}", "true")


def was_empty(repo: GitRepository, name: str) -> bool:
    """Tell whether a remote was ever seen to have nothing."""
    try:
        return repo.git_text("config", "--local", "--get", f"remote.{name}.{_EMPTY}") == "true"
    except CommandFailed:
        return False


def remove_remote(repo: GitRepository, name: str) -> None:
    """Take a remote out of the configuration.

    Raises:
        NotFound: there is none of this name.
    """
    if name not in remotes(repo):
        raise NotFound(f"no remote {name}", hint="git pacha remote list shows what there is")
    repo.configure("--remove-section", f"remote.{name}")
    keep_config(repo.path)


# Talking --------------------------------------------------------------------------------------------------------------


def list_refs(repo: GitRepository, remote: str) -> dict[str, Oid]:
    """Return every ref of a remote below ``ROOTS``; arguments and errors as ``listing``."""
    return parse_listing(listing(repo, remote))


def parse_listing(listed: bytes) -> dict[str, Oid]:
    """Return the refs below ``ROOTS`` in what ``listing`` returned."""
    lines = listed.decode("utf-8", "surrogateescape").split("\n")
    cut = OID_DIGITS + 1
    return {line[cut:]: Oid(line[:OID_DIGITS]) for line in lines if line.startswith(ROOTS, cut)}


def listing(repo: GitRepository, remote: str) -> bytes:
    """Return the list of a remote's refs as ``git ls-remote`` writes it, of at most ``LISTING_LIMIT`` bytes.

    Args:
        repo: Whose remote it is.
        remote: Name or URL.

    Raises:
        RemoteError: it can't be reached, or answers nonsense or without end.
    """
    argv = ["git", f"--git-dir={repo.path}", "ls-remote", "--quiet", "--refs", remote]
    bounded = within_memory(argv, max(4 * LISTING_LIMIT, _LEAST_MEMORY))
    guard = Patience(repo.path, remote, f"fetch {mask_urls(remote)}")
    with remote_errors(remote):
        listed = run_watched(
            bounded, on_stderr=lambda line: guard.heard(), env=environment(repo.path), most=LISTING_LIMIT, guard=guard
        ).stdout
    if _LISTED_SHA256.match(listed):
        raise _other_names(remote)
    if not _LISTED.match(listed):
        raise RemoteError(f"{remote}: its list of refs makes no sense", hint="is the URL that of a Git repository?")
    return listed


def talk(
    path: Path,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    patience: Patience,
    stdin: bytes | None = None,
    on_progress: OnProgress | None = None,
    guard: Callable[[], None] = lambda: None,
) -> tuple[Completed, Moved]:
    """Run a git command that speaks to a remote, in the repository at ``path``, as long as something moves.

    Returns:
        What it wrote, and how much it moved.

    Raises:
        CommandFailed: it failed; what ``patience`` and ``guard`` raise, which are asked again and again.
    """
    moved = Moved()

    def watch(pid: int) -> None:
        guard()
        patience(pid)

    def on_stderr(line: str) -> None:
        patience.heard()
        match = _PROGRESS.search(line)
        if match is None:
            return
        doing, done, total, amount, unit = match.groups()
        if doing in ("Receiving objects", "Writing objects"):
            moved.objects = int(total)
            moved.bytes = int(float(amount) * _UNITS[unit]) if amount else moved.bytes
        if on_progress is not None:
            on_progress(doing, int(done), int(total))

    whole = ["git", f"--git-dir={path}", *_QUIET, *argv]
    done = run_watched(whole, on_stderr=on_stderr, env={**environment(path), **env}, stdin=stdin, guard=watch)
    return done, moved


def environment(git_dir: Path) -> dict[str, str]:
    """Tell what a git that speaks to a remote needs: nobody is asked for a password where nobody could answer."""
    return {"GIT_ALLOC_LIMIT": _ALLOCATION, **nobody_to_ask(git_dir)}


def bounded_there(path: Path, remote: str, program: str) -> list[str]:
    """Options for a transfer with a folder of this machine: there, too, git is not to map whole packs into memory.

    Args:
        path: The repository on this side.
        remote: Name or URL.
        program: upload-pack for a fetch, receive-pack for a push.
    """
    asked = ("ls-remote", "--get-url") if program == "upload-pack" else ("remote", "get-url", "--push")
    try:
        said = run(["git", f"--git-dir={path}", *asked, remote]).stdout
    except CommandFailed:
        return []
    url = said.decode("utf-8", "replace").strip()
    is_folder = url.startswith("file://") or ":" not in url.partition("/")[0]
    return [f"--{program}=git {' '.join(_WINDOW)} {program}"] if is_folder else []


@contextmanager
def remote_errors(remote: str) -> Iterator[None]:
    """Turn what git says into an error for people."""
    try:
        yield
    except CommandFailed as error:
        raise _remote_error(remote, error) from None


_HUNG_UP: Final = (
    "the remote end hung up",
    "unexpected disconnect",
    "RPC failed",
    "support shallow",
    "early EOF",
    "reset by peer",
    "Broken pipe",
)


def hung_up(error: CommandFailed) -> bool:
    """Tell whether the other side ended the conversation without a reason that it could give."""
    return error.status == -signal.SIGPIPE or any(words in error.stderr for words in _HUNG_UP)


LISTED: Final = "git pacha remote list shows it"
# What git says of a repository whose objects have SHA-256 names, as ``init.defaultObjectFormat`` and Git 3.0 make them.
_OTHER_NAMES: Final = ("hash algorithm", "mismatched algorithms", "object format")
_OTHER_NAMES_HINT: Final = (
    "it has SHA-256 names, and registries SHA-1: git init --bare --object-format=sha1 makes another"
)
_HINTS: Final = (
    (("served read-only",), "on that machine: git pacha serve --writable"),
    (_OTHER_NAMES, _OTHER_NAMES_HINT),
    (("Authentication failed", "could not read Username", "Permission denied", "401", "403"),
     "Git's own credentials are used: try git ls-remote with the URL first"),
    (("Could not resolve host", "Connection refused", "Connection timed out", "No route to host", "unable to connect"),
     f"is the machine up, and the network? {LISTED}"),
    (("does not appear to be a git repository", "not found", "not exported", "No such file"),
     f"is the URL right? {LISTED}; on the server: git init --bare"),
    (("would exceed", "over limit", "it wrote more than", "Out of memory"),
     "it sends more than makes sense: whose machine is that?"),
)  # fmt: skip
_ANY_HINT: Final = f"is the URL right, is the machine up, may you read and write there? {LISTED}"
_TOLD: Final = "remote:"
_CHATTER: Final = ("hint:", "Please make sure", "and the repository exists", "Could not read from remote")


def _other_names(remote: str) -> RemoteError:
    return RemoteError(mask_urls(f"{remote}: its object names are SHA-256, ours SHA-1"), hint=_OTHER_NAMES_HINT)


def own_settings(remote: str) -> list[str]:
    """Options by which nothing that a stock clone left in the settings of a remote changes what we ask of it."""
    if not _NAME.match(remote):
        return []
    keys = ("mirror=false", "promisor=false", "prune=false", "skipFetchAll=false")
    return [word for key in keys for word in ("-c", f"remote.{remote}.{key}")]


def _remote_error(remote: str, error: CommandFailed) -> PachaError:
    foreign = foreign_folder(error.stderr)
    if foreign is not None:
        message = f"{remote}: Git refuses {foreign}, whose owner is another user"
        return RemoteError(mask_urls(message), hint=f"if you trust that user, where it lies: {trust_line(foreign)}")
    said = [
        re.sub(r"^(?:(?:fatal|error|remote|ssh|ERR):? )+", "", line).strip()
        for line in (error.stderr or (_HUNG_UP[0] if hung_up(error) else error.message)).splitlines()
        if line.strip() and not _PROGRESS.search(line) and not line.removeprefix("fatal: ").startswith(_CHATTER)
    ]
    told = [line[len(_TOLD) :].strip() for line in error.stderr.splitlines() if line.startswith(_TOLD)]
    named = (line for line in said for words, _ in _HINTS if any(word in line for word in words))
    reason = next(named, said[-1] if said else "")
    if told and "unable to access" in reason:
        reason = told[0]  # what the server says of it says more than its number
    hint = next((hint for words, hint in _HINTS if any(word in reason for word in words)), _ANY_HINT)
    return RemoteError(mask_urls(f"{remote}: {reason or 'git gave up'}"), hint=hint)
