"""What a commit is about to contain: the files of a work tree, or of the index that Git is making the commit from.

It knows how Git is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pacha_git.errors import NotFound, PachaError
from pacha_git.hooks.links import Entry, resolved
from pacha_git.system.process import CommandFailed, run

_STAGED: Final = ("git", "diff", "--cached", "--raw", "--no-abbrev", "--no-renames", "--diff-filter=ACMT")


def read_files(paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the bytes of files as they lie on disk.

    Raises:
        NotFound, PachaError: one can't be read.
    """
    for path in paths:
        try:
            yield path, Path(path).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"no such file: {path}") from None
        except OSError as error:
            raise PachaError(f"can't read {path}: {error.strerror}") from None


def read_staged(suffixes: Sequence[str], inherited: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Yield the bytes of files as they are staged, those alone that the commit would add or change.

    Args:
        suffixes: In lower case; other files are passed by.
        inherited: What Git told the hook through its environment: which index, which repository.

    Raises:
        PachaError: the folder lies in no work tree.
    """
    try:
        listed = run([*_STAGED, "-z"], env=inherited).stdout.split(b"\0")
    except CommandFailed as error:
        raise PachaError(
            f"can't read what is staged: {error.message}", hint="run it in a work tree, or name files"
        ) from None
    changed = {_text(raw) for raw in listed[1::2]}
    entries = _index(inherited)
    wanted = list(resolved(entries, changed, tuple(suffixes), lambda oid: next(blobs([oid], inherited))))
    yield from zip((path for path, _ in wanted), blobs([oid for _, oid in wanted], inherited), strict=True)


def _index(inherited: Mapping[str, str]) -> dict[str, Entry]:
    """Return everything that is staged, by its path from the top."""
    listed = run(["git", "ls-files", "--stage", "-z", "--full-name", ":/"], env=inherited).stdout
    found: dict[str, Entry] = {}
    for line in listed.split(b"\0"):
        head, _, path = line.partition(b"\t")
        if path:
            mode, oid, _ = head.split(b" ")
            found[_text(path)] = Entry(mode, oid)
    return found


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def blobs(oids: Sequence[bytes], inherited: Mapping[str, str]) -> Iterator[bytes]:
    """Yield the bytes of blobs, read by one git for all of them."""
    if not oids:
        return
    said = run(["git", "cat-file", "--batch"], env=inherited, stdin=b"".join(oid + b"\n" for oid in oids)).stdout
    at = 0
    for _ in oids:
        line = said.index(b"\n", at)
        size = int(said[at:line].rpartition(b" ")[2])
        yield said[line + 1 : line + 1 + size]
        at = line + size + 2
