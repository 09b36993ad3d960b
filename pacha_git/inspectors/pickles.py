"""Goes through the opcodes of a pickle and carries none of them out: what it imports, which tensors PyTorch put there.

Loading a pickle runs whatever it says; here nothing is ever loaded. The opcodes are read by ``pickletools``.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pacha_git.inspectors.facts import Facts, Tensor
from pacha_git.inspectors.source import Damaged, Source, SourceFile

_MOST_OPCODES: Final = 100_000
_MOST_BYTES: Final = 4 << 20
_NAMES: Final = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")
TORCH_NAMES: Final = (".pt", ".pth", ".ckpt", ".bin", ".model")
"""Names of files that are loaded as pickles, in a zip or not."""
_COMPRESSED: Final = {
    b"\x1f\x8b": "gzip", b"x\x9c": "zlib", b"x\x01": "zlib", b"x^": "zlib", b"x\xda": "zlib", b"BZh": "bzip2",
    b"\xfd7zXZ": "xz", b"\x04\x22\x4d\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstd",
}  # fmt: skip
# The first thing that torch.save wrote before it wrote zip files: a number, as a pickle of its own.
_TORCH_NUMBER: Final = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
_STORAGES: Final = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128", "UntypedStorage": "bytes",
}  # fmt: skip


@dataclass(slots=True)
class Scan:
    """What the opcodes of a pickle told."""

    imports: dict[str, None] = field(default_factory=dict)
    tensors: list[Tensor] = field(default_factory=list)
    complete: bool = False
    opcodes: int = 0


def is_pickle(source: Source) -> bool:
    """Whether it begins as pickles do since protocol 2, is named as one, or is an older one named like weights."""
    start = source.some(0, 2)
    if (len(start) == 2 and start[0] == 0x80 and 2 <= start[1] <= 5) or source.name.endswith(_NAMES):
        return True
    # Protocols 0 and 1 begin like any text; what loads such a file by its name reads them all the same.
    return source.name.endswith(TORCH_NAMES) and scan(io.BufferedReader(_Bounded(source))).complete


def read_pickle(source: Source) -> Facts:
    """Say what a pickle imports.

    Raises:
        Damaged: it can't be read from its first opcode on.
    """
    start = source.some(0, 64)
    for magic, name in _COMPRESSED.items():
        if start.startswith(magic):
            return Facts("pickle", metadata={"compression": name}, runs_code=True)
    file = io.BufferedReader(_Bounded(source))
    old_torch = _TORCH_NUMBER in start
    # Before PyTorch wrote zips, it wrote pickles behind one another: a number, a protocol, a system, the object.
    scanned = [scan(file) for _ in range(4 if old_torch else 1)][-1]
    if not scanned.opcodes:
        raise Damaged("its first opcode can't be read")
    # joblib puts arrays between the opcodes, so the end is looked at, not walked to.
    warnings = () if scanned.complete or source.some(source.size - 1, 1) == b"." else ("cut short: it has no end",)
    if old_torch:
        told = {"layout": "before 1.6"}
        return Facts("pytorch", tuple(scanned.tensors), told, True, tuple(scanned.imports))
    # What joblib writes can't be followed behind its first array.
    told = {} if scanned.complete else {"imports": "as far as they were looked for"}
    return Facts("pickle", None, told, True, tuple(scanned.imports), warnings)


class _Bounded(SourceFile):
    """The beginning of a file: what lies behind is not there for the one who reads."""

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        left = _MOST_BYTES - self.tell()
        return super().readinto(memoryview(buffer)[: max(0, left)])


def scan(file: Any) -> Scan:
    """Read opcodes to the end, to the first that can't be read, or to as many as are looked at."""
    found = Scan()
    state = _PickleState(found)
    for name, argument in _opcodes(file):
        found.opcodes += 1
        state.see(name, argument)
        if found.opcodes >= _MOST_OPCODES:
            break
    return found


def _opcodes(file: Any) -> Iterator[tuple[str, Any]]:
    try:
        for opcode, argument, _ in pickletools.genops(file):
            yield opcode.name, argument
    except (ValueError, EOFError, IndexError, MemoryError, OverflowError, UnicodeDecodeError):
        return


class _PickleState:
    """What is remembered of the opcodes so far: the last texts, what was memoized, a tensor being described."""

    def __init__(self, found: Scan) -> None:
        self._found = found
        self._texts: list[str] = []
        self._memo: dict[int, str] = {}
        self._storages: dict[int, str] = {}
        self._last: str | None = None
        self._last_storage = ""
        self._dtype = ""
        self._numbers: list[int] | None = None

    def see(self, name: str, argument: Any) -> None:
        if name == "STOP":
            self._found.complete = True
        elif name in ("GLOBAL", "INST"):
            self._import(*str(argument).split(" ", 1))
        elif name == "STACK_GLOBAL" and len(self._texts) >= 2:
            self._import(*self._texts[-2:])
        elif isinstance(argument, str) and "UNICODE" in name:
            self._text(argument)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._remember(argument)
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._recall(argument)
        else:
            self._last, self._last_storage = None, ""
            self._tensor(name, argument)

    def _import(self, module: str, name: str = "") -> None:
        self._found.imports[f"{module}.{name}"[:200]] = None
        self._last = None
        self._last_storage = _STORAGES.get(name, "")
        self._dtype = self._last_storage or self._dtype

    def _text(self, text: str) -> None:
        self._last, self._last_storage = text, ""
        self._texts = [*self._texts[-3:], text]

    def _remember(self, argument: Any) -> None:
        at = len(self._memo) if argument is None else int(argument)
        # What is no text counts too: MEMOIZE numbers everything.
        self._memo[at] = self._last if self._last is not None else ""
        self._storages[at] = self._last_storage

    def _recall(self, argument: Any) -> None:
        text = self._memo.get(int(argument))
        if text:
            self._text(text)
        self._dtype = self._storages.get(int(argument)) or self._dtype

    def _tensor(self, name: str, argument: Any) -> None:
        """Follow ``_rebuild_tensor_v2(storage, offset, shape, …)``: behind the storage an offset, then the shape."""
        if name == "BINPERSID":
            self._numbers = [] if self._dtype else None
        elif self._numbers is None:
            return
        elif isinstance(argument, int) and not isinstance(argument, bool):
            self._numbers.append(argument)
        elif name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE"):
            if self._numbers and all(0 <= number < 2**48 for number in self._numbers):
                self._found.tensors.append(Tensor(self._dtype, tuple(self._numbers[1:])))
            self._numbers = None
