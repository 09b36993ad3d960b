"""Writes many refs straight into ``packed-refs``, where a file for each and gathering them would take minutes.

It knows the lock and the form of that file (git-pack-refs). Whoever moves one of the refs meanwhile wins, so it is for
refs alone where that is right: last-seen copies, of which the last one holds, and all of a repository being made.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from pacha_git.errors import PachaError
from pacha_git.names import Oid

ROOT: Final = "refs/remotes/"
_FILE: Final = "packed-refs"
_HEAD: Final = b"# pack-refs with: peeled fully-peeled sorted \n"
_WAIT_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.05
_OID_LENGTH: Final = 40


def write_packed(git_dir: Path, refs: Mapping[str, Oid], loose: Iterable[str]) -> None:
    """Let refs stand in the packed file, and return when that is durable.

    Args:
        git_dir: The repository.
        refs: Where they are to stand: commits, and none that lies in a file of its own.
        loose: The refs beside them that do lie in files of their own.

    Raises:
        PachaError: a name would be a ref and a folder of refs at once, or somebody keeps the lock.
    """
    lock = git_dir / f"{_FILE}.lock"
    descriptor = _locked(lock)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write(file, git_dir, {_encoded(ref): oid for ref, oid in refs.items()}, {_encoded(ref) for ref in loose})
            file.flush()
            os.fsync(descriptor)
        lock.replace(git_dir / _FILE)
    except BaseException:
        lock.unlink(missing_ok=True)
        raise
    folder = os.open(git_dir, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _encoded(ref: str) -> bytes:
    return ref.encode("utf-8", "surrogateescape")


def _locked(lock: Path) -> int:
    """Take the lock as git does: by making the file."""
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            return os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            if time.monotonic() > until:
                raise PachaError(
                    f"{lock.name} is there: somebody writes refs, or died of it",
                    hint="if no other git runs here: git pacha doctor",
                ) from None
            time.sleep(_POLL_SECONDS)


def _write(file: BinaryIO, git_dir: Path, refs: Mapping[bytes, Oid], loose: set[bytes]) -> None:
    """Write what stood there and what comes, in the order of its bytes; the group may read it as it could before."""
    before = git_dir / _FILE
    model = before if before.exists() else git_dir / "HEAD"
    os.fchmod(file.fileno(), stat.S_IMODE(model.stat().st_mode))
    lines = _lines(before.read_bytes() if before.exists() else b"")
    lines.update({ref: b"%s %s\n" % (oid.encode("ascii"), ref) for ref, oid in refs.items()})
    _refuse_folders(refs, lines.keys() | loose)
    file.write(_HEAD)
    file.writelines(lines[ref] for ref in sorted(lines))


def _lines(data: bytes) -> dict[bytes, bytes]:
    """Ref → its line, with the line of what a tag leads to after it."""
    found: dict[bytes, bytes] = {}
    ref = b""
    for line in data.splitlines(keepends=True):
        if line.startswith(b"^"):
            found[ref] += line
        elif not line.startswith(b"#"):
            ref = line[_OID_LENGTH + 1 :].rstrip(b"\n")
            found[ref] = line
    return found


def _refuse_folders(refs: Iterable[bytes], every: set[bytes]) -> None:
    """Git's own check: ``a`` and ``a/b`` can't both be refs."""
    folders: set[bytes] = set()
    for ref in every:
        for folder in _folders(ref):
            if folder in folders:
                break  # and so are those above it
            folders.add(folder)
    both = next((ref for ref in refs if ref in folders or any(folder in every for folder in _folders(ref))), None)
    if both is not None:
        raise PachaError(f"{both.decode('utf-8', 'replace')} would be a ref and a folder of refs at once")


def _folders(ref: bytes) -> Iterator[bytes]:
    """The folders above a ref, the nearest first."""
    at = ref.rfind(b"/")
    while at > 0:
        yield ref[:at]
        at = ref.rfind(b"/", 0, at)
