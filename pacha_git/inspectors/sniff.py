"""Finds out which format a file is of, and has it read; what can't be is a warning, never an error.

It goes by the marks in the file first (``marks``), and by its name only for formats that have none. A reader is loaded
when a file of its format is met.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final, cast

from pacha_git.inspectors import marks
from pacha_git.inspectors.facts import Facts
from pacha_git.inspectors.source import Damaged, LimitReached, Read, Source, Unseen

Reader = Callable[[Source], Facts | None]

_LEAST: Final = 8


def inspect(read: Read, size: int, name: str) -> Facts | None:
    """Say what a file says of itself.

    Args:
        read: Reads (offset, length) of it; fewer bytes only at its end.
        size: Its bytes.
        name: What it is called.

    Returns:
        None for a file of no known format; what does not hold together stands in ``warnings``.
    """
    return inspect_source(Source(read, size, name))


def inspect_source(source: Source) -> Facts | None:
    """Say what a file says of itself; see ``inspect``."""
    if source.size < _LEAST:
        return None
    start = source.some(0, 512)
    # First of all: a head of 128 bytes makes the first byte of a safetensors file 0x80, as a pickle has it.
    if start[8:9] == b"{" and 2 <= int.from_bytes(start[:8], "little") <= 100_000_000:
        return _read("safetensors", "weights.safetensors:read_safetensors", source)
    for magic, word, where in marks.MAGICS:
        if start.startswith(magic):
            return _read(word, where, source)
    if source.name.endswith(".safetensors"):
        return Facts("safetensors", warnings=("its head is not that of a safetensors file",))
    for fits, word, where in marks.GUESSES:
        if fits(start):
            return _read(word, where, source)
    return _by_name(source, start)


def _by_name(source: Source, start: bytes) -> Facts | None:
    if _asked("containers.tars:is_tar", source):
        return _read("tar", "containers.tars:read_tar", source)
    if source.size >= 12_288 and start[8:12] == marks.DUCKDB_MARK:
        return _read("duckdb", "data.records:read_duckdb", source)
    if marks.wrapper_of(start) is not None:
        found = _read("pickle", "pickled.files:read_wrapped", source)
        return found or _read("packed tar", "containers.tars:read_packed_tar", source)
    if _asked("pickled.files:is_pickle", source):
        return _read("pickle", "pickled.files:read_pickle", source)
    if _asked("data.indexes:is_index", source):
        return _read("json", "data.indexes:read_index", source)
    if _asked("weights.onnx:may_be_onnx", source):
        found = _read("onnx", "weights.onnx:read_onnx", source)
        named = source.name.endswith(".onnx")
        return found if named or (found is not None and not found.warnings) else None
    return None


def _loaded(where: str) -> Callable[[Source], object]:
    module, _, function = where.partition(":")
    return cast(Callable[[Source], object], getattr(import_module(f"pacha_git.inspectors.{module}"), function))


def _asked(where: str, source: Source) -> bool:
    return bool(_loaded(where)(source))


def _read(word: str, where: str, source: Source) -> Facts | None:
    try:
        return cast(Reader, _loaded(where))(source)
    except Unseen as limit:
        return _as_far_as_known(word, source, {"not_looked_at": str(limit)}, ())
    except LimitReached:
        return _as_far_as_known(word, source, {"not_looked_at": "more is packed in it than is unpacked"}, ())
    except Damaged as damage:
        return _as_far_as_known(word, source, {}, (str(damage),))


def _as_far_as_known(word: str, source: Source, said: dict[str, str], warnings: tuple[str, ...]) -> Facts | None:
    # A zip of which nothing is known may be anybody's; what can't be read here may still be loaded elsewhere.
    weights = source.name.endswith(marks.TORCH_NAMES)
    if word == "packed tar":
        return None  # what is packed there may be anything
    known = word != "zip" or weights or source.name.endswith((".npz", ".keras", ".skops"))
    runs_code = word == "pickle" or (word == "zip" and weights)
    return Facts(word, metadata=said, runs_code=runs_code, warnings=warnings) if known else None
