"""Settings are put into a configuration file in one piece, and git reads them as if it had written them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pacha_git.git.configfile import put_values, read_values
from pacha_git.git.repo import GitRepository
from pacha_git.system import process

SETTINGS = {"core.fsync": "all", "gc.auto": "0", "core.packedGitLimit": "128m"}


def git(*words: str | Path) -> str:
    return subprocess.run(
        ["git", "config", *map(str, words)], capture_output=True, check=True, text=True
    ).stdout.strip()


@pytest.mark.parametrize(
    "before", ["", "[core]\n\tbare = true\n", "[core]\n\tbare = true", '[remote "o"]\n\turl = x\n']
)
def test_git_reads_what_was_put(tmp_path: Path, before: str) -> None:
    file = tmp_path / "config"
    file.write_text(before)
    had = read_values(file)
    put_values(file, SETTINGS)
    assert {key: git("--file", file, "--get", key) for key in SETTINGS} == SETTINGS
    assert had.items() <= read_values(file).items()


def test_putting_again_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.touch()
    put_values(file, SETTINGS)
    once = file.read_bytes()
    put_values(file, SETTINGS)
    assert file.read_bytes() == once


def test_another_value_is_replaced_however_often_it_is_said(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("[gc]\n\tauto = 7\n[GC]\n\tAuto = 8\n[user]\n\tname = Ada\n")
    put_values(file, SETTINGS)
    assert read_values(file)["gc.auto"] == ["0"]
    assert git("--file", file, "user.name") == "Ada"


def test_a_repository_takes_few_processes_to_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(process.subprocess, "Popen", lambda *words, **rest: started.append(1) or popen(*words, **rest))
    GitRepository.create(tmp_path / "r.git")
    assert 1 <= len(started) <= 2
