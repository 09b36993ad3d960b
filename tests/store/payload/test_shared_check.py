"""Files of many payloads hashed together: what is read, and what is found to be sound."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.format.manifest import FileLine
from pacha_git.git.packs.reader import PackSet
from pacha_git.gitobjects.oid import Oid
from pacha_git.store import records
from pacha_git.store.payload import check_many
from pacha_git.store.payload.check import key_of
from pacha_git.store.payload.check_many import sound_files
from pacha_git.store.payload.reader import Payload
from pacha_git.store.payload.soundness import pack_marks

BASE = random.Random(3).randbytes(1_500_000)
CHANGED = BASE[:700_000] + b"more" + BASE[700_000:]


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    """Five versions of one file: two that begin alike, one with the halves swapped, one repeated, one of its own."""
    registry = Registry.init(registry_path)
    file = tmp_path / "weights.bin"
    swapped = BASE[800_000:] + BASE[:800_000]
    for number, data in enumerate((BASE, CHANGED, swapped, bytes(900_000), random.Random(5).randbytes(600_000))):
        file.write_bytes(data)
        registry.models.register("m", file, version=f"1.{number}.0")
    return registry


def damage_newest(registry: Registry) -> None:
    newest = max((registry.path / "objects" / "pack").glob("*.pack"), key=lambda pack: pack.stat().st_mtime_ns)
    newest.chmod(0o644)
    stored = bytearray(newest.read_bytes())
    stored[len(stored) // 2] ^= 1
    newest.write_bytes(stored)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[Oid]:
    """How often each chunk is read."""
    found: Counter[Oid] = Counter()

    def counted(oids: Iterable[Oid]) -> Iterator[Oid]:
        for oid in oids:
            found[oid] += 1
            yield oid

    for name in ("read_many", "read_sound"):
        plain = getattr(PackSet, name)
        monkeypatch.setattr(PackSet, name, lambda packs, oids, plain=plain: plain(packs, counted(oids)))
    return found


def test_each_chunk_is_read_once_but_where_its_order_differs(registry: Registry, reads: Counter[Oid]) -> None:
    in_one_order = [f"m@1.{number}.0" for number in (0, 1, 3, 4)]
    assert all(found.payload_ok for found in registry.verify(in_one_order))
    assert set(reads.values()) == {1}
    reads.clear()
    assert all(found.payload_ok for found in registry.verify(all=True))
    assert sum(reads.values()) < 1.5 * len(reads)


def test_fsck_reads_each_chunk_once_too_and_then_relies_on_the_packs(registry: Registry, reads: Counter[Oid]) -> None:
    registry.reindex()
    reads.clear()
    assert not registry.fsck().problems
    assert sum(reads.values()) < 1.5 * len(reads)
    assert registry._session.index.pack_marks(pack_marks(registry._session.repo)) == pack_marks(registry._session.repo)


def test_a_file_that_is_not_what_its_manifest_says_is_not_sound(registry: Registry) -> None:
    repo = registry._session.repo
    contents = [records.read(repo, commit).record.content for _, commit in records.all_versions(repo)]
    payloads = [Payload(repo, content) for content in contents if content is not None]
    right = {key_of(line) for payload in payloads for line in payload.lines}
    [line] = payloads[0].lines
    assert line.parts is not None
    (group, size), *rest = line.parts
    head = (line.path, line.size, line.mode)
    wrong = [
        FileLine(*head, "0" * 64, line.stored, line.parts),
        FileLine(*head, line.blake3, line.stored, ((group, size + 1), *rest)),
        FileLine(*head, line.blake3, line.stored, ((group, 1), *rest)),
        FileLine(*head, line.blake3, line.stored, tuple(rest)),
        FileLine(*head, line.blake3, "blob", line.parts),
    ]
    for number, each in enumerate(wrong):
        lying = Payload(repo, payloads[0].content)
        lying.__dict__["lines"] = (each,)
        assert sound_files(repo, [lying, *payloads] if number % 2 else [*payloads, lying]) <= right


def test_what_is_hashed_together_is_not_said_to_be_sound_if_one_byte_is_not(
    registry: Registry, reads: Counter[Oid], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [found.payload_ok for found in registry.verify(all=True)] == [True] * 5
    before = sum(reads.values())
    reads.clear()
    damage_newest(registry)
    again = Registry.open(registry.path)
    assert [found.payload_ok for found in again.verify(all=True)] == [True, True, True, True, False]
    assert sum(reads.values()) < 1.5 * before  # the sound ones are not read again because of it
    monkeypatch.setattr(check_many, "_MOST_DAMAGES", 0)
    assert [found.payload_ok for found in again.verify(all=True)] == [True, True, True, True, False]
    assert any("m" in problem for problem in again.fsck().problems)
    assert again._session.index.pack_marks(pack_marks(again._session.repo)) != pack_marks(again._session.repo)
    shutil.rmtree(registry.path)  # no test leaves a damaged one behind
