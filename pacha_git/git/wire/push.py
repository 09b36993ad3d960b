"""Pushes refs out of a side repository that holds these refs and no others, in one go however many there are.

It knows leases, atomic pushes and what ``git push --porcelain`` says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from pacha_git.git.repo import GitRepository
from pacha_git.git.side import passing
from pacha_git.git.wire.fetch import shallow_file
from pacha_git.git.wire.stall import Patience
from pacha_git.git.wire.transport import Moved, OnProgress, bounded_there, hung_up, own_settings, remote_errors, talk
from pacha_git.gitobjects.oid import OID_DIGITS, Oid, git_oid
from pacha_git.system.process import CommandFailed
from pacha_git.system.secrets import mask_urls

_ARGUMENTS: Final = 400
_OF_A_REF: Final = re.compile(r"(?m)^remote: (refs/\S+): (.+?)\s*$")
_LOCKED: Final = re.compile(r"Unable to create '([^']+\.lock)': File exists")
_ALL: Final = "refs/*:refs/*"
_RULES: Final = (
    "hook declined",
    "prohibited",
    "denied",
    "deny",
    "refusing",
    "not allowed",
    "funny refname",
    "hidden ref",
)


@dataclass(frozen=True, slots=True)
class PushedRef:
    """What the other side made of one ref: ``ok`` (new, updated, deleted, up to date), or why not.

    Attributes:
        ref: Its name.
        ok: Whether it stands there as it was sent.
        summary: What Git says of it.
        locked: The lock there that was in the way of the push, if one was.
        reason: What a hook there said of this ref by name; empty if it said nothing of it.
    """

    ref: str
    ok: bool
    summary: str
    locked: str = ""
    reason: str = ""

    @property
    def is_for_good(self) -> bool:
        """Whether the server's rules refuse it, and not somebody who was quicker."""
        return not self.ok and any(words in self.summary for words in _RULES)


def push(
    repo: GitRepository,
    remote: str,
    refs: Mapping[str, Oid],
    *,
    leases: Mapping[str, Oid] | None = None,
    trees: Sequence[bytes] = (),
    atomic: bool = False,
    shallow: bool = False,
    plain: bool = False,
    probe: str = "",
    on_progress: OnProgress | None = None,
) -> tuple[list[PushedRef], Moved]:
    """Push refs under their own names. What exists is only ever moved forward, unless a lease says otherwise.

    Args:
        repo: Whose objects and remotes.
        remote: Name or URL.
        refs: What is to stand where.
        leases: Refs that may be replaced, if they are where these oids say.
        trees: Bodies of trees that exist for this push alone: refs may name them, here or there.
        atomic: All or none, where the server can.
        shallow: For commits without parents and for trees: leave out everything that the other side's refs reach. A
            server that fails on it gets the same push without; what moved then says so.
        probe: With ``shallow``: a new name of a ref, to try out whether it was that on which the server failed.
        plain: It is known to fail on it.
        on_progress: Is told how far it is.

    Returns:
        What became of each ref, refused ones included, and how much moved.

    Raises:
        RemoteError: it can't be reached, or broke off.
    """
    send = partial(_push, repo, remote, refs, leases or {}, trees, deltas=not shallow, on_progress=on_progress)
    with remote_errors(remote):
        try:
            return send(atomic=atomic, shallow=shallow and not plain)
        except CommandFailed as error:
            if not shallow or plain or not hung_up(error) or _takes_shallow(repo, remote, probe):
                raise
            try:
                results, moved = send(atomic=atomic, shallow=False)
            except CommandFailed:
                raise error from None
            moved.plain = True
            return results, moved


def _takes_shallow(repo: GitRepository, remote: str, name: str) -> bool:
    """Tell whether a push with a shallow line comes to an end there, of one ref that is gone afterwards.

    Dulwich's server fails on such a line; a connection that was cut off may look the same.
    """
    probe = {name: git_oid("tree", b"")}
    try:
        results, _ = _push(repo, remote, probe, {}, [b""], atomic=False, shallow=True)
    except CommandFailed:
        return False
    if all(each.ok for each in results):
        delete(repo, remote, probe)
    return True


def _push(
    repo: GitRepository,
    remote: str,
    refs: Mapping[str, Oid],
    leases: Mapping[str, Oid],
    trees: Sequence[bytes],
    *,
    atomic: bool,
    shallow: bool,
    deltas: bool = True,
    on_progress: OnProgress | None = None,
) -> tuple[list[PushedRef], Moved]:
    # Chunks have no deltas among them: looking for some takes minutes and finds none.
    argv = own_settings(remote) + ([] if deltas else ["-c", "pack.window=0"])
    argv += ["push", "--porcelain", "--no-verify", "--progress"]
    argv += [f"--force-with-lease={ref}:{oid}" for ref, oid in leases.items()]
    argv += bounded_there(repo.path, remote, "receive-pack")
    with passing(repo) as side, shallow_file(side.path, "f" * OID_DIGITS if shallow else None) as env:
        side.write_refs(refs)
        for body in trees:
            side.write_loose("tree", body)
        try:
            flags = ["--atomic"] if atomic else []
            done, moved = talk(
                side.path, [*argv, *flags, remote, _ALL], env=env, patience=_patience(repo, remote),
                on_progress=on_progress,
            )  # fmt: skip
            return list(_parse(done.stdout)), moved
        except CommandFailed as error:
            if atomic and "does not support --atomic" in error.stderr:
                return _push(
                    repo, remote, refs, leases, trees, atomic=False, shallow=shallow, deltas=deltas,
                    on_progress=on_progress,
                )  # fmt: skip
            refused = list(_parse(error.stdout, error.stderr))
            if not refused:
                raise
            return refused, Moved()


def _patience(repo: GitRepository, remote: str) -> Patience:
    return Patience(repo.path, remote, f"push {mask_urls(remote)}")


def delete(repo: GitRepository, remote: str, refs: Mapping[str, Oid]) -> list[PushedRef]:
    """Delete refs of a remote that are where these oids say.

    Raises:
        RemoteError: it can't be reached, or broke off.
    """
    results: list[PushedRef] = []
    names = list(refs)
    for start in range(0, len(names), _ARGUMENTS):
        batch = names[start : start + _ARGUMENTS]
        argv = [*own_settings(remote), "push", "--porcelain", "--no-verify"]
        argv += [f"--force-with-lease={ref}:{refs[ref]}" for ref in batch]
        results += _delete(repo, remote, [*argv, remote, *(f":{ref}" for ref in batch)])
    return results


def _delete(repo: GitRepository, remote: str, argv: Sequence[str]) -> list[PushedRef]:
    with remote_errors(remote):
        try:
            return list(_parse(talk(repo.path, argv, env={}, patience=_patience(repo, remote))[0].stdout))
        except CommandFailed as error:
            refused = list(_parse(error.stdout, error.stderr))
            if not refused:
                raise
            return refused


def _parse(output: bytes, told: str = "") -> Iterator[PushedRef]:
    """Read ``git push --porcelain``: flag TAB from:to TAB summary; of locks and hooks only what it ``told`` says."""
    reasons = dict(_OF_A_REF.findall(told))
    found = _LOCKED.search(told)
    lock = found[1] if found else ""
    for line in output.decode("utf-8", "replace").splitlines():
        flag, _, rest = line.partition("\t")
        refs, _, summary = rest.partition("\t")
        if len(flag) == 1 and ":" in refs:
            ok = flag != "!"
            ref = refs.rpartition(":")[2]
            yield PushedRef(ref, ok, summary, "" if ok else lock, "" if ok else reasons.get(ref, ""))
