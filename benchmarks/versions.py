"""Many versions that share most of their bytes: verified, and the side index built anew, beside kernels."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks import inputs
from benchmarks.measure import PACHA, Rounds, Spent, Steps, median, play, python, ratio, run, size_of
from benchmarks.report import Row, compared
from pacha_git import Registry

_PATCHES = 8
_CHANGED = 0.02
# With less, starting the program is most of it.
_MEANINGFUL = 256 << 20


def _changed(file: Path, chance: random.Random) -> None:
    """Write anew a fiftieth of a file, in a few places all over it."""
    size = file.stat().st_size
    patch = int(size * _CHANGED / _PATCHES)
    with file.open("r+b") as opened:
        for _ in range(_PATCHES):
            opened.seek(chance.randrange(size - patch))
            opened.write(chance.randbytes(patch))


def _steps(folder: Path, registry: Path, times: float) -> Steps:
    return {
        "verify": run([*PACHA, "-q", "--registry", registry, "verify", "--all"], folder),
        "once": _kernel(registry, 1.0),
        "each": _kernel(registry, times),
        "reindex": run([*PACHA, "-q", "--registry", registry, "reindex"], folder),
    }


def _kernel(registry: Path, times: float) -> Spent:
    command = list(map(str, python("-m", "benchmarks.kernels", "packs", registry / "objects" / "pack", str(times))))
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=inputs.ROOT).stdout
    wall, cpu = map(float, said.split())
    return Spent(wall, cpu, 0)


def measure(work: Path, size: int, versions: int, rounds: int, tell: Callable[[str], None]) -> tuple[list[Row], Rounds]:
    """Measure (k): all versions of a model are verified, each with a fiftieth changed from the one before."""
    tell(f"making {versions} versions of {size >> 20} MiB")
    registry = Registry.init(work / "k.git")
    file = inputs.floats(work / "m.bin", size, seed=3)
    chance = random.Random(17)
    distinct = 0
    for number in range(versions):
        distinct += registry.models.register("m", file, version=f"1.{number}.0").new_bytes
        _changed(file, chance)
    file.unlink()
    packed = size_of(registry.path / "objects" / "pack")
    found = play({"k": lambda folder: _steps(folder, registry.path, versions * size / distinct)}, rounds, tell)
    shutil.rmtree(registry.path)
    what = f"verify {versions} versions of {size >> 20} MiB ({distinct >> 20} MiB of them distinct)"
    return _rows(found, what, packed, small=size < _MEANINGFUL), found


def _rows(found: Rounds, what: str, packed: int, *, small: bool) -> list[Row]:
    each, once = ratio(found, "k each", ["k verify"]), ratio(found, "k once", ["k verify"])
    least = None if small else 0.8
    return [
        Row("k", f"{what}: its speed, to read + inflate of each chunk once + BLAKE3 of every version",
            each and each.wall, least, least=True, cpu=each and each.cpu),
        Row("k", "to read + inflate + BLAKE3 of each chunk once",
            once and once.wall, least, least=True, cpu=once and once.cpu),
        compared("k", "reindex: its speed, to the same", ratio(found, "k once", ["k reindex"]), None, least=True),
        Row("g", "peak of that verify", max(spent.peak for spent in found["k verify"]), 200, "MiB"),
        Row("k", "reindex", packed / median(found, "k reindex") / 1e6, None if small else 500, "MB/s", least=True),
    ]  # fmt: skip
