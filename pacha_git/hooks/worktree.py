"""What a commit is about to contain: the files of a work tree, or of the index that Git is making the commit from.

It knows how Git is asked; what the files are it refuses to know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pacha_git.errors import NotFound, PachaError
from pacha_git.process import CommandFailed, run


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
        listed = run(
            ["git", "diff", "--cached", "--name-only", "--no-renames", "--diff-filter=ACMT", "-z"], env=inherited
        ).stdout
    except CommandFailed as error:
        raise PachaError(
            f"can't read what is staged: {error.message}", hint="run it in a work tree, or name files"
        ) from None
    for raw in listed.split(b"\0"):
        path = raw.decode("utf-8", "surrogateescape")
        if path.lower().endswith(tuple(suffixes)):
            yield path, run(["git", "cat-file", "blob", f":{path}"], env=inherited).stdout
