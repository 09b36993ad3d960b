"""Bytes go where they need not be, and come back; removed ones go everywhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import InvalidInput, NotFound, PachaError, RemoteError
from tests import servers
from tests.making import all_verify, noise, put, refs

from .syncing import bare

SIZE = 1 << 20


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return bare(tmp_path / "hub.git")


@pytest.fixture
def here(tmp_path: Path, hub: Path) -> Registry:
    """Two models that share half of their bytes, and one that has its own."""
    registry = Registry.init(tmp_path / "here.git")
    registry.add_remote("origin", str(hub))
    registry.models.register("m", [put(tmp_path / "w", noise(SIZE, 1))], version="1.0.0")
    registry.models.register("m", [put(tmp_path / "w", noise(SIZE, 1)[: SIZE // 2])], version="1.1.0")
    registry.models.register("other", [put(tmp_path / "w", noise(SIZE, 2))], version="1.0.0")
    return registry


def disk(path: Path) -> int:
    return sum(file.stat().st_size for file in (path / "objects").rglob("*") if file.is_file())


def test_there_and_back(here: Registry) -> None:
    here.push()
    before = disk(here.path)
    dropped = here.evict(["m@1.0.0", "other"])
    assert [(each.name, each.version, each.size, each.remote) for each in dropped] == [
        ("m", "1.0.0", SIZE, "origin"),
        ("other", "1.0.0", SIZE, "origin"),
    ]
    assert here.models.get("m@1.0.0").payload == "thin"
    assert here.models.get("m@1.1.0").payload == "here"
    with pytest.raises(PachaError):
        b"".join(here.models.cat("m@1.0.0"))
    here.gc(grace_days=0)
    assert disk(here.path) < before - SIZE - SIZE // 4
    all_verify(here)
    assert b"".join(here.models.cat("m@1.1.0")) == noise(SIZE, 1)[: SIZE // 2]
    assert here.pull(specs=["m@1.0.0"]).payloads == 1
    assert b"".join(here.models.cat("m@1.0.0")) == noise(SIZE, 1)
    all_verify(here)
    assert here.evict(["other"]) == []


def test_by_a_pattern(here: Registry) -> None:
    here.push()
    assert {each.version for each in here.evict(["m@*"])} == {"1.0.0", "1.1.0"}
    assert not [ref for ref in refs(here.path) if "payload/models/m/" in ref]


def test_what_no_remote_has_stays(here: Registry, hub: Path) -> None:
    before = refs(here.path)
    for prepare in (lambda: None, lambda: here.push(payload="none"), lambda: here.push(specs=["m@1.0.0"])):
        prepare()
        with pytest.raises(PachaError, match="no remote has the bytes of") as refused:
            here.evict(["m@1.0.0", "other@1.0.0"])
        assert "git pacha push other@1.0.0" in refused.value.hint or "m@1.0.0" in refused.value.hint
    assert {ref: oid for ref, oid in refs(here.path).items() if "remotes" not in ref} == before


@pytest.mark.damaged
def test_it_is_asked_now_not_remembered(here: Registry, hub: Path) -> None:
    here.push()
    subprocess.run(["git", "-C", hub, "update-ref", "-d", "refs/pacha/payload/models/m/1.0.0"], check=True)
    with pytest.raises(PachaError, match="no remote has"):
        here.evict(["m@1.0.0"])
    other = refs(hub)["refs/pacha/payload/models/other/1.0.0"]
    subprocess.run(["git", "-C", hub, "update-ref", "refs/pacha/payload/models/m/1.0.0", other], check=True)
    with pytest.raises(PachaError, match="no remote has"):
        here.evict(["m@1.0.0"])
    assert here.models.get("m@1.0.0").payload == "here"


def test_any_remote_will_do(here: Registry, tmp_path: Path) -> None:
    here.add_remote("backup", str(bare(tmp_path / "backup.git")))
    here.push("backup")
    here.push("origin", specs=["other"])
    dropped = here.evict(["m@1.0.0", "other"])
    assert {each.name: each.remote for each in dropped} == {"m": "backup", "other": "origin"}
    here.pull(specs=["m@1.0.0", "other@1.0.0"])
    all_verify(here)


def test_a_remote_that_is_away(here: Registry, hub: Path, tmp_path: Path) -> None:
    here.push()
    hub.rename(tmp_path / "elsewhere")
    with pytest.raises(RemoteError):
        here.evict(["m@1.0.0"])
    here.remove_remote("origin")
    with pytest.raises(NotFound, match="no remote"):
        here.evict(["m@1.0.0"])
    assert here.models.get("m@1.0.0").payload == "here"
    with pytest.raises(NotFound):
        here.evict(["nothing@1.0.0"])
    with pytest.raises(InvalidInput):
        here.evict([])


@pytest.mark.server
def test_through_a_server(here: Registry, git_daemon: servers.Served) -> None:
    here.remove_remote("origin")
    here.add_remote("origin", git_daemon.url)
    here.push()
    here.evict(["other@1.0.0"])
    here.gc(grace_days=0)
    here.pull(specs=["other@1.0.0"])
    assert b"".join(here.models.cat("other@1.0.0")) == noise(SIZE, 2)


def test_removed_bytes_are_freed_here_and_there(here: Registry, hub: Path, tmp_path: Path) -> None:
    here.push()
    clone = Registry.clone(str(hub), tmp_path / "clone.git", payload="all")
    sizes = disk(here.path), disk(hub)
    here.models.remove("other@1.0.0", reason="no consent")
    here.gc(grace_days=0)
    assert disk(here.path) < sizes[0] - SIZE // 2
    assert "refs/pacha/payload/models/other/1.0.0" in refs(hub)
    here.push()
    assert "refs/pacha/payload/models/other/1.0.0" not in refs(hub)
    subprocess.run(["git", "-C", hub, "gc", "-q", "--prune=now"], check=True)
    assert disk(hub) < sizes[1] - SIZE // 2
    clone.pull()
    assert clone.models.get("other@1.0.0").payload == "removed"
    clone.push()
    assert "refs/pacha/payload/models/other/1.0.0" not in refs(hub)
    assert [each.remote for each in clone.evict(["other@1.0.0"])] == [None]
    clone.gc(grace_days=0)
    assert disk(clone.path) < sizes[0] - SIZE // 2
    assert here.evict(["other@1.0.0"]) == []
    all_verify(here)
    all_verify(clone)
