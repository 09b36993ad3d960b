"""The walk through the rooms names functions and modules that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "pacha_git"
STEP = re.compile(r"`([a-z_]+(?:/[a-z_]+)*\.py)(?::(\w+))?`")
WALK = ROOT / "docs/architecture.md"


def steps() -> list[tuple[str, str]]:
    return sorted({step for step in STEP.findall(WALK.read_text()) if not step[0].startswith("tools/")})


def defined(module: Path) -> set[str]:
    return {
        node.name for node in ast.parse(module.read_text()).body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


@pytest.mark.parametrize(("path", "name"), steps())
def test_a_step_of_the_walk_exists(path: str, name: str) -> None:
    assert (PACKAGE / path).is_file(), path
    assert not name or name in defined(PACKAGE / path), f"{path} has no {name}"


def test_the_walk_goes_through_every_room() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    told = {path.partition("/")[0] for path, _ in steps()} | set(re.findall(r"`(\w+)`", WALK.read_text()))
    assert rooms <= told


def test_the_glossary_is_sorted_and_says_each_word_once() -> None:
    words = re.findall(r"^\| ([^|]+?) \|", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)[1:]
    assert words == sorted(set(words), key=str.lower)
