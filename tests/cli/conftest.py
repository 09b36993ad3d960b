"""Runs the program: inside the process of the tests for speed, or as a person's shell would."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pacha_git.cli.main import main

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a run of the program ended."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def json(self) -> Any:
        """The one JSON document of stdout."""
        return json.loads(self.raw)

    @property
    def error(self) -> dict[str, str]:
        """The error that stderr carries under ``--json``."""
        said: dict[str, dict[str, str]] = json.loads(self.err)
        assert set(said) == {"error"}
        assert set(said["error"]) == {"code", "message", "hint"}
        return said["error"]


class _Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def run_inside(*words: str | Path, terminal: bool = False, program: str = "git-pacha") -> Ended:
    """Run the program inside this process."""
    kept = sys.stdout, sys.stderr
    out: io.BytesIO = _Terminal() if terminal else io.BytesIO()
    err: io.BytesIO = _Terminal() if terminal else io.BytesIO()
    with io.TextIOWrapper(out, encoding="utf-8") as sys.stdout, io.TextIOWrapper(err, encoding="utf-8") as sys.stderr:
        try:
            code = main([program, *map(str, words)])
            sys.stdout.flush()
            return Ended(code, out.getvalue(), err.getvalue().decode())
        finally:
            sys.stdout, sys.stderr = kept


@pytest.fixture
def pacha() -> Callable[..., Ended]:
    """The program inside this process."""
    return run_inside


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty registry to copy: to make one takes four times as long."""
    path = tmp_path_factory.mktemp("empty") / "registry.git"
    assert run_inside("--registry", path, "init").code == 0
    return path


@pytest.fixture
def at(empty: Path, registry_path: Path) -> Callable[..., Ended]:
    """The program inside this process, on an empty registry that is there already."""
    return on_copy(empty, registry_path)


def on_copy(template: Path, path: Path) -> Callable[..., Ended]:
    """The program inside this process, on a copy of a registry."""
    shutil.copytree(template, path)

    def run(*words: str | Path, **settings: Any) -> Ended:
        return run_inside("--registry", path, *words, **settings)

    return run


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``git-pacha`` and ``pacha``, as pip writes them for this checkout."""
    folder = tmp_path_factory.mktemp("bin")
    for name in ("git-pacha", "pacha"):
        script = folder / name
        script.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(REPOSITORY)!r})\n"
            "from pacha_git.cli.main import main\nsys.exit(main())\n"
        )
        script.chmod(0o755)
    return folder


@pytest.fixture
def shell(scripts: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Run any command line, with ``git-pacha`` and ``pacha`` on the PATH."""
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")

    def run(*words: str | Path, **settings: Any) -> Ended:
        done = subprocess.run(list(map(str, words)), capture_output=True, check=False, timeout=60, **settings)
        return Ended(done.returncode, done.stdout, done.stderr.decode())

    return run
