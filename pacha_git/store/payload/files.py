"""Reads the files that are to be stored, and says so if one is not what it was when it was found.

It knows files on disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Final

from pacha_git.chunking.cutter import Window
from pacha_git.errors import NotFound, PachaError
from pacha_git.store.payload.sources import FoundFile, is_still
from pacha_git.system.hashing import many_core_hasher

_BATCH_BYTES: Final = 4 << 20
_BATCH_FILES: Final = 2048
_HASH_BLOCK: Final = 4 << 20


@contextmanager
def reading(file: FoundFile) -> Iterator[int]:
    """Open a file; when the block ends without an error, check that it is what it was when it was found.

    Raises:
        NotFound: it vanished.
        PachaError: it can't be read, or changed.
    """
    try:
        descriptor = _open(file)
        try:
            yield descriptor
            _check(file, descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(file, error) from None


def _open(file: FoundFile) -> int:
    return os.open(file.location, os.O_RDONLY | os.O_CLOEXEC)


def _check(file: FoundFile, descriptor: int) -> None:
    if not is_still(file, os.fstat(descriptor)):
        raise _changed(file)


def _changed(file: FoundFile) -> PachaError:
    return PachaError(
        f"{file.location} changed while it was read", hint="nothing was changed; try again when it is still"
    )


def _unreadable(file: FoundFile, error: OSError) -> PachaError:
    if isinstance(error, FileNotFoundError):
        return NotFound(f"{file.location} vanished while it was registered", hint="nothing was changed; try again")
    return PachaError(f"can't read {file.location}: {error.strerror}", hint="nothing was changed")


def reader(descriptor: int) -> Callable[[int, int], bytes]:
    """Reads so many bytes at an offset of an open file, wherever it stands."""
    return lambda offset, length: os.pread(descriptor, length, offset)


def filler(descriptor: int) -> Callable[[memoryview], int]:
    """Reads what comes next of an open file into a buffer; says how much that was, 0 at the end."""
    return lambda view: os.readv(descriptor, [view])


def digest_of(file: FoundFile) -> bytes:
    """BLAKE3 of a whole file, by all cores, in bounded memory."""
    digest = many_core_hasher()
    buffer = bytearray(_HASH_BLOCK)
    view = memoryview(buffer)
    with reading(file) as descriptor:
        while count := os.readv(descriptor, [view]):
            digest.update(view[:count])
    return digest.digest()


def windows(files: Sequence[FoundFile]) -> Iterator[Window]:
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
    ends = list(accumulate(map(len, blocks)))
    return Window(0, memoryview(b"".join(blocks)), list(zip([0, *ends], ends, strict=False)))


def contents(file: FoundFile) -> bytes:
    """Return all bytes of a file, in memory; errors as ``reading``."""
    # As ``reading`` does it, which takes a third longer: there may be hundreds of thousands.
    try:
        descriptor = _open(file)
        try:
            data = os.read(descriptor, file.size + 1)  # one more than it should have
            while len(data) < file.size and (more := os.read(descriptor, file.size + 1 - len(data))):
                data += more  # some file systems give less at once than they are asked for
            _check(file, descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(file, error) from None
    if len(data) != file.size:
        raise _changed(file)
    return data
