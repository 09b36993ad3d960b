"""Files of many payloads hashed together: the order of reading, and what is found to be sound."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pacha_git import Registry
from pacha_git.names import Oid
from pacha_git.store.shared_check import reading_order

FILES = st.lists(st.lists(st.integers(0, 12), max_size=25), max_size=6)


def oid(number: int) -> Oid:
    return Oid(f"{number:040x}")


def played(files: list[list[int]]) -> tuple[list[list[Oid]], Counter[Oid]]:
    """What every file is given, and how often each chunk is read."""
    given_to: list[list[Oid]] = [[] for _ in files]
    reads: Counter[Oid] = Counter()
    for step in reading_order([[(oid(number), 1) for number in file] for file in files]):
        reads[step.oid] += 1
        for take in step.takes:
            given_to[take.file] += [step.oid] * take.times
    return given_to, reads


@given(FILES)
def test_every_file_gets_its_own_chunks_in_order(files: list[list[int]]) -> None:
    given_to, _ = played(files)
    assert given_to == [[oid(number) for number in file] for file in files]


@given(st.lists(st.sets(st.integers(0, 60)), max_size=6))
def test_what_lies_in_one_order_everywhere_is_read_once(files: list[set[int]]) -> None:
    _, reads = played([sorted(file) for file in files])
    assert set(reads.values()) <= {1}


def test_the_same_chunks_in_another_order_come_to_an_end() -> None:
    given_to, reads = played([[1, 2, 3], [3, 2, 1], [2, 2, 1]])
    assert [len(each) for each in given_to] == [3, 3, 3]
    assert sum(reads.values()) <= 7


def test_versions_that_share_chunks_are_verified_and_the_damaged_one_named(registry_path: Path, tmp_path: Path) -> None:
    registry = Registry.init(registry_path)
    chance = random.Random(3)
    base = chance.randbytes(1_500_000)
    file = tmp_path / "weights.bin"
    for number, data in enumerate((base, base[:700_000] + b"more" + base[700_000:], chance.randbytes(600_000))):
        file.write_bytes(data)
        registry.models.register("m", file, version=f"1.{number}.0")
    assert [found.payload_ok for found in registry.verify(all=True)] == [True, True, True]
    newest = max((registry.path / "objects" / "pack").glob("*.pack"), key=lambda pack: pack.stat().st_mtime_ns)
    newest.chmod(0o644)
    stored = bytearray(newest.read_bytes())
    stored[len(stored) // 2] ^= 1
    newest.write_bytes(stored)
    again = Registry.open(registry.path)
    assert [found.payload_ok for found in again.verify(all=True)] == [True, True, False]
    shutil.rmtree(registry.path)  # no test leaves a damaged one behind
