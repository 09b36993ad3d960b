"""What the matrix of attacks plays with: a hub, a registry that knows it, a guarded hub, two people's keys."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pacha_git import PachaError, Registry
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.commits import commit_bytes, split_commit
from pacha_git.gitobjects.oid import Oid
from pacha_git.session.signing import PersonalKeys
from pacha_git.trust import sshsig
from tests.exchange import lines

KNOWN = "refs/pacha/models/m/1.0.0"
FRESH = "refs/pacha/models/m/2.0.0"
EVENTS = "refs/notes/pacha/models/m/_events"
ATTESTATIONS = "refs/notes/pacha/models/m/_attestations"
SETTINGS = "refs/pacha/registry"
PAYLOAD = "refs/pacha/payload/models/m/2.0.0"


@dataclass(frozen=True)
class World:
    """One cell's own copies.

    Attributes:
        hub: What the attacker alters; it has 2.0.0 and a run, which ours does not know.
        ours: A registry that pulled before those came.
        guarded: A shared hub with the hook, as ours knows it.
        other: Another registry, of Mallory's, with a model m of its own.
        spoil: What is done to the file of a bundle.
    """

    hub: Path
    ours: Path
    guarded: Path
    other: Path
    spoil: list[Callable[[bytes], bytes]] = field(default_factory=list)

    @property
    def run(self) -> str:
        """The ref of the run."""
        return git(self.hub, "for-each-ref", "--format=%(refname)", "refs/pacha/runs")


def git(path: Path, *words: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["git", "-C", path, *words], input=stdin, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().strip()


def sign(name: str, namespace: str = sshsig.EVENT_NAMESPACE) -> Callable[[bytes], str]:
    pair = PersonalKeys().load(PersonalKeys().folder() / name)
    return lambda message: sshsig.sign(pair, message, namespace)


def rewritten(path: Path, ref: str, file: str, change: Callable[[bytes], bytes]) -> None:
    """Let a ref stand at a commit like its own, less the signature, in which a file has other bytes."""
    entries = {row.split("\t")[1]: row.split()[2] for row in git(path, "ls-tree", "-r", ref).split("\n")}
    old = subprocess.run(
        ["git", "-C", path, "cat-file", "blob", entries[file]], stdout=subprocess.PIPE, check=True
    ).stdout
    entries[file] = lines.blob(path, change(old))
    resigned(path, ref, None, tree=lines.tree(path, entries))


def resigned(path: Path, ref: str, signer: str | None, *, tree: str | None = None) -> None:
    """Let a ref stand at its own commit with somebody else's signature, or none."""
    parsed = split_commit(GitRepository(path).read_as(Oid(git(path, "rev-parse", ref)), "commit"))
    identity, seconds, _ = parsed.author.rsplit(" ", 2)

    def made(signature: str | None) -> bytes:
        return commit_bytes(
            tree=Oid(tree or parsed.tree), parents=parsed.parents, identity=identity, seconds=int(seconds),
            message=parsed.message, signature=signature,
        )  # fmt: skip

    signature = sign(signer, sshsig.GIT_NAMESPACE)(made(None)) if signer else None
    oid = git(path, "hash-object", "-t", "commit", "-w", "--stdin", stdin=made(signature))
    git(path, "update-ref", ref, oid)


def relined(path: Path, ref: str, change: Callable[[bytes], bytes | None]) -> None:
    """Change the lines of a notes ref; None drops one."""
    for row in git(path, "ls-tree", "-r", ref).split("\n"):
        oid = row.split("\t")[1].replace("/", "")
        note = git(path, "cat-file", "blob", row.split()[2]).encode().split(b"\n")
        lines.write(path, ref, {oid: [new for line in note if (new := change(line)) is not None]}, keep=False)


def shown(path: Path) -> dict[str, Any]:
    """What a person sees of every version: its words, who signed them, its bytes."""
    registry = Registry.open(path)
    found: dict[str, Any] = {}
    for info in registry.models.list(all=True, removed=True):
        detail = json.loads(json.dumps(registry.models.get(f"{info.name}@{info.version}").to_json()))
        if detail["payload"] != "removed":
            del detail["payload"]  # bytes that are not here are nothing wrong
        found[f"{info.name}@{info.version}"] = detail
    found |= {f"run {run.id}": (run.status, dict(run.params or {}), dict(run.metrics)) for run in registry.runs.list()}
    found["trusted"] = sorted(f"{key.principal} {key.fingerprint}" for key in Registry.keys(registry) if key.trusted)
    return found


def marks(path: Path) -> set[str]:
    """What says that something is not as it should be: verify, fsck, status, and words that nobody trusted signed."""
    registry = Registry.open(path)
    found = {f"verify {each.name}@{each.version}" for each in registry.verify(all=True) if not each.ok}
    report = registry.fsck()
    found |= {f"fsck {problem}" for problem in report.problems} | {f"note {note}" for note in report.notes}
    found |= {f"behind {ref}" for remote in registry.status().remotes for ref in remote.behind}
    for info in registry.models.list(all=True, removed=True):
        detail = registry.models.get(f"{info.name}@{info.version}")
        unsigned = {word for word, said in detail.words.items() if said.signed_by != "ada@example.org"}
        found |= {f"unsigned {info.version} {word}" for word in unsigned}
        found |= {f"claimed {info.version}" for _ in detail.claims}
    return found


# The ways in: each says whether what came was refused ---------------------------------------------------------------


def pull(world: World) -> bool:
    try:
        Registry.open(world.ours).pull(payload="all")
    except PachaError as error:
        return error.exit_code in (4, 5)
    return False


def bundle(world: World) -> bool:
    file = world.hub.parent / "x.bundle"
    git(world.hub, "bundle", "create", "-q", str(file), "--all")
    for change in world.spoil:
        file.write_bytes(change(file.read_bytes()))
    try:
        return bool(Registry.open(world.ours).import_bundle(file).conflicts)  # the command line exits 4
    except PachaError as error:
        return error.exit_code in (4, 5)


def push(world: World) -> bool:
    """Stock git, with force, into a hub that the hook guards."""
    refs = ["+refs/pacha/*:refs/pacha/*", "+refs/notes/*:refs/notes/*"]
    done = subprocess.run(
        ["git", "-C", world.hub, "push", "-q", world.guarded, *refs], capture_output=True, check=False
    )
    return done.returncode != 0


def files(world: World) -> bool:
    """Somebody who may write the folder: whatever was there is replaced, and nobody is asked."""
    refs = ["+refs/pacha/*:refs/pacha/*", "+refs/notes/*:refs/notes/*"]
    off = ["-c", "fetch.fsckObjects=false"]
    subprocess.run(["git", "-C", world.ours, *off, "fetch", "-q", world.hub, *refs], capture_output=True, check=False)
    return False


WAYS = {"pull": pull, "bundle": bundle, "push": push, "files": files}


def entered(world: World, way: str) -> Path:
    """Where what came would be in force."""
    return world.guarded if way == "push" else world.ours
