"""In which order the chunks of many files are read."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pacha_git.store.payload.reading_order import joined, reading_order

FILES = st.lists(st.lists(st.integers(0, 12), max_size=25), max_size=6)


def played(files: list[list[int]]) -> tuple[list[list[int]], Counter[int]]:
    """What every file is given, and how often each run is read."""
    given_to: list[list[int]] = [[] for _ in files]
    reads: Counter[int] = Counter()
    for step in reading_order(files):
        reads[step.run] += 1
        for take in step.takes:
            given_to[take.file] += [step.run] * take.times
    return given_to, reads


@given(FILES)
def test_every_file_gets_its_own_in_order(files: list[list[int]]) -> None:
    given_to, _ = played(files)
    assert given_to == files


@given(st.lists(st.sets(st.integers(0, 60)), max_size=6))
def test_what_lies_in_one_order_everywhere_is_read_once(files: list[set[int]]) -> None:
    _, reads = played([sorted(file) for file in files])
    assert set(reads.values()) <= {1}


def test_the_same_in_another_order_comes_to_an_end() -> None:
    given_to, reads = played([[1, 2, 3], [3, 2, 1], [2, 2, 1]])
    assert [len(each) for each in given_to] == [3, 3, 3]
    assert sum(reads.values()) <= 7


@given(FILES, st.lists(st.integers(0, 9), min_size=13, max_size=13), st.integers(1, 30))
def test_joined_chunks_are_the_same_files(files: list[list[int]], sizes: list[int], most: int) -> None:
    runs, shorter = joined(files, sizes, most)
    assert [[chunk for run in file for chunk in runs[run]] for file in shorter] == files
    assert all(sum(sizes[chunk] for chunk in run) <= most for run in runs if len(run) > 1)
    placed = Counter(chunk for run in runs for chunk in run)
    assert placed == dict.fromkeys({chunk for file in files for chunk in file}, 1)


def test_what_versions_share_is_joined_between_their_changes() -> None:
    base = list(range(100))
    runs, files = joined([base, [*base[:40], 100, *base[41:]], [*base, 101]], [1] * 102, 1000)
    assert [list(runs[run]) for run in files[1]] == [base[:40], [100], base[41:]]
    assert [list(runs[run]) for run in files[0]] == [base[:40], [40], base[41:]]
    assert len(joined([base], [1] * 100, 30)[0]) == 4
