"""Settings count however a person gives them to Git, and only what ties to another repository is dropped."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacha_git import Registry
from pacha_git.errors import NotFound, PachaError
from pacha_git.system.environment import clean_environment
from tests.cli.conftest import Ended
from tests.making import put

Pacha = Callable[..., Ended]


def given(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    """As ``GIT_CONFIG_COUNT`` gives settings; ``__`` stands for a dot."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for at, (key, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{at}", key.replace("__", "."))
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{at}", value)


def author(registry: Registry) -> str:
    return registry.models.get("m").created_by


def config_in(environment: dict[str, str], key: str) -> str:
    done = subprocess.run(["git", "config", "--get", key], env=environment, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def test_settings_of_one_command_name_author_registry_and_signature(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pacha: Pacha
) -> None:
    other = Registry.init(tmp_path / "other.git")
    assert pacha("key", "generate").code == 0
    given(monkeypatch, user__name="Bot", user__email="b@x.org", pacha__registry=str(other.path))
    assert pacha("model", "register", "m", put(tmp_path / "m"), "-v", "1.0.0").code == 0
    assert author(other) == "Bot <b@x.org>"
    assert other.models.get("m").signed_by is None
    given(monkeypatch, pacha__registry=str(other.path), pacha__sign__default="yes")
    assert pacha("model", "register", "m", put(tmp_path / "m"), "-v", "2.0.0").code == 0
    assert other.models.get("m").signed_by is not None


def test_what_git_dash_c_hands_down_counts(
    registry_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'user.name'='It'\\''s a bot' 'user.email=old@style.org'")
    registry = Registry.init(registry_path)
    registry.models.register("m", put(tmp_path / "m"), version="1.0.0")
    assert author(registry) == "It's a bot <old@style.org>"


def test_a_setting_that_changes_within_a_second_counts(
    registry_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry.init(registry_path)
    for at, name in enumerate(("One", "Two")):
        given(monkeypatch, user__name=name)
        registry.models.register("m", put(tmp_path / "m"), version=f"1.{at}.0")
        assert author(registry).startswith(name)


@pytest.mark.parametrize("key", ["core.worktree", "Core.Bare", "core.repositoryFormatVersion", "extensions.refStorage"])
def test_what_ties_to_another_repository_is_dropped(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, **{"a__b": "1", key: "elsewhere", "c__d": "2"})
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'e.f'='x y' '{key}'='elsewhere' '{key}=elsewhere' 'g.h'=")
    left = clean_environment()
    assert config_in(left, key) == ""
    assert [config_in(left, each) for each in ("a.b", "c.d", "e.f")] == ["1", "2", "x y"]
    subprocess.run(["git", "config", "--get", "g.h"], env=left, check=True)


def test_the_author_is_git_s_own(
    registry_path: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry.init(registry_path)
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n[author]\n\tname = Grace\n")
    monkeypatch.setenv("EMAIL", "mail@example.org")
    registry.models.register("m", put(tmp_path / "m"), version="1.0.0")
    assert author(registry) == "Grace <mail@example.org>"
    assert author(registry) in subprocess.run(["git", "var", "GIT_AUTHOR_IDENT"], capture_output=True, text=True).stdout


def test_where_a_git_file_leads_nowhere_the_person_s_settings_hold(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = Registry.init(tmp_path / "team.git")
    subprocess.run(["git", "config", "--global", "pacha.registry", str(team.path)], check=True)
    put(tmp_path / "tree/.git", b"gitdir: /nowhere/.git/worktrees/tree\n")
    monkeypatch.chdir(tmp_path / "tree")
    registry = Registry.open()
    assert registry.path == team.path
    registry.models.register("m", put(tmp_path / "m"), version="1.0.0")
    assert author(registry) == "Ada Tester <ada@example.org>"


@pytest.mark.parametrize("said", ["~no-such-user-here/team.git", None])
def test_a_registry_setting_that_can_t_be_read_is_no_registry_at_all(said: str | None, home: Path) -> None:
    Registry.init(home / ".pacha/registry.git")
    with (home / ".gitconfig").open("a") as file:
        file.write("[pacha]\n\tregistry" + (f" = {said}\n" if said else "\n"))
    with pytest.raises(PachaError, match=r"pacha\.registry") as caught:
        Registry.open()
    assert "--show-origin" in caught.value.hint


def test_a_file_of_settings_that_git_can_t_read_is_named(registry_path: Path, home: Path, tmp_path: Path) -> None:
    registry = Registry.init(registry_path)
    (home / ".gitconfig").write_text("[user\n")
    with pytest.raises(PachaError, match=r"bad config line 1 in file .*gitconfig"):
        registry.models.register("m", put(tmp_path / "m"), version="1.0.0")
    (home / ".gitconfig").unlink()


def test_who_has_no_home_is_told(registry_path: Path, monkeypatch: pytest.MonkeyPatch, pacha: Pacha) -> None:
    registry = Registry.init(registry_path)
    registry.models.register("m", put(registry_path.parent / "m"), version="1.0.0")

    def nobody(*_: Any) -> Any:
        raise KeyError("no such uid")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in [name for name in os.environ if name == "HOME" or name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    assert pacha("--registry", registry_path, "model", "list").code == 0
    for words in (
        ("model", "list"),
        ("key", "generate"),
        ("key", "list"),
        ("--registry", registry_path, "model", "path", "m"),
    ):
        done = pacha(*words)
        assert (done.code, "home" in done.err) == (3, True), words
    with pytest.raises(NotFound):
        Registry.open(registry_path.parent / "nothing.git")
    assert pacha("--registry", "~no-such-user-here/x.git", "model", "list").code == 2
