"""What is kept of a name is what all its lines fold to, however it went on; what is not sound is no answer."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.gitobjects.oid import Oid
from pacha_git.store import standings
from pacha_git.store.events import ATTESTATIONS, EVENTS, attestations_at, ledger_at, read_attestations, read_ledger
from pacha_git.vocabulary.ids import NameId
from pacha_git.vocabulary.kinds import Kind
from tests.exchange.syncing import bare, clone
from tests.making import git, noise, put


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    made = Registry.init(tmp_path / "r.git")
    put(tmp_path / "x", noise(100))
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        made.models.register("m", tmp_path / "x", version=version)
    return made


def say(registry: Registry, count: int, seed: int = 1) -> None:
    """Say things of versions, by people who open the registry anew."""
    chance = random.Random(seed)
    for number in range(count):
        models = Registry.open(registry.path).models
        spec = f"m@{chance.randrange(3) + 1}.0.0"
        what = chance.randrange(5)
        if what == 0:
            models.alias("m", f"a{chance.randrange(3)}", version=spec[2:])
        elif what == 1:
            models.tag(spec, [f"k{chance.randrange(3)}={number}"])
        elif what == 2:
            models.describe(spec, f"text {number}")
        else:
            stage = models.get(spec).stage
            models.stage(spec, {"development": "staging", "staging": "archived"}.get(stage, "development"))


def kept(registry: Registry, what: str) -> object:
    ref = NameId(Kind.MODEL, "m").notes_ref(what)
    return standings.recall(registry.path, ref, Oid(git(registry.path, "rev-parse", ref)))


def right(registry: Registry) -> None:
    """What is read is what a fold of all lines gives."""
    repo = registry._session.repo
    tips = {what: repo.ref(NameId(Kind.MODEL, "m").notes_ref(what)) for what in (EVENTS, ATTESTATIONS)}
    read, whole = read_ledger(repo, Kind.MODEL, "m"), ledger_at(repo, tips[EVENTS], Kind.MODEL, "m")
    assert (read.stages, read.aliases, read.tips, dict(read.words)) == (
        whole.stages, whole.aliases, whole.tips, dict(whole.words),
    )  # fmt: skip
    assert set(read.standing.winners) == set(whole.standing.winners)
    assert read.standing.crossing == whole.standing.crossing
    assert [entry.event.hash for entry in read.history] == [entry.event.hash for entry in whole.history]
    said = read_attestations(repo, Kind.MODEL, "m")
    assert (said.of, said.tips) == (
        attestations_at(repo, tips[ATTESTATIONS], Kind.MODEL, "m").of, whole_tips(registry, tips[ATTESTATIONS])
    )  # fmt: skip


def whole_tips(registry: Registry, tip: Oid | None) -> tuple[str, ...]:
    return attestations_at(registry._session.repo, tip, Kind.MODEL, "m").tips


def test_nothing_is_kept_of_few_events(registry: Registry) -> None:
    say(registry, 2)
    right(registry)
    assert not (registry.path / standings.FOLDER).exists()


def test_it_goes_on_with_each_event_and_is_what_a_fold_gives(registry: Registry) -> None:
    say(registry, 12)
    for turn in range(4):
        right(registry)
        before = kept(registry, EVENTS)
        assert before is not None
        say(registry, 3, seed=turn)
    assert kept(registry, EVENTS) is not None  # by the writers alone: nobody has read since
    assert kept(registry, ATTESTATIONS) is not None


def test_what_is_not_sound_or_not_of_now_is_no_answer(registry: Registry) -> None:
    say(registry, 12)
    right(registry)
    for path in (registry.path / standings.FOLDER).iterdir():
        data = path.read_bytes()
        for damaged in (b"", data[:-3], data[:80] + b"!" + data[81:], b"0" * 64 + b"[]"):
            path.write_bytes(damaged)
            right(registry)
    for path in (registry.path / standings.FOLDER).iterdir():
        path.write_bytes(data)  # of another ref
    right(registry)
    registry.gc()
    assert not (registry.path / standings.FOLDER).exists()
    right(registry)


def test_what_others_said_meanwhile_is_not_forgotten(registry: Registry, tmp_path: Path) -> None:
    hub = bare(tmp_path / "hub.git")
    registry.add_remote("origin", str(hub))
    say(registry, 12)
    right(registry)
    registry.push()
    there = clone(tmp_path, "there", hub)
    say(there, 6, seed=5)
    say(registry, 6, seed=6)
    there.push()
    registry.pull()
    right(registry)
    say(registry, 6, seed=7)
    right(registry)
    registry.push()
    there.pull()
    right(there)
    assert there.models.history("m") == registry.models.history("m")


def test_a_batch_says_many_things_at_once(registry: Registry) -> None:
    say(registry, 12)
    right(registry)
    with registry.batch():
        for number in range(5):
            registry.models.tag("m@1.0.0", [f"batch{number}=x"])
            registry.models.alias("m", f"b{number}", version="2.0.0")
    right(registry)
