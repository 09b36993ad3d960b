"""A server made by ``init --shared`` keeps what was promised, whoever pushes with whatever force."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacha_git import Registry
from pacha_git.errors import InvalidInput, PachaError
from pacha_git.gitobjects.oid import Oid
from pacha_git.hooks.receive import Move, parse_moves, refusals
from pacha_git.registry.upkeep import keys
from tests.cli.conftest import run_inside, scripts
from tests.exchange import lines
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


def test_a_server_whose_path_does_not_lead_to_pacha_finds_it(
    push: Push, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
    code, said = push(f":{EVENTS}")
    assert (code, "events never go" in said) == (1, True)


def test_a_server_without_pacha_takes_nothing(push: Push, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
    hook = hub / "hooks/pre-receive"
    hook.write_text(re.sub(r"(?m)^PATH=.*$", 'PATH="/usr/local/bin:/usr/bin:/bin"', hook.read_text()))
    code, said = push(f":{EVENTS}")
    assert (code, "nothing can be checked" in said) == (1, True)


def test_what_git_says_is_read_as_it_is() -> None:
    assert parse_moves([b"%s %s refs/x\n" % (b"0" * 40, b"1" * 40)]) == [Move("refs/x", None, "1" * 40)]  # type: ignore[arg-type]
    for line in (b"", b"\n", b"a b c\n", b"0" * 40):
        with pytest.raises(InvalidInput):
            parse_moves([line])
    assert issubclass(InvalidInput, PachaError)


# What is none, what clashes, what sets nothing ------------------------------------------------------------------------


@pytest.fixture
def pushed_by_hand(here: Registry, hub: Path) -> Callable[[str, str], tuple[int, str]]:
    """Says what the hook makes of a commit of ours under a ref, as Git would ask it; no push is needed for that."""

    def run(oid: str, ref: str) -> tuple[int, str]:
        old = refs(hub).get(ref)
        move = Move(ref, Oid(old) if old else None, Oid(oid))
        found = refusals(hub, [move], {"GIT_QUARANTINE_PATH": str(here.path / "objects")})
        return int(bool(found)), "".join(f"{refused}: {why}" for refused, why in found.items())

    return run


PLACES = [
    ("refs/pacha/models/junk/1.0.0", "has no record.json"),
    ("refs/pacha/runs/01a2319b-a228-723e-81b6-3ff9781ddc9f", "is no run"),
    ("refs/pacha/payload/models/n/1.0.0", "address"),
    ("refs/notes/pacha/models/m/_attestations", "no notes commit"),
    ("refs/pacha/registry", "others changed the settings"),
]


def test_a_commit_that_is_none_of_ours(pushed_by_hand: Callable[[str, str], tuple[int, str]], here: Registry) -> None:
    tree = lines.tree(here.path, {"a": lines.blob(here.path, b"x")})
    junk = lines.commit(here.path, "refs/heads/junk", tree, None)
    for ref, why in PLACES:
        code, said = pushed_by_hand(junk, ref)
        assert code == 1
        assert f"{ref}: " in said
        assert why in said


BAD_SETTINGS: list[tuple[dict[str, bytes], str]] = [
    ({"a": b"x"}, "have no registry.toml"),
    ({"registry.toml": b"format = 1\n"}, "has no registry"),
    ({"registry.toml": b"format = 2\n"}, "newer pacha-git"),
    ({"registry.toml": b'format = 1\nregistry = "01890a5d-ac96-774b-bcce-b302099a8057"\n'}, "another registry"),
    ({"registry.toml": b"%s[policy]\nrequire_signatures = 1\n"}, "policy.require_signatures"),
    ({"registry.toml": b'%s[policy]\nsingle_steps = "true"\n'}, "policy.single_steps"),
    ({"registry.toml": b"%sx = 0x" + b"F" * 6000}, "beyond 64 bits"),
    ({"registry.toml": b"%s", "allowed_signers": b"\xff\xfe"}, "not UTF-8"),
]


def test_settings_that_nobody_can_use(
    pushed_by_hand: Callable[[str, str], tuple[int, str]], here: Registry, hub: Path
) -> None:
    now = git(here.path, "cat-file", "-p", "refs/pacha/registry:registry.toml").encode() + b"\n"
    tip = git(here.path, "rev-parse", "refs/pacha/registry")
    for files, why in BAD_SETTINGS:
        blobs = {name: lines.blob(here.path, data.replace(b"%s", now, 1)) for name, data in files.items()}
        made = lines.commit(here.path, "refs/heads/settings", lines.tree(here.path, blobs), tip)
        code, said = pushed_by_hand(made, "refs/pacha/registry")
        assert (code, why in said) == (1, True), said
    assert run_inside("--registry", hub, "fsck").code == 0


def test_names_that_clash(
    pushed_by_hand: Callable[[str, str], tuple[int, str]], here: Registry, tmp_path: Path
) -> None:
    for name, version in (("M", "2.0.0"), ("m", "1.0.0+b"), ("child", "1.0.0")):
        other = Registry.init(tmp_path / f"{name}{version}.git")
        if name == "child":
            other.models.register("base", [put(tmp_path / "base")], version="1.0.0")
        lineage = ["derived-from=base@1.0.0"] if name == "child" else []
        made = other.models.register(name, [put(tmp_path / "x")], version=version, lineage=lineage).commit
        ref = f"refs/pacha/models/{name}/{version}"
        git(here.path, "fetch", "-q", str(other.path), ref)
        code, said = pushed_by_hand(made, ref)
        assert code == 1, (name, version, said)
        assert ("comes from" if name == "child" else "differs only in") in said


NEW_LINES: list[tuple[dict[str, Any], bool]] = [
    ({"type_": "stage", "from": "development", "to": "production"}, False),
    ({"type_": "stage", "target": {"name": "other"}, "from": "staging", "to": "production"}, False),
    ({"type_": "alias", "name": "production", "op": "set"}, False),
    ({"type_": "alias", "target": {"version": "9.9.9"}, "name": "champion", "op": "set"}, False),
    ({"type_": "alias", "target": {"record": "blake3:" + "0" * 64}, "name": "champion", "op": "set"}, False),
    ({"type_": "a-type-of-tomorrow", "target": {"name": "other"}}, False),
    ({"type_": "a-type-of-tomorrow", "x": 1}, True),
    ({"type_": "alias", "name": "champion", "op": "set"}, True),
]


@pytest.mark.damaged  # what a hub refuses is left here, and this registry never had it from a pull
def test_lines_that_set_nothing(pushed_by_hand: Callable[[str, str], tuple[int, str]], here: Registry) -> None:
    tip = git(here.path, "rev-parse", EVENTS)
    for change, taken in NEW_LINES:
        git(here.path, "update-ref", EVENTS, tip)
        fields = dict(change)
        bad = lines.line(here.path, RECORD, fields.pop("type_"), **fields)
        made = lines.write(here.path, EVENTS, {git(here.path, "rev-parse", RECORD): [bad]})
        code, said = pushed_by_hand(made, EVENTS)
        assert (code == 0) is taken, (change, said)
        tip = made if taken else tip


@pytest.mark.damaged
def test_a_push_leaves_behind_what_the_hook_refuses_and_says_so(here: Registry, hub: Path, tmp_path: Path) -> None:
    bad = lines.line(here.path, RECORD, "stage", **{"from": "development", "to": "production"})
    lines.write(here.path, EVENTS, {git(here.path, "rev-parse", RECORD): [bad]})
    here.models.register("n", [put(tmp_path / "n")], version="1.0.0")
    done = here.push()
    refused = {each.ref: each.detail for each in done.refs if each.result == "refused"}
    assert refused.keys() == {EVENTS}
    assert "illegal" in refused[EVENTS]
    assert "refs/pacha/models/n/1.0.0" in refs(hub)
    assert run_inside("--registry", here.path, "push").code == 1


def test_a_hook_of_somebody_else_runs_after_ours(
    tmp_path: Path, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    hub = tmp_path / "hub.git"
    git(tmp_path, "init", "-q", "--bare", str(hub))
    theirs = hub / "hooks/pre-receive"
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_text('#!/bin/sh\ncat >"$(dirname "$0")/seen"\ntest ! -e "$(dirname "$0")/no"\n')
    theirs.chmod(0o755)
    done = run_inside("--registry", hub, "init", "--shared")
    assert "runs after ours" in done.err
    here = Registry.clone(str(hub), tmp_path / "here.git")
    here.models.register("m", [put(tmp_path / "m")], version="1.0.0")
    here.push()
    assert "refs/pacha/models/m/1.0.0" in (hub / "hooks/seen").read_text()
    deleted = subprocess.run(["git", "-C", here.path, "push", hub, f":{RECORD}"], check=False)
    assert deleted.returncode == 1
    (hub / "hooks/no").touch()
    here.models.stage("m@1.0.0", "staging")
    with pytest.raises(PachaError, match="refused"):
        here.push()


def test_a_folder_of_hooks_elsewhere_does_not_leave_the_registry_unguarded(
    tmp_path: Path, scripts: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    git(home, "config", "--global", "core.hooksPath", str(tmp_path / "mine"))
    done = run_inside("--registry", tmp_path / "hub.git", "init", "--shared")
    assert str(tmp_path / "mine") in done.err
    assert os.access(tmp_path / "hub.git/hooks/pre-receive", os.X_OK)
    assert not (tmp_path / "mine").exists()
    here = Registry.clone(str(tmp_path / "hub.git"), tmp_path / "here.git")
    here.models.register("m", [put(tmp_path / "m")], version="1.0.0")
    here.push()
    deleted = subprocess.run(
        ["git", "-C", here.path, "push", tmp_path / "hub.git", f":{RECORD}"], check=False, capture_output=True
    )
    assert b"a version never changes" in deleted.stderr


def test_files_of_the_settings_that_a_later_release_may_have_stay(here: Registry) -> None:
    tip = git(here.path, "rev-parse", "refs/pacha/registry")
    toml = git(here.path, "rev-parse", f"{tip}:registry.toml")
    later = lines.blob(here.path, b"policy of tomorrow")
    lines.commit(here.path, "refs/pacha/registry", lines.tree(here.path, {"registry.toml": toml, "policy": later}), tip)
    opened = Registry.open(here.path)
    opened.trust_key((keys.generate_key("ada").path or "") + ".pub", "ada@example.org")
    assert git(here.path, "rev-parse", "refs/pacha/registry:policy") == later
    assert "ada@example.org" in git(here.path, "cat-file", "-p", "refs/pacha/registry:allowed_signers")
