"""What happens while a push or pull is under way poisons neither it nor the next ones, and what a server refuses holds
back nothing else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacha_git import PachaError, Registry, RemoteError
from pacha_git.exchange import send, sync
from tests.exchange.syncing import bare, clone, model, names, registry
from tests.making import all_verify, git


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return bare(tmp_path / "hub.git")


def begun(here: Registry) -> str:
    """A run that goes on, with a point."""
    run = here.run()
    run.__enter__()
    run.log({"loss": 0.5}, step=1)
    return run.id


def ends(path: Path, run: str) -> None:
    Registry.open(path).runs.finish(run)


def staged(path: Path, run: str) -> None:
    other = Registry.open(path)
    other.models.stage("m@1.0.0", "staging")
    other.models.tag("m@1.0.0", ["late=yes"])


def removed(path: Path, run: str) -> None:
    Registry.open(path).models.remove("m@1.0.0", reason="leaked")


def undone(path: Path, run: str) -> None:
    Registry.open(path).models.remove("m@1.0.0", unpushed=True)


def registered(path: Path, run: str) -> None:
    model(Registry.open(path), "m", "2.0.0")


SOAK = pytest.mark.soak
EVERY = (ends, staged, removed, undone, registered)


def once(work: Callable[[], None], module: Any, name: str, patch: pytest.MonkeyPatch, *, after: bool) -> None:
    """Let something happen once, before or after a step of a transfer."""
    step, done = getattr(module, name), []

    def wrapped(*arguments: Any, **options: Any) -> Any:
        def happen() -> None:
            if not done:
                done.append(1)
                work()

        if not after:
            happen()
        found = step(*arguments, **options)
        happen()
        return found

    patch.setattr(module, name, wrapped)


WHEN = (
    (send, "plan", False), (send, "push_payloads", False), (send, "push_payloads", True), (send.pushing, "push", True),
)  # fmt: skip


@pytest.mark.parametrize(
    ("happens", "module", "name", "after"),
    [
        (ends, send.pushing, "push", True),
        (undone, send, "push_payloads", True),
        *(pytest.param(happens, *when, marks=SOAK) for happens in EVERY for when in WHEN),
    ],
)
def test_what_happens_during_a_push_poisons_nothing(
    tmp_path: Path,
    hub: Path,
    happens: Callable[[Path, str], None],
    module: Any,
    name: str,
    after: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = registry(tmp_path, "here", hub)
    model(here, "m", "1.0.0")
    model(here, "other", "1.0.0")
    run = begun(here)
    with monkeypatch.context() as patch:
        once(lambda: happens(here.path, run), module, name, patch, after=after)
        here.push()
    for _ in range(2):
        assert here.push().conflicts == ()
        assert here.pull().conflicts == ()
    ends(here.path, run)
    here.push()
    assert here.fsck().problems == ()
    there = clone(tmp_path, "there", hub)
    there.pull(payload="all")
    assert [each.status for each in there.runs.list()] == ["completed"]
    assert there.fsck().problems == ()


@pytest.mark.parametrize(
    ("happens", "name"),
    [
        (ends, "adopt_items"),
        *(
            pytest.param(happens, name, marks=SOAK)
            for happens in EVERY
            for name in ("look", "pull_payloads", "adopt_items")
        ),
    ],
)
def test_what_happens_during_a_pull_poisons_nothing(
    tmp_path: Path, hub: Path, happens: Callable[[Path, str], None], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = registry(tmp_path, "here", hub)
    model(here, "m", "1.0.0")
    run = begun(here)
    here.push()
    there = clone(tmp_path, "there", hub)
    model(there, "theirs", "1.0.0")
    there.models.stage("m@1.0.0", "staging")
    there.push()
    with monkeypatch.context() as patch:
        # A remote has it, so nothing undoes it; and while refs are taken over nobody else decides, but a run may end.
        if happens is not undone and (happens is ends or name != "adopt_items"):
            once(lambda: happens(here.path, run), sync, name, patch, after=name == "adopt_items")
        here.pull(payload="all")
    for _ in range(2):
        assert here.push().conflicts == ()
        assert here.pull().conflicts == ()
    assert here.fsck().problems == ()


def refusing(hub: Path, hook: str, words: str) -> None:
    path = hub / "hooks" / hook
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{words}\n")
    path.chmod(0o755)


PROTECTED = "refs/heads/main"
EVENTS = "refs/notes/pacha/models/m/_events"
ITEM = "refs/pacha/models/m/1.0.0"


ALL = {"models/m/1.0.0", "models/n/1.0.0", "models/child/1.0.0"}


@pytest.mark.parametrize(
    ("by", "refused", "kept"),
    [
        pytest.param("update", PROTECTED, ALL, marks=SOAK),
        pytest.param("update", EVENTS, ALL, marks=SOAK),
        ("update", ITEM, {"models/n/1.0.0"}),
        pytest.param("pre-receive", PROTECTED, ALL, marks=SOAK),
        ("pre-receive", EVENTS, ALL),
    ],
)
def test_what_a_server_refuses_holds_back_nothing_else(
    tmp_path: Path, hub: Path, by: str, refused: str, kept: set[str]
) -> None:
    here = registry(tmp_path, "here", hub)
    for name in ("m", "n"):
        model(here, name, "1.0.0")
        here.models.stage(f"{name}@1.0.0", "staging")
    model(here, "child", "1.0.0", lineage=["derived-from=m@1.0.0"])
    if by == "update":
        refusing(hub, by, f'[ "$1" != {refused} ]')
    else:
        refusing(hub, by, f"! grep -q ' {refused}$'")
    if refused == PROTECTED:
        assert any("README" in warning for warning in here.push().warnings)
        assert not here.push().warnings  # nothing goes, so nothing is asked again
    else:
        with pytest.raises(RemoteError, match=refused):
            here.push()
    assert {name for name in names(hub, "refs/pacha") if name.startswith("models/")} == kept
    notes = names(hub, "refs/notes")
    assert any("models/n/_events" in note for note in notes)
    assert any("models/m/_events" in note for note in notes) == (refused != EVENTS)
    assert refused not in git(hub, "for-each-ref", "--format=%(refname)").split()
    (hub / "hooks" / by).unlink()
    here.push()
    assert {"models/m/1.0.0", "models/child/1.0.0"} <= names(hub, "refs/pacha")
    assert here.pull().conflicts == ()
    all_verify(clone(tmp_path, "there", hub))


def test_a_lock_at_the_hub_is_told_as_a_lock(tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "_TRIES", 2)
    here = registry(tmp_path, "here", hub)
    model(here, "m", "1.0.0")
    lock = hub / "refs/pacha/models/m/1.0.0.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(RemoteError, match="locked there") as raised:
        here.push()
    assert "1.0.0.lock" in raised.value.message
    assert "git pacha push" in raised.value.hint
    lock.unlink()
    here.push()


def test_two_in_opposite_orders_never_wait_for_one_another(tmp_path: Path) -> None:
    here = registry(tmp_path, "here")
    model(here, "m", "1.0.0")
    worst: list[float] = []

    def work(order: int) -> None:
        own = Registry.open(here.path)
        for turn in range(8):
            begin = time.monotonic()
            try:
                with own.batch():
                    for name in ("a", "b")[::order]:
                        own.models.alias("m", f"{name}{turn}", version="1.0.0")
                        own.models.tag("m@1.0.0", [f"{name}{turn}=x"])
            except PachaError as error:
                worst.append(100)
                raise AssertionError(error) from error
            worst.append(time.monotonic() - begin)

    threads = [threading.Thread(target=work, args=(order,)) for order in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(worst) < 10
    assert len(here.models.get("m@1.0.0").aliases) == 16
