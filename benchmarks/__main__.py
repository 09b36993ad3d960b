"""Times the main commands as whole processes beside ``cp`` and ``git add``, on one input, in interleaved rounds.

Prints a table of medians and writes them, with the machine, to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.inputs import edited, weights

RESULTS = Path(__file__).parent / "results"
PACHA = [sys.executable, "-m", "pacha_git"]
IDENTITY = {
    f"GIT_{who}_{what}": word
    for who in ("AUTHOR", "COMMITTER")
    for what, word in (("NAME", "Bench"), ("EMAIL", "bench@example.org"))
}


def seconds(command: list[str], folder: Path) -> float:
    """How long a process takes, until what it wrote is on the disk."""
    environment = {**os.environ, **IDENTITY, "HOME": str(folder), "PACHA_REGISTRY": str(folder / "registry.git")}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    os.sync()
    return time.perf_counter() - start


def one_round(first: Path, second: Path) -> dict[str, float]:
    """Everything once, in an empty folder."""
    with tempfile.TemporaryDirectory(prefix="pacha-bench-") as name:
        folder = Path(name)
        subprocess.run(["git", "init", "-q", folder / "plain"], check=True)
        shutil.copy(first, folder / "plain" / "model")
        os.sync()
        seconds([*PACHA, "init"], folder)
        register = [*PACHA, "-q", "model", "register", "bench"]
        taken = {
            "cp": seconds(["cp", str(first), "copy"], folder),
            "register": seconds([*register, str(first), "-v", "1.0.0"], folder),
            "git add": seconds(["git", "-C", "plain", "add", "model"], folder),
            "register, edited in 23 places": seconds([*register, str(second), "-v", "1.1.0"], folder),
            "download": seconds([*PACHA, "-q", "model", "download", "bench@1.1.0", "-o", "out"], folder),
            "verify both": seconds([*PACHA, "-q", "verify", "--all"], folder),
        }
        if (folder / "out").read_bytes() != second.read_bytes():
            sys.exit("a download differs from what was registered")
        return taken


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="three rounds in place of nine")
    rounds = 3 if parser.parse_args().quick else 9
    first = weights()
    with tempfile.TemporaryDirectory(prefix="pacha-bench-input-") as folder:
        second = Path(folder, first.name)
        second.write_bytes(edited(first.read_bytes(), random.Random(1)))
        taken = [one_round(first, second) for _ in range(rounds)]
    size = first.stat().st_size
    medians = {what: statistics.median(each[what] for each in taken) for what in taken[0]}
    print(f"{size / 1e6:.0f} MB of real weights, medians of {rounds} rounds, each a whole process and a sync")
    print(f"{'':<32}{'seconds':>9}{'MB/s':>8}{'x cp':>8}")
    for what, median in medians.items():
        moved = size * (2 if what == "verify both" else 1)
        print(f"{what:<32}{median:>9.2f}{moved / median / 1e6:>8.0f}{median / medians['cp']:>8.1f}")
    RESULTS.mkdir(exist_ok=True)
    machine = {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}
    result = RESULTS / f"{time.strftime('%Y-%m-%d-%H%M%S')}.json"
    result.write_text(json.dumps({"machine": machine, "bytes": size, "rounds": taken, "medians": medians}, indent=2))
    print(f"\nwritten to {os.path.relpath(result)}")


if __name__ == "__main__":
    main()
