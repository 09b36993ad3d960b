"""The most memory that any program of either side takes when much is pushed and cloned, and how long that lasts.

``python -m benchmarks --only sync-memory`` measures 1 GiB and 8; ``python -m benchmarks.sync`` the smaller alone.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import inputs, resident
from benchmarks.measure import PACHA, environment
from benchmarks.report import Row

_MOST = 200


def measure(work: Path, size: int, tell: Callable[[str], object]) -> list[Row]:
    """Push and clone through a folder, where all of it is in one pack, and through our own server.

    Needs some five times the size on the disk.
    """
    work.mkdir(exist_ok=True)
    file = inputs.floats(work / "weights.bin", size, seed=31)
    registry = work / "registry.git"
    _run([*PACHA, "-q", "--registry", registry, "init"], work)
    _run([*PACHA, "-q", "--registry", registry, "model", "register", "m", file, "-v", "1.0.0"], work)
    file.unlink()
    rows = []
    hub = work / "hub.git"
    subprocess.run(["git", "init", "-q", "--bare", hub], check=True)
    rows += _push(registry, "folder", f"file://{hub}", f"{size >> 20} MiB to a folder", tell)
    subprocess.run(["git", "-C", hub, "-c", "pack.window=0", "repack", "-adq"], check=True)
    rows += _clone(work, f"file://{hub}", f"{size >> 20} MiB from a folder, in one pack", tell)
    shutil.rmtree(hub)
    _run([*PACHA, "-q", "--registry", hub, "init"], work)
    with _serving(hub) as url:
        rows += _push(registry, "serve", url, f"{size >> 20} MiB to serve", tell)
        rows += _clone(work, url, f"{size >> 20} MiB from serve", tell)
    shutil.rmtree(work)
    return rows


@contextmanager
def _serving(hub: Path) -> Iterator[str]:
    """``serve`` as a program of its own, which thus is watched, too."""
    command = [*PACHA, "--registry", str(hub), "--json", "serve", "--writable", "--port", "0"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        document = json.loads(child.stdout.readline())
        yield document["url"].replace("://", f"://bench:{document['token']}@")
    finally:
        child.terminate()
        child.wait()


def _push(registry: Path, name: str, url: str, what: str, tell: Callable[[str], object]) -> list[Row]:
    _run([*PACHA, "-q", "--registry", registry, "remote", "add", name, url], registry)
    return _watched([*PACHA, "-q", "--registry", registry, "push", name], registry, f"push of {what}", tell)


def _clone(work: Path, url: str, what: str, tell: Callable[[str], object]) -> list[Row]:
    there = work / "there.git"
    rows = _watched([*PACHA, "-q", "clone", url, there, "--payload", "all"], work, f"clone of {what}", tell)
    shutil.rmtree(there)
    return rows


def _watched(command: Sequence[str | Path], where: Path, what: str, tell: Callable[[str], object]) -> list[Row]:
    tell(what)
    begin = time.perf_counter()
    with resident.watched() as peak:
        _run(command, where)
    return [
        Row("4.3", f"{what}: most memory of any program", peak.bytes / 2**20, _MOST, "MiB"),
        Row("4.3", f"{what}: time", time.perf_counter() - begin, None, "s"),
    ]


def _run(command: Sequence[str | Path], where: Path) -> None:
    subprocess.run(list(map(str, command)), cwd=where, env=environment(where), check=True, stdout=subprocess.DEVNULL)
