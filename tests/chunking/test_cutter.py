"""Laws of the cutter: it loses nothing, sees only bytes, and forgets an insertion after a few chunks."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.chunking.cutter import chunks
from pacha_git.chunking.layout import FIRST
from pacha_git.errors import PachaError
from tests.chunking import reference
from tests.chunking.samples import bytes_of, chunks_of

SEEDS = st.integers(0, 2**32).map(str)
LENGTHS = st.integers(0, 1_500_000)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Random, repeating and constant runs, joined."""
    runs = draw(st.lists(st.tuples(SEEDS, st.integers(0, 400_000), st.sampled_from([1, 7, 4096, 0])), max_size=4))
    return b"".join(
        bytes_of(seed, length) if not period else (bytes_of(seed, period) * (length // period + 1))[:length]
        for seed, length, period in runs
    )


@given(files(), st.lists(st.integers(-5, 1_600_000), max_size=6))
def test_chunks_joined_are_the_file(data: bytes, cuts: list[int]) -> None:
    found = chunks_of(data, cuts)
    assert b"".join(found) == data
    assert all(0 < len(chunk) <= FIRST.maximum for chunk in found)
    edges = {cut for cut in cuts if 0 < cut < len(data)} | ({len(data)} if data else set())
    ends, position = set(), 0
    for chunk in found:
        position += len(chunk)
        ends.add(position)
        assert len(chunk) >= FIRST.minimum or position in edges
    assert edges <= ends


@given(files(), st.lists(st.integers(0, 1_600_000), max_size=3), st.integers(1, 300_000), st.integers(262_144, 900_000))
def test_cuts_do_not_depend_on_reads(data: bytes, cuts: list[int], step: int, window: int) -> None:
    assert chunks_of(data, cuts, step=max(step, len(data) // 200), window=window) == chunks_of(data, cuts)


@given(SEEDS, st.integers(300_000, 2_000_000), st.integers(0, 2_000_000), st.binary(min_size=1, max_size=200))
def test_an_insertion_changes_few_chunks(seed: str, length: int, where: int, inserted: bytes) -> None:
    data = bytes_of(seed, length)
    where = min(where, length)
    before = Counter(chunks_of(data))
    after = Counter(chunks_of(data[:where] + inserted + data[where:]))
    # 1 in 1,495 of 1,500 random insertions, never more than 3: the cutter meets its old cuts again soon.
    assert (after - before).total() <= 8


@given(SEEDS, st.integers(16_384, 300_000), st.integers(16_384, 300_000))
def test_segments_are_cut_as_files_of_their_own(seed: str, first: int, second: int) -> None:
    head, tail = bytes_of(seed, first), bytes_of(seed + "tail", second)
    assert chunks_of(head + tail, [first]) == chunks_of(head) + chunks_of(tail)


def test_real_chunks_average_near_the_declared_size() -> None:
    sizes = [len(chunk) for chunk in chunks_of(bytes_of("average", 32 << 20))]
    assert 65_000 < sum(sizes) / len(sizes) < 90_000


def test_reference_agrees_across_windows() -> None:
    data = bytes_of("windows", 5 << 20)
    position, ends = 0, []
    for chunk in chunks_of(data, [4_190_000, 4_194_304, 4_194_305], window=1 << 20):
        position += len(chunk)
        ends.append(position)
    assert ends == reference.chunk_ends(data, [4_190_000, 4_194_304, 4_194_305])


def test_a_file_that_shrinks_is_an_error() -> None:
    with pytest.raises(PachaError, match="shorter"):
        list(chunks(lambda view: 0, 1000))


def test_a_file_that_grows_is_read_to_its_size() -> None:
    asked: list[int] = []

    def read(view: memoryview) -> int:
        asked.append(len(view))
        return len(view)

    assert [window.spans for window in chunks(read, 1000)] == [[(0, 1000)]]
    assert asked == [1000]


def test_memory_is_bounded() -> None:
    """64 MiB pass through two or three buffers of a MiB."""
    tracemalloc.start()
    try:
        for window in chunks(len, 64 << 20, window=1 << 20):
            window.release()
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_window_kept_stays_as_it_was() -> None:
    """Without ``release`` no buffer is used twice."""
    data = bytes_of("kept", 3 << 20)
    source = memoryview(data)

    def read(view: memoryview) -> int:
        nonlocal source
        count = min(len(view), len(source))
        view[:count], source = source[:count], source[count:]
        return count

    kept = list(chunks(read, len(data), window=1 << 19))
    assert b"".join(window.data for window in kept) == data
    assert [window.offset for window in kept][1] == len(kept[0].data)
