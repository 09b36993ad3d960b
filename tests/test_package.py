"""What an installation puts where: the package with its types, the man page, and a program under three names."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_the_wheel_holds_the_package_and_the_man_page(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", tmp_path, ROOT], check=True)

    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"pacha_git/__init__.py", "pacha_git/py.typed"} <= set(names)
    assert any(name.endswith(".data/data/share/man/man1/git-pacha.1") for name in names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not [name for name in names if not name.startswith(("pacha_git/", "pacha_git-"))]


@pytest.mark.parametrize("words", [["git", "pacha"], ["git-pacha"], ["pacha"], [sys.executable, "-m", "pacha_git"]])
def test_the_program_answers_under_every_name(words: list[str]) -> None:
    run = subprocess.run([*words, "version"], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert version("pacha-git") in run.stdout
