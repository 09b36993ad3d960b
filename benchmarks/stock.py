"""What stock git takes for a registry of many GiB: its collection, its check, a push, and the count of its objects."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks import inputs
from benchmarks.measure import PACHA, Spent, run, size_of
from benchmarks.report import Row

_ADDED = 1 << 30


def measure(work: Path, size: int, tell: Callable[[str], None]) -> list[Row]:
    """Measure what Git itself does with a registry of that many bytes; needs four times that on the disk."""
    file = inputs.floats(work / "weights.bin", size, seed=23)
    registry, hub = work / "registry.git", work / "hub.git"
    run([*PACHA, "-q", "init"], work)
    tell(f"register {size >> 20} MiB")
    run([*PACHA, "-q", "model", "register", "m", file, "-v", "1.0.0"], work)
    file.unlink()
    git: list[str | Path] = ["git", "-C", registry]
    counted = subprocess.run([*git, "count-objects", "-v"], check=True, capture_output=True, text=True).stdout
    objects = int(dict(line.split(": ") for line in counted.splitlines())["in-pack"])
    subprocess.run(["git", "init", "-q", "--bare", hub], check=True)
    spent: dict[str, Spent] = {}
    commands: dict[str, list[str | Path]] = {
        "git count-objects -v": [*git, "count-objects", "-v"],
        "git fsck --full --strict": [*git, "fsck", "--full", "--strict", "--no-progress"],
        "git push to a bare repository": [*git, "push", "-q", f"file://{hub}", "refs/pacha/*:refs/pacha/*"],
        "git gc in that": ["git", "-C", hub, "gc", "--quiet"],
        "git gc in the registry": [*git, "gc", "--quiet"],
    }
    for name, command in commands.items():
        tell(name)
        spent[name] = run(command, work)
    packed = size_of(registry / "objects")
    shutil.rmtree(registry)
    shutil.rmtree(hub)
    spent |= _added(work, min(size, _ADDED), tell)
    what = f"of {size / 2**30:.3g} GiB"
    return [
        Row("git", f"objects {what}", objects, None, "objects"),
        Row("git", f"on disk, {what}", packed / 2**20, None, "MiB"),
        *(Row("git", name, each.wall, None, "s", cpu=each.cpu) for name, each in spent.items()),
    ]


def _added(work: Path, size: int, tell: Callable[[str], None]) -> dict[str, Spent]:
    """The same kind of bytes as one blob, as ``git add`` makes it."""
    what = f"after git add of {size >> 20} MiB"
    tell(f"git {what}")
    folder, hub = work / "plain", work / "plain.git"
    subprocess.run(["git", "init", "-q", folder], check=True)
    subprocess.run(["git", "init", "-q", "--bare", hub], check=True)
    inputs.floats(folder / "weights.bin", size, seed=29)
    found = {f"git add of {size >> 20} MiB": run(["git", "add", "weights.bin"], work, where=folder)}
    run(["git", "commit", "-q", "-m", "weights"], work, where=folder)
    found[f"git fsck {what}"] = run(["git", "fsck", "--full", "--strict", "--no-progress"], work, where=folder)
    found[f"git push {what}"] = run(["git", "push", "-q", f"file://{hub}", "HEAD:refs/heads/main"], work, where=folder)
    found[f"git gc {what}"] = run(["git", "gc", "--quiet"], work, where=folder)
    shutil.rmtree(folder)
    shutil.rmtree(hub)
    return found
