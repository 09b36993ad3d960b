"""What a commit is about to contain: the files of a work tree, or of the index that Git is making the commit from.

It knows how Git is asked; what the files are it refuses to know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pacha_git.errors import NotFound, PachaError
from pacha_git.system.process import CommandFailed, run

_STAGED: Final = ("git", "diff", "--cached", "--raw", "--no-abbrev", "--no-renames", "--diff-filter=ACMT")
_FILES: Final = (b"100644", b"100755")


def read_files(paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The bytes of files as they lie on disk.

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
    """The bytes of files as they are staged, those alone that the commit would add or change.

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
    wanted: list[tuple[str, bytes]] = []
    for head, raw in zip(listed[::2], listed[1::2], strict=False):
        _, mode, _, oid, _ = head.split(b" ")
        path = raw.decode("utf-8", "surrogateescape")
        if mode in _FILES and path.lower().endswith(tuple(suffixes)):
            wanted.append((path, oid))
    yield from zip((path for path, _ in wanted), _blobs([oid for _, oid in wanted], inherited), strict=True)


def _blobs(oids: Sequence[bytes], inherited: Mapping[str, str]) -> Iterator[bytes]:
    """The bytes of blobs, read by one git for all of them."""
    if not oids:
        return
    said = run(["git", "cat-file", "--batch"], env=inherited, stdin=b"".join(oid + b"\n" for oid in oids)).stdout
    at = 0
    for _ in oids:
        line = said.index(b"\n", at)
        size = int(said[at:line].rpartition(b" ")[2])
        yield said[line + 1 : line + 1 + size]
        at = line + size + 2
