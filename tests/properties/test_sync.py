"""Three registries and a hub: whatever is done, cut off and repeated, all come to the same, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from pacha_git import PachaError, Registry
from pacha_git.errors import Conflict
from tests.conftest import check_registry
from tests.exchange.syncing import bare, refs

NAMES = ("a", "b", "team/c")
STAGES = ("development", "staging", "production", "archived")
REGISTRIES = st.integers(0, 2)
PICK = st.integers(0, 1000)

STEPS = st.one_of(
    st.tuples(st.just("register"), REGISTRIES, PICK),
    st.tuples(st.just("clash"), REGISTRIES, PICK),
    st.tuples(st.just("stage"), REGISTRIES, PICK),
    st.tuples(st.just("alias"), REGISTRIES, PICK),
    st.tuples(st.just("tag"), REGISTRIES, PICK),
    st.tuples(st.just("remove"), REGISTRIES, PICK),
    st.tuples(st.just("push"), REGISTRIES, PICK),
    st.tuples(st.just("pull"), REGISTRIES, PICK),
    st.tuples(st.just("pull all"), REGISTRIES, PICK),
    st.tuples(st.just("killed push"), REGISTRIES, PICK),
    st.tuples(st.just("killed pull"), REGISTRIES, PICK),
)
"""What happens, where, and a number that decides the rest."""


@dataclass
class World:
    """Three registries and a hub, and what each registry has acknowledged."""

    folder: Path
    registries: list[Registry] = field(default_factory=list)
    versions: list[dict[tuple[str, str], str]] = field(default_factory=lambda: [{}, {}, {}])
    events: Counter[str] = field(default_factory=Counter)
    removed: set[str] = field(default_factory=set)

    @property
    def hub(self) -> Path:
        return self.folder / "hub.git"

    def begin(self) -> None:
        bare(self.hub)
        for number in range(3):
            made = Registry.init(self.folder / f"{number}.git")
            made.add_remote("origin", str(self.hub))
            self.registries.append(made)

    def do(self, what: str, at: int, pick: int) -> None:
        getattr(self, what.replace(" ", "_"))(at, pick)

    # Steps ------------------------------------------------------------------------------------------------------------

    def register(self, at: int, pick: int) -> None:
        name = NAMES[pick % 3]
        self._register(at, name, f"{at}.{len(self.versions[at])}.0", f"{at} {pick} " * 2000, self._known(at, name))

    def clash(self, at: int, pick: int) -> None:
        """A version that others may register too, with other bytes."""
        self._register(at, NAMES[pick % 3], "9.9.9", f"mine {at}", None)

    def _register(self, at: int, name: str, version: str, text: str, parent: str | None) -> None:
        file = self.folder / "bytes"
        file.write_text(text)
        lineage = [f"derived-from={name}@{parent}"] if parent else []
        try:
            made = self.registries[at].models.register(name, [file], version=version, lineage=lineage)
        except Conflict:
            assert version == "9.9.9"  # it is here already, ours or theirs
            return
        self.versions[at][name, version] = made.commit

    def _known(self, at: int, name: str) -> str | None:
        try:
            return next((v.version for v in self.registries[at].models.list(name) if v.version != "9.9.9"), None)
        except PachaError:
            return None

    def _some(self, at: int, pick: int) -> tuple[str, str] | None:
        known = [(v.name, v.version) for v in self.registries[at].models.list(all=True) if v.version != "9.9.9"]
        return known[pick % len(known)] if known else None

    def stage(self, at: int, pick: int) -> None:
        some = self._some(at, pick)
        if some is None:
            return
        try:
            done = self.registries[at].models.stage("@".join(some), STAGES[pick % 4], reason=str(pick))
        except PachaError:
            return  # no way leads there
        self.events[some[0]] += len(done.steps)

    def alias(self, at: int, pick: int) -> None:
        some = self._some(at, pick)
        if some is not None:
            before = len(self.registries[at].models.history(some[0]))
            self.registries[at].models.alias(some[0], "champion", version=some[1])
            self.events[some[0]] += len(self.registries[at].models.history(some[0])) - before

    def tag(self, at: int, pick: int) -> None:
        some = self._some(at, pick)
        if some is not None:
            self.registries[at].models.tag("@".join(some), [f"from-{at}-{pick}=yes"])

    def remove(self, at: int, pick: int) -> None:
        some = self._some(at, pick)
        if some is not None and pick % 3 == 0:
            before = len(self.registries[at].models.history(some[0]))
            self.registries[at].models.remove("@".join(some), reason="not needed")
            self.events[some[0]] += len(self.registries[at].models.history(some[0])) - before
            self.removed.add("@".join(some))

    def push(self, at: int, pick: int) -> None:
        self.registries[at].push()

    def pull(self, at: int, pick: int) -> None:
        if refs(self.hub):
            self.registries[at].pull()

    def pull_all(self, at: int, pick: int) -> None:
        if refs(self.hub):
            self.registries[at].pull(payload="all")

    def killed_push(self, at: int, pick: int) -> None:
        self._killed(at, "push", pick)

    def killed_pull(self, at: int, pick: int) -> None:
        if refs(self.hub):
            self._killed(at, "pull", pick)

    def _killed(self, at: int, verb: str, pick: int) -> None:
        """Do it in a process that is killed when it is about to start its n-th program."""
        child = os.fork()
        if child == 0:
            _die_at(pick % 12 + 1)
            try:
                registry = Registry.open(self.registries[at].path)
                registry.push() if verb == "push" else registry.pull(payload="all")
            finally:
                os._exit(0)
        os.waitpid(child, 0)

    # What must hold in the end ----------------------------------------------------------------------------------------

    def settle(self) -> None:
        for _ in range(2):
            for registry in self.registries:
                registry.push()
            for registry in self.registries:
                registry.pull(payload="all")

    def check(self) -> None:
        for at, registry in enumerate(self.registries):
            here = {(v.name, v.version): v for v in registry.models.list(all=True, removed=True)}
            for (name, version), commit in self.versions[at].items():
                assert here[name, version].commit == commit
            for v in here.values():
                assert v.payload == ("removed" if f"{v.name}@{v.version}" in self.removed else "here"), v
            for name, count in self.events.items():
                assert len(registry.models.history(name)) == count
        shared = [self._shared(registry.path) for registry in self.registries]
        assert shared[0] == shared[1] == shared[2] == self._shared(self.hub)
        for path in (*(registry.path for registry in self.registries), self.hub):
            assert list(check_registry(path)) == []
        assert not any("/tmp/" in ref for ref in refs(self.hub))
        for registry in self.registries:
            assert registry.fsck().problems == ()
            assert registry.status().remotes[0].behind == ()

    def _shared(self, path: Path) -> dict[str, str]:
        """Records, events and bytes, but for versions registered apart, and bytes that their owner has yet to drop."""
        found = refs(path, "refs/pacha/models", "refs/notes/pacha", "refs/pacha/payload")
        dropped = {f"refs/pacha/payload/models/{spec.replace('@', '/')}" for spec in self.removed}
        assert path != self.hub or not dropped & found.keys()
        return {ref: oid for ref, oid in found.items() if not ref.endswith("/9.9.9") and ref not in dropped}


def _die_at(number: int) -> None:
    started = [0]
    real = subprocess.Popen

    class Mortal(real):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any, **more: Any) -> None:
            started[0] += 1
            if started[0] == number:
                os.kill(os.getpid(), signal.SIGKILL)
            super().__init__(*arguments, **more)

    subprocess.Popen = Mortal  # type: ignore[misc]


def run(steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.begin()
        for step in steps:
            world.do(*step)
        world.settle()
        world.check()


QUICK = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(st.lists(STEPS, min_size=6, max_size=14))
def test_all_converge_and_nothing_is_lost(steps: list[tuple[str, int, int]]) -> None:
    run(steps)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, min_size=10, max_size=60))
def test_all_converge_after_long_histories(steps: list[tuple[str, int, int]]) -> None:
    run(steps)


def test_a_history_that_has_everything() -> None:
    kills = [("killed push", 0, n) for n in range(0, 12, 3)] + [("killed pull", 1, n) for n in range(0, 12, 3)]
    run(
        [
            ("register", 0, 0), ("register", 0, 1), ("stage", 0, 1), *kills, ("push", 0, 0), ("pull all", 1, 0),
            ("register", 1, 0), ("clash", 0, 0), ("clash", 1, 0), ("push", 1, 0), ("stage", 0, 2), ("stage", 1, 3),
            ("alias", 0, 0), ("alias", 1, 1), ("tag", 2, 0), ("pull", 2, 0), ("remove", 2, 0), ("push", 2, 0),
            ("killed pull", 0, 7), ("register", 2, 2), ("push", 2, 0),
        ]
    )  # fmt: skip
