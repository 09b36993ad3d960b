"""Several at once, and ends without warning: nothing is lost, nothing is half there, exactly one of two wins."""

from __future__ import annotations

import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pacha_git import Conflict, PachaError, Registry
from tests.making import all_verify, ended, folder, fsck, git, noise, put, python, recipe, refs, temporaries

READY = """
import sys
from pathlib import Path
from pacha_git import Conflict, PachaError, Registry
registry, data, number = Registry.open(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
"""
CREATE = (
    READY
    + """
try:
    registry.models.register("m", data / str(number), version="1.0.0", description=f"by {number}")
    print("created")
except Conflict as error:
    print("conflict", error.message)
"""
)
WORK = (
    READY
    + """
for turn in range(3):
    registry.models.register(f"own-{number}", data / str(number), version=f"1.{turn}.0")
    registry.models.register("shared", data / str(number), version=f"{number}.{turn}.0")
    registry.models.stage("all@1.0.0", ["staging", "development"][turn % 2], reason=f"{number}.{turn}")
    registry.models.alias("all", f"a{number}-{turn}", version="1.0.0")
    registry.models.tag("all@1.0.0", [f"t{number}-{turn}=yes"])
print("done")
"""
)


def start_together(script: str, registry: Registry, data: Path, count: int) -> list[tuple[int, str, str]]:
    """Run a script in several processes that begin at one moment; how each ended."""
    programs = [python(script, registry.path, data, str(number)) for number in range(count)]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
    return ended(programs)


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


def test_of_two_processes_that_create_one_version_exactly_one_succeeds(registry: Registry, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", {str(number): noise(300_000, number) for number in range(4)})
    ends = start_together(CREATE, registry, data, 4)
    assert [code for code, _, _ in ends] == [0] * 4, ends
    said = sorted(out.split()[0] for _, out, _ in ends)
    assert said == ["conflict"] * 3 + ["created"]
    winner = next(number for number, (_, out, _) in enumerate(ends) if out.startswith("created"))
    assert registry.models.get("m@1.0.0").description == f"by {winner}"
    assert b"".join(registry.models.cat("m@1.0.0")) == noise(300_000, winner)
    all_verify(registry)


def test_eight_that_stage_and_register_at_once_lose_nothing(registry: Registry, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", {str(number): noise(5000, number % 3) for number in range(8)})
    registry.models.register("all", data / "0", version="1.0.0")
    ends = start_together(WORK, registry, data, 8)
    assert [(code, out) for code, out, _ in ends] == [(0, "done\n")] * 8, ends
    assert len(registry.models.list("shared")) == 24
    assert [len(registry.models.list(f"own-{number}")) for number in range(8)] == [3] * 8
    here = registry.models.get("all@1.0.0")
    assert set(here.aliases) == {f"a{number}-{turn}" for number in range(8) for turn in range(3)}
    assert set(here.tags) == {f"t{number}-{turn}" for number in range(8) for turn in range(3)}
    # On one machine one decides after the other: every move was made knowing all before it.
    moves = [entry for entry in registry.models.history("all") if entry.type == "stage"]
    assert len(moves) >= 2
    assert not any(entry.crossing for entry in moves)
    assert all(first.to == second.from_ for first, second in itertools.pairwise(moves))
    all_verify(registry)


def test_threads_share_a_registry(registry: Registry, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", {str(number): noise(300_000, number) for number in range(8)})
    registry.models.register("base", data / "0", version="1.0.0")

    def work(number: int) -> str:
        registry.models.register(f"m{number}", data / str(number), version="1.0.0", lineage=["derived-from=base@1.0.0"])
        registry.models.stage(f"m{number}@1.0.0", "staging")
        registry.models.alias("base", f"a{number}", version="1.0.0")
        assert b"".join(registry.models.cat(f"m{number}@1.0.0")) == noise(300_000, number)
        return registry.models.get(f"m{number}").stage

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == ["staging"] * 8
    assert len(registry.models.list()) == 9
    assert len(registry.models.get("base").aliases) == 8
    assert len(registry.models.lineage("base", direction="down").nodes) == 9
    all_verify(registry)


def test_a_batch_of_one_thread_is_unseen_by_another_until_it_ends(registry: Registry, tmp_path: Path) -> None:
    seen: list[int] = []
    with registry.batch():
        registry.models.register("m", put(tmp_path / "m"), version="1.0.0")
        assert registry.models.get("m").version == "1.0.0"
        other = threading.Thread(target=lambda: seen.append(len(registry.models.list())))
        other.start()
        other.join()
    assert seen == [0]
    assert len(registry.models.list()) == 1


# Batches --------------------------------------------------------------------------------------------------------------


def test_a_batch_registers_a_dataset_and_a_model_from_it(registry: Registry, tmp_path: Path) -> None:
    with registry.batch():
        registry.datasets.register("d", put(tmp_path / "d", noise(400_000)), version="1.0.0")
        registry.recipes.register(recipe(tmp_path / "r.toml"))
        data = put(tmp_path / "m", noise(400_000))
        registry.models.register("m", data, version="1.0.0", data="d@1.0.0", recipe="train")
        registry.models.register("m", tmp_path / "m", version="1.1.0", lineage=["fine-tuned-from=m@1.0.0"])
        registry.models.stage("m@1.1.0", "production")
        registry.models.stage("m@1.0.0", "archived")
        registry.models.alias("m", "best", version="production")
        registry.models.tag("m@best", ["a=1"])
        registry.models.tag("m@best", ["a-", "b=2"])
        assert registry.models.get("m@best").tags == {"b": "2"}
        assert len(registry.models.history("m")) == 4
    again = Registry.open(registry.path)
    assert again.models.get("m@best").version == "1.1.0"
    assert (again.models.get("m@1.0.0").stage, again.models.get("m@1.1.0").tags) == ("archived", {"b": "2"})
    assert {node.name for node in again.models.lineage("m@best").nodes} == {"m", "d", "train"}
    assert b"".join(again.models.cat("m@1.1.0")) == noise(400_000)
    all_verify(again)


def test_a_batch_is_one_step_for_git(registry: Registry, tmp_path: Path) -> None:
    before = len(list((registry.path / "objects/pack").glob("*.pack")))
    with registry.batch():
        for number in range(20):
            registry.models.register(f"m{number}", put(tmp_path / "m", noise(1000, number)), version="1.0.0")
    assert len(list((registry.path / "objects/pack").glob("*.pack"))) == before + 1
    assert len(registry.models.list()) == 20


def test_an_error_that_is_caught_within_a_batch_takes_back_only_its_own(registry: Registry, tmp_path: Path) -> None:
    with registry.batch():
        registry.models.register("m", put(tmp_path / "m"), version="1.0.0")
        with pytest.raises(Conflict):
            registry.models.register("m", put(tmp_path / "m"), version="1.0.0")
        with pytest.raises(PachaError):
            registry.models.register("n", put(tmp_path / "n"), version="1.0.0", lineage=["derived-from=nobody"])
        registry.models.register("o", put(tmp_path / "o"), version="1.0.0")
    assert [each.name for each in registry.models.list()] == ["m", "o"]
    all_verify(registry)


def test_a_batch_within_a_batch_ends_with_the_outer(registry: Registry, tmp_path: Path) -> None:
    with registry.batch(), registry.batch():
        registry.models.register("m", put(tmp_path / "m"), version="1.0.0")
    assert len(Registry.open(registry.path).models.list()) == 1


def test_what_another_process_took_meanwhile_ends_the_batch_whole(registry: Registry, tmp_path: Path) -> None:
    other = Registry.open(registry.path)
    with pytest.raises(Conflict), registry.batch():  # noqa: PT012 — the conflict is met at the end of the block
        registry.datasets.register("d", put(tmp_path / "d"), version="1.0.0")
        git(registry.path, "update-ref", "refs/pacha/datasets/d/1.0.0", "refs/pacha/root")
        registry.models.register("m", put(tmp_path / "m"), version="1.0.0", data="d@1.0.0")
    git(registry.path, "update-ref", "-d", "refs/pacha/datasets/d/1.0.0")
    assert other.models.list() == []
    assert temporaries(registry.path) == []


def test_upkeep_within_a_batch_is_refused_and_not_waited_for_forever(registry: Registry, tmp_path: Path) -> None:
    with registry.batch():
        registry.models.register("m", put(tmp_path / "m"), version="1.0.0")
        with pytest.raises(PachaError, match="batch"):
            registry.gc()
    assert len(registry.models.list()) == 1


# Ends without warning -------------------------------------------------------------------------------------------------

VICTIM = """
import os, sys
from pathlib import Path
from pacha_git import Registry
registry, data = Registry.open(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
registry.models.register("victim", data, version=sys.argv[3])
registry.models.stage("victim@" + sys.argv[3], "production")
print("registered", flush=True)
"""


def killed_after(seconds: float, registry: Registry, data: Path, version: str) -> bool:
    """Kill a process so long after it began to register; whether it had said that it was done."""
    program = python(VICTIM, registry.path, data, version)
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    time.sleep(seconds)
    program.kill()
    out, _ = program.communicate(timeout=60)
    return "registered" in out


def check_after_a_kill(registry: Registry, data: Path, version: str, said_done: bool) -> None:
    """Whole or not at all; clean for git; usable at once, and by doctor without a rest."""
    fresh = Registry.open(registry.path)
    fsck(registry.path)
    here = refs(registry.path)
    record, payload = (f"refs/pacha/{kind}models/victim/{version}" for kind in ("", "payload/"))
    assert (record in here) == (payload in here)
    assert record in here or not said_done
    if record in here:
        assert b"".join(fresh.models.cat(f"victim@{version}")) == data.read_bytes()
    else:
        assert fresh.models.register("victim", data, version=version).version == version
    assert fresh.models.get(f"victim@{version}").stage in ("development", "production")
    if said_done:
        assert fresh.models.get(f"victim@{version}").stage == "production"


def test_kill_at_any_moment_leaves_the_registry_whole_and_usable(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "data", noise(2_000_000))
    for turn, seconds in enumerate([0.0, 0.004, 0.008, 0.012, 0.018, 0.025, 0.035, 0.06]):
        data.write_bytes(noise(2_000_000, turn))
        version = f"1.{turn}.0"
        check_after_a_kill(registry, data, version, killed_after(seconds, registry, data, version))
    registry.doctor()
    assert temporaries(registry.path) == []
    all_verify(Registry.open(registry.path))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_kill_at_random_moments_of_large_registrations(registry: Registry, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for turn in range(60):
        data.write_bytes(b"".join(noise(1 << 20, turn * 100 + part) for part in range(96)))
        version = f"1.{turn}.0"
        check_after_a_kill(registry, data, version, killed_after(random.uniform(0, 1.2), registry, data, version))
        if turn % 10 == 9:
            registry.doctor()
            registry.gc(grace_days=0)
    assert temporaries(registry.path) == []
    all_verify(Registry.open(registry.path))


DOWNLOADER = """
import sys
from pacha_git import Registry
registry = Registry.open(sys.argv[1])
print("ready", flush=True)
registry.models.download("m@1.0.0", sys.argv[2])
"""


def test_a_killed_download_leaves_nothing_under_the_final_name(registry: Registry, tmp_path: Path) -> None:
    data = noise(20_000_000)
    registry.models.register("m", put(tmp_path / "m", data), version="1.0.0")
    for turn, seconds in enumerate([0.0, 0.005, 0.01, 0.02, 0.03]):
        out = tmp_path / "out" / str(turn)
        out.parent.mkdir(exist_ok=True)
        program = python(DOWNLOADER, registry.path, out)
        assert program.stdout is not None
        program.stdout.readline()
        time.sleep(seconds)
        program.kill()
        program.communicate()
        assert not out.exists() or out.read_bytes() == data
    assert all(path.name.startswith(".pacha-") or path.read_bytes() == data for path in (tmp_path / "out").iterdir())
