"""The whole table of speed and size, all tools in one run on one input: ``python -m benchmarks [--quick]``.

Prints the rows with their targets, writes everything with the machine to benchmarks/results/, and with ``--plot`` draws
the times of the first row.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import large, memory, peers, small, stock, sync_memory, versions, weights
from benchmarks.measure import environment
from benchmarks.report import Row, drawing, machine, table, write

# Forty GB of disk, and minutes of Git's own work.
_ONLY_IF_NAMED = ("git", "sync-memory")


def _tell(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def _parts(arguments: argparse.Namespace) -> dict[str, Callable[[Path], Any]]:
    quick, size = arguments.quick, arguments.size << 20
    rounds = arguments.rounds
    return {
        "large": lambda work: large.measure(work, size, rounds, _tell),
        "weights": lambda work: weights.measure(work, size, 1 if quick else min(rounds, 3), _tell),
        "start-up": lambda work: small.start_up(work, 1_000 if quick else 100_000, rounds + 2, _tell),
        "registrations": lambda work: small.registrations(work, 100 if quick else 1000, _tell),
        "files": lambda work: small.many_files(work, 2_000 if quick else 200_000, 1, _tell),
        "sharing": lambda work: small.sharing(work, (32 << 20) if quick else (200 << 20), _tell),
        "versions": lambda work: versions.measure(work, size // 2, 4 if quick else 20, rounds, _tell),
        "memory": lambda work: memory.measure(work, size, _tell),
        "sync-memory": lambda work: [
            row for times in (1, 8) for row in sync_memory.measure(work / str(times), size * times, _tell)
        ],
        "git": lambda work: stock.measure(work, size * 10, _tell),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="small inputs and three rounds: under three minutes")
    parser.add_argument("--size", type=int, help="MiB of the large file; 1024, quick 64")
    parser.add_argument("--rounds", type=int, help="5, quick 3")
    parser.add_argument(
        "--only",
        default="",
        help="parts, by commas: large, weights, start-up, registrations, files, sharing, versions, memory;"
        " alone sync-memory, git",
    )
    parser.add_argument("--plot", type=Path, help="write the times to store a large file there, as SVG")
    arguments = parser.parse_args()
    arguments.size = arguments.size or (64 if arguments.quick else 1024)
    arguments.rounds = arguments.rounds or (3 if arguments.quick else 5)
    for line in peers.missing():
        _tell(f"not here, and left out: {line}")
    rows: list[Row] = []
    rounds: dict[str, Any] = {}
    wanted = arguments.only.split(",") if arguments.only else []
    for name, part in _parts(arguments).items():
        if name not in wanted if wanted else name in _ONLY_IF_NAMED:
            continue
        with tempfile.TemporaryDirectory(prefix="pacha-bench-") as folder:
            os.environ.update({key: value for key, value in environment(Path(folder)).items() if key != "PYTHONPATH"})
            found = part(Path(folder))
        if isinstance(found, list):
            found = (found, {})
        rows += found[0]
        rounds[name] = {step: [list(spent) for spent in times] for step, times in found[1].items()}
        if len(found) == 3 and arguments.plot:
            arguments.plot.write_text(drawing(found[2], f"Storing {arguments.size} MiB of new weights, durably"))
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print(table(rows))
    path = write(rows, rounds, {"size_mib": arguments.size, "quick": arguments.quick})
    print(f"\nwritten to {os.path.relpath(path)}")


if __name__ == "__main__":
    main()
