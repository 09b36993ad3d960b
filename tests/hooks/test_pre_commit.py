"""The hooks as the real pre-commit runs them: installed from this checkout, offline, from wheels of the lock."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
WHEELHOUSE = REPOSITORY / ".wheelhouse"
SHIPPED = ("pyproject.toml", "LICENSE", "README.md", "git-pacha.1", "pacha_git", "hooks", ".pre-commit-hooks.yaml")
CONFIG = """\
repos:
- repo: {repo}
  rev: {rev}
  hooks:
  - id: pacha-recipe
  - id: pacha-card
"""
GOOD = 'name = "bert"\nversion = "1.0.0"\n[hyperparameters]\nlearning_rate = 1e-3\n'
BAD = 'name = "bert"\nversion = "1.0.0"\n[hyperparameters]\nlearning_rate = -1.0\n'


def git(*words: str, at: Path) -> str:
    return subprocess.run(["git", *words], cwd=at, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A repository with what this checkout ships, and its commit."""
    folder = tmp_path_factory.mktemp("source")
    for name in SHIPPED:
        place = REPOSITORY / name
        if place.is_dir():
            shutil.copytree(place, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        elif place.exists():
            shutil.copy(place, folder / name)
    git("init", "--quiet", at=folder)
    git("add", "--all", at=folder)
    git("commit", "--quiet", "--message", "as it is", at=folder)
    return folder, git("rev-parse", "HEAD", at=folder)


@pytest.fixture
def project(tmp_path: Path, source: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Somebody's project, with both hooks installed by pre-commit."""
    if not (WHEELHOUSE / ".filled").exists():
        pytest.fail("no wheelhouse: make test fills it")
    offline = {"NO_INDEX": "1", "FIND_LINKS": str(WHEELHOUSE), "CONFIG_FILE": os.devnull, "NO_COMPILE": "1"}
    for name, value in offline.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "pre-commit"))
    folder = tmp_path / "project"
    folder.mkdir()
    git("init", "--quiet", at=folder)
    (folder / ".pre-commit-config.yaml").write_text(CONFIG.format(repo=source[0], rev=source[1]))
    (folder / "pyproject.toml").write_text('[project]\nname = "x"\n')
    git("add", "--all", at=folder)
    pre_commit("install", at=folder)
    yield folder
    shutil.rmtree(tmp_path / "pre-commit", ignore_errors=True)  # 60 MB


def pre_commit(*words: str, at: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", *words], cwd=at, check=True, capture_output=True, text=True
    )


def commit(at: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "commit", "--message", "x"],
        cwd=at,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.timeout(400)  # it installs some thirty packages
def test_with_the_real_pre_commit(project: Path) -> None:
    (project / "bert.recipe.toml").write_text(BAD)
    (project / "card.md").write_text("---\nlicense: mit\ntags: [a\n---\n# Model Details\n\nA model.\n")
    git("add", "--all", at=project)
    refused = commit(project)
    assert refused.returncode == 1, refused.stdout
    assert "bert.recipe.toml:4: hyperparameters.learning_rate: must be a number above 0" in refused.stdout
    assert "card.md:4:1: not YAML" in refused.stdout

    (project / "bert.recipe.toml").write_text(GOOD)
    (project / "card.md").write_text("---\nlicense: mit\ntags: [a]\n---\n# Model Details\n\nA model.\n")
    git("add", "--all", at=project)
    (project / "bert.recipe.toml").write_text(BAD)  # not staged: no business of this commit
    accepted = commit(project)
    assert accepted.returncode == 0, accepted.stdout
    assert git("show", "HEAD:bert.recipe.toml", at=project) == GOOD.strip()
