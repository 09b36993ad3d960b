"""The program as it is really started: its names, its start-up, its streams, and Git in front of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Ended

Shell = Callable[..., Ended]
HEAVY = ("pygit2", "rich", "sqlite3", "cryptography", "pydantic", "dulwich", "tomlkit", "numpy", "pacha_git.registry")


@pytest.mark.parametrize(
    ("start", "spoken"),
    [
        (("git-pacha",), "git pacha"),
        (("git", "pacha"), "git pacha"),
        (("pacha",), "pacha"),
        ((sys.executable, "-m", "pacha_git"), "git pacha"),
    ],
    ids=["git-pacha", "git pacha", "pacha", "python -m"],
)
def test_it_starts_under_each_of_its_names(shell: Shell, start: tuple[str, ...], spoken: str) -> None:
    where = {"env": {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}}
    assert shell(*start, "version", **where).out.startswith("pacha-git ")
    assert shell(*start, "-h", **where).out.startswith(f"Usage: {spoken} [OPTIONS]")
    failed = shell(*start, "modle", **where)
    assert (failed.code, failed.out) == (2, "")
    assert f"`{spoken} model`" in failed.err


def loaded_by(*words: str) -> set[str]:
    code = (
        "import sys; from pacha_git.cli.main import main; status = main(['git-pacha', *sys.argv[1:]]); "
        "print(' '.join(sys.modules), file=sys.stderr); sys.exit(status)"
    )
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, cwd=repository, timeout=60
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("words", [("version",), ("-V",), ("version", "--json")], ids=" ".join)
def test_start_up_loads_little(words: tuple[str, ...]) -> None:
    assert not loaded_by(*words) & set(HEAVY)


@pytest.mark.parametrize("words", [("-h",), ("model", "-h"), ("model", "register", "-h"), ("completion", "bash")])
def test_help_loads_no_git_and_no_rich(words: tuple[str, ...]) -> None:
    assert not loaded_by(*words) & {"pygit2", "rich", "sqlite3", "cryptography"}


def test_a_reader_that_leaves_early(shell: Shell) -> None:
    ended = shell("bash", "-c", "set -o pipefail; git-pacha help model register | true; echo ${PIPESTATUS[0]}")
    assert ended.err == ""
    assert ended.out in ("0\n", "141\n")


def test_a_full_disk(shell: Shell) -> None:
    ended = shell("bash", "-c", "git-pacha version > /dev/full")
    assert ended.code == 1
    assert ended.err.startswith("Error: the output can't be written: No space left on device")


def test_closed_streams_end_without_a_traceback(shell: Shell) -> None:
    assert shell("bash", "-c", "git-pacha version >&-").code == 1
    assert shell("bash", "-c", "git-pacha version 2>&-").code == 0
    assert shell("bash", "-c", "git-pacha modle 2>&-").code == 2


def test_an_encoding_that_lacks_letters(shell: Shell) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    assert shell("git-pacha", "grüße", env=env).code == 2
    ended = shell("git-pacha", "--json", "grüße", env=env)
    assert json.loads(ended.err)["error"]["message"] == "no such command: git pacha grüße"


def test_a_folder_that_is_gone(shell: Shell) -> None:
    start = "mkdir gone && cd gone && rmdir ../gone && git-pacha"
    assert shell("bash", "-c", f"{start} version").code == 0
    ended = shell("bash", "-c", f"{start} --json --registry ../x stats")
    assert ended.code == 3
    assert ended.error["message"] == "the folder you stand in is gone"


def test_git_variables_of_a_hook_are_dropped(shell: Shell, tmp_path: Path) -> None:
    env = {**os.environ, "GIT_DIR": str(tmp_path / "elsewhere"), "GIT_INDEX_FILE": str(tmp_path / "index")}
    assert shell("git-pacha", "version", env=env).code == 0
