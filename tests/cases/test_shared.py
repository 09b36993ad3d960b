"""What ``init --shared`` promises is in force whatever its maker has set, and ``doctor`` looks whether it is."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Registry
from tests.cli.conftest import Ended
from tests.making import git, noise, put

Pacha = Callable[..., Ended]
VERSION = "refs/pacha/models/m/1.0.0"
WRITTEN = ("pacha", "refs", "hooks")


@pytest.fixture
def made(registry_path: Path, tmp_path: Path, pacha: Pacha) -> Callable[[], Registry]:
    """A function that makes a shared registry with a version, so that a test can set things up before."""

    def make() -> Registry:
        assert pacha("init", registry_path, "--shared").code == 0
        registry = Registry.open(registry_path)
        registry.models.register("m", put(tmp_path / "m", noise(400_000)), version="1.0.0")
        return registry

    return make


def push_deletion(registry: Registry, **settings: str) -> bool:
    """Whether a stock push that deletes a version went through."""
    words = ["git", "--git-dir", str(registry.path), "push", "--quiet", str(registry.path), f":{VERSION}"]
    subprocess.run(words, capture_output=True, check=False, env={**os.environ, **settings})
    return VERSION not in git(registry.path, "for-each-ref", "--format=%(refname)")


def found(registry: Registry, check: str) -> tuple[str, str]:
    each = next(each for each in registry.doctor() if each.check == check)
    return each.state, each.message


def test_the_hook_of_the_registry_runs_whatever_the_accounts_have_set(
    made: Callable[[], Registry], home: Path, tmp_path: Path
) -> None:
    others = tmp_path / "hooks"
    others.mkdir()
    put(tmp_path / "template/hooks/pre-receive", b"#!/bin/sh\nexit 0\n").chmod(0o755)
    for key, value in (("core.hooksPath", others), ("init.templateDir", tmp_path / "template")):
        subprocess.run(["git", "config", "--global", key, str(value)], check=True)
    registry = made()
    assert list(others.iterdir()) == []
    assert not push_deletion(registry)
    assert found(registry, "hook")[0] == "ok"
    subprocess.run(["git", "config", "--global", "--unset", "core.hooksPath"], check=True)
    assert not push_deletion(registry)


def test_a_hook_that_does_not_run_is_found_and_put_back(
    made: Callable[[], Registry], tmp_path: Path, pacha: Pacha
) -> None:
    registry = made()
    (registry.path / "hooks/pre-receive").unlink()
    assert found(registry, "hook")[0] == "problem"
    assert pacha("init", registry.path, "--shared").code == 0
    assert found(registry, "hook")[0] == "ok"
    (tmp_path / "elsewhere").mkdir()
    git(registry.path, "config", "core.hooksPath", str(tmp_path / "elsewhere"))
    state, said = found(registry, "hook")
    assert (state, str(tmp_path / "elsewhere") in said) == ("problem", True)
    assert pacha("--registry", registry.path, "doctor").code != 0
    assert pacha("init", registry.path, "--shared").code == 0
    assert not push_deletion(registry)


def test_a_registry_that_was_moved_says_that_its_hook_is_lost(
    made: Callable[[], Registry], tmp_path: Path, pacha: Pacha
) -> None:
    registry = made()
    registry.close()
    registry.path.rename(tmp_path / "moved.git")
    moved = Registry.open(tmp_path / "moved.git")
    assert found(moved, "hook")[0] == "problem"
    assert pacha("init", moved.path, "--shared").code == 0
    assert (found(moved, "hook")[0], push_deletion(moved)) == ("ok", False)


def test_settings_of_the_command_that_go_past_the_hook_are_found(
    made: Callable[[], Registry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = made()
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'core.hooksPath'='{tmp_path}'")
    each = next(each for each in registry.doctor() if each.check == "hook")
    assert (each.state, "git -c" in each.hint) == ("problem", True)


@pytest.mark.parametrize("umask", [pytest.param(0o022, marks=pytest.mark.soak), 0o077])
def test_the_group_may_write_what_every_member_writes(made: Callable[[], Registry], tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        registry = made()
        hub = Registry.init(tmp_path / "hub.git")
        registry.add_remote("origin", str(hub.path))
        registry.models.stage("m@1.0.0", "staging")
        going, ended = (registry.runs.start(own=own) for own in (False, True))
        for run in (going, ended):
            run.log(loss=1.0)
            run.artifact(put(tmp_path / "left/deep/file").parent)
        ended.finish()
        with registry.batch():
            for number in range(20):
                registry.models.register("n", put(tmp_path / "n"), version=f"1.{number}.0")
        registry.search("m")
        registry.push()
        registry.pull()
        registry.gc(grace_days=0)
        registry.models.remove("n@1.1.0", reason="gone")
        places = [path for name in WRITTEN for path in [registry.path / name, *(registry.path / name).rglob("*")]]
        kept = {path: stat.S_IMODE(path.stat().st_mode) for path in places}
    finally:
        os.umask(before)
    assert any("runs/" in str(path) for path in kept)
    for path, mode in kept.items():
        wanted = 0o070 if path.is_dir() else 0o060
        assert mode & wanted == wanted, f"{path.relative_to(registry.path)} is {mode:04o}"
    for path in registry.path.rglob("*"):
        assert path.stat().st_mode & 0o040, f"the group can't read {path}"
    assert found(registry, "group")[0] == "ok"


def test_rights_that_are_lacking_are_put_right_by_their_owner(made: Callable[[], Registry]) -> None:
    registry = made()
    (registry.path / "pacha/index.sqlite").chmod(0o644)
    (registry.path / "refs/pacha").chmod(0o755)
    assert found(registry, "group")[0] == "fixed"
    assert (registry.path / "pacha/index.sqlite").stat().st_mode & 0o020
    assert found(registry, "group")[0] == "ok"


def test_what_is_one_s_own_stays_so(registry_path: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        registry = Registry.init(registry_path)
        registry.models.register("m", put(tmp_path / "m"), version="1.0.0")
        registry.runs.start(own=False).log(loss=1.0)
    finally:
        os.umask(before)
    assert not any(path.stat().st_mode & 0o077 for path in (registry_path / "pacha").rglob("*"))
    assert {each.check for each in registry.doctor()}.isdisjoint({"hook", "group"})
