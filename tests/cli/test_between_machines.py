"""Remotes, clone, fetch, pull, push, status and settings, between two registries and a bare repository."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Ended, run_inside

Run = Callable[..., Ended]


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    path = tmp_path / "hub.git"
    subprocess.run(["git", "init", "-q", "--bare", str(path)], check=True)
    return path


@pytest.fixture
def here(at: Run, hub: Path, tmp_path: Path) -> Run:
    (tmp_path / "m").write_bytes(b"hello world")
    assert at("data", "register", "d", tmp_path / "m", "-v", "1.0.0").code == 0
    assert at("model", "register", "m", tmp_path / "m", "-v", "1.0.0", "--data", "d@1.0.0").code == 0
    assert at("remote", "add", "origin", hub).code == 0
    return at


@pytest.fixture
def there(tmp_path: Path) -> Run:
    def run(*words: str | Path) -> Ended:
        return run_inside("--registry", tmp_path / "there.git", *words)

    return run


def test_remotes_are_added_listed_and_removed(here: Run, hub: Path) -> None:
    assert here("remote", "list", "--json").json == [{"name": "origin", "url": str(hub)}]
    assert str(hub) in here("remote", "list").out
    assert here("remote", "add", "origin", "elsewhere").code == 4
    assert here("remote", "remove", "origin").code == 0
    assert here("remote", "list", "--json").json == []


def test_there_and_back(here: Run, there: Run, hub: Path, tmp_path: Path) -> None:
    pushed = here("push", "--json")
    assert pushed.code == 0, pushed
    assert set(pushed.json) == {"refs", "bytes", "objects", "payloads"}
    assert all({"ref", "result"} <= set(ref) for ref in pushed.json["refs"])
    assert pushed.json["payloads"] == 2
    assert here("push").out.startswith("Pushed to origin: nothing new")
    cloned = there("clone", hub, "--json")
    assert cloned.code == 0, cloned
    assert cloned.json["path"] == str(tmp_path / "there.git")
    assert there("model", "get", "m", "--json").json["payload"] == "thin"
    assert there("verify", "m@1.0.0", "--json").json["results"][0]["payload_ok"] is None
    assert there("model", "cat", "m").code != 0
    assert there("pull", "m@1.0.0", "--json").json["payloads"] == 1
    assert there("data", "get", "d", "--json").json["payload"] == "thin"
    assert there("model", "cat", "m").raw == b"hello world"


def test_the_first_word_is_a_remote_if_one_has_that_name(here: Run, there: Run, hub: Path) -> None:
    assert here("push", "origin", "m@1.0.0").code == 0
    assert there("clone", hub).code == 0
    assert there("pull", "origin").code == 0
    assert there("pull", "origin", "m@1.0.0").code == 0
    assert there("pull", "nowhere").code == 3


def test_fetch_and_status(here: Run, there: Run, hub: Path, tmp_path: Path) -> None:
    assert here("push").code == 0
    assert there("clone", hub).code == 0
    assert here("model", "stage", "m@1.0.0", "-t", "staging").code == 0
    assert here("push").code == 0
    fetched = there("fetch", "--json")
    assert fetched.code == 0
    assert there("model", "get", "m", "--json").json["stage"] == "development"
    status = there("status", "--json").json
    assert status["path"] == str(tmp_path / "there.git")
    assert status["remotes"][0]["behind"]
    assert "to pull" in there("status").out
    assert there("pull").code == 0
    assert there("model", "get", "m", "--json").json["stage"] == "staging"


def test_a_dry_run_sends_nothing(here: Run, hub: Path) -> None:
    assert here("push", "--dry-run").out
    assert subprocess.run(["git", "-C", str(hub), "show-ref"], capture_output=True, check=False).stdout == b""


def test_two_different_versions_of_one_name(here: Run, there: Run, hub: Path, tmp_path: Path) -> None:
    assert there("init").code == 0
    (tmp_path / "m").write_bytes(b"something else")
    assert there("model", "register", "m", tmp_path / "m", "-v", "1.0.0").code == 0
    assert there("remote", "add", "origin", hub).code == 0
    assert here("push").code == 0
    refused = there("push", "--json")
    assert refused.code == 4
    assert refused.error["code"] == "conflict"
    assert "conflict" in {ref["result"] for ref in refused.json["refs"]}


def test_settings_travel_with_a_clone(here: Run, there: Run, hub: Path) -> None:
    assert here("push").code == 0
    assert there("clone", hub).code == 0
    ours = here("settings", "--json").json
    assert ours == there("settings", "show", "--json").json
    assert ours["format"] == 1
    assert there("fetch").code == 0
    assert there("settings", "adopt", "origin").code == 0


def test_a_signer_trusted_after_the_first_push_gets_around(here: Run, there: Run, tmp_path: Path) -> None:
    assert here("push").code == 0
    assert there("clone", tmp_path / "hub.git").code == 0
    made = here("key", "generate", "--json").json
    assert here("key", "trust", f"{made['path']}.pub", "--as", "ada@example.org").code == 0
    assert here("sign", "m@1.0.0").code == 0
    assert here("push").code == 0
    assert "git pacha settings publish origin" in here("status").out
    assert here("settings", "publish", "origin", "--json").json == here("settings", "--json").json
    assert "settings differ" not in here("status").out
    assert there("pull").code == 0
    stranger = there("verify", "m@1.0.0")
    assert stranger.code == 0
    assert "unsigned" in stranger.out
    assert "whom this registry does not trust, vouches for it" in stranger.out
    assert "git pacha settings adopt origin" in there("status").out
    assert there("settings", "adopt", "origin").code == 0
    assert there("verify", "m@1.0.0", "--json").json["results"][0]["signer"] == "ada@example.org"


def test_settings_of_others_are_not_pushed_away(here: Run, there: Run, tmp_path: Path) -> None:
    assert here("push").code == 0
    assert there("clone", tmp_path / "hub.git").code == 0
    for side, name in ((here, "one"), (there, "two")):
        made = side("key", "generate", name, "--json").json
        assert side("key", "trust", f"{made['path']}.pub", "--as", f"{name}@example.org").code == 0
    assert here("settings", "publish", "origin").code == 0
    refused = there("settings", "publish", "origin")
    assert refused.code == 4
    assert "settings adopt" in refused.err
    assert there("fetch").code == 0
    assert there("settings", "adopt", "origin").code == 0
    assert there("settings", "publish", "origin").code == 0
    assert here("fetch").code == 0
    assert here("settings", "adopt", "origin").code == 0
    assert len(here("settings", "--json").json["allowed_signers"]) == 2


@pytest.mark.parametrize("there_already", [True, False])
def test_a_folder_is_a_remote_wherever_one_stands(
    at: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there_already: bool
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    hub = tmp_path / "work/hub.git"
    if there_already:
        subprocess.run(["git", "init", "-q", "--bare", hub], check=True)
    assert at("remote", "add", "origin", "hub.git").code == 0
    subprocess.run(["git", "init", "-q", "--bare", hub], check=True)
    monkeypatch.chdir(tmp_path)
    assert at("push").code == 0
    assert at("remote", "list", "--json").json == [{"name": "origin", "url": str(hub)}]


@pytest.mark.parametrize("url", ["git@example.org:m.git", "example.org:m", "https://example.org/m", "file:///srv/m"])
def test_what_is_no_folder_stays_as_it_was_typed(at: Run, url: str) -> None:
    assert at("remote", "add", "origin", url, "--json").json == {"name": "origin", "url": url}


def test_an_empty_remote_was_fetched_all_the_same(at: Run, hub: Path) -> None:
    assert at("remote", "add", "origin", hub).code == 0
    assert "never fetched" in at("status").out
    assert at("fetch").code == 0
    assert "never fetched" not in at("status").out
    assert at("remote", "remove", "origin").code == 0
    assert at("remote", "add", "origin", hub).code == 0
    assert "never fetched" in at("status").out


@pytest.mark.parametrize("url", ["/nowhere/hub.git", "file:///nowhere/hub.git", "git://127.0.0.1:1/x"])
def test_a_remote_that_is_not_there(at: Run, pacha: Run, tmp_path: Path, url: str) -> None:
    assert at("remote", "add", "origin", url).code == 0
    for words in (("fetch",), ("pull",), ("push",)):
        ended = at(*words, "--json")
        assert ended.code == 1, ended
        assert ended.error["code"] == "failed"
    ended = pacha("--registry", tmp_path / "clone.git", "clone", url)
    assert ended.code == 1
    assert not (tmp_path / "clone.git").exists()
