"""The ``packed-refs`` file: mapped, looked up by bisection, listed by one pass of a pattern; it refuses to write it.

A look-up among 100,000 refs reads some twenty lines, and a listing makes no object for any ref outside of the prefix.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable
from itertools import islice
from operator import lt
from pathlib import Path
from typing import Final

from pacha_git.errors import REPAIR, Corrupt
from pacha_git.gitobjects.oid import OID_DIGITS, OID_PATTERN, Oid

_LINE: Final = re.compile(rb"^(%s) ([^\n]+)$" % OID_PATTERN.encode(), re.MULTILINE)
_PEELED: Final = re.compile(rb"^\^%s$" % OID_PATTERN.encode(), re.MULTILINE)


class PackedRefs:
    """The file of one repository; threads may share it. Each answer is of one state of the file.

    Args:
        path: The file.
        going_on: Whether lines that are no refs are passed over: for those who list damage by other means.
    """

    def __init__(self, path: Path, *, going_on: bool = False) -> None:
        self._path = path
        self._going_on = going_on
        self._name = str(path)
        self._snapshot = PackedRefsSnapshot("", b"")

    def close(self) -> None:
        """Let go of the file."""
        self._snapshot = PackedRefsSnapshot("", b"")

    def now(self) -> PackedRefsSnapshot:
        """Return the file as it is now; the same value as long as it has not changed.

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
            data = _mapped(self._path) if status is not None else b""
            self._snapshot = PackedRefsSnapshot(stamp, _readable(bytes(data)) if self._going_on else data)
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
        """Tell where a ref stands."""
        wanted = ref.encode("utf-8", "surrogateescape")
        line = _line_at(self._data, self.first_at_or_after(wanted))
        if line[OID_DIGITS + 1 :] != wanted:
            return None
        match = _LINE.match(line)
        if match is None:
            raise _damaged("a line of it is no ref")
        return Oid(match[1].decode("ascii"))

    def below(self, prefix: str) -> dict[str, Oid]:
        """Return all refs whose name begins with a prefix that ends in ``/``, in the order of their bytes."""
        block = self.block(prefix)
        found = _LINE.findall(block)
        if len(found) + len(_PEELED.findall(block)) != block.count(b"\n") or (block and not block.endswith(b"\n")):
            raise _damaged("a line of it is no ref")
        names = [ref for _, ref in found]
        # In order, with the prefix at both ends: so all of them have it.
        ends = names[:1] + names[-1:]
        in_order = all(map(lt, names, islice(names, 1, None)))
        if not in_order or not all(name.startswith(prefix.encode()) for name in ends):
            raise _damaged("it is not in order")
        return {ref.decode("utf-8", "surrogateescape"): Oid(oid.decode("ascii")) for oid, ref in found}

    def alike_below(self, prefix: str, alike: Callable[[str], str]) -> dict[str, set[str]]:
        """Tell what comes right after a prefix, up to the next ``/``, by what ``alike`` makes of it."""
        if (prefix, alike) not in self._alike:
            segments = set(re.findall(rb" " + re.escape(prefix.encode()) + rb"([^/\n]+)", self.block(prefix)))
            found: dict[str, set[str]] = {}
            for segment in segments:
                text = segment.decode("utf-8", "surrogateescape")
                found.setdefault(alike(text), set()).add(text)
            self._alike[prefix, alike] = found
        return self._alike[prefix, alike]

    def block(self, prefix: str) -> bytes:
        """Return the lines of all refs below a prefix, as they are."""
        # "0" comes right after "/": what begins with the prefix lies between the two.
        start, end = (self.first_at_or_after(wanted.encode()) for wanted in (prefix, prefix[:-1] + "0"))
        return self._data[start:end]

    def ref_at(self, start: int) -> bytes:
        """Return the ref whose line begins at an offset; nothing at the end."""
        return _line_at(self._data, start)[OID_DIGITS + 1 :]

    def first_at_or_after(self, wanted: bytes) -> int:
        """Return the offset of the first line whose ref is not below ``wanted``; past the end if there is none."""
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
        self._check_around(low, wanted)
        return low

    def _check_around(self, at: int, wanted: bytes) -> None:
        """See that the lines around a place are in order: one that is not leads a bisection astray, and ends beside it.

        Raises:
            Corrupt: they are not.
        """
        names = [self.ref_at(at)] if at < len(self._data) else []
        for _ in range(2):
            found = self._before(at)
            if found is None:
                break
            at, ref = found
            names.insert(0, ref)
        if sorted(names) != names or any(name >= wanted for name in names[:-1]):
            raise _damaged("it is not in order")

    def _before(self, at: int) -> tuple[int, bytes] | None:
        """Tell where the line of the ref before a place begins, and that ref; None if there is none."""
        data = self._data
        end = at - 1
        while end > 0:
            start = data.rfind(b"\n", 0, end) + 1
            line = data[start:end]
            if line.startswith(b"#"):
                break
            if not line.startswith(b"^"):
                return start, line[OID_DIGITS + 1 :]
            end = start - 1
        return None


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


def _readable(data: bytes) -> bytes:
    """Return those of the lines that are refs, in order."""
    lines = [line for line in data.split(b"\n") if _LINE.match(line)]
    kept = {line[OID_DIGITS + 1 :]: line for line in reversed(lines)}
    return b"".join(kept[ref] + b"\n" for ref in sorted(kept))


def _damaged(how: str) -> Corrupt:
    return Corrupt(f"packed-refs is damaged: {how}", hint=REPAIR)
