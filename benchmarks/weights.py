"""Weights nobody has seen before, of other kinds than plain fp32: registered once, beside peers and the kernel."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks import inputs, peers
from benchmarks.measure import PACHA, Player, Rounds, Steps, play, python, ratio, run
from benchmarks.report import Row, compared

_RIVALS = ("git-lfs", "dvc", "borg", "restic")


def measure(work: Path, size: int, rounds: int, tell: Callable[[str], None]) -> tuple[list[Row], Rounds]:
    """Measure (a) on bf16 and on fine-tunes of a real model, of ``size`` bytes, and on the real model as it is."""
    work.mkdir(exist_ok=True)
    kinds = {
        "bf16": lambda: inputs.floats(work / "bf16.bin", size, seed=2, half=True),
        "safetensors, fine-tuned": lambda: inputs.fine_tunes(work / "tuned.safetensors", size),
        "safetensors, as published": lambda: Path(shutil.copy(inputs.weights(), work / "published.safetensors")),
    }
    rows: list[Row] = []
    all_rounds: Rounds = {}
    for kind, make in kinds.items():
        file = make()
        what = f"{file.stat().st_size >> 20} MiB {kind}"
        tell(what)
        found = play(_players(file), rounds, tell)
        rivals = ratio(found, "pacha add", [f"{name} add" for name in _RIVALS], min)
        rows += [
            compared("a", f"register {what}, to the larger of kernel and cp",
                     ratio(found, "pacha add", ["kernel add", "cp add"]), 1.4),
            compared("a", f"{what}: to the fastest of git-lfs, dvc, borg, restic", rivals, 0.8),
        ]  # fmt: skip
        all_rounds |= {f"{kind}: {step}": spent for step, spent in found.items()}
        file.unlink()
    return rows, all_rounds


def _players(file: Path) -> dict[str, Player]:
    def copy(folder: Path) -> Steps:
        return {"add": run(["cp", file, "copy"], folder, sync=True)}

    def kernel(folder: Path) -> Steps:
        return {"add": run(python("-m", "benchmarks.kernels", "register", file), folder)}

    def pacha(folder: Path) -> Steps:
        run([*PACHA, "init"], folder)
        return {"add": run([*PACHA, "-q", "model", "register", "m", file, "-v", "1.0.0"], folder)}

    return {"cp": copy, "kernel": kernel, "pacha": pacha, **peers.players(file, slow=False)}
