"""The Quick Start of the Rust pacha, typed word for word."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

QUICK_START = (
    "init",
    'model register fraud-detector model.apr -v 1.0.0 -d "Fraud detection model"',
    'data register transactions data.ald -v 1.0.0 -p "Customer transactions"',
    "model get fraud-detector -v 1.0.0",
    "model stage fraud-detector -v 1.0.0 -t production",
)


@pytest.mark.parametrize("program", ["pacha", "git pacha"])
def test_the_quick_start_of_pacha(program: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.apr").write_bytes(b"APR\0weights")
    (tmp_path / "data.ald").write_bytes(b"rows")
    for line in QUICK_START:
        done = subprocess.run([*program.split(), *shlex.split(line)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stderr)
    got = subprocess.run(
        [*program.split(), "model", "get", "fraud-detector@production", "--json"], check=True, capture_output=True
    )
    shown = json.loads(got.stdout)
    assert (shown["version"], shown["stage"], shown["description"]) == ("1.0.0", "production", "Fraud detection model")
    assert (home / ".pacha" / "registry.git" / "HEAD").is_file()
