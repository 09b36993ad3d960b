"""Cuts a stream of bytes into chunks by FastCDC, in bounded memory.

FastCDC: Xia et al., "The Design of Fast Content-Defined Chunking for Data Deduplication Based Storage Systems", 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pyfastcdc import FastCDC

from pacha_git.chunking.layout import FIRST, Layout
from pacha_git.errors import PachaError

WINDOW_BYTES: Final = 4 << 20

Read = Callable[[memoryview], int]


@dataclass(frozen=True, slots=True)
class Window:
    """A run of whole chunks, side by side in one buffer.

    Attributes:
        offset: Where ``data`` begins in the stream.
        data: The bytes of the chunks and nothing else; the windows of a stream, joined, are the stream.
        spans: (start, end) of each chunk within ``data``, in order, from 0 to its length.
    """

    offset: int
    data: memoryview
    spans: Sequence[tuple[int, int]]
    _free: list[bytearray] = field(default_factory=list, repr=False)

    def release(self) -> None:
        """Say that nobody looks at ``data`` any more: its memory serves a later window. Calling it is optional."""
        if isinstance(self.data.obj, bytearray):
            self._free.append(self.data.obj)


def chunks(
    read: Read, size: int, cuts: Sequence[int] = (), layout: Layout = FIRST, *, window: int = WINDOW_BYTES
) -> Iterator[Window]:
    """Cut a stream. The cuts depend on its bytes and on ``cuts`` alone, never on how much a read returns.

    Args:
        read: Fills the start of a buffer and says how many bytes it wrote; 0 only at the end (``readinto``).
        size: Bytes in the stream; what follows them is not read. No bytes give no window.
        cuts: Offsets at which the chunker starts anew, in any order; those outside of the stream are ignored.
        layout: The sizes.
        window: Bytes of a buffer; at least ``layout.maximum``. As many are alive as were not released.

    Raises:
        PachaError: the stream ended early.
    """
    cutter = FastCDC(
        layout.average,
        min_size=layout.minimum,
        max_size=layout.maximum,
        normalized_chunking=layout.normalization,  # type: ignore[arg-type]  # a Literal there
        seed=0,
    )
    edges = [size, *sorted({cut for cut in cuts if 0 < cut < size}, reverse=True)]
    free: list[bytearray] = []
    offset, rest = 0, b""
    while offset < size:
        capacity = min(max(window, layout.maximum), size - offset)
        buffer = free.pop() if free else bytearray(capacity)
        view = memoryview(buffer)[: min(len(buffer), size - offset)]
        view[: len(rest)] = rest
        _fill(read, view, len(rest))
        spans = _spans(cutter, view, offset, edges, layout.maximum)
        used = spans[-1][1]
        rest = bytes(view[used:])
        yield Window(offset, view[:used], spans, free)
        offset += used


def _fill(read: Read, view: memoryview, have: int) -> None:
    while have < len(view):
        count = read(view[have:])
        if not count:
            raise PachaError("the file became shorter while it was read", hint="try again when nothing writes to it")
        have += count


def _spans(cutter: FastCDC, view: memoryview, offset: int, edges: list[int], maximum: int) -> list[tuple[int, int]]:
    """Cut what is certain: the last bytes wait for the next window unless their segment ends here.

    ``edges`` holds the ends of the segments to come, last first; those reached are taken off.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    while start < len(view):
        edge = edges[-1] - offset
        certain = edge <= len(view)
        end = min(edge, len(view))
        for chunk in cutter.cut_buf(view[start:end]):
            # Less than a maximum in sight: more bytes could move this cut.
            if not certain and end - start < maximum:
                return spans
            spans.append((start, start + chunk.length))
            start += chunk.length
        if certain:
            edges.pop()
    return spans
