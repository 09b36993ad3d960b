"""Reads the files that are to be stored, and says so if one is not what it was when it was found.

It knows files on disk; how their bytes are cut, shared and stored it refuses to know.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import blake3

from pacha_git.chunking.cutter import Window
from pacha_git.errors import NotFound, PachaError
from pacha_git.store.sources import SourceFile

_BATCH_BYTES: Final = 4 << 20
_BATCH_FILES: Final = 2048
_HASH_BLOCK: Final = 4 << 20


@contextmanager
def reading(file: SourceFile) -> Iterator[Any]:
    """Open a file; when the block ends without an error, check that it is what it was when it was found.

    Raises:
        NotFound: it vanished.
        PachaError: it can't be read, or changed.
    """
    try:
        opened = Path(file.location).open("rb", buffering=0)  # noqa: SIM115 — closed below, where errors read otherwise
    except FileNotFoundError:
        raise NotFound(
            f"{file.location} vanished while it was registered", hint="nothing was changed; try again"
        ) from None
    except OSError as error:
        raise PachaError(f"can't read {file.location}: {error.strerror}", hint="nothing was changed") from None
    with opened:
        try:
            yield opened
            now = os.fstat(opened.fileno())
        except OSError as error:
            raise PachaError(f"can't read {file.location}: {error.strerror}", hint="nothing was changed") from None
    was = file.status
    if (now.st_size, now.st_mtime_ns, now.st_ino) != (was.st_size, was.st_mtime_ns, was.st_ino):
        raise PachaError(
            f"{file.location} changed while it was read", hint="nothing was changed; try again when it is still"
        )


def reader(opened: Any) -> Callable[[int, int], bytes]:
    """Reads so many bytes at an offset of an open file, wherever it stands."""
    return lambda offset, length: os.pread(opened.fileno(), length, offset)


def digest_of(file: SourceFile) -> bytes:
    """BLAKE3 of a whole file, by all cores, in bounded memory."""
    digest = blake3.blake3(max_threads=blake3.blake3.AUTO)
    buffer = bytearray(_HASH_BLOCK)
    view = memoryview(buffer)
    with reading(file) as opened:
        while count := opened.readinto(buffer):
            digest.update(view[:count])
    return digest.digest()


def windows(files: Sequence[SourceFile]) -> Iterator[Window]:
    """Many small files in one window each; empty ones are no chunk."""
    blocks: list[bytes] = []
    size = 0
    for file in files:
        if file.size:
            blocks.append(contents(file))
            size += file.size
        if size >= _BATCH_BYTES or len(blocks) >= _BATCH_FILES:
            yield _window(blocks)
            blocks, size = [], 0
    if blocks:
        yield _window(blocks)


def _window(blocks: Sequence[bytes]) -> Window:
    spans: list[tuple[int, int]] = []
    start = 0
    for block in blocks:
        spans.append((start, start + len(block)))
        start += len(block)
    return Window(0, memoryview(b"".join(blocks)), spans)


def contents(file: SourceFile) -> bytes:
    """All bytes of a file, in memory; errors as ``reading``."""
    with reading(file) as opened:
        data: bytes = opened.read(file.size + 1)  # one more than it should have
        while len(data) < file.size and (more := opened.read(file.size + 1 - len(data))):
            data += more  # some file systems give less at once than they are asked for
    if len(data) != file.size:
        raise PachaError(
            f"{file.location} changed while it was read", hint="nothing was changed; try again when it is still"
        )
    return data
