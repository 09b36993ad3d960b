"""The three registries that trials are made on: one that works, its hub, and a clone that is behind."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pacha_git import Registry

LIVE = "live"


def noise(size: int, seed: int) -> bytes:
    """Bytes that don't compress."""
    return random.Random(seed).randbytes(size)


class World:
    """Where a trial happens; ``here`` is the folder, made anew from the template for each.

    Args:
        root: Where template and trial lie.
    """

    def __init__(self, root: Path) -> None:
        self.here = root / "trial"
        self.template = root / "template"
        self.reg, self.other, self.hub = (self.here / name for name in ("reg.git", "other.git", "hub.git"))
        self.files = self.here / "files"

    def restore(self, source: Path | None = None) -> None:
        """Make the trial's folder anew."""
        shutil.rmtree(self.here, ignore_errors=True)
        subprocess.run(["cp", "-a", source or self.template, self.here], check=True)

    def put(self, name: str, data: bytes) -> Path:
        """Write a file of the trial."""
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def make(self) -> None:
        """Make the template. Its folder is first the trial's, for remotes are named by whole paths."""
        shutil.rmtree(self.template, ignore_errors=True)
        shutil.rmtree(self.here, ignore_errors=True)
        base = noise(400_000, 1)
        registry = Registry.init(self.reg)
        toml = 'name = "train"\nversion = "%s"\n[hyperparameters]\nlearning_rate = 0.1\n'
        registry.recipes.register(self.put("train.toml", (toml % "1.0.0").encode()))
        self.put("train2.toml", (toml % "1.1.0").encode())
        registry.datasets.register("rows", self.put("rows", noise(90_000, 2)), version="1.0.0")
        registry.models.register("m", self.put("m0", base), version="1.0.0", data="rows", recipe="train")
        second = base[:200_000] + noise(30_000, 3) + base[200_000:]
        registry.models.register("m", self.put("m1", second), version="1.1.0", lineage=["fine-tuned-from=m@1.0.0"])
        registry.models.register(
            "tree", [self.put("t/a", noise(9000, 4)), self.put("t/b", b"b" * 500)], version="1.0.0"
        )
        registry.models.stage("m@1.0.0", "staging", reason="first")
        registry.models.alias("m", "champion", version="1.0.0")
        registry.models.tag("m@1.0.0", ["team=risk"])
        with registry.run(recipe="train", params={"lr": 0.1}) as run:
            run.log({"loss": 0.5}, step=1)
        live = registry.run(recipe="train", params={"lr": 0.2})
        live.log({"loss": 0.4}, step=1)
        live.artifact(self.files / "t/b")
        live.close()
        self.put("ids", live.id.encode())
        subprocess.run(["git", "init", "-q", "--bare", self.hub], check=True)
        registry.add_remote("origin", str(self.hub))
        registry.push()
        other = Registry.clone(str(self.hub), self.other)
        other.models.register("far", self.put("far", noise(60_000, 5)), version="1.0.0")
        other.models.alias("m", "theirs", version="1.0.0")
        for number in range(5):
            self.put(f"batch/{number}", noise(3000, 90 + number))
        self.put("new", base[:300_000] + noise(50_000, 6))
        for each in (registry, other):
            each.close()
        subprocess.run(["cp", "-a", self.here, self.template], check=True)

    @property
    def live_run(self) -> str:
        """The id of the run that goes on."""
        return (self.files / "ids").read_text()

    @property
    def truth(self) -> dict[str, bytes]:
        """The bytes of what was registered, by kind and SPEC."""
        read = {"model:m@1.0.0": "m0", "model:m@1.1.0": "m1", "dataset:rows@1.0.0": "rows"}
        return {spec: (self.template / "files" / name).read_bytes() for spec, name in read.items()}


def seen(path: Path) -> dict[str, Any]:
    """What a person sees of a registry, without what differs each time."""
    with Registry.open(path) as registry:
        found: dict[str, Any] = {}
        for kind in ("model", "dataset", "recipe"):
            collection = registry.collection(kind)
            for name in collection.list():
                for each in collection.list(name.name):
                    key = f"{kind}:{each.name}@{each.version}"
                    found[key] = (
                        each.address,
                        each.stage,
                        each.aliases,
                        tuple(sorted(each.tags.items())),
                        each.payload,
                    )
        for run in registry.runs.list():
            found[f"run:{run.id}"] = (run.status, sorted(run.metrics))
        found["settings"] = registry.settings().to_json()
        return found


def wrong_with(path: Path, truth: dict[str, bytes]) -> Iterator[str]:
    """What fsck finds, and bytes that are not what was registered."""
    yield from (f"fsck: {problem}" for problem in Registry.check(path).problems)
    with Registry.open(path) as registry:
        for key, data in truth.items():
            kind, _, spec = key.partition(":")
            collection = registry.collection(kind)  # type: ignore[call-overload]
            if collection.get(spec).payload == "here" and b"".join(collection.cat(spec)) != data:
                yield f"WRONG BYTES of {key}"


def age_leftovers(*folders: Path) -> None:
    """Let a minute pass for the locks and half-written files that a killed git left."""
    for folder in folders:
        for path in folder.rglob("*"):
            if path.name.endswith((".lock", ".new")) or path.name.startswith(("tmp_", ".tmp-")):
                os.utime(path, (time.time() - 90,) * 2, follow_symlinks=False)
