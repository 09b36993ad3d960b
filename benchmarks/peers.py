"""The other tools: which are installed, how to get those that are not, and how each does the same work.

It refuses to know how long anything takes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measure import Player, Steps, run, size_of

HOW_TO_GET = {
    "git-lfs": "apt install git-lfs",
    "dvc": "pip install dvc, into an environment of its own; PACHA_BENCH_DVC names the program",
    "borg": "apt install borgbackup",
    "restic": "apt install restic",
    "bup": "apt install bup",
}


def program(name: str) -> str | None:
    """Where a peer is; ``PACHA_BENCH_<NAME>`` goes before PATH."""
    return os.environ.get(f"PACHA_BENCH_{name.upper().replace('-', '_')}") or shutil.which(name)


def missing() -> list[str]:
    """Of each peer that is not here, how to get it."""
    return [f"{name}: {how}" for name, how in HOW_TO_GET.items() if program(name) is None]


def players(file: Path, *, slow: bool = True) -> dict[str, Player]:
    """Who is here, each with its way to store a file durably (``add``), and to give it back (``restore``).

    Args:
        file: A file; it may be a folder for those that take one.
        slow: Whether ``git add`` takes part.
    """
    known: dict[str, Callable[[Path, Path], Steps]] = {
        "git-lfs": _lfs, "dvc": _dvc, "borg": _borg, "restic": _restic, "bup": _bup,
    }  # fmt: skip
    found: dict[str, Player] = {name: _bound(work, file) for name, work in known.items() if program(name)}
    return {**found, **({"git": _bound(_git, file)} if slow else {})}


def _bound(work: Callable[[Path, Path], Steps], file: Path) -> Player:
    return lambda folder: work(folder, file)


def _set_up(folder: Path, *commands: Sequence[str | Path]) -> None:
    for command in commands:
        run(command, folder)


def _placed(folder: Path, file: Path) -> Path:
    """The file within a work tree, at no cost."""
    target = folder / "model.bin"
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)
    return target


def _git(folder: Path, file: Path) -> Steps:
    _set_up(folder, ["git", "init", "-q", "."])
    _placed(folder, file)
    return {"add": run(["git", "add", "model.bin"], folder, sync=True)}


def _lfs(folder: Path, file: Path) -> Steps:
    _set_up(
        folder, ["git", "init", "-q", "."], ["git", "lfs", "install", "--local"], ["git", "lfs", "track", "model.bin"]
    )
    _placed(folder, file)
    return {"add": run(["git", "add", "model.bin"], folder, sync=True)}


def _dvc(folder: Path, file: Path) -> Steps:
    dvc = program("dvc") or ""
    _set_up(folder, [dvc, "init", "-q", "--no-scm"], [dvc, "config", "core.analytics", "false"])
    if file.is_dir():
        shutil.copytree(file, folder / "many", copy_function=os.link)
        return {"add": run([dvc, "add", "-q", "many"], folder, sync=True)}
    target = _placed(folder, file)
    added = run([dvc, "add", "-q", "model.bin"], folder, sync=True)
    target.unlink()
    return {"add": added, "restore": run([dvc, "checkout", "-q"], folder, sync=True)}


def _borg(folder: Path, file: Path) -> Steps:
    _set_up(folder, ["borg", "init", "-e", "none", "repo"])
    added = run(["borg", "create", f"{folder}/repo::one", file], folder, sync=True)
    out = folder / "out"
    out.mkdir()
    return {"add": added, "restore": run(["borg", "extract", f"{folder}/repo::one"], folder, sync=True, where=out)}


def _restic(folder: Path, file: Path) -> Steps:
    _set_up(folder, ["restic", "init", "-q", "-r", "repo"])
    added = run(["restic", "-q", "-r", "repo", "backup", file], folder, sync=True)
    return {
        "add": added,
        "restore": run(["restic", "-q", "-r", "repo", "restore", "latest", "-t", "out"], folder, sync=True),
    }


def _bup(folder: Path, file: Path) -> Steps:
    _set_up(folder, ["bup", "init"], ["bup", "index", file])
    return {"add": run(["bup", "save", "-q", "-n", "one", file], folder, sync=True)}


def stored_by_second(folder: Path, first: Path, second: Path) -> dict[str, int]:
    """Bytes that borg and restic newly store for a second state of a file."""
    found = {}
    data = folder / "data"
    for name, begin, store in (
        ("borg", ["borg", "init", "-e", "none", "borg"], lambda n: ["borg", "create", f"{folder}/borg::{n}", data]),
        (
            "restic",
            ["restic", "init", "-q", "-r", "restic"],
            lambda n: ["restic", "-q", "-r", "restic", "backup", data],
        ),
    ):
        if program(name) is None:
            continue
        run(begin, folder)
        sizes = []
        for number, source in enumerate((first, second)):
            shutil.copyfile(source, data)
            run(store(number), folder)
            sizes.append(size_of(folder / name))
        found[name] = sizes[1] - sizes[0]
    return found
