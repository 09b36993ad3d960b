"""The stories of CONTRIBUTING.md are done as they stand there, in a copy of the package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
STORIES = dict(re.findall(r"^### (Add a .+?)\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r"```(python|console)\n(.*?)```", re.DOTALL)


def edit(folder: Path, code: str) -> None:
    """Do what a block of code says: make a file, or put lines after or before the line that begins so."""
    head, _, lines = code.partition("\n")
    if head.startswith("# new file: "):
        (folder / head.removeprefix("# new file: ")).write_text(lines)
        return
    path, where, mark = re.fullmatch(r"# (\S+), (after|before): (.*)", head).groups()
    rows = (folder / path).read_text().split("\n")
    at = next(number for number, row in enumerate(rows) if row.startswith(mark)) + (where == "after")
    rows[at:at] = lines.rstrip("\n").split("\n") if where == "after" else lines.split("\n")[:-1]
    (folder / path).write_text("\n".join(rows))


def typed(folder: Path, session: str) -> None:
    """Type the commands of a session into a shell, and compare what they print; an ellipsis stands for what varies."""
    tools = folder / "bin"
    tools.mkdir()
    program = tools / "git-pacha"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m pacha_git "$@"\n')
    program.chmod(0o755)
    work = folder / "work"
    work.mkdir()
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(folder)}
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=work,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        pattern = ".*".join(re.escape(piece) for piece in expected.strip().split("…"))
        assert re.match(pattern, ended.stdout, re.DOTALL), (command, ended.stdout)


@pytest.mark.parametrize("title", [title for title, body in STORIES.items() if "```console" in body])
def test_a_story_can_be_followed(title: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "pacha_git", tmp_path / "pacha_git", ignore=shutil.ignore_patterns("__pycache__"))
    blocks = BLOCK.findall(STORIES[title])
    for language, text in blocks:
        if language == "python":
            edit(tmp_path, text)
    for language, text in blocks:
        if language == "console":
            typed(tmp_path, text)


def test_there_are_four_stories() -> None:
    assert list(STORIES) == ["Add a file format", "Add a verb", "Add a store", "Add a kind"]
