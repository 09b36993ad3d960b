"""The independent reader of runs takes what pacha wrote, and refuses every tampering by stock git."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import blake3
import pytest

from pacha_git import Registry
from tests.contract import run_reader
from tests.making import git, put

Run = dict[str, Any]


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    made = Registry.init(registry_path)
    made.datasets.register("tx", put(tmp_path / "tx.csv"), version="1.0.0")
    with made.run(data="tx@1.0.0", params={"lr": 0.1}) as run:
        run.log({"loss": 0.5, "b": float("nan")}, step=3)
        run.log({"loss": float("inf")}, step=1)
        run.artifact(put(tmp_path / "plot.png"))
        made.models.register("m", put(tmp_path / "m.bin"), version="1.0.0", run=run)
    made.run().log(loss=1.0)
    return made


def test_what_pacha_wrote_is_read(registry: Registry) -> None:
    found = run_reader.check(str(registry.path))
    assert list(found["runs"].values()) == ["completed", "running"]
    assert found["problems"] == []


def rewrite(path: Path, run_id: str, change: Callable[[Run], Any], *, parent: str = "", params: bytes = b"") -> None:
    """Let stock git put another commit in the place of a run's last, or after it."""
    ref = f"refs/pacha/runs/{run_id}"
    run = json.loads(git(path, "cat-file", "blob", f"{ref}:run.json"))
    change(run)
    data = json.dumps(run, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    raw = git(path, "cat-file", "commit", ref)
    old = git(path, "rev-parse", f"{ref}:run.json").strip()
    new = git(path, "hash-object", "-w", "--stdin", stdin=data).strip()
    entries = git(path, "ls-tree", ref).replace(old, new)
    if params:
        kept = git(path, "rev-parse", f"{ref}:params.toml").strip()
        entries = entries.replace(kept, git(path, "hash-object", "-w", "--stdin", stdin=params).strip())
    tree = git(path, "mktree", stdin=entries.encode()).strip()
    hexdigest = blake3.blake3(data).hexdigest()
    lines = raw.replace(raw[:45], f"tree {tree}", 1).split("\n")
    lines = [f"Pacha-Record: blake3:{hexdigest}" if line.startswith("Pacha-Record") else line for line in lines]
    lines = [f"Pacha-Status: {run['status']}" if line.startswith("Pacha-Status") else line for line in lines]
    if parent:
        lines = [f"parent {parent}" if line.startswith("parent") else line for line in lines]
    body = "\n".join(lines).rstrip("\n") + "\n"
    commit = git(path, "hash-object", "-w", "-t", "commit", "--stdin", stdin=body.encode()).strip()
    git(path, "update-ref", ref, commit)


TAMPERINGS: dict[str, tuple[Callable[[Run], Any], str]] = {
    "another summary": (lambda run: run["metrics"]["loss"].update(last=0.75), "summary is not that of its points"),
    "a metric more": (lambda run: run["metrics"].update(x=run["metrics"]["loss"]), "other metrics than points"),
    "a metric that is true": (lambda run: run["metrics"]["loss"].update(last=True), "bad summary"),
    "another file": (lambda run: run["content"]["files"][0].update(size=1), "not the content"),
    "another address": (lambda run: run["content"].update(address="blake3:" + "0" * 64), "not the content"),
    "other inputs": (lambda run: run.update(inputs=[]), "began otherwise"),
    "another start": (lambda run: run.update(started_at="2020-01-01T00:00:00Z"), "began otherwise"),
    "an end without a time": (lambda run: run.update(finished_at=None), "ended by half"),
    "a time without an end": (lambda run: run.update(status="running"), "ended by half"),
    "another author": (lambda run: run.update(by="Eve <eve@example.org>"), "not the one that its run.json makes"),
    "another date": (lambda run: run.update(at="2020-01-01T00:00:00Z"), "not the one that its run.json makes"),
    "a newer format": (lambda run: run.update(format=2), "another format"),
    "a key too few": (lambda run: run.pop("error"), "a key is missing"),
    "an unknown status": (lambda run: run.update(status="done"), "status"),
}


@pytest.mark.damaged
@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampering_is_refused_by_the_reader_and_by_fsck(registry: Registry, name: str) -> None:
    change, expected = TAMPERINGS[name]
    rewrite(registry.path, registry.runs.list()[0].id, change)
    problems = run_reader.check(str(registry.path))["problems"]
    assert any(expected in problem for problem in problems), problems
    assert registry.fsck().problems


@pytest.mark.damaged
def test_what_comes_after_the_end_is_refused(registry: Registry) -> None:
    run = registry.runs.list()[0]
    rewrite(registry.path, run.id, lambda said: said.update(status="failed"), parent=run.commit)
    (problem, *_) = run_reader.check(str(registry.path))["problems"]
    assert "goes on after its end" in problem
    assert any("comes after the run was completed" in problem for problem in registry.fsck().problems)


@pytest.mark.damaged
def test_other_parameters_are_refused(registry: Registry) -> None:
    run = registry.runs.list()[0]
    rewrite(registry.path, run.id, lambda said: None, params=b"lr = 0.2\n")
    assert any("other params.toml" in problem for problem in run_reader.check(str(registry.path))["problems"])
    assert any("params.toml" in problem for problem in registry.fsck().problems)


@pytest.mark.damaged
def test_a_model_of_a_run_that_is_not_there_is_refused(registry: Registry) -> None:
    run = registry.runs.list()[0]
    git(registry.path, "update-ref", "-d", f"refs/pacha/runs/{run.id}")
    assert any("another run, or none" in problem for problem in run_reader.check(str(registry.path))["problems"])
    assert any("which is not here" in problem for problem in registry.fsck().problems)
