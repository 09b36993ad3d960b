"""Whatever stock Git made or was told to make is right, or is named as what it is with the next command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import NotFound, PachaError, RemoteError
from tests.cli.conftest import Ended
from tests.making import all_verify, git, noise, put

Pacha = Callable[..., Ended]


def stock(*words: str | Path) -> str:
    done = subprocess.run(["git", *map(str, words)], capture_output=True, check=True, text=True)
    return done.stdout


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    made = Registry.init(registry_path)
    made.models.register("m", put(tmp_path / "m.bin", noise(1_000_000)), version="1.0.0")
    return made


@pytest.fixture
def hub(registry: Registry, tmp_path: Path) -> Path:
    """A stock bare repository that has all of the registry, and may be cloned in part."""
    path = tmp_path / "hub.git"
    stock("init", "--quiet", "--bare", path)
    git(path, "config", "uploadpack.allowFilter", "true")
    registry.add_remote("origin", str(path))
    registry.push()
    return path


def test_a_mirror_clone_pushes_and_pulls(registry: Registry, hub: Path, tmp_path: Path) -> None:
    stock("clone", "--quiet", "--mirror", hub, tmp_path / "mirror.git")
    git(tmp_path / "mirror.git", "config", "remote.origin.prune", "true")
    mirror = Registry.open(tmp_path / "mirror.git")
    mirror.models.register("n", put(tmp_path / "n"), version="1.0.0")
    assert not mirror.push().conflicts
    registry.pull()
    registry.models.register("o", put(tmp_path / "o"), version="1.0.0")
    registry.push()
    mirror.pull(specs=["o"])
    assert [info.name for info in mirror.models.list()] == ["m", "n", "o"]
    mirror.models.remove("n@1.0.0", reason="gone")
    mirror.push()
    all_verify(mirror)


@pytest.mark.damaged
@pytest.mark.parametrize("kept", ["blob:limit=100k", "blob:none"])
def test_a_partial_clone_is_named_and_can_be_made_whole(hub: Path, tmp_path: Path, pacha: Pacha, kept: str) -> None:
    part = tmp_path / "part.git"
    stock("clone", "--quiet", "--mirror", f"--filter={kept}", f"file://{hub}", part)
    line = f"git -C {part} fetch --refetch --no-filter origin"
    if kept == "blob:none":
        with pytest.raises(NotFound, match="partial clone") as caught:
            Registry.open(part)
        assert caught.value.hint == line
        assert line in pacha("--registry", part, "doctor").out
    else:
        done = pacha("--registry", part, "doctor")
        assert (done.code != 0, line in done.out) == (True, True)
        [result] = Registry.open(part).verify(["m"])
        assert (result.payload_ok, result.problems) == (None, ())
        with pytest.raises(NotFound, match="partial clone") as caught:
            Registry.open(part).models.download("m", tmp_path / "out")
        assert caught.value.hint == line
    subprocess.run(line.split(), check=True, capture_output=True)
    whole = Registry.open(part)
    assert [result.payload_ok for result in whole.verify(all=True)] == [True]
    assert whole.fsck().problems == ()


def test_a_hub_with_sha256_names_is_named_as_that(registry: Registry, tmp_path: Path) -> None:
    stock("init", "--quiet", "--bare", "--object-format=sha256", tmp_path / "new.git")
    registry.add_remote("new", str(tmp_path / "new.git"))
    work = tmp_path / "work"
    for full in (False, True):
        if full:
            stock("init", "--quiet", "--object-format=sha256", work)
            stock("-C", work, "commit", "--quiet", "--allow-empty", "-m", "x")
            stock("-C", work, "push", "--quiet", tmp_path / "new.git", "HEAD:refs/heads/main")
        with pytest.raises(RemoteError) as caught:
            registry.push("new")
        assert "--object-format=sha1" in caught.value.hint
        with pytest.raises(PachaError):
            Registry.clone(str(tmp_path / "new.git"), tmp_path / f"clone-{full}.git")


def test_a_folder_of_somebody_else_as_remote_is_named_as_that(
    registry: Registry, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock("config", "--global", "safe.directory", registry.path)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    # Newer Gits serve it to whoever may read it, and then there is nothing to name.
    refuses = subprocess.run(["git", "ls-remote", str(hub)], capture_output=True, check=False).returncode != 0
    for act in (registry.pull, registry.fetch):
        if not refuses:
            act()
            continue
        with pytest.raises(RemoteError, match="owner is another user") as caught:
            act()
        assert caught.value.hint.endswith(f"git config --global --add safe.directory {hub}")
    monkeypatch.delenv("GIT_TEST_ASSUME_DIFFERENT_OWNER")


def test_packs_with_an_index_of_version_1_are_read(registry: Registry, hub: Path, tmp_path: Path) -> None:
    stock("config", "--global", "pack.indexVersion", "1")
    far = Registry.clone(str(hub), tmp_path / "far.git", payload="all")
    indexes = list((far.path / "objects/pack").glob("*.idx"))
    assert any(index.read_bytes()[:4] != b"\xfftOc" for index in indexes)
    again = far.models.register("m", put(tmp_path / "m2.bin", noise(1_000_000) + b"more"), version="1.1.0")
    assert again.shared_bytes > 700_000
    far.models.download("m@1.0.0", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == noise(1_000_000)
    git(far.path, "repack", "-adq")
    assert far.fsck().problems == ()
    far.models.register("m", tmp_path / "m.bin", version="1.2.0")
    all_verify(far)


@pytest.mark.parametrize("value", ["files", '"files"', "files ; as ever"])
def test_the_files_backend_may_be_named(registry: Registry, tmp_path: Path, value: str) -> None:
    config = registry.path / "config"
    text = config.read_text().replace("repositoryformatversion = 0", "repositoryformatversion = 1")
    config.write_text(f"{text}[extensions]\n\tobjectFormat = sha1\n\trefStorage = {value}\n")
    opened = Registry.open(registry.path)
    assert [info.name for info in opened.models.list()] == ["m"]
    with pytest.raises(NotFound):
        opened.models.get("nothing")
    config.write_text(text)


def test_a_reftable_is_refused(registry: Registry) -> None:
    config = registry.path / "config"
    text = config.read_text()
    config.write_text(f"{text}[extensions]\n\trefStorage = reftable\n")
    with pytest.raises(PachaError, match="reftable"):
        Registry.open(registry.path)
    config.write_text(text)


def test_bare_repositories_that_must_be_named_are(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pacha: Pacha
) -> None:
    stock("config", "--global", "safe.bareRepository", "explicit")
    monkeypatch.chdir(registry.path)
    assert pacha("model", "register", "n", put(tmp_path / "n"), "-v", "1.0.0").code == 0
    assert pacha("init", "--shared", tmp_path / "shared.git").code == 0
    registry.add_remote("shared", str(tmp_path / "shared.git"))
    assert not registry.push("shared").conflicts
    assert registry.gc().freed_bytes >= 0
    monkeypatch.chdir(tmp_path)
    stock("config", "--global", "--unset", "safe.bareRepository")


def test_what_git_archive_gives_are_the_bytes(registry_path: Path, tmp_path: Path, home: Path) -> None:
    """A text of many lines, whatever the person has Git do with line ends and attributes."""
    text = b"".join(b"%d of the lines\n" % number for number in range(30_000))
    registry = Registry.init(registry_path)
    registry.datasets.register("d", put(tmp_path / "d.txt", text), version="1.0.0")
    put(home / ".attributes", b"* text eol=crlf ident\n*.txt filter=shout export-subst\n")
    settings = {
        "core.autocrlf": "true",
        "core.attributesFile": home / ".attributes",
        "filter.shout.smudge": "tr a-z A-Z",
    }
    for key, value in settings.items():
        stock("config", "--global", key, value)
    ref = "refs/pacha/payload/datasets/d/1.0.0:chunked/d.txt"
    for words in (["--git-dir", registry.path, "archive", ref], ["archive", f"--remote={registry.path}", ref]):
        archive = subprocess.run(["git", *map(str, words)], capture_output=True, check=True).stdout
        assert subprocess.run(["tar", "xO"], input=archive, capture_output=True, check=True).stdout == text


def test_the_environment_of_a_hook_leads_nowhere(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pacha: Pacha
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    assert pacha("--registry", registry.path, "model", "stage", "m@1.0.0", "-t", "staging").code == 0
    for name in [name for name in os.environ if name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CONFIG")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("GIT_OBJECT_DIRECTORY", raising=False)
