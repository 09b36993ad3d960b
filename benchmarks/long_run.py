"""Whether a registry that is used for long stays as fast: 10,000 small operations, and what each command takes then.

Names and versions are held at 50 times 20 from the 1,000th operation on: what is registered after that is undone with
``rm --unpushed``. A copy of that moment is kept, and commands run in turn on it and on the registry as it is: so a busy
machine slows both. What is compared is processor time, of the programs that a command starts too; waiting for the disk
is told beside it. Run as ``python -m benchmarks.long_run [--operations N]``.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.measure import environment
from pacha_git import Registry

NAMES: Final = 50
VERSIONS: Final = 20
HELD_FROM: Final = 1000
MOST: Final = 1.2
_SIZES: Final = (500, 3000, 40_000)
_WEIGHTS: Final = {"register": 6, "stage": 3, "alias": 2, "tag": 2, "get": 2, "list": 2}
_MIB: Final = 1 << 20


class Life:
    """A registry that is used, one operation after the other, each by somebody who has just opened it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.path = folder / "registry.git"
        self._file = folder / "weights"
        self._random = random.Random(seed)
        self._names = [f"model-{number}" for number in range(NAMES)]
        self._versions: dict[str, list[str]] = {name: [] for name in self._names}
        self._count = 0
        Registry.init(self.path)

    def live(self, operations: int) -> None:
        """Do so many operations."""
        for _ in range(operations):
            self._count += 1
            name = self._random.choice(self._names)
            filling = len(self._versions[name]) < VERSIONS
            if filling and (self._count <= HELD_FROM or not self._versions[name]):
                self._register(name)
            else:
                self._one(name)

    def _one(self, name: str) -> None:
        what = self._random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        version = self._random.choice(self._versions[name])
        with Registry.open(self.path) as registry:
            models, spec = registry.models, f"{name}@{version}"
            if what == "register":
                self._register(name)
            elif what == "stage":
                models.stage(spec, "staging" if models.get(spec).stage == "development" else "development")
            elif what == "alias":
                models.alias(name, self._random.choice(("champion", "candidate")), version=version)
            elif what == "tag":
                models.tag(spec, [f"key{self._random.randrange(3)}={self._count}"])
            elif what == "get":
                models.get(spec)
            else:
                models.list(name)

    def _register(self, name: str) -> None:
        self._file.write_bytes(self._random.randbytes(self._random.choice(_SIZES)))
        version = f"{self._count}.0.0"
        with Registry.open(self.path) as registry:
            registry.models.register(name, self._file, version=version)
            if len(self._versions[name]) < VERSIONS and self._count <= HELD_FROM:
                self._versions[name].append(version)
            else:
                registry.models.remove(f"{name}@{version}", unpushed=True)


def _commands(path: Path, file: Path, turn: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """What is measured, in an order in which the last undoes the first."""
    name, version = f"model-{turn % NAMES}", f"9{turn}.0.0"
    registry = Registry.open(path)
    models = registry.models
    first = models.list(name)[-1].version
    to = "staging" if models.get(f"{name}@{first}").stage == "development" else "development"
    file.write_bytes(os.urandom(3000))
    yield "register", lambda: Registry.open(path).models.register(name, file, version=version)
    yield "get", lambda: Registry.open(path).models.get(f"{name}@{first}")
    yield "list of a name", lambda: Registry.open(path).models.list(name)
    yield "list", lambda: Registry.open(path).models.list()
    yield "stage", lambda: Registry.open(path).models.stage(f"{name}@{first}", to)
    yield "alias", lambda: Registry.open(path).models.alias(name, "champion", version=first)
    yield "tag", lambda: Registry.open(path).models.tag(f"{name}@{first}", [f"turn={turn}"])
    yield "search", lambda: Registry.open(path).search(name)
    yield "verify", lambda: Registry.open(path).verify([f"model:{name}@{first}"])
    yield "status", lambda: Registry.open(path).status()
    yield "rm --unpushed", lambda: Registry.open(path).models.remove(f"{name}@{version}", unpushed=True)


class Took(NamedTuple):
    """Seconds that a command took by the clock, and of all processors."""

    wall: float
    cpu: float


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def compare(then: Path, now: Path, file: Path, turns: int) -> dict[str, tuple[Took, Took]]:
    """What each command took on both, run in turn: the median of each."""
    took: dict[str, tuple[list[Took], list[Took]]] = {}
    for turn in range(turns):
        sides = (then, now) if turn % 2 else (now, then)
        for side in sides:
            for what, do in _commands(side, file, turn):
                begin, used = time.perf_counter(), _cpu()
                do()
                spent = Took(time.perf_counter() - begin, _cpu() - used)
                took.setdefault(what, ([], []))[side == now].append(spent)
    return {what: (_median(before), _median(after)) for what, (before, after) in took.items()}


def _median(took: Sequence[Took]) -> Took:
    return Took(*map(statistics.median, zip(*took, strict=True)))


def _measured(life: Life, then: Path, folder: Path, turns: int) -> dict[str, tuple[Took, Took]]:
    """The same on copies of both, which the measuring may change."""
    copies = [folder / "then.git", folder / "now.git"]
    for source, copy in zip((then, life.path), copies, strict=True):
        shutil.copytree(source, copy)
    try:
        return compare(copies[0], copies[1], folder / "file", turns)
    finally:
        for copy in copies:
            shutil.rmtree(copy)


def _size(path: Path) -> str:
    files = [file for file in path.rglob("*") if file.is_file()]
    packs = sum(file.suffix == ".pack" for file in files)
    return f"{sum(file.stat().st_size for file in files) / _MIB:.1f} MiB in {len(files)} files, {packs} packs"


def main() -> None:
    """Print what each command takes, now to then, at several moments."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--operations", type=int, default=10_000)
    words.add_argument("--turns", type=int, default=30)
    words.add_argument("--seed", type=int, default=1)
    chosen = words.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ.update(environment(folder))
        life, then = Life(folder, chosen.seed), folder / "kept.git"
        life.live(HELD_FROM)
        shutil.copytree(life.path, then)
        print(f"{HELD_FROM} operations: {_size(then)}")
        done = HELD_FROM
        while done < chosen.operations:
            step = min(chosen.operations - done, max(done, HELD_FROM))
            life.live(step)
            done += step
            print(f"{done} operations: {_size(life.path)}", flush=True)
            for what, (before, after) in _measured(life, then, folder, chosen.turns).items():
                told = "" if after.cpu <= MOST * before.cpu else f", more than {MOST}"
                clock = f"clock {1000 * before.wall:.0f} to {1000 * after.wall:.0f}"
                print(
                    f"  {what:16} {1000 * before.cpu:7.1f} to {1000 * after.cpu:7.1f} ms of cpu: "
                    f"{after.cpu / before.cpu:.2f} times{told} ({clock})"
                )


if __name__ == "__main__":
    main()
