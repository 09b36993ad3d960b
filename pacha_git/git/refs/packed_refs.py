"""The ``packed-refs`` file: mapped, looked up by bisection, listed by one pass of a pattern; it refuses to write it.

A look-up among 100,000 refs reads some twenty lines, and a listing makes no object for any ref outside of the prefix.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pacha_git.errors import Corrupt
from pacha_git.gitobjects.oid import OID_DIGITS, OID_PATTERN, Oid

_LINE: Final = re.compile(rb"^(%s) ([^\n]+)$" % OID_PATTERN.encode(), re.MULTILINE)
_PEELED: Final = re.compile(rb"^\^%s$" % OID_PATTERN.encode(), re.MULTILINE)


class PackedRefs:
    """The file of one repository; threads may share it. Each answer is of one state of the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = str(path)
        self._snapshot = PackedRefsSnapshot("", b"")

    def close(self) -> None:
        """Let go of the file."""
        self._snapshot = PackedRefsSnapshot("", b"")

    def now(self) -> PackedRefsSnapshot:
        """The file as it is now; the same value as long as it has not changed.

        Raises:
            Corrupt: it is no file of refs.
        """
        try:
            status = os.stat(self._name)  # noqa: PTH116 — a listing asks for hundreds of refs, each by itself
        except FileNotFoundError:
            status = None
        stamp = f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}" if status is not None else "none"
        if stamp != self._snapshot.stamp:
            # One assignment: another thread sees the old state or the new one, never half of each.
            self._snapshot = PackedRefsSnapshot(stamp, _mapped(self._path) if status is not None else b"")
        return self._snapshot


class PackedRefsSnapshot:
    """One state of the file.

    Attributes:
        stamp: A text that another state does not have.
    """

    def __init__(self, stamp: str, data: bytes | mmap.mmap) -> None:
        self.stamp = stamp
        head = data[: data.find(b"\n") + 1]
        self._data = data if head.startswith(b"#") and b" sorted" in head else _sorted_copy(bytes(data))
        self._alike: dict[tuple[str, Callable[[str], str]], dict[str, set[str]]] = {}

    def get(self, ref: str) -> Oid | None:
        """Where a ref stands."""
        wanted = ref.encode("utf-8", "surrogateescape")
        line = _line_at(self._data, self.first_at_or_after(wanted))
        if line[OID_DIGITS + 1 :] != wanted:
            return None
        match = _LINE.match(line)
        if match is None:
            raise _damaged()
        return Oid(match[1].decode("ascii"))

    def below(self, prefix: str) -> dict[str, Oid]:
        """All refs whose name begins with a prefix that ends in ``/``, in the order of their bytes."""
        block = self.block(prefix)
        found = _LINE.findall(block)
        if len(found) + len(_PEELED.findall(block)) != block.count(b"\n"):
            raise _damaged()
        return {ref.decode("utf-8", "surrogateescape"): Oid(oid.decode("ascii")) for oid, ref in found}

    def alike_below(self, prefix: str, alike: Callable[[str], str]) -> dict[str, set[str]]:
        """What comes right after a prefix, up to the next ``/``, by what ``alike`` makes of it."""
        if (prefix, alike) not in self._alike:
            segments = set(re.findall(rb" " + re.escape(prefix.encode()) + rb"([^/\n]+)", self.block(prefix)))
            found: dict[str, set[str]] = {}
            for segment in segments:
                text = segment.decode("utf-8", "surrogateescape")
                found.setdefault(alike(text), set()).add(text)
            self._alike[prefix, alike] = found
        return self._alike[prefix, alike]

    def block(self, prefix: str) -> bytes:
        """The lines of all refs below a prefix, as they are."""
        # "0" comes right after "/": what begins with the prefix lies between the two.
        start, end = (self.first_at_or_after(wanted.encode()) for wanted in (prefix, prefix[:-1] + "0"))
        return self._data[start:end]

    def ref_at(self, start: int) -> bytes:
        """The ref whose line begins at an offset; nothing at the end."""
        return _line_at(self._data, start)[OID_DIGITS + 1 :]

    def first_at_or_after(self, wanted: bytes) -> int:
        """The offset of the first line whose ref is not below ``wanted``; past the end if there is none."""
        data = self._data
        low = data.find(b"\n") + 1 if data[:1] == b"#" else 0
        high = len(data)
        while low < high:
            middle = data.rfind(b"\n", low, (low + high) // 2) + 1 or low
            line = _line_at(data, middle)
            after = middle + len(line) + 1
            if line.startswith(b"^"):
                # A peeled line belongs to the one before it: look at that one.
                middle = data.rfind(b"\n", low, middle - 1) + 1 or low
                line = _line_at(data, middle)
            if line[OID_DIGITS + 1 :] < wanted:
                low = after
            else:
                high = middle
        return low


def _mapped(path: Path) -> bytes | mmap.mmap:
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _sorted_copy(data: bytes) -> bytes:
    lines = [line for line in data.split(b"\n") if line and line[:1] not in b"#^"]
    return b"".join(line + b"\n" for line in sorted(lines, key=lambda line: line[OID_DIGITS + 1 :]))


def _line_at(data: bytes | mmap.mmap, start: int) -> bytes:
    if start >= len(data):
        return b""
    end = data.find(b"\n", start)
    return data[start : end if end >= 0 else len(data)]


def _damaged() -> Corrupt:
    return Corrupt("packed-refs is damaged", hint="git pacha fsck says what is damaged")
