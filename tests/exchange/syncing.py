"""What tests of sync share: a hub, two registries, and small versions in them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pacha_git import Registry


def bare(path: Path) -> Path:
    """A bare repository made by stock git."""
    subprocess.run(["git", "init", "-q", "--bare", path], check=True)
    return path


def registry(folder: Path, name: str, hub: Path | None = None) -> Registry:
    """A registry of its own, with the hub as its origin."""
    made = Registry.init(folder / f"{name}.git")
    if hub is not None:
        made.add_remote("origin", str(hub))
    return made


def clone(folder: Path, name: str, hub: Path) -> Registry:
    """A clone of the hub."""
    return Registry.clone(str(hub), folder / f"{name}.git")


def model(registry: Registry, name: str, version: str, text: str = "", **more: object) -> str:
    """Register a model of one small file; returns its record commit."""
    file = registry.path.parent / "weights.bin"
    file.write_text(text or f"{name} {version}")
    return registry.models.register(name, [file], version=version, **more).commit  # type: ignore[arg-type]


def refs(path: Path, *below: str) -> dict[str, str]:
    """Refs of a repository, by stock git."""
    listed = subprocess.run(
        ["git", "-C", path, "for-each-ref", "--format=%(refname) %(objectname)", *below],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return dict(line.split(" ") for line in listed.splitlines())


def names(path: Path, *below: str) -> set[str]:
    """Names of refs after their second segment."""
    return {ref.split("/", 2)[2] for ref in refs(path, *below)}
