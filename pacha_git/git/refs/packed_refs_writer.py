"""Writes many refs straight into ``packed-refs``, where a file for each and gathering them would take minutes.

It knows the form of that file (git-pack-refs). Whoever moves one of the refs meanwhile wins, so it is for
refs alone where that is right: last-seen copies, of which the last one holds, and all of a repository being made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.git.refs import locks as reflocks
from pacha_git.git.refs import packed_refs_file
from pacha_git.gitobjects.oid import OID_DIGITS, Oid

ROOT: Final = "refs/remotes/"
_WAIT_SECONDS: Final = 20.0


def write_packed(git_dir: Path, refs: Mapping[str, Oid], loose: Iterable[str]) -> bool:
    """Let refs stand in the packed file, and return when that is durable.

    Args:
        git_dir: The repository.
        refs: Where they are to stand: commits, and none that lies in a file of its own.
        loose: The refs beside them that do lie in files of their own.

    Returns:
        Whether that could be done; else git is to be asked.

    Raises:
        PachaError: a name would be a ref and a folder of refs at once, somebody keeps the lock, or the disk is full.
    """
    new = {_encoded(ref): oid for ref, oid in refs.items()}
    others = {_encoded(ref) for ref in loose}
    with reflocks.alone(git_dir) as can:
        return can and packed_refs_file.replace(
            git_dir, lambda data: _pieces(data, new, others), wait_seconds=_WAIT_SECONDS
        )


def _encoded(ref: str) -> bytes:
    return ref.encode("utf-8", "surrogateescape")


def _pieces(data: bytes, refs: Mapping[bytes, Oid], loose: set[bytes]) -> list[bytes]:
    """Tell what stood there and what comes, in the order of its bytes."""
    lines = _lines(data)
    lines.update({ref: b"%s %s\n" % (oid.encode("ascii"), ref) for ref, oid in refs.items()})
    _refuse_folders(refs, lines.keys() | loose)
    return [packed_refs_file.HEADER, *(lines[ref] for ref in sorted(lines))]


def _lines(data: bytes) -> dict[bytes, bytes]:
    """Ref → its line, with the line of what a tag leads to after it."""
    found: dict[bytes, bytes] = {}
    ref = b""
    for line in data.splitlines(keepends=True):
        if line.startswith(b"^"):
            found[ref] += line
        elif not line.startswith(b"#"):
            ref = line[OID_DIGITS + 1 :].rstrip(b"\n")
            found[ref] = line
    return found


def _refuse_folders(refs: Collection[bytes], every: set[bytes]) -> None:
    """Git's own check: ``a`` and ``a/b`` can't both be refs."""
    both = reflocks.folders_above(every).intersection(refs) | reflocks.folders_above(refs) & every
    if both:
        raise PachaError(f"{min(both).decode('utf-8', 'replace')} would be a ref and a folder of refs at once")
