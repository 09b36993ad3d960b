"""A registry as a value and as a resource: how it reads, crosses to other processes, and is let go of."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from pacha_git import Ambiguous, InvalidInput, NotFound, PachaError, PersonalKeys, Registry, generate_key
from pacha_git.git.changes import SharedObjectGone
from pacha_git.store.payload.sources import NotRegular
from pacha_git.system.process import CommandFailed
from pacha_git.trust.keypair import KeyPair


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    made = Registry.init(tmp_path / "registry.git")
    (tmp_path / "weights.bin").write_bytes(bytes(range(256)) * 64)
    made.models.register("m", tmp_path / "weights.bin", version="1.0.0")
    return made


def version_of(registry: Registry, name: str) -> str:
    return registry.models.get(name).version


def raise_not_found(registry: Registry) -> None:
    registry.models.get("nothing")


def open_below(folder: Path) -> set[str]:
    """The files below a folder that this process has open or mapped."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(link.readlink()))
        except FileNotFoundError:  # that of the listing itself
            continue
    found |= {line.split(maxsplit=5)[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    return {name for name in found if name.startswith(f"{folder}/")}


def test_repr_says_which_registry(registry: Registry) -> None:
    assert repr(registry) == f"Registry({str(registry.path)!r})"


def test_closing_lets_go_of_every_file_and_program(registry: Registry) -> None:
    registry.models.alias("m", "champion", version="1.0.0")
    with registry.models.open("m") as file:
        file.read()
    registry.models.list()
    registry.search("m")
    assert open_below(registry.path)
    registry.close()
    assert not open_below(registry.path)
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    for child in children:
        assert str(registry.path) not in Path(f"/proc/{child}/cmdline").read_text()


def test_a_block_closes_it_and_then_it_refuses(registry: Registry) -> None:
    with Registry.open(registry.path) as opened:
        models, runs = opened.models, opened.runs
        assert models.get("m").version == "1.0.0"
    refused: list[Callable[[], object]] = [
        lambda: opened.models.get("m"),
        lambda: models.list(),
        lambda: runs.list(),
        lambda: opened.stats(),
        lambda: opened.fsck(),
        lambda: opened.keys(),
    ]
    for ask in refused:
        with pytest.raises(PachaError, match="was closed") as caught:
            ask()
        assert caught.value.hint
    opened.close()  # again is no error
    assert repr(opened) == repr(registry)


def test_pickled_it_is_its_path(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kept = pickle.dumps(Registry.open("registry.git"))
    monkeypatch.chdir("/")
    assert len(kept) < 1000
    assert pickle.loads(kept).models.get("m").version == "1.0.0"
    assert pickle.loads(pickle.dumps(registry.models)).get("m").version == "1.0.0"


def test_a_pickled_one_that_is_gone_says_so(tmp_path: Path) -> None:
    kept = pickle.dumps(Registry.init(tmp_path / "gone.git"))
    (tmp_path / "gone.git").rename(tmp_path / "moved.git")
    with pytest.raises(NotFound, match=r"gone\.git is no registry"):
        pickle.loads(kept)


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_workers_use_it(registry: Registry, how: str) -> None:
    registry.models.list()  # files are open when the workers begin
    with ProcessPoolExecutor(2, mp_context=get_context(how)) as pool:
        assert list(pool.map(version_of, [registry] * 4, ["m"] * 4)) == ["1.0.0"] * 4
        with pytest.raises(NotFound) as caught:
            pool.submit(raise_not_found, registry).result()
    assert (caught.value.code, caught.value.hint) == ("not_found", "git pacha model list shows what there is")


def test_threads_use_it(registry: Registry) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(version_of, [registry] * 32, ["m"] * 32)) == {"1.0.0"}


def test_an_error_reads_with_its_hint(registry: Registry) -> None:
    with pytest.raises(NotFound) as caught:
        registry.models.get("nothing")
    assert str(caught.value) == "no model named nothing here\nHint: git pacha model list shows what there is"
    assert caught.value.message == "no model named nothing here"
    assert str(PachaError("alone")) == "alone"


@pytest.mark.parametrize(
    "error",
    [
        PachaError("one", hint="two"),
        Ambiguous("several", ["a", "b"]),
        SharedObjectGone("gone"),
        NotRegular("a pipe"),
        CommandFailed(["git", "gc"], 128, "fatal: no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_crosses_processes_whole(error: PachaError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.args) == (type(error), str(error), error.args)
    assert vars(copy) == vars(error)


def test_an_interrupted_open_leaves_no_finalizer_error(tmp_path: Path) -> None:
    code = (
        "from pacha_git import Registry\ntry:\n    Registry.open('nothing.git')\nexcept Exception as e: print(e.code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert (done.stdout, done.stderr) == ("not_found\n", "")


class CountedKeys(PersonalKeys):
    """A person's keys that count how often one was read."""

    read = 0

    def load(self, path: Path) -> KeyPair:
        self.read += 1
        return super().load(path)


def test_who_acts_and_when_and_with_which_keys_is_the_callers_to_say(registry: Registry, tmp_path: Path) -> None:
    generate_key()
    keys = CountedKeys()
    robot = Registry.open(registry.path, actor="Robot <robot@example.org>", clock=lambda: 1_000_000_000.9, keys=keys)
    made = robot.models.register("m", tmp_path / "weights.bin", version="2.0.0", sign=True)
    assert (made.created_by, made.created_at) == ("Robot <robot@example.org>", "2001-09-09T01:46:40Z")
    assert keys.read == 1
    robot.models.stage("m@2.0.0", "staging", reason="by night")
    [moved] = registry.models.history("m")
    assert (moved.by, moved.at) == ("Robot <robot@example.org>", "2001-09-09T01:46:40Z")
    with robot.run() as run:
        run.log(loss=1.0)
    assert registry.runs.get(run.id).created_by == "Robot <robot@example.org>"
    assert registry.models.get("m@1.0.0").created_by != made.created_by


def test_an_actor_that_no_commit_can_name_is_refused(registry: Registry) -> None:
    with pytest.raises(InvalidInput):
        Registry.open(registry.path, actor="nobody")
