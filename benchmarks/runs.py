"""Logs, seals, lists and compares runs beside the real MLflow, its file and its SQLite store, in interleaved rounds.

python -m benchmarks.runs [--quick] [--mlflow PYTHON]

PYTHON is an interpreter that has MLflow; without one a throwaway environment is made with pip. Each measurement is a
process of its own, so that nobody pays for another's imports; only the work is timed. Prints a table of medians with
the ratios, and writes all of it, with the machine, to benchmarks/results/.
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
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
STORES = ("pacha", "mlflow-file", "mlflow-sqlite")
Sizes = dict[str, int]
FULL: Sizes = {"single": 200_000, "wide": 50_000, "sealed": 1_000_000, "runs": 1_000, "slow": 1_000}
QUICK: Sizes = {"single": 50_000, "wide": 10_000, "sealed": 1_000_000, "runs": 100, "slow": 300}
NOISE = random.Random(7)


def timed(work: Callable[[], object]) -> float:
    """How long something takes, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# Within the process of one store --------------------------------------------------------------------------------------


def pacha(folder: Path, sizes: Sizes) -> dict[str, float]:
    """Everything, with pacha."""
    from pacha_git import Registry

    registry = Registry.init(folder / "registry.git")
    found: dict[str, float] = {}
    with registry.run() as run:
        values = [NOISE.random() for _ in range(sizes["single"])]
        took = timed(lambda: [run.log({"loss": value}, step=step) for step, value in enumerate(values)])
        found["points/s, one a call"] = len(values) / took
    with registry.run() as run:
        wide = [{f"m{at}": NOISE.random() for at in range(10)} for _ in range(sizes["wide"])]
        took = timed(lambda: [run.log(row, step=step) for step, row in enumerate(wide)])
        found["points/s, ten a call"] = 10 * len(wide) / took
    sealed = registry.run()
    for step in range(sizes["sealed"]):
        sealed.log({"loss": NOISE.random()}, step=step)
    found["seal, s"] = timed(sealed.finish)
    stored = registry.runs.download(sealed.id, folder / "sealed") / "metrics.series"
    found["bytes a point"] = stored.stat().st_size / sizes["sealed"]
    ids = []
    for at in range(sizes["runs"]):
        with registry.run(params={"lr": at / 1000, "n": 3}) as run:
            run.log({"loss": 1 / (at + 1), "acc": at / 1000}, step=1)
        ids.append(run.id)
    fresh = Registry.open(registry.path)
    found["first list, s"] = timed(fresh.runs.list)
    found["list, s"] = timed(Registry.open(registry.path).runs.list)
    found["compare all, s"] = timed(lambda: Registry.open(registry.path).runs.compare(ids))
    return found


def mlflow(folder: Path, sizes: Sizes, uri: str) -> dict[str, float]:
    """The same with MLflow, fewer of what it is slow at."""
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    import logging

    logging.disable(logging.WARNING)
    import mlflow as flow
    from mlflow.entities import Metric

    flow.set_tracking_uri(uri)
    flow.set_experiment("bench")
    found: dict[str, float] = {}
    with flow.start_run():
        values = [NOISE.random() for _ in range(sizes["slow"])]
        took = timed(lambda: [flow.log_metric("loss", value, step=step) for step, value in enumerate(values)])
        found["points/s, one a call"] = len(values) / took
    with flow.start_run():
        wide = [{f"m{at}": NOISE.random() for at in range(10)} for _ in range(sizes["slow"] // 4)]
        took = timed(lambda: [flow.log_metrics(row, step=step) for step, row in enumerate(wide)])
        found["points/s, ten a call"] = 10 * len(wide) / took
    with flow.start_run() as run:
        client = flow.MlflowClient()
        batches = [
            [Metric("loss", NOISE.random(), 0, start + at) for at in range(1000)] for start in range(0, 5000, 1000)
        ]
        took = timed(lambda: [client.log_batch(run.info.run_id, metrics=batch) for batch in batches])
        found["points/s, log_batch of 1,000"] = 5000 / took
    for at in range(sizes["runs"]):
        with flow.start_run():
            flow.log_params({"lr": at / 1000, "n": 3})
            flow.log_metrics({"loss": 1 / (at + 1), "acc": at / 1000}, step=1)
    found["list, s"] = timed(lambda: flow.search_runs(max_results=sizes["runs"] + 10))
    return found


def work(store: str, folder: Path, sizes: Sizes) -> dict[str, float]:
    """Measure one store in an empty folder."""
    if store == "pacha":
        return pacha(folder, sizes)
    uri = (folder / "mlruns").as_uri() if store == "mlflow-file" else f"sqlite:///{folder}/mlflow.db"
    return mlflow(folder, sizes, uri)


# Around them ----------------------------------------------------------------------------------------------------------


def interpreter_with_mlflow(folder: Path) -> str:
    """Make a throwaway environment with the MLflow of PyPI."""
    print("installing MLflow into a throwaway environment …", file=sys.stderr)
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "mlflow"], check=True)
    return python


def measured(python: str, store: str, sizes: Sizes) -> dict[str, float]:
    """One store's figures, by a process of its own in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="pacha-bench-") as name:
        environment = {
            **os.environ, "HOME": name, "GIT_AUTHOR_NAME": "Bench", "GIT_AUTHOR_EMAIL": "bench@example.org",
            "GIT_COMMITTER_NAME": "Bench", "GIT_COMMITTER_EMAIL": "bench@example.org",
        }  # fmt: skip
        command = [python, str(Path(__file__).resolve()), "--work", store, name, json.dumps(sizes)]
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, cwd=name)
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found


def medians(rounds: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """By store and what was measured."""
    return {
        store: {what: statistics.median(each[store][what] for each in rounds) for what in rounds[0][store]}
        for store in rounds[0]
    }


def table(found: dict[str, dict[str, float]]) -> str:
    """All figures, and how many times better pacha is."""
    rows = [("", *found, *(f"x {store}" for store in found if store != "pacha"))]
    for what in dict.fromkeys(name for figures in found.values() for name in figures):
        ours = found["pacha"].get(what)
        ratios = [_ratio(what, ours, found[store].get(what)) for store in found if store != "pacha"]
        rows.append((what, *(_figure(figures.get(what)) for figures in found.values()), *ratios))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(what: str, ours: float | None, theirs: float | None) -> str:
    if not ours or not theirs:
        return ""
    return f"{ours / theirs if 'points/s' in what else theirs / ours:,.1f}"


def main() -> None:
    """Measure in rounds, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer points and runs, one round")
    parser.add_argument("--rounds", type=int, default=0, help="how many rounds (3; 1 if quick)")
    parser.add_argument("--mlflow", metavar="PYTHON", help="an interpreter that has MLflow")
    parser.add_argument("--work", nargs=3, metavar=("STORE", "FOLDER", "SIZES"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        store, folder, sizes = args.work
        print(json.dumps(work(store, Path(folder), json.loads(sizes))))
        return
    chosen = QUICK if args.quick else FULL
    with tempfile.TemporaryDirectory(prefix="pacha-bench-") as name:
        python = shutil.which(args.mlflow) if args.mlflow else interpreter_with_mlflow(Path(name))
        if python is None:
            sys.exit(f"no such interpreter: {args.mlflow}")
        rounds: list[dict[str, dict[str, float]]] = []
        for at in range(args.rounds or (1 if args.quick else 3)):
            order = STORES if at % 2 == 0 else STORES[::-1]
            found = {store: measured(sys.executable if store == "pacha" else python, store, chosen) for store in order}
            rounds.append({store: found[store] for store in STORES})
        version = subprocess.check_output([python, "-c", "import mlflow; print(mlflow.__version__)"], text=True).strip()
    result: dict[str, Any] = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "python": platform.python_version(),
        "cores": os.cpu_count(), "mlflow": version, "sizes": chosen, "rounds": rounds, "medians": medians(rounds),
    }  # fmt: skip
    print(table(result["medians"]))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "runs.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
