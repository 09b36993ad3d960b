"""Writes notes of any shape with stock Git: lines that nobody honest writes, trees that spell oids as they like."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pacha_git.format.event import Envelope as Around
from pacha_git.format.event import Statement, compose, encode_event
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.store import records
from pacha_git.store.notes import read_notes

IDENTITY = "Mallory <mallory@example.org>"
REGISTRY_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
AT = "2026-01-02T03:04:05Z"


def line(
    path: Path,
    ref: str,
    type_: str,
    *,
    target: Mapping[str, Any] | None = None,
    after: Sequence[str] = (),
    **fields: Any,
) -> bytes:
    """A line about the version under a record ref; ``target`` replaces keys of what it says of it."""
    repo = GitRepository(path)
    about = records.read(repo, Oid(repo.ref(ref) or "")).target
    said = compose(Statement(type_, fields), Around(REGISTRY_ID, about, after, AT, IDENTITY))
    return encode_event({**said.body, "target": {**about.model_dump(), **(target or {})}})


def signed(unsigned: bytes, sign: Callable[[bytes], str]) -> bytes:
    """The same line with a signature, over what ``sign`` signs when it is given the line."""
    return encode_event({**json.loads(unsigned[37:]), "sig": sign(unsigned)})


def write(path: Path, ref: str, lines: Mapping[str, Sequence[bytes]], *, keep: bool = True) -> str:
    """Let a notes ref have these lines, by the oid that they annotate, beside what it has."""
    repo = GitRepository(path)
    tip = repo.ref(ref)
    notes = {str(oid): note.splitlines() for oid, note in (read_notes(repo, tip) if keep else {}).items()}
    for oid, more in lines.items():
        notes[oid] = [*notes.get(oid, []), *more]
    entries = {
        f"{oid[:2]}/{oid[2:]}": blob(path, b"".join(each + b"\n" for each in sorted({*found})))
        for oid, found in notes.items()
    }
    return commit(path, ref, tree(path, entries), tip)


def blob(path: Path, data: bytes) -> str:
    return _git(path, "hash-object", "-w", "--stdin", stdin=data)


def tree(path: Path, entries: Mapping[str, str]) -> str:
    """A tree of blobs by their paths."""
    below: dict[str, dict[str, str]] = {}
    rows: list[str] = []
    for name, oid in entries.items():
        head, slash, rest = name.partition("/")
        if slash:
            below.setdefault(head, {})[rest] = oid
        else:
            rows.append(f"100644 blob {oid}\t{head}")
    rows += [f"040000 tree {tree(path, found)}\t{head}" for head, found in below.items()]
    return _git(path, "mktree", stdin="".join(f"{row}\n" for row in rows).encode())


def commit(path: Path, ref: str, tree_oid: str, parent: str | None) -> str:
    """Let a ref stand at a commit of this tree."""
    parents = ["-p", parent] if parent else []
    made = _git(path, "commit-tree", tree_oid, *parents, "-m", "notes")
    _git(path, "update-ref", ref, made)
    return made


def _git(path: Path, *words: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["git", "-C", path, *words], input=stdin, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().strip()
