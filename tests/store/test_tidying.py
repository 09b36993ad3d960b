from __future__ import annotations

from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.git.changes import GC_LOCK
from pacha_git.git.repo import GitRepository
from pacha_git.store import upkeep
from pacha_git.store.payload.index import DedupIndex
from pacha_git.store.upkeep import MOST_PACKS, tidy
from pacha_git.system import locks, process
from tests.making import all_verify, noise, put


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


def packs(registry: Registry) -> int:
    return len(list((registry.path / "objects" / "pack").glob("pack-*.pack")))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few be many, so that a test need not make many."""
    monkeypatch.setattr(upkeep, "MOST_PACKS", 6)
    monkeypatch.setattr(upkeep, "MOST_LOOSE_REFS", 15)


@pytest.mark.usefixtures("few")
def test_small_registrations_keep_packs_and_loose_refs_few(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "m")
    most = 0
    for number in range(30):
        data.write_bytes(noise(3000, number))
        registry.models.register(f"m{number % 3}", data, version=f"1.{number}.0")
        registry.models.stage(f"m{number % 3}@1.{number}.0", "staging")
        most = max(most, packs(registry))
        loose = sum(1 for path in (registry.path / "refs").rglob("*") if path.is_file())
        assert loose <= 18
    assert most <= 8
    assert len(registry.models.list(all=True)) == 30
    all_verify(Registry.open(registry.path))


@pytest.fixture
def gatherings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that packs were gathered."""
    done: list[int] = []
    gather = upkeep._gather_packs

    def counted(repo: GitRepository, index: DedupIndex) -> None:
        done.append(len(done))
        gather(repo, index)

    monkeypatch.setattr(upkeep, "_gather_packs", counted)
    return done


def test_a_hundred_small_registrations_gather_packs_seldom(
    registry: Registry, tmp_path: Path, gatherings: list[int]
) -> None:
    data = put(tmp_path / "m")
    for number in range(100):
        data.write_bytes(noise(2000, number))
        registry.models.register(f"m{number % 7}", data, version=f"1.{number}.0")
        assert packs(registry) <= MOST_PACKS + 1
    assert 3 <= len(gatherings) <= 6
    assert registry.models.get("m3").version == "1.94.0"


@pytest.mark.usefixtures("few")
def test_what_a_gathering_wrote_is_relied_on_unread(registry: Registry, tmp_path: Path) -> None:
    for number in range(8):
        registry.models.register("m", put(tmp_path / "m", noise(400_000, number)), version=f"1.{number}.0")
    assert packs(registry) <= 6
    here = {path.stem for path in (registry.path / "objects/pack").glob("pack-*.pack")}
    assert registry._session.index.pack_marks(here).keys() == here
    remembered = registry._session.database.connection.execute("SELECT count(*) FROM pack").fetchone()[0]
    assert remembered == len(here), "packs that are gone are remembered for ever"


@pytest.mark.usefixtures("few")
def test_large_packs_are_not_written_again(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gatherings: list[int]
) -> None:
    monkeypatch.setattr(upkeep, "LARGE_BYTES", 300_000)
    folder = registry.path / "objects/pack"
    large: set[Path] = set()
    for number in range(9):
        registry.models.register("large", put(tmp_path / "m", noise(400_000, number)), version=f"1.{number}.0")
        registry.models.register("small", put(tmp_path / "m", noise(1000, number)), version=f"1.{number}.0")
        large |= {path for path in folder.glob("pack-*.pack") if path.stat().st_size >= 300_000}
        assert packs(registry) - len(large) <= 7
    assert len(large) == 9
    assert all(path.exists() for path in large)
    assert len(gatherings) <= 2, "they count among those that are too many"
    all_verify(Registry.open(registry.path))
    monkeypatch.setattr(upkeep, "MOST_LARGE_PACKS", 8)
    registry.models.register("small", put(tmp_path / "m", noise(1000, 99)), version="2.0.0")
    assert packs(registry) <= 2, "so many large ones are gathered after all"
    all_verify(Registry.open(registry.path))


@pytest.mark.usefixtures("few")
def test_nothing_is_gathered_while_somebody_writes(registry: Registry, tmp_path: Path) -> None:
    with locks.shared(registry.path / GC_LOCK):
        for number in range(9):
            registry.models.register("m", put(tmp_path / "m", noise(1000, number)), version=f"1.{number}.0")
        assert packs(registry) >= 9
    registry.models.alias("m", "best", version="1.0.0")
    assert packs(registry) <= 6


@pytest.mark.usefixtures("few")
def test_cruft_keeps_its_times_through_a_gathering(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("gone", put(tmp_path / "m", noise(400_000, 99)), version="1.0.0")
    registry.models.remove("gone@1.0.0", reason="old")
    registry.gc()
    [cruft] = (registry.path / "objects/pack").glob("*.mtimes")
    kept = cruft.read_bytes()
    for number in range(12):
        registry.models.register("m", put(tmp_path / "m", noise(1000, number)), version=f"1.{number}.0")
    assert packs(registry) <= 7
    assert cruft.read_bytes() == kept


def test_with_little_there_is_nothing_to_gather(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, gatherings: list[int]
) -> None:
    monkeypatch.setattr(process, "run", None)  # no program is asked
    tidy(registry._session.repo, registry._session.index)
    assert gatherings == []
