"""Trains twenty times, compares the runs, and registers the model of the best one with its run as what it came from.

git pacha init
git pacha recipe register examples/digits.toml
python examples/sweep.py
git pacha model lineage digits
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pacha_git import Registry

sys.path.insert(0, str(Path(__file__).parent))
import train

RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


def main(epochs: int = 10) -> None:
    """Sweep over rates and penalties."""
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "digits.safetensors")
        ids = [
            train.main([f"--rate={rate}", f"--penalty={penalty}", f"--epochs={epochs}", f"--output={output}"])
            for rate in RATES
            for penalty in ("l1", "l2")
        ]
        registry = Registry.open()
        compared = registry.runs.compare(ids)
        print("What differs:", ", ".join(compared.differing))
        best = registry.runs.best("digits-sgd@1.0.0", "val/accuracy")
        print(f"Best: run {best.run.id}, {best.metric} = {best.value:.4f}, {best.goal}d {best.because}")
        registry.runs.plot(ids, "val/accuracy", "sweep.svg")
        left = registry.runs.download(best.run.id, Path(folder) / "best")
        model = registry.models.register(
            "digits", left / "artifacts" / "digits.safetensors", version="1.0.0", run=best.run.id,
            metrics={"accuracy": float(best.value)},
        )  # fmt: skip
        print(f"Registered {model.name} {model.version}, {model.address}")


if __name__ == "__main__":
    main()
