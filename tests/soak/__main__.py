"""``python -m tests.soak KIND``: trials by seed, in shards that go on where an earlier call ended.

Each trial is chosen by the seed and its number alone, so ``--seed S --first N --count 1`` is that trial again.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from pathlib import Path

from tests.soak.rig import Rig, Shard, with_faults
from tests.soak.world import World

KINDS = ("kills", "faults", "damages", "histories", "few")


def main() -> int:
    """Run a shard; the code is 1 if any trial of it ever found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long; the rest is for another call")
    parser.add_argument("--root", type=Path, default=fast_folder() / "pacha-soak")
    asked = parser.parse_args()
    with_faults(asked.root)
    return run(asked)


def fast_folder() -> Path:
    """Where a sync costs nothing: what the kernel has survives a kill all the same."""
    memory = Path("/dev/shm")
    return memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


def run(asked: argparse.Namespace) -> int:
    """Do those trials of the shard that are still to be done."""
    from tests.soak.kinds import Trials

    world = World(asked.root / f"{asked.kind}-{asked.seed}")
    world.here.parent.mkdir(parents=True, exist_ok=True)
    rig = Rig(world.here)
    world.make()
    trials = Trials(rig, world)
    shard = Shard(asked.root, asked.kind, asked.seed)
    until = time.monotonic() + asked.minutes * 60
    for number in shard.missing(asked.first, asked.count):
        if time.monotonic() > until:
            break
        begun = time.monotonic()
        kind = asked.kind if asked.kind != "few" else KINDS[number % 4]
        wrong = trials.kinds()[kind](number, random.Random(asked.seed * 1_000_003 + number))
        shard.note(number, wrong, **trials.told, seconds=round(time.monotonic() - begun, 2))
        for line in wrong:
            print(f"{asked.kind} --seed {asked.seed} --first {number} --count 1: {line} {trials.told}", flush=True)
    bad = [number for number, wrong in shard.done.items() if wrong]
    told = f"{len(bad)} found something" + (f": {bad[:20]}" if bad else "")
    print(f"{asked.kind}, seed {asked.seed}: {len(shard.done)} trials in {shard.path}, {told}")
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main())
