"""Laws of what is stored: it comes back, whole or in part, however it was cut, shared and repacked."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from pacha_git import Conflict, NotFound, PachaError, Registry
from tests.making import contents, folder, fsck, git, noise, put

NAMES = st.text(st.characters(exclude_categories=["C"], exclude_characters="/"), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..", ".git", ".pachaignore") and len(name.encode()) < 200
)
SIZES = st.one_of(st.integers(0, 2000), st.sampled_from([262_143, 262_144, 262_145, 300_000, 600_000]))
FILES = st.dictionaries(NAMES, st.tuples(SIZES, st.integers(0, 3)), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry.init(tmp_path_factory.mktemp("store") / "r.git")


@given(files=FILES, number=st.integers(0, 10**9))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_put_is_got(
    registry: Registry, tmp_path_factory: pytest.TempPathFactory, files: dict[str, tuple[int, int]], number: int
) -> None:
    here = tmp_path_factory.mktemp("f")
    data = {name: noise(size, seed) for name, (size, seed) in files.items()}
    try:
        registered = registry.datasets.register("d", folder(here / "in", data), version=f"0.{number}.0")
    except Conflict:
        return
    except PachaError:
        folded = {name.casefold() for name in data}
        assert len(folded) < len(data) or any(not name.isascii() for name in data)
        return
    assert registered.size == sum(map(len, data.values())) == registered.new_bytes + registered.shared_bytes
    spec = f"d@0.{number}.0"
    assert contents(registry.datasets.download(spec, here / "out")) == data  # a folder, also with one file in it
    for name, body in data.items():
        with registry.datasets.open(spec, name) as file:
            for start in (0, len(body) // 2, max(0, len(body) - 3)):
                file.seek(start)
                assert file.read(1000) == body[start : start + 1000]


@given(cuts=st.lists(st.tuples(st.integers(0, 1_300_000), st.integers(0, 90_000)), min_size=1, max_size=8))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_range_is_what_a_slice_would_be(
    registry: Registry, tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int]]
) -> None:
    data = noise(1_300_000, 77)
    try:
        registry.models.get("ranges@1.0.0")
    except NotFound:
        registry.models.register("ranges", put(tmp_path_factory.mktemp("r") / "f", data), version="1.0.0")
    with registry.models.open("ranges@1.0.0") as file:
        for start, length in cuts:
            file.seek(start)
            assert file.read(length) == data[start : start + length]
            if length and start < len(data):
                span = f"{start}-{start + length - 1}"
                assert b"".join(registry.models.cat("ranges@1.0.0", byte_range=span)) == data[start : start + length]


LIVES = itertools.count()


class Store(RuleBasedStateMachine):
    """Random lives of a registry, beside a dictionary that does the same."""

    versions = Bundle("versions")
    folder: Path

    @initialize()
    def begin(self) -> None:
        self.path = self.folder / str(next(LIVES))
        self.registry = Registry.init(self.path / "r.git")
        self.model: dict[str, tuple[bytes, str, bool]] = {}

    @rule(target=versions, seeds=st.lists(st.integers(0, 5), min_size=1, max_size=4), number=st.integers(0, 8))
    def register(self, seeds: list[int], number: int) -> str:
        data = b"".join(noise(150_000, seed) for seed in seeds)
        version = f"1.{number}.0"
        try:
            self.registry.models.register("m", put(self.path / "f", data), version=version)
        except Conflict:
            assert version in self.model
        else:
            assert version not in self.model
            self.model[version] = (data, "development", False)
        return version

    @rule(version=versions, stage=st.sampled_from(["staging", "production", "archived", "development"]))
    def stage(self, version: str, stage: str) -> None:
        if version not in self.model:
            return
        data, now, removed = self.model[version]
        try:
            self.registry.models.stage(f"m@{version}", stage)
        except PachaError:
            assert removed or now != stage
        else:
            self.model[version] = (data, stage, removed)

    @rule(version=versions)
    def remove(self, version: str) -> None:
        if version in self.model:
            self.registry.models.remove(f"m@{version}", reason="a law")
            self.model[version] = (*self.model[version][:2], True)

    @rule(version=versions)
    def undo(self, version: str) -> None:
        if version in self.model:
            self.registry.models.remove(f"m@{version}", unpushed=True)
            del self.model[version]

    @rule(days=st.sampled_from([0, 14]))
    def gc(self, days: int) -> None:
        self.registry.gc(grace_days=days)

    @rule()
    def repack(self) -> None:
        git(self.registry.path, "repack", "-adq")

    @rule(reindex=st.booleans())
    def lose_the_index(self, reindex: bool) -> None:
        (self.registry.path / "pacha" / "index.sqlite").unlink(missing_ok=True)
        if reindex:
            self.registry.reindex()

    @rule()
    def open_anew(self) -> None:
        self.registry = Registry.open(self.registry.path)

    @invariant()
    def everything_is_there(self) -> None:
        if not hasattr(self, "registry"):
            return
        here = {each.version: each for each in self.registry.models.list(all=True, removed=True)}
        assert set(here) == set(self.model)
        for version, (data, stage, removed) in self.model.items():
            assert (here[version].stage, here[version].payload == "removed") == (stage, removed)
            if not removed:
                assert b"".join(self.registry.models.cat(f"m@{version}")) == data

    def teardown(self) -> None:
        if hasattr(self, "registry"):
            fsck(self.registry.path)
            assert self.registry.fsck().problems == ()


def test_a_registry_lives_as_a_dictionary_would(tmp_path_factory: pytest.TempPathFactory) -> None:
    Store.folder = tmp_path_factory.mktemp("lives")
    run_state_machine_as_test(Store, settings=settings(max_examples=6, stateful_step_count=12, deadline=None))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_long_lives(tmp_path_factory: pytest.TempPathFactory) -> None:
    Store.folder = tmp_path_factory.mktemp("lives")
    run_state_machine_as_test(Store, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))
