"""How long searches take over a registry that is there: ``python -m benchmarks.search REGISTRY``.

Every query is asked once unseen and then timed five times within one process; the whole command three times.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pacha_git import Registry

QUERIES: list[dict[str, Any]] = [
    {"words": "m99"},
    {"words": "m"},
    {"words": "nothing-like-it"},
    {"words": "m5 99"},
    {"where": "metrics.acc > 0.9 or size > 10MiB"},
    {"where": "size > 10 and created_at > 2020"},
    {"where": "name ~ 99 and version >= 50.0.0"},
    {"where": "description ~ model and not stage = archived"},
    {"where": "signed_by = ada"},
    {"where": "payload = thin"},
    {"stage": "production"},
    {"kind": "model"},
]


def median(work: Callable[[], object], rounds: int) -> float:
    """Seconds."""
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def main(path: Path) -> None:
    registry = Registry.open(path)
    begin = time.perf_counter()
    total = registry.search(limit=1).total
    print(f"{total:,} versions and runs; the first search took {time.perf_counter() - begin:.2f} s")
    for query in QUERIES:
        found = registry.search(**query)
        took = median(lambda query=query: registry.search(**query), 5)  # type: ignore[misc]
        print(f"{took * 1000:8.1f} ms  {found.total:>8,} found  {query}")
    command = [sys.executable, "-m", "pacha_git", "--registry", str(path), "search", "m99", "--json"]
    took = median(lambda: subprocess.run(command, check=True, capture_output=True), 3)
    print(f"{took * 1000:8.1f} ms  the whole command: search m99 --json")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
