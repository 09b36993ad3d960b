"""Remotes that lie, built by hand: repositories with forged objects, and servers whose answers have no end."""

from __future__ import annotations

import contextlib
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pacha_git.git.changes import Changes, changing
from pacha_git.git.refs.refs import RefUpdate
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.commits import commit_bytes, split_commit
from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import parse_tree, tree_bytes

IDENTITY = "Mallory <mallory@example.org>"


def forge(hub: Path, write: Callable[[GitRepository, Changes], dict[str, Oid]]) -> dict[str, Oid]:
    """Write objects into a repository and let refs point at them, whatever stands there."""
    repo = GitRepository(hub)
    with changing(repo, "forge") as changes:
        made = write(repo, changes)
    repo.refs.update([RefUpdate(ref, oid, repo.ref(ref)) for ref, oid in made.items()])
    return made


def record_with(
    repo: GitRepository, changes: Changes, ref: str, change: Callable[[bytes], bytes], document: bytes | None = None
) -> Oid:
    """A record commit like the one under a ref, with other bytes in its record.json."""
    commit = split_commit(repo.read_as(Oid(repo.ref(ref) or ""), "commit"))
    entries = []
    for entry in parse_tree(repo.read_as(commit.tree, "tree")):
        body = repo.read_as(entry.oid, "blob")
        if entry.name == b"record.json":
            body = change(body)
        entries.append((entry.mode, entry.name, changes.add("blob", body)))
    if document is not None:
        entries.append(("100644", b"card.md", changes.add("blob", document)))
    tree = changes.add("tree", tree_bytes(entries))
    return changes.add(
        "commit",
        commit_bytes(
            tree=tree, parents=commit.parents, identity=commit.author.rsplit(" ", 2)[0],
            seconds=int(commit.author.split(" ")[-2]), message=commit.message,
        ),
    )  # fmt: skip


@contextlib.contextmanager
def endless(*, refs: bool = False, objects: int = 1 << 20) -> Iterator[str]:
    """A git:// server (protocol v0) that lists refs without end, or sends a pack that says to have so many objects."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                threading.Thread(target=_answer, args=(connection, refs, objects, over), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"git://127.0.0.1:{listener.getsockname()[1]}/x"
    finally:
        over.set()
        listener.close()


def _answer(connection: socket.socket, refs: bool, objects: int, over: threading.Event) -> None:
    with contextlib.suppress(OSError), connection:
        connection.recv(65536)
        capabilities = b"\0side-band-64k ofs-delta allow-reachable-sha1-in-want\n"
        connection.sendall(_packet(b"1" * 40 + b" refs/pacha/models/m/1.0.0" + capabilities))
        block = b"".join(_packet(b"%040x refs/pacha/models/m/1.0.%d\n" % (at, at)) for at in range(1, 10_000))
        while refs and not over.is_set():
            connection.sendall(block)
        connection.sendall(b"0000")
        asked = b""
        while b"done" not in asked:
            block = connection.recv(65536)
            if not block:
                return
            asked += block
        connection.sendall(_packet(b"NAK\n"))
        connection.sendall(_packet(b"\x01PACK\0\0\0\x02" + objects.to_bytes(4, "big")))
        entry = b"\xb8\x7f" + zlib.compress(bytes(range(256)) * 7 + bytes(range(248)), 0)
        block = _packet(b"\x01" + entry) * 100
        while not over.is_set():
            connection.sendall(block)


def _packet(data: bytes) -> bytes:
    return b"%04x" % (len(data) + 4) + data
