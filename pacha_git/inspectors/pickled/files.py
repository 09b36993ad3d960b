"""Reads pickles that are files: bare, compressed, as joblib writes them, as PyTorch did before it wrote zip files.

Loading a pickle runs whatever it says; here nothing is ever loaded, only followed (``machine``).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Final

from pacha_git.inspectors.facts import Facts
from pacha_git.inspectors.marks import PICKLE_NAMES, TORCH_NAMES, begins_pickle, may_be_old_pickle, wrapper_of
from pacha_git.inspectors.pickled.machine import Call, Followed, Machine, Named
from pacha_git.inspectors.pickled.tensors import Tensors
from pacha_git.inspectors.source import Damaged, LimitReached, Source
from pacha_git.inspectors.streams import SourceStream, Stream, unpacked

_WRAPPED_NAMES: Final = (".gz", ".z", ".bz2", ".xz", ".lzma", ".lz4", ".zst")
_OLD_JOBLIB: Final = b"ZF0x"
# The first thing that torch.save wrote before it wrote zip files: a number, as a pickle of its own.
_TORCH_NUMBER: Final = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
_ALIKE: Final = 10_000
_NUMPY_SIZES: Final = {"b": 1, "?": 1, "B": 1}


@dataclass(slots=True)
class _Walked:
    """Pickles that stand behind one another in a stream, and how far they were followed."""

    followed: Followed
    imports: dict[str, None]
    is_torch: bool = False


def is_pickle(source: Source) -> bool:
    """Tell whether it begins as pickles do since protocol 2, is named as one, or is an older one named like weights."""
    start = source.some(0, 16)
    if begins_pickle(start) or source.name.endswith(PICKLE_NAMES) or start.startswith(_OLD_JOBLIB):
        return True
    # Protocols 0 and 1 begin like any text; what loads such a file by its name reads them all the same.
    if source.name.endswith(TORCH_NAMES):
        return Machine(SourceStream(source)).follow(_ALIKE).ended == "stop"
    if not may_be_old_pickle(start) or source.some(source.size - 2, 2).strip()[-1:] != b".":
        return False
    # Under any other name it has to import something and to end where the file does.
    machine = Machine(SourceStream(source))
    followed = machine.follow(_ALIKE)
    return followed.ended == "stop" and bool(followed.imports) and machine.position >= source.size - 1


def read_pickle(source: Source) -> Facts:
    """Say what a pickle imports, and what PyTorch would find in it.

    Raises:
        Damaged: it can't be read from its first opcode on.
    """
    start = source.some(0, 64)
    if start.startswith(_OLD_JOBLIB):
        return Facts("pickle", None, {"compression": "zlib"}, True)
    if _TORCH_NUMBER in start:
        return _read_old_torch(source)
    return _facts(SourceStream(source), source)


def read_wrapped(source: Source) -> Facts | None:
    """Say what a pickle in a compressed file imports; None if it holds none."""
    wrapper = wrapper_of(source.some(0, 64)) or "zlib"
    bare = _bare_name(source.name)
    named = bare.endswith(PICKLE_NAMES) or (
        bare.endswith(TORCH_NAMES) and not bare.endswith((".tar", ".model", ".bin"))
    )
    said = {"compression": wrapper}
    stream = unpacked(source, wrapper)
    if stream is None:
        return Facts("pickle", None, said, True) if named else None
    try:
        start = stream.read(16)
    except (Damaged, LimitReached) as problem:
        return Facts("pickle", None, said, True, warnings=(str(problem),)) if named else None
    if not named and not begins_pickle(start):
        return None
    facts = _facts(_Again(start, stream), None)
    return Facts("pickle", None, {**said, **facts.metadata}, True, facts.imports, facts.warnings)


def _bare_name(name: str) -> str:
    return next((name.removesuffix(suffix) for suffix in _WRAPPED_NAMES if name.endswith(suffix)), name)


class _Again:
    """A stream of which the beginning was read already."""

    def __init__(self, start: bytes, stream: Stream) -> None:
        self._start = start
        self._stream = stream

    def read(self, count: int) -> bytes:
        """As many bytes, fewer only at the end."""
        start, self._start = self._start[:count], self._start[count:]
        return start + self._stream.read(count - len(start)) if len(start) < count else start

    def skip(self, count: int) -> None:
        """Pass bytes by."""
        passed = min(count, len(self._start))
        self._start = self._start[passed:]
        self._stream.skip(count - passed)


def _facts(stream: Stream, source: Source | None) -> Facts:
    tensors = Tensors()
    machine = Machine(stream, tensors.on_call, pass_arrays_by)
    limited = False
    try:
        followed = machine.follow()
    except LimitReached:
        followed, limited = machine.found, True
    if not followed.opcodes or (followed.opcodes == 1 and followed.ended == "broken"):
        raise Damaged("its first opcode can't be read")
    imports = tuple(followed.imports)
    if followed.ended == "stop":
        return Facts("pickle", tuple(tensors.found) or None, {}, True, imports)
    said = {"imports": "as far as they were looked for"}
    if limited or followed.ended == "limit" or (source is not None and source.some(source.size - 1, 1) == b"."):
        return Facts("pickle", None, said, True, imports)
    return Facts("pickle", None, said, True, imports, ("cut short: it has no end",))


def pass_arrays_by(machine: Machine, made: Any) -> None:
    """Pass by the array that joblib writes right behind the wrapper that describes it.

    An array of objects is a pickle of its own, and is followed.
    """
    if not isinstance(made, Call) or type(made.of) is not Named or made.of.name != "NumpyArrayWrapper":
        return
    state = made.state if isinstance(made.state, dict) else {}
    shape, dtype = state.get("shape"), state.get("dtype")
    word = dtype.args[0] if isinstance(dtype, Call) and type(dtype.args) is tuple and dtype.args else None
    if type(shape) is not tuple or type(word) is not str or not all(type(size) is int for size in shape):
        raise Damaged("an array that can't be passed by")
    if word.lstrip("<>|=").startswith("O"):
        machine.nested()
        return
    if state.get("numpy_array_alignment_bytes") is not None:
        machine.skip(machine.take(1)[0])
    machine.skip(prod(shape) * _item_size(word))


def _item_size(word: str) -> int:
    bare = word.lstrip("<>|=")
    if bare[1:].isdigit():
        return int(bare[1:]) * (4 if bare[0] == "U" else 1)
    if bare in _NUMPY_SIZES:
        return _NUMPY_SIZES[bare]
    raise Damaged("an array of a type that can't be passed by")


def _read_old_torch(source: Source) -> Facts:
    """Read what PyTorch wrote before 1.6.

    A number, a protocol, a system, the object and the keys of its storages as pickles, then the storages: each a
    count of 8 bytes and its elements.
    """
    tensors = Tensors()
    position = 0
    imports: dict[str, None] = {}
    ended = []
    for _ in range(5):
        machine = Machine(SourceStream(source, position), tensors.on_call)
        followed = machine.follow()
        imports |= followed.imports
        ended.append(followed.ended)
        position += machine.position
        if followed.ended != "stop":
            break
    needed = position + sum(8 + storage.size for storage in tensors.storages.values())
    warnings: tuple[str, ...] = ()
    if "broken" in ended:
        warnings = ("cut short: one of its pickles has no end",)
    elif "limit" not in ended and needed > source.size:
        warnings = (f"cut short: its storages end at {needed}, the file at {source.size}",)
    return Facts("pytorch", tuple(tensors.found), {"layout": "before 1.6"}, True, tuple(imports), warnings)
