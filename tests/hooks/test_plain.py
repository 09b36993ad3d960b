"""The plain hook, as ``git commit`` runs it, and where ``hook install`` puts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git.errors import Conflict, NotFound
from pacha_git.hooks.install import install

REPOSITORY = Path(__file__).resolve().parents[2]
GOOD = 'name = "bert"\nversion = "1.0.0"\n[hyperparameters]\nlearning_rate = 1e-3\n'
BAD = GOOD.replace("1e-3", "0")
Git = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, with ``git-pacha`` of this checkout on the PATH."""
    tools = tmp_path / "bin"
    tools.mkdir()
    script = tools / "git-pacha"
    script.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from pacha_git.cli.main import main\nsys.exit(main())\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git("init", "--quiet")
    return folder


def git(*words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["git", *map(str, words)], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done
    return done


def test_the_shim_is_short_and_is_the_one_that_is_installed(project: Path) -> None:
    shim = REPOSITORY / "hooks" / "pre-commit"
    assert len(shim.read_text().splitlines()) < 20
    done, merge = install(project)
    assert done.path == project / ".git" / "hooks" / "pre-commit"
    assert done.path.read_bytes() == shim.read_bytes()
    assert merge.path.read_bytes() == (shim.parent / "pre-merge-commit").read_bytes()
    assert os.access(done.path, os.X_OK)
    assert (done.changed, done.former, done.shared) == (True, None, False)
    assert [again.changed for again in install(project)] == [False, False]


def test_a_commit_is_judged_by_what_is_staged(project: Path) -> None:
    git("pacha", "hook", "install")
    recipe = project / "bert.recipe.toml"
    recipe.write_text(BAD)
    (project / "notes.md").write_text("# Notes\n")
    git("add", ".")
    recipe.write_text(GOOD)  # mended on disk alone
    refused = git("commit", "-m", "x", check=False)
    assert refused.returncode == 1
    assert (
        "bert.recipe.toml:4: hyperparameters.learning_rate: must be a number above 0" in refused.stdout + refused.stderr
    )
    git("add", ".")
    recipe.write_text(BAD)
    git("commit", "-m", "x")
    # `commit -a` and `commit PATH` make the commit from another index than .git/index.
    assert git("commit", "-a", "-m", "y", check=False).returncode == 1
    assert git("commit", "-m", "y", "--", "bert.recipe.toml", check=False).returncode == 1
    git("commit", "--no-verify", "-a", "-m", "y")


def test_in_another_work_tree(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("commit", "--allow-empty", "-m", "first")
    git("worktree", "add", "--quiet", tmp_path / "other")
    done, _ = install(tmp_path / "other")
    assert done.path == project / ".git" / "hooks" / "pre-commit"
    monkeypatch.chdir(tmp_path / "other")
    Path("card.md").write_text("---\nlicense: [\n---\n")
    git("add", ".")
    assert git("commit", "-m", "x", check=False).returncode == 1


def test_without_the_program_nothing_is_committed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(project)
    (project / "x").write_text("x")
    git("add", ".")
    monkeypatch.setenv("PATH", os.defpath)
    done = git("commit", "-m", "x", check=False)
    assert done.returncode == 1
    assert "pip install pacha-git" in done.stderr


def test_hooks_path_is_respected(project: Path, tmp_path: Path) -> None:
    git("config", "core.hooksPath", "tools/hooks")
    assert [(done.path, done.shared) for done in install(project)] == [
        (project / "tools/hooks" / name, False) for name in ("pre-commit", "pre-merge-commit")
    ]
    git("config", "core.hooksPath", tmp_path / "everywhere")
    assert [(done.path, done.shared) for done in install(project)] == [
        (tmp_path / "everywhere" / name, True) for name in ("pre-commit", "pre-merge-commit")
    ]
    said = git("pacha", "hook", "install").stderr
    assert "core.hooksPath leads out of the repository" in said


def test_a_hook_of_somebody_else_stays(project: Path) -> None:
    hook = project / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(Conflict, match="somebody else's") as refused:
        install(project)
    assert "git-pacha hook run pre-commit || exit 1" in refused.value.hint
    assert hook.read_text() == "#!/bin/sh\nexit 0\n"
    said = git("pacha", "hook", "install", "--force")
    former = hook.with_name("pre-commit.former")
    assert former.read_text() == "#!/bin/sh\nexit 0\n"
    assert "pre-commit.former" in said.stderr
    assert b"git-pacha hook run" in hook.read_bytes()
    hook.write_text("#!/bin/sh\n")
    with pytest.raises(Conflict, match="former is there already"):
        install(project, force=True)


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no Git repository"):
        install(tmp_path)
    with pytest.raises(NotFound, match="no such folder"):
        install(tmp_path / "absent")


def test_words_and_answers(project: Path) -> None:
    (project / "bert.recipe.toml").write_text(BAD)
    (project / "card.md").write_text("---\nlanguage: no\n---\n# Uses\n\nMany.\n")
    done = git("pacha", "hook", "run", "pacha-recipe", "bert.recipe.toml", "card.md", "--json", check=False)
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert [(file["path"], file["kind"]) for file in answer["files"]] == [("bert.recipe.toml", "recipe")]
    assert answer["files"][0]["problems"][0]["line"] == 4
    card = git("pacha", "hook", "run", "pacha-card", "card.md", check=False)
    assert card.returncode == 1
    assert card.stdout.startswith("card.md:2:1: language: must be a text or a list of texts, not false (no, off")
    assert "Model Details" in card.stderr
    assert git("pacha", "hook", "run", "nonsense", check=False).returncode == 3
    assert git("pacha", "hook", "run", "pacha-card", "absent.md", check=False).returncode == 3
    (project / "card.md").write_text("---\nlanguage: 'no'\n---\n# Uses\n\nMany.\n")
    assert git("pacha", "hook", "run", "pacha-card", "card.md").stdout == "1 document checked.\n"
    strict = git("pacha", "hook", "run", "pacha-card", "--strict", "card.md", check=False)
    assert strict.returncode == 1
    assert "card.md: no section 'Model Details'" in strict.stdout


def test_many_staged_files_of_every_kind(project: Path) -> None:
    install(project)
    names = [f"{n:03} übung.md" for n in range(300)]
    for name in names:
        (project / name).write_text("# Notes\n")
    (project / "line\nbreak.card.md").write_text("---\nlicense: mit\n---\n")
    (project / "link.card.md").symlink_to("absent")
    (project / "empty.card.md").touch()
    git("add", ".")
    git("commit", "-m", "x")
    (project / "line\nbreak.card.md").write_text("---\nlicense: [\n---\n")
    (project / "empty.card.md").unlink()
    git("add", ".")
    refused = git("commit", "-m", "y", check=False)
    assert refused.returncode == 1
    assert "line\\nbreak.card.md:3:1: not YAML" in refused.stdout + refused.stderr
