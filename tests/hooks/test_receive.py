"""A server made by ``init --shared`` keeps what was promised, whoever pushes with whatever force."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import InvalidInput, PachaError
from pacha_git.hooks.receive import Move, parse_moves
from tests.cli.conftest import run_inside, scripts
from tests.making import all_verify, git, put, refs

__all__ = ["scripts"]

Push = Callable[..., tuple[int, str]]
EVENTS = "refs/notes/pacha/models/m/_events"
RECORD = "refs/pacha/models/m/1.0.0"
PAYLOAD = "refs/pacha/payload/models/m/1.0.0"


@pytest.fixture
def hub(tmp_path: Path, scripts: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bare registry for a server, with git-pacha on its PATH."""
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    done = run_inside("--registry", tmp_path / "hub.git", "init", "--shared")
    assert done.code == 0, done
    return tmp_path / "hub.git"


@pytest.fixture
def here(hub: Path, tmp_path: Path) -> Registry:
    """A clone that has pushed a model, an event and a run."""
    registry = Registry.clone(str(hub), tmp_path / "here.git")
    registry.models.register("m", [put(tmp_path / "m", b"hello world")], version="1.0.0")
    registry.models.stage("m@1.0.0", "staging")
    with registry.run(params={"lr": 1}) as run:
        run.log(loss=1.0)
    registry.push()
    return registry


@pytest.fixture
def push(here: Registry, hub: Path) -> Push:
    """Stock git pushes with force."""

    def run(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            ["git", "-C", here.path, "push", "--force", "--no-verify", hub, *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stderr

    return run


def test_what_init_shared_makes(hub: Path) -> None:
    assert git(hub, "config", "core.sharedRepository") == "1"
    assert git(hub, "config", "receive.unpackLimit") == "1"
    assert (hub / "objects").stat().st_mode & stat.S_ISGID
    assert (hub / "objects").stat().st_mode & stat.S_IWGRP
    assert (hub / "pacha").stat().st_mode & stat.S_IWGRP
    assert os.access(hub / "hooks/pre-receive", os.X_OK)
    assert len((hub / "hooks/pre-receive").read_text().splitlines()) < 20
    assert "git pacha clone" in git(hub, "show", "main:README.md")
    assert run_inside("--registry", hub, "init", "--shared").code == 0


def test_everything_that_is_meant_goes_through(here: Registry, hub: Path, tmp_path: Path) -> None:
    other = Registry.clone(str(hub), tmp_path / "other.git", payload="all")
    other.models.alias("m", "best", version="1.0.0")
    here.models.stage("m@1.0.0", "production")
    other.push()
    here.push()
    here.models.register("m", [put(tmp_path / "m", b"more")], version="2.0.0")
    here.push()
    here.models.remove("m@1.0.0", reason="no consent")
    here.push()
    assert PAYLOAD not in refs(hub)
    assert "payload/models/m/2.0.0" in "".join(refs(hub))
    all_verify(Registry.open(hub))


@pytest.mark.parametrize("ref", [RECORD, PAYLOAD, EVENTS, "refs/pacha/registry", "refs/pacha/root"])
def test_nothing_goes(push: Push, hub: Path, ref: str) -> None:
    before = refs(hub)
    code, said = push(f":{ref}")
    assert code == 1
    assert "pre-receive hook declined" in said
    assert f"remote: {ref}: " in said
    assert refs(hub) == before


@pytest.mark.parametrize("ref", [RECORD, PAYLOAD, EVENTS, "refs/pacha/registry", "refs/pacha/root"])
def test_nothing_is_replaced(push: Push, hub: Path, here: Registry, ref: str) -> None:
    before = refs(hub)
    tree = git(here.path, "rev-parse", f"{before[ref]}^{{tree}}")
    other = git(here.path, "commit-tree", tree, "-m", "forged")
    code, said = push(f"{other}:{ref}")
    if ref == EVENTS:  # a commit without history that has all lines takes nothing away
        assert code == 0
        return
    assert code == 1, said
    assert refs(hub) == before


def test_events_only_grow(push: Push, hub: Path, here: Registry) -> None:
    before = refs(hub)
    empty = git(here.path, "commit-tree", git(here.path, "mktree", stdin=b""), "-m", "nothing happened")
    code, said = push(f"{empty}:{EVENTS}")
    assert code == 1
    assert "events that are here are missing there" in said
    assert refs(hub) == before


def test_a_run_only_goes_on(push: Push, hub: Path, here: Registry) -> None:
    before = refs(hub)
    ref = next(ref for ref in before if ref.startswith("refs/pacha/runs/"))
    first = git(here.path, "rev-list", "--max-parents=0", before[ref]).splitlines()[-1]
    for new in ("", first, before[RECORD]):
        code, said = push(f"{new}:{ref}")
        assert code == 1, said
    assert refs(hub) == before


def test_places_that_are_none(push: Push, hub: Path) -> None:
    tip = refs(hub)[RECORD]
    for ref in ("refs/pacha/models/m/not-a-version", "refs/pacha/odd/m/1.0.0", "refs/notes/pacha/models/m/_other"):
        assert push(f"{tip}:{ref}")[0] == 1
    assert push(f"{tip}:refs/pacha/tmp/0/1")[0] == 0
    assert push(":refs/pacha/tmp/0/1")[0] == 0
    assert push(f"{tip}:refs/heads/topic")[0] == 0


def test_removed_bytes_do_not_come_back(push: Push, hub: Path, here: Registry) -> None:
    bytes_there = refs(hub)[PAYLOAD]
    here.models.remove("m@1.0.0", reason="no consent")
    here.push()
    code, said = push(f"{bytes_there}:{PAYLOAD}")
    assert code == 1
    assert "were removed" in said


def test_a_machine_without_pacha_takes_everything(push: Push, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
    assert push(f":{EVENTS}")[0] == 0


def test_what_git_says_is_read_as_it_is() -> None:
    assert parse_moves([b"%s %s refs/x\n" % (b"0" * 40, b"1" * 40)]) == [Move("refs/x", None, "1" * 40)]  # type: ignore[arg-type]
    for line in (b"", b"\n", b"a b c\n", b"0" * 40):
        with pytest.raises(InvalidInput):
            parse_moves([line])
    assert issubclass(InvalidInput, PachaError)
