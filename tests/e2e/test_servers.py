"""The main job through real Git servers: register, push, clone, pull, download, and the same bytes come back."""

from __future__ import annotations

import filecmp
import multiprocessing
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pacha_git import PachaError, Registry
from pacha_git.errors import NotFound, RemoteError
from tests import servers

URL = Callable[[], str]


@pytest.fixture(params=["file", "git", "ssh", "http", "http with a password", "our own"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty bare repository behind each kind of server."""
    fixtures = {
        "git": "git_daemon",
        "ssh": "ssh_server",
        "http": "http_server",
        "http with a password": "http_auth_server",
        "our own": "own_server",
    }
    if request.param == "file":
        subprocess.run(["git", "init", "-q", "--bare", tmp_path / "hub.git"], check=True)
        yield f"file://{tmp_path}/hub.git"
    else:
        served: servers.Served = request.getfixturevalue(fixtures[request.param])
        yield served.url


def registry_with_a_model(folder: Path, name: str = "here") -> Registry:
    made = Registry.init(folder / f"{name}.git")
    (folder / "rows.csv").write_text("a,b\n1,2\n")
    (folder / "weights.bin").write_bytes(bytes(range(256)) * 4000)
    made.datasets.register("rows", folder / "rows.csv", version="1.0.0")
    made.models.register("m", [folder / "weights.bin"], version="1.0.0", data="rows@1.0.0")
    return made


def test_there_and_back(url: str, tmp_path: Path) -> None:
    here = registry_with_a_model(tmp_path)
    here.models.stage("m@1.0.0", "production", reason="it is good")
    here.add_remote("origin", url)
    pushed = here.push()
    assert pushed.payloads == 2
    assert {ref.result for ref in here.push().refs} <= {"up-to-date"}
    there = Registry.clone(url, tmp_path / "there.git")
    assert [version.payload for version in there.models.list()] == ["thin"]
    assert there.pull(specs=["m@production"]).payloads == 1
    out = there.models.download("m@1.0.0", tmp_path / "out.bin")
    assert filecmp.cmp(out, tmp_path / "weights.bin", shallow=False)
    assert there.datasets.get("rows").payload == "thin"
    there.models.stage("m@1.0.0", "archived", reason="it was not")
    there.push()
    here.pull()
    assert here.models.get("m").stage == "archived"
    assert here.models.history("m") == there.models.history("m")
    assert all(result.ok for result in there.verify(all=True))


def test_a_real_model_through_git_daemon(git_daemon: servers.Served, minilm_folder: Path, tmp_path: Path) -> None:
    here = Registry.init(tmp_path / "here.git")
    here.models.register("all-MiniLM-L6-v2", [minilm_folder], version="1.0.0")
    here.add_remote("origin", git_daemon.url)
    here.push()
    there = Registry.clone(git_daemon.url, tmp_path / "there.git")
    there.pull(specs=["all-MiniLM-L6-v2@1.0.0"])
    there.models.download("all-MiniLM-L6-v2", tmp_path / "out")
    assert_same_folder(minilm_folder, tmp_path / "out" / minilm_folder.name)


@pytest.mark.soak
def test_a_real_model_through_any_server(url: str, minilm_folder: Path, tmp_path: Path) -> None:
    here = Registry.init(tmp_path / "here.git")
    here.models.register("all-MiniLM-L6-v2", [minilm_folder], version="1.0.0")
    here.add_remote("origin", url)
    here.push()
    there = Registry.clone(url, tmp_path / "there.git", payload="all")
    there.models.download("all-MiniLM-L6-v2", tmp_path / "out")
    assert_same_folder(minilm_folder, tmp_path / "out" / minilm_folder.name)


def assert_same_folder(one: Path, other: Path) -> None:
    if not other.exists():
        other = other.parent
    files = sorted(
        path.relative_to(one) for path in one.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    assert files
    for path in files:
        assert filecmp.cmp(one / path, other / path, shallow=False), path


@pytest.mark.parametrize(
    "url",
    [
        "/nowhere/hub.git",
        "file:///nowhere/hub.git",
        "git://127.0.0.1:1/x",
        "http://127.0.0.1:1/x",
        "ssh://127.0.0.1:1/x",
    ],
)
def test_a_remote_that_is_not_there(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -F none -o BatchMode=yes -o ConnectTimeout=2")
    here = registry_with_a_model(tmp_path)
    here.add_remote("origin", url)
    for verb in (here.fetch, here.pull, here.push):
        with pytest.raises(RemoteError) as raised:
            verb()
        assert "\n" not in raised.value.message
        assert raised.value.message.startswith("origin: ")
        assert len(raised.value.message) > len("origin: git gave up")
        assert raised.value.hint
    with pytest.raises(RemoteError) as raised:
        Registry.clone(url, tmp_path / "there.git")
    assert "remote list" not in raised.value.hint  # there is no registry that would have one
    assert not (tmp_path / "there.git").exists()


def test_unknown_remotes_and_what_is_no_registry(git_daemon: servers.Served, tmp_path: Path) -> None:
    here = registry_with_a_model(tmp_path)
    with pytest.raises(NotFound, match="no remote is known"):
        here.push()
    with pytest.raises(NotFound, match="no remote elsewhere"):
        here.pull("elsewhere")
    with pytest.raises(RemoteError, match="is no registry") as raised:
        Registry.clone(git_daemon.url, tmp_path / "there.git")
    assert "git pacha push" in raised.value.hint
    here.add_remote("origin", git_daemon.url.replace("registry.git", "other.git"))
    with pytest.raises(RemoteError, match=r"other\.git"):
        here.pull()


def test_a_wrong_password_is_said_at_once(http_auth_server: servers.Served, tmp_path: Path) -> None:
    here = registry_with_a_model(tmp_path)
    here.add_remote("wrong", http_auth_server.url.replace("open%20sesame", "closed"))
    here.add_remote("none", http_auth_server.url.replace("ada:open%20sesame@", ""))
    for name in ("wrong", "none"):
        with pytest.raises(RemoteError) as raised:
            here.push(name)
        assert "credentials" in raised.value.hint
        assert "sesame" not in raised.value.message


def stage_and_push(path: Path, number: int, failures: multiprocessing.SimpleQueue[str]) -> None:
    registry = Registry.open(path)
    try:
        for round_ in range(2):
            file = path.parent / f"{number}-{round_}.bin"
            file.write_bytes(b"%d %d" % (number, round_) * 100)
            registry.models.register("shared", [file], version=f"{number}.{round_}.0")
            registry.models.stage(f"shared@{number}.{round_}.0", "staging", reason=f"{number} says so")
            registry.push()
    except PachaError as error:
        failures.put(f"{number}: {error.message} ({error.hint})")


def test_machines_that_push_at_once_lose_nothing(git_daemon: servers.Served, tmp_path: Path) -> None:
    first = registry_with_a_model(tmp_path)
    first.add_remote("origin", git_daemon.url)
    first.push()
    others = [Registry.clone(git_daemon.url, tmp_path / f"other-{number}.git") for number in range(1, 4)]
    spawn = multiprocessing.get_context("spawn")
    failures = spawn.SimpleQueue()
    processes = [
        spawn.Process(target=stage_and_push, args=(other.path, number, failures))
        for number, other in enumerate(others, 1)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(100)
    assert failures.empty(), failures.get()
    first.pull(payload="all")
    versions = {(v.version, v.stage, v.payload) for v in first.models.list("shared")}
    assert versions == {(f"{n}.{r}.0", "staging", "here") for n in (1, 2, 3) for r in range(2)}
    assert len(first.models.history("shared")) == 6
    subprocess.run(["git", "-C", git_daemon.path, "fsck", "--strict", "--full"], check=True)


PROMISE = """\
#!/bin/sh
case $1 in
refs/pacha/models/*) git rev-parse -q --verify "refs/pacha/payload/${1#refs/pacha/}" >/dev/null || exit 1 ;;
esac
"""


def test_nobody_who_reads_meanwhile_sees_a_promise_without_its_bytes(
    git_daemon: servers.Served, tmp_path: Path
) -> None:
    here = registry_with_a_model(tmp_path)
    here.add_remote("origin", git_daemon.url)
    hook = git_daemon.path / "hooks" / "update"
    hook.write_text(PROMISE)
    hook.chmod(0o755)
    assert here.push().payloads == 2
