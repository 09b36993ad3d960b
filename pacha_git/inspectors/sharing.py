"""Tells of files that share little between versions as they are packed, and what they would take otherwise.

It tries on the beginning of the file, and guesses the rest from it. What it can't try it says without a number.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from pacha_git.inspectors.containers.tars import is_tar, small_members
from pacha_git.inspectors.data import parquet
from pacha_git.inspectors.marks import PARQUET, wrapper_of
from pacha_git.inspectors.source import Damaged, LimitReached, Source
from pacha_git.inspectors.streams import SourceStream, unpacked_from

LEAST: Final = 1 << 20
"""Bytes of a file from which on it is worth a word."""
_TRIED: Final = 2 << 20
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Advice:
    """What is said of a file.

    Attributes:
        what: What about it keeps versions from sharing.
        instead: What to do.
        bytes: What it would take on disk then, about; None if that can't be tried.
    """

    what: str
    instead: str
    bytes: int | None = None


def advice(source: Source) -> Advice | None:
    """Tell what is to be said of a file; None if nothing is."""
    if source.size < LEAST:
        return None
    try:
        start = source.some(0, 512)
        wrapper = wrapper_of(start)
        if wrapper is not None:
            return _of_wrapped(source, wrapper)
        if start.startswith(PARQUET):
            return _of_parquet(source)
        return _of_tar(source) if is_tar(source) else None
    except (Damaged, LimitReached):
        return None  # what is wrong with it is told elsewhere


def _of_wrapped(source: Source, wrapper: str) -> Advice | None:
    what, instead = f"it is packed as a whole ({wrapper}): a change makes all behind it new", "store it unpacked"
    packed = SourceStream(source)
    stream = unpacked_from(packed, wrapper, _TRIED)
    if stream is None:
        return Advice(what, instead) if source.name.removesuffix(".zst").endswith(_TEXTS) else None
    plain = stream.read(_TRIED - _CHUNK)
    if b"\0" in plain[:4096] or not plain:
        return None  # no text: what is in it may not shrink, or may be anything
    taken = sum(len(zlib.compress(plain[at : at + _CHUNK], 1)) for at in range(0, len(plain), _CHUNK))
    return Advice(what, instead, taken * source.size // max(1, packed.position))


_TEXTS: Final = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt", ".xml", ".fasta", ".fastq", ".vcf", ".log")


def _of_parquet(source: Source) -> Advice | None:
    counts = parquet.values_by_page(source)[:-1]
    # Writers that cut pages by their content stop anywhere; the others at a round number of values.
    if len(counts) < 2 or not all(count % 1000 == 0 or count % 1024 == 0 for count in counts):
        return None
    return Advice(
        "its pages are not cut by content: rows put into its middle make all behind them new",
        "write it with use_content_defined_chunking=True (PyArrow 21 or newer, pandas)",
        source.size,
    )


def _of_tar(source: Source) -> Advice | None:
    found = small_members(source)
    if found is None:
        return None
    count, kept = found
    return Advice(
        f"beside each of its small files ({count} of the first) stands a time: packed again all of it is new",
        "register the folder, or pack it with tar --sort=name --mtime=@0",
        kept,
    )
