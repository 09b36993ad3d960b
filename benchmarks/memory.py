"""How much memory register, verify and download take for a file of one size and of eight times that."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import inputs
from benchmarks.measure import PACHA, environment
from benchmarks.report import Row

_TIMES = 8
# What wait4 tells is the most that a program or any of its children ever had at once; it begins with what the process
# had that started it, so a small one has to.
_PEAK = """
import os, sys
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[
    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]), 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak(command: Sequence[str | Path], folder: Path) -> float:
    """The most memory that a program or one of its children had, in MiB."""
    small = [sys.executable, "-I", "-S", "-c", _PEAK, *map(str, command)]
    said = subprocess.run(small, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, check=True, text=True)
    return int(said.stdout.split()[-1]) / 1024


def _peaks(work: Path, size: int) -> dict[str, float]:
    folder = work / str(size)
    folder.mkdir()
    file = inputs.floats(folder / "weights.bin", size, seed=size)
    peak([*PACHA, "-q", "init"], folder)
    found = {"register": peak([*PACHA, "-q", "model", "register", "m", file, "-v", "1.0.0"], folder)}
    file.unlink()
    found["verify"] = peak([*PACHA, "-q", "verify", "m@1.0.0"], folder)
    found["download"] = peak([*PACHA, "-q", "model", "download", "m@1.0.0", "-o", "out"], folder)
    (folder / "out").unlink()
    found["reindex"] = peak([*PACHA, "-q", "reindex"], folder)
    subprocess.run(["rm", "-r", folder / "registry.git"], check=True)
    return found


def measure(work: Path, size: int, tell: Callable[[str], None]) -> list[Row]:
    """Measure (g) at a size and at eight times that; needs twice the larger one on the disk."""
    rows = []
    few, many = size >> 20, size * _TIMES >> 20
    tell(f"memory at {few} MiB")
    first = _peaks(work, size)
    tell(f"memory at {many} MiB")
    second = _peaks(work, size * _TIMES)
    for verb, less in first.items():
        rows.append(Row("g", f"peak of {verb} at {many} MiB", second[verb], 200, "MiB"))
        rows.append(Row("g", f"which is, of that at {few} MiB", second[verb] / less, None))
    return rows
