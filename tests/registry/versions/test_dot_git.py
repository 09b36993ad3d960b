"""No payload holds what Git takes for its ``.git``: neither registered, nor arriving, nor written to a disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import PachaError, VerificationFailed
from pacha_git.format import paths
from tests.making import contents, folder

NAMES = [".GIT/hooks/post-checkout", "a/git~1/config", "a/b/.g\u200cit/config", ".git./config", "a/.git::$DATA"]


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_left_out_and_said(registry: Registry, tmp_path: Path, name: str) -> None:
    source = folder(tmp_path / "in", {name: b"evil", ".gitattributes": b"* -text", "x/.gitignore": b"*"})
    done = registry.models.register("m", source, version="1.0.0")
    assert ["left out" in notice for notice in done.notices] == [True]
    out = registry.models.download("m", tmp_path / "out")
    assert contents(out) == {".gitattributes": b"* -text", "x/.gitignore": b"*"}


@pytest.mark.damaged
@pytest.mark.parametrize("name", NAMES)
def test_one_that_another_program_wrote(
    registry: Registry, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder(tmp_path / "in", {name: b"evil", "good": b"good"})
    hub, evil = Registry.init(tmp_path / "hub.git"), Registry.init(tmp_path / "evil.git")
    with monkeypatch.context() as patched:
        for where in (paths, __import__("pacha_git.store.payload.sources", fromlist=["x"])):
            patched.setattr(where, "is_dot_git", lambda _: False)
        patched.setattr(paths, "_HAS_DOT_GIT", paths.re.compile(r"(?!)"))
        evil.models.register("m", source, version="1.0.0")
        evil.add_remote("hub", str(hub.path))
        evil.push()
    registry.add_remote("hub", str(hub.path))
    with pytest.raises(VerificationFailed, match="for its own"):
        registry.pull(payload="all")
    assert registry.models.list() == []
    for write in (lambda: evil.models.download("m", tmp_path / "out"), lambda: evil.models.path("m")):
        with pytest.raises(PachaError, match=r"\.git"):
            write()
    assert not (tmp_path / "out").exists()
    assert evil.fsck().problems
