"""What an installation puts where: the package with its types, the man page, and a program under three names."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import pacha_git

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


def test_what_is_exported_is_said_alike_to_readers_type_checkers_and_python() -> None:
    source = ast.parse(Path(pacha_git.__file__).read_text("utf-8"))
    shown = next(node for node in source.body if isinstance(node, ast.If))
    checked = {
        node.module: " ".join(name.name for name in node.names) for node in shown.body if hasattr(node, "module")
    }
    assert checked == {f"pacha_git.{module}": names for module, names in pacha_git._HOME.items()}
    eager = {name for name in vars(pacha_git) if name[0].isupper() and name != "TYPE_CHECKING" and name != "Any"}
    lazy = set(" ".join(pacha_git._HOME.values()).split())
    assert {*lazy, "__version__"} <= set(pacha_git.__all__) <= {*lazy, *eager, "__version__"}
    assert set(pacha_git.__all__) <= set(dir(pacha_git))


def test_a_name_that_is_not_exported_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Regsitry'"):
        _ = pacha_git.Regsitry
