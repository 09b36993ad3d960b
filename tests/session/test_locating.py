from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pacha_git import NotFound, Registry
from tests.making import all_verify, git, noise, put, refs


@pytest.mark.parametrize(
    "name", ["with space", "ünïcödé 🦙", "new\nline", "quote'\"", "-dash", "a*b?[c]", "tab\there", "$HOME"]
)
def test_a_registry_may_lie_in_any_folder(tmp_path: Path, name: str) -> None:
    registry = Registry.init(tmp_path / name / "registry.git")
    registry.models.register("m", put(tmp_path / name / "m.bin", noise(400_000)), version="1.0.0")
    registry.models.stage("m@1.0.0", "staging")
    again = Registry.open(tmp_path / name / "registry.git")
    assert again.models.download("m@staging", tmp_path / name / "out").read_bytes() == noise(400_000)
    assert again.models.path("m").is_dir()
    assert again.gc(grace_days=0).kept
    all_verify(again)


def test_a_registry_named_by_a_dash(home: Path) -> None:
    made = Registry.init("-r")
    assert made.path == home / "-r"
    assert Registry.open("-r").models.list() == []


def test_a_relative_registry_is_below_where_one_stands(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACHA_REGISTRY", "sub/../r.git")
    (home / "sub").mkdir()
    registry = Registry.init()
    assert registry.created
    data = put(home / "m")
    monkeypatch.chdir(home / "sub")
    registry.models.register("m", data, version="1.0.0")
    assert registry.models.get("m").version == "1.0.0"
    monkeypatch.setenv("PACHA_REGISTRY", "../r.git")
    assert [each.name for each in Registry.open().models.list()] == ["m"]
    monkeypatch.setenv("PACHA_REGISTRY", "nowhere")
    with pytest.raises(NotFound, match=r"no registry at .*/sub/nowhere"):
        Registry.open()


def test_the_order_in_which_a_registry_is_looked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {name: Registry.init(home / f"{name}.git").path for name in ("said", "environment", "config", "stood-in")}
    at_home = Registry.init().path
    assert at_home == home / ".pacha" / "registry.git"
    assert Registry.open().path == at_home
    work = home / "work"
    subprocess.run(["git", "init", "--quiet", str(work)], check=True)
    monkeypatch.chdir(paths["stood-in"] / "refs")
    assert Registry.open().path == paths["stood-in"]
    subprocess.run(["git", "-C", str(work), "config", "pacha.registry", "../config.git"], check=True)
    (work / "deep").mkdir()
    monkeypatch.chdir(work / "deep")
    assert Registry.open().path.samefile(paths["config"])
    monkeypatch.setenv("PACHA_REGISTRY", str(paths["environment"]))
    assert Registry.open().path == paths["environment"]
    assert Registry.open(paths["said"]).path == paths["said"]


def test_git_config_may_begin_with_a_tilde(home: Path) -> None:
    made = Registry.init(home / "mine.git")
    subprocess.run(["git", "config", "--global", "pacha.registry", "~/mine.git"], check=True)
    assert Registry.open().path == made.path


def test_what_git_sets_for_hooks_and_aliases_is_ignored(
    tmp_path: Path, registry_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As git sets them in a hook of another repository; each would lead a git that obeys it there."""
    other = tmp_path / "other"
    subprocess.run(["git", "init", "--quiet", str(other)], check=True)
    subprocess.run(["git", "-C", str(other), "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    before = refs(other / ".git")
    index = tmp_path / "index"
    for name, value in {
        "GIT_DIR": other / ".git", "GIT_WORK_TREE": other, "GIT_INDEX_FILE": index, "GIT_PREFIX": "sub/",
        "GIT_OBJECT_DIRECTORY": other / ".git/objects", "GIT_COMMON_DIR": other / ".git", "GIT_NAMESPACE": "ns",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": tmp_path, "GIT_SHALLOW_FILE": tmp_path / "shallow", "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.bare", "GIT_CONFIG_VALUE_0": "nonsense", "GIT_QUARANTINE_PATH": tmp_path,
        "GIT_CONFIG_PARAMETERS": "'core.fsync=nonsense'", "GIT_GRAFT_FILE": tmp_path, "GIT_REPLACE_REF_BASE": "refs/x",
        "GIT_DEFAULT_HASH": "sha256", "GIT_TEMPLATE_DIR": tmp_path / "none",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    registry = Registry.init(registry_path)
    registry.models.register("m", put(tmp_path / "m", noise(400_000)), version="1.0.0")
    registry.models.stage("m@1.0.0", "staging")
    registry.gc(grace_days=0)
    all_verify(registry)
    for name in [name for name in os.environ if name.startswith("GIT_") and name != "GIT_CONFIG_NOSYSTEM"]:
        if name not in ("GIT_CONFIG_GLOBAL", "GIT_TERMINAL_PROMPT", "GIT_CEILING_DIRECTORIES"):
            monkeypatch.delenv(name)
    assert refs(other / ".git") == before
    assert "refs/pacha/models/m/1.0.0" in refs(registry_path)
    assert not index.exists()


def test_a_registry_keeps_no_reflogs_and_no_hooks(registry_path: Path) -> None:
    Registry.init(registry_path)
    assert not (registry_path / "logs").exists()
    assert not (registry_path / "hooks").exists()
    assert git(registry_path, "config", "gc.auto") == "0"


def test_stock_git_holds_little_of_a_registry_in_memory(registry_path: Path) -> None:
    Registry.init(registry_path)
    window = git(registry_path, "config", "--type=int", "core.packedGitWindowSize")
    most = git(registry_path, "config", "--type=int", "core.packedGitLimit")
    assert int(window) <= int(most) <= 128 << 20  # it holds all of it otherwise


def test_init_twice_keeps_what_is_there(registry_path: Path, tmp_path: Path) -> None:
    first = Registry.init(registry_path)
    first.models.register("m", put(tmp_path / "m"), version="1.0.0")
    before = refs(registry_path)
    second = Registry.init(registry_path)
    assert (first.created, second.created) == (True, False)
    assert refs(registry_path) == before


def test_the_root_is_the_same_in_every_registry(tmp_path: Path) -> None:
    one, two = (refs(Registry.init(tmp_path / name).path) for name in ("a.git", "b.git"))
    assert one["refs/pacha/root"] == two["refs/pacha/root"] == "7ff3960e1416db9c357e3d60610358e4e68c69be"
    assert one["refs/heads/main"] == two["refs/heads/main"]
    assert one["refs/pacha/registry"] != two["refs/pacha/registry"]
