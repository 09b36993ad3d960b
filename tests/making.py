"""What tests of a whole registry are made of: bytes to register, and what stock git says of the result.

It knows files, folders and refs, and refuses to know what any test is about.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from pacha_git import Registry
from tests.conftest import REPOSITORY

RECIPE = """\
name = "{name}"
version = "{version}"
description = "How it is trained"

[hyperparameters]
learning_rate = 1e-3
batch_size = 32
epochs = 10
shuffle = true
"""


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that don't compress, the same for the same seed."""
    return random.Random(seed).randbytes(size)


def put(path: Path, data: bytes = b"hello world") -> Path:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def folder(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a folder of files."""
    for name, data in files.items():
        put(path / name, data)
    return path


def contents(path: Path) -> dict[str, bytes]:
    """All files below a folder by their paths."""
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def recipe(path: Path, name: str = "train", version: str = "1.0.0") -> Path:
    """Write a recipe."""
    return put(path, RECIPE.format(name=name, version=version).encode())


def git(path: Path, *arguments: str, stdin: bytes | None = None) -> str:
    """What stock git says about a repository."""
    done = subprocess.run(["git", f"--git-dir={path}", *arguments], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().rstrip("\n")


def refs(path: Path) -> dict[str, str]:
    """Every ref with its oid, as stock git sees them."""
    lines = git(path, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)


def fsck(path: Path) -> None:
    """Let stock git check everything that refs reach."""
    git(path, "fsck", "--full", "--strict", "--no-dangling", "--no-progress")


def all_verify(registry: Registry) -> None:
    """Every version verifies, and the registry checks out."""
    assert [each for each in registry.verify(all=True) if not each.ok] == []
    assert registry.fsck().problems == ()


def temporaries(path: Path) -> list[str]:
    """What a writer leaves in the folder of packs while it is at work, and must not leave behind."""
    return sorted(
        file.name
        for file in (path / "objects" / "pack").iterdir()
        if file.name.startswith("tmp_") or file.suffix in (".keep", ".lock")
    )


def python(script: str, *arguments: str | Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a program of its own that can import the package and these helpers."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(programs: Iterable[subprocess.Popen[str]], timeout: float = 100) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of programs that were started together."""
    outputs = [(program, program.communicate(timeout=timeout)) for program in programs]
    return [(program.returncode, out, err) for program, (out, err) in outputs]
