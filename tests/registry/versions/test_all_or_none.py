"""A registration, a batch and an undo are whole or not at all, wherever they were killed or refused a file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Conflict, Registry
from tests.git.stock import bare
from tests.making import all_verify, git, noise, put
from tests.soak import faults

BEGIN = """
import sys
from pacha_git import Registry
from pacha_git.git.refs import moves
r = Registry.open(sys.argv[1])
if len(sys.argv) > 3:
    moves._SMALL = int(sys.argv[3])
file = sys.argv[2]
"""
ONE = BEGIN + 'r.models.register("m", file, version="2.0.0")\n'
BATCH = (
    BEGIN
    + """
with r.batch():
    for name in ("a", "b", "c"):
        r.models.register(name, file, version="1.0.0")
    r.models.stage("old@1.0.0", "staging")
    r.models.alias("old", "champion", version="1.0.0")
    r.models.tag("old@1.0.0", ["seen=yes"])
    r.models.remove("undone@1.0.0", unpushed=True)
"""
)
UNDO = BEGIN + 'r.models.remove("old@1.0.0", unpushed=True)\n'


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """A registry with refs in files of their own and in the packed file, as stock git leaves them."""
    registry = Registry.init(tmp_path / "before.git")
    put(tmp_path / "x", noise(3000))
    for name in ("m", "old", "undone"):
        registry.models.register(name, tmp_path / "x", version="1.0.0")
    registry.models.stage("old@1.0.0", "staging")
    registry.models.stage("old@1.0.0", "development")
    registry.models.tag("old@1.0.0", ["first=yes"])
    for ref in ("refs/pacha/models/old/1.0.0", "refs/notes/pacha/models/old/_events"):
        at = git(registry.path, "rev-parse", ref)
        git(registry.path, "update-ref", "-d", ref)
        git(registry.path, "update-ref", ref, at)
        assert (registry.path / ref).is_file()
    put(tmp_path / "y", noise(5000, 7))
    return registry.path


def told(path: Path) -> object:
    """All that a batch changes, as a reader and as stock git see it."""
    r = Registry.open(path)
    shown = {
        (v.name, v.version): (v.stage, v.aliases, v.payload) for n in r.models.list() for v in r.models.list(n.name)
    }
    tags = {key: dict(r.models.get(f"{key[0]}@{key[1]}").tags) for key in shown}
    return shown, tags, frozenset(git(path, "for-each-ref", "--format=%(refname)").split())


def outcomes(before: Path, code: str, at: int, *more: str, fault: str | int = faults.KILL) -> tuple[object, Path]:
    """What is told after a fault, and the registry; none may be in the way of what comes next."""
    path = before.with_name("at.git")
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(before, path)
    done = faults.run(code, path, str(path), str(before.with_name("y")), *more, at=at, fault=fault)
    assert done.killed or fault != faults.KILL, done.output
    return told(path), path


def steps(before: Path, code: str, *more: str, few: int = 0) -> tuple[list[int], object]:
    """The steps of code, or a few of those in which its refs move, and what is told once it is done."""
    path = before.with_name("whole.git")
    shutil.copytree(before, path)
    taken = faults.steps(code, path, str(path), str(before.with_name("y")), *more)
    names = ("packed-refs", "os.rename")
    moving = {at + k for at, step in enumerate(taken, 1) for k in (0, 1) if any(name in step for name in names)}
    after = told(path)
    shutil.rmtree(path)
    chosen = sorted(moving & set(range(1, len(taken)))) if few else list(range(1, len(taken) + 1))
    # The last ones are those in which the refs move.
    return chosen[-few:], after


SOAK = pytest.mark.soak


@pytest.mark.parametrize(
    ("small", "few"),
    [("0", 3), pytest.param("0", 0, marks=SOAK), pytest.param(str(1 << 20), 0, marks=SOAK)],
)
def test_a_registration_that_is_killed_is_there_or_not(before: Path, small: str, few: int) -> None:
    every, after = steps(before, ONE, small, few=few)
    began = told(before)
    for at in every:
        now, path = outcomes(before, ONE, at, small)
        shown = now[0]  # type: ignore[index]
        assert shown == began[0] or shown == after[0], f"half of it stands after {at} steps"  # type: ignore[index]
        assert (now[2] - {"refs/pacha/payload/models/m/2.0.0"} == began[2]) or now == after  # type: ignore[index]
        registry = Registry.open(path)
        if shown == began[0]:  # type: ignore[index]
            registry.models.register("m", before.with_name("y"), version="2.0.0")
        else:
            with pytest.raises(Conflict):
                registry.models.register("m", before.with_name("y"), version="2.0.0")
        assert told(path) == after
        all_verify(registry)


@pytest.mark.parametrize(
    ("code", "fault", "few"),
    [
        pytest.param(BATCH, faults.KILL, 4, id="batch"),
        *(
            pytest.param(code, fault, 0, marks=SOAK, id=f"{name}-{fault}-all")
            for name, code in (("batch", BATCH), ("undo", UNDO))
            for fault in (faults.KILL, faults.NO_MORE_FILES, faults.FULL)
        ),
    ],
)
def test_all_of_a_batch_or_none(before: Path, code: str, fault: str | int, few: int) -> None:
    every, after = steps(before, code, few=few)
    began = told(before)
    seen = set()
    for at in every:
        now, path = outcomes(before, code, at, fault=fault)
        assert now in (began, after), f"a part of it stands after {at} steps"
        seen.add(now == after)
        if at % 5 == 0 or few:
            Registry.open(path).models.register("next", before.with_name("y"), version="1.0.0")
            assert not list((path / "refs").rglob("*.lock"))
            all_verify(Registry.open(path))
    assert True in seen
    assert few or False in seen


def test_a_stray_payload_never_blocks_its_version(before: Path, tmp_path: Path) -> None:
    registry = Registry.open(before)
    for version, stray in (
        ("2.0.0", "refs/pacha/payload/models/m/1.0.0"),
        ("3.0.0", "refs/pacha/payload/models/m/2.0.0"),
    ):
        git(before, "update-ref", f"refs/pacha/payload/models/m/{version}", git(before, "rev-parse", stray))
        registry.models.register("m", tmp_path / "y", version=version)
    all_verify(registry)


def lost(registry: Registry) -> None:
    git(registry.path, "update-ref", "-d", "refs/pacha/payload/models/m/1.0.0")


def lost_for_good(registry: Registry) -> None:
    lost(registry)
    registry.gc(grace_days=0)


def lost_by_an_older_build(registry: Registry) -> None:
    lost(registry)
    (registry.path / "pacha/origins").unlink()


def another_s(registry: Registry) -> None:
    git(
        registry.path,
        "update-ref",
        "refs/pacha/payload/models/m/1.0.0",
        git(registry.path, "rev-parse", "refs/pacha/root"),
    )


@pytest.mark.parametrize(
    "lose",
    [lost, *(pytest.param(each, marks=SOAK) for each in (lost_for_good, lost_by_an_older_build, another_s))],
)
def test_bytes_that_are_nowhere_are_told_not_published_and_come_back(
    tmp_path: Path, lose: Callable[[Registry], None]
) -> None:
    registry = Registry.init(tmp_path / "r.git")
    put(tmp_path / "x", noise(3000))
    put(tmp_path / "y", noise(3000, 9))
    registry.models.register("m", tmp_path / "x", version="1.0.0", description="as it was")
    registry.models.register("child", tmp_path / "y", version="1.0.0", lineage=["derived-from=m@1.0.0"])
    registry.models.register("other", tmp_path / "y", version="1.0.0")
    lose(registry)
    assert any("models/m/1.0.0" in problem for problem in registry.fsck().problems)
    assert not registry.verify(["model:m@1.0.0"])[0].ok
    if lose is not another_s:
        assert registry.status().lost == ("model:m@1.0.0",)
    hub = bare(tmp_path / "hub.git")
    registry.add_remote("origin", str(hub))
    sent = {ref.ref.removeprefix("refs/pacha/models/"): ref.result for ref in registry.push().refs}
    assert (sent["m/1.0.0"], sent["child/1.0.0"], sent["other/1.0.0"]) == ("lost", "skipped", "new")
    assert "refs/pacha/models/m/1.0.0" not in git(hub, "for-each-ref")
    with pytest.raises(Conflict, match="exists already"):
        registry.models.register("m", tmp_path / "y", version="1.0.0")
    done = registry.models.register("m", tmp_path / "x", version="1.0.0", description="ignored")
    assert done.description == "as it was"
    assert "all else is as it was" in " ".join(done.notices)
    assert registry.status().lost == ()
    all_verify(registry)
    assert {ref.result for ref in registry.push().refs} == {"new"}
    assert "refs/pacha/models/child/1.0.0" in git(hub, "for-each-ref")
