"""One large file: registered, registered again, edited, downloaded, read in part, checked; beside peers and kernels."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks import inputs, peers
from benchmarks.measure import PACHA, Rounds, Spent, Steps, median, play, python, ratio, run, size_of
from benchmarks.report import Row, compared

_KERNEL = ("-m", "benchmarks.kernels")
_RIVALS = ("git-lfs", "dvc", "borg", "restic")


def _pacha(folder: Path, file: Path, edited: Path) -> Steps:
    model = [*PACHA, "-q", "model"]
    run([*PACHA, "init"], folder)
    steps = {"add": run([*model, "register", "m", file, "-v", "1.0.0"], folder)}
    before = size_of(folder / "registry.git" / "objects")
    steps["get"] = run([*model, "get", "m@1.0.0", "--json"], folder)
    steps["again"] = run([*model, "register", "m", file, "-v", "1.0.1"], folder)
    after = size_of(folder / "registry.git" / "objects")
    steps["insert"] = run([*model, "register", "m", edited, "-v", "1.1.0"], folder)
    steps["download"] = run([*model, "download", "m@1.0.0", "-o", "out"], folder)
    middle = file.stat().st_size // 2
    steps["range"] = run([*model, "cat", "m@1.0.0", "--range", f"{middle}-{middle + (1 << 20) - 1}"], folder)
    steps["verify"] = run([*PACHA, "-q", "verify", "m@1.0.0"], folder)
    steps["packs"] = _timed("packs", folder / "registry.git" / "objects" / "pack")
    # Sizes travel as seconds would: the report takes them out by name.
    steps["again-bytes"] = Spent(after - before, 0, 0)
    steps["insert-bytes"] = Spent(size_of(folder / "registry.git" / "objects") - after, 0, 0)
    subprocess.run(["cmp", file, folder / "out"], check=True)
    return steps


def _kernel(folder: Path, file: Path) -> Steps:
    steps = {
        "add": run(python(*_KERNEL, "register", file), folder),
        "hash": run(python(*_KERNEL, "hash", file), folder),
    }
    return steps | {"restore": _timed("restore", file, folder / "restored")}


def _timed(*words: str | Path) -> Spent:
    """What a kernel says of the part of it that counts."""
    command = list(map(str, python(*_KERNEL, *words)))
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=inputs.ROOT).stdout
    wall, cpu = map(float, said.split())
    return Spent(wall, cpu, 0)


def _copy(folder: Path, file: Path) -> Steps:
    return {"add": run(["cp", file, "copy"], folder, sync=True)}


def measure(
    work: Path, size: int, rounds: int, tell: Callable[[str], None]
) -> tuple[list[Row], Rounds, dict[str, float]]:
    """Measure (a), (b), (c), (f), (h) and (g) at this size.

    Returns:
        The rows, all rounds, and the seconds of each tool's ``add``.
    """
    file = inputs.floats(work / "weights.bin", size, seed=1)
    edited = inputs.with_insertion(file, work / "edited.bin")
    slow = peers.players(file)
    git = {"git": slow.pop("git")}
    players = {
        "cp": lambda folder: _copy(folder, file),
        "kernel": lambda folder: _kernel(folder, file),
        "pacha": lambda folder: _pacha(folder, file, edited),
        **slow,
    }
    found = play(players, rounds, tell)
    once = play(git, 1, tell)
    rows = _rows(found, once, size)
    shutil.rmtree(work, ignore_errors=True)
    times = {name: median(found, f"{name} add") for name in players}
    return rows, {**found, **once}, {**times, "git add": median(once, "git add")}


def _rows(found: Rounds, once: Rounds, size: int) -> list[Row]:
    what = f"{size >> 20} MiB fp32"
    rivals = [f"{name} add" for name in _RIVALS]
    back = ["borg restore", "restic restore"]
    return [
        compared("a", f"register {what}, to the larger of kernel and cp",
                 ratio(found, "pacha add", ["kernel add", "cp add"]), 1.4),
        compared("a", "to the fastest of git-lfs, dvc, borg, restic", ratio(found, "pacha add", rivals, min), 0.8),
        Row("a", "to git add (one round)", median(found, "pacha add") / median(once, "git add"), 0.1),
        Row("b", "the same bytes again: seconds, to model get + 1.5 hashes", median(found, "pacha again"),
            median(found, "pacha get") + 1.5 * median(found, "kernel hash"), "s"),
        Row("b", "newly stored (the record, its tree and commit)", median(found, "pacha again-bytes") / 1024, 4, "KiB"),
        Row("c", "1 MiB inserted: newly stored", median(found, "pacha insert-bytes") / 2**20, 1.25, "MiB"),
        compared("c", "1 MiB inserted: time, to (a)", ratio(found, "pacha insert", ["pacha add"]), 0.6),
        compared("f", "download, verified, to kernel", ratio(found, "pacha download", ["kernel restore"]), 1.3),
        compared("f", "to the faster of borg extract, restic restore", ratio(found, "pacha download", back, min), 1.0),
        Row("g", f"peak of register at {size >> 20} MiB", max(s.peak for s in found["pacha add"]), 200, "MiB"),
        Row("g", f"peak of download at {size >> 20} MiB", max(s.peak for s in found["pacha download"]), 200, "MiB"),
        Row("g", f"peak of verify at {size >> 20} MiB", max(s.peak for s in found["pacha verify"]), 200, "MiB"),
        Row("h", "1 MiB from the middle, beyond model get",
            1000 * (median(found, "pacha range") - median(found, "pacha get")), 50, "ms"),
        compared("k", "verify, start-up and all, to read + inflate + BLAKE3",
                 ratio(found, "pacha verify", ["pacha packs"]), None),
    ]  # fmt: skip
