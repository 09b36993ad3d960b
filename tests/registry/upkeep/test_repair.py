"""Whatever is damaged of one file of a registry: it is named, and what a remote has comes back, byte for byte."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Corrupt, PachaError, Registry
from tests.making import git, noise, put, recipe

pytestmark = pytest.mark.damaged

RUN = "refs/pacha/runs/"


def made(root: Path) -> dict[str, bytes]:
    """A registry with a hub that has all of it; returns the bytes of each version."""
    registry = Registry.init(root / "reg.git")
    bytes_of = {"m@1.0.0": noise(400_000, seed=1), "m@1.1.0": noise(300_000, seed=2), "small@1.0.0": b"small"}
    registry.recipes.register(recipe(root / "r.toml"))
    for spec, data in bytes_of.items():
        name, _, version = spec.partition("@")
        registry.models.register(name, put(root / "files" / name, data), version=version, recipe="train")
    registry.models.stage("m@1.0.0", "staging", reason="first")
    registry.models.alias("m", "champion", version="1.0.0")
    registry.models.tag("m@1.1.0", ["team=risk"])
    with registry.run(recipe="train", params={"lr": 0.1}) as run:
        run.log({"loss": 0.5}, step=1)
        run.artifact(root / "files" / "small")
    git(root / "hub.git", "init", "-q", "--bare")
    registry.add_remote("origin", str(root / "hub.git"))
    registry.push()
    return bytes_of


def unpack_refs(path: Path) -> None:
    """Give every ref a file of its own, as git does when it moves one."""
    every = git(path, "for-each-ref", "--format=%(objectname) %(refname)").splitlines()
    for oid, _, ref in (line.partition(" ") for line in every):
        put(path / ref, f"{oid}\n".encode())
    (path / "packed-refs").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Path, dict[str, bytes]]:
    """Made once: in ``loose`` as the commands leave it, in ``packed`` after a gc."""
    root = tmp_path_factory.mktemp("template")
    home = root / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Ada Tester\n\temail = ada@example.org\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
        bytes_of = made(root / "loose")
        unpack_refs(root / "loose/reg.git")
        shutil.copytree(root / "loose", root / "packed", symlinks=True)
        url = str(root / "packed/hub.git")
        git(root / "packed/reg.git", "config", "remote.origin.url", url)
        packed = Registry.open(root / "packed/reg.git")
        packed.gc(grace_days=0)
        packed.doctor()
    return root, bytes_of


class Trial:
    """A copy of the template that may be damaged."""

    def __init__(self, template: tuple[Path, dict[str, bytes]], folder: Path, form: str) -> None:
        shutil.copytree(template[0] / form, folder, symlinks=True)
        self.path, self.bytes_of = folder / "reg.git", template[1]
        git(self.path, "config", "remote.origin.url", str(folder / "hub.git"))
        self.before = seen(Registry.open(self.path), self.bytes_of)
        Registry.examine(self.path)  # keeps the configuration as it is here

    def file(self, pattern: str, number: int = 0) -> Path:
        """The so-manieth file of a pattern, made writable."""
        path = sorted(self.path.glob(pattern))[number]
        path.chmod(0o644)
        return path

    def healed(self) -> None:
        """Repair, and see that all is as it was."""
        findings = Registry.examine(self.path, repair=True)
        assert not [finding for finding in findings if finding.state == "problem"]
        registry = Registry.open(self.path)
        registry.pull(payload="all")
        assert registry.fsck().problems == ()
        assert seen(registry, self.bytes_of) == self.before
        assert not (self.path / "pacha/damaged").exists()


def seen(registry: Registry, bytes_of: dict[str, bytes]) -> object:
    """What people see of it, and the bytes."""
    for spec, data in bytes_of.items():
        assert b"".join(registry.models.cat(spec)) == data
    versions = [
        (each.name, each.version, each.stage, each.aliases, each.tags, each.address)
        for name in registry.models.list()
        for each in registry.models.list(name.name)
    ]
    return versions, [(run.id, run.status, run.artifacts) for run in registry.runs.list()], registry.settings()


def flip(path: Path, at: int, bit: int = 0) -> None:
    """Turn over one bit."""
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1 << bit
    path.write_bytes(data)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def halved(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def flipped(path: Path) -> None:
    flip(path, path.stat().st_size // 3, 2)


FILES = {
    "loose": [
        "objects/pack/*.pack", "objects/pack/*.idx", "refs/pacha/models/m/1.0.0", "refs/pacha/payload/models/m/1.0.0",
        "refs/notes/pacha/models/m/_events", "refs/notes/pacha/models/m/_attestations", "refs/pacha/runs/*",
        "refs/pacha/root", "refs/pacha/registry", "refs/heads/main", "HEAD", "config",
        "refs/remotes/origin/pacha/models/m/1.0.0", "refs/pacha/recipes/train/1.0.0",
    ],
    "packed": ["objects/pack/*.pack", "objects/pack/*.idx", "objects/pack/multi-pack-index", "packed-refs"],
}  # fmt: skip
HARMS: list[Callable[[Path], None]] = [Path.unlink, emptied, halved, zeroed, flipped]


EVERY = [(form, each, harm) for form, every in FILES.items() for each in every for harm in HARMS]
FEW = [
    ("loose", "objects/pack/*.idx", Path.unlink), ("loose", "config", halved),
    ("packed", "objects/pack/*.pack", flipped), ("packed", "packed-refs", halved),
]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "pattern", "harm"),
    [pytest.param(*each, marks=() if each in FEW else pytest.mark.soak) for each in EVERY],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_what_is_damaged_is_named_and_comes_back(
    template: tuple[Path, dict[str, bytes]], tmp_path: Path, form: str, pattern: str, harm: Callable[[Path], None]
) -> None:
    trial = Trial(template, tmp_path / "trial", form)
    harm(trial.file(pattern))
    report = Registry.check(trial.path)
    # A ref that is gone is legal, and so are other remotes: what is to be said of it is no problem.
    legal = harm is Path.unlink and (pattern.startswith("refs/") or pattern.endswith("index"))
    legal |= (pattern, harm) == ("config", flipped)  # a word of it that Git does not mind
    assert report.problems or report.notes or legal
    trial.healed()


@pytest.mark.soak
@pytest.mark.parametrize("number", range(6))
def test_any_pack_or_index_may_be_cut(template: tuple[Path, dict[str, bytes]], tmp_path: Path, number: int) -> None:
    trial = Trial(template, tmp_path / "trial", "loose")
    path = trial.file("objects/pack/pack-*", number)
    os.truncate(path, random.Random(number).randrange(path.stat().st_size))
    trial.healed()


@pytest.mark.parametrize(
    "place",
    [
        "s of refs",
        *(
            pytest.param(each, marks=pytest.mark.soak)
            for each in ("a digit of the oid", "a digit of the version", "the name", "the kind")
        ),
    ],
)
def test_one_bit_in_packed_refs_makes_no_model_vanish_in_silence(
    template: tuple[Path, dict[str, bytes]], tmp_path: Path, place: str
) -> None:
    trial = Trial(template, tmp_path / "trial", "packed")
    path = trial.file("packed-refs")
    at = path.read_bytes().index(b"refs/pacha/models/m/1.0.0")
    places = {"s of refs": 3, "a digit of the oid": -5, "a digit of the version": 20, "the name": 18, "the kind": 11}
    flip(path, at + places[place])
    report = Registry.check(trial.path)
    assert report.problems
    assert all("\n" not in problem for problem in report.problems)
    trial.healed()


def test_pull_heals_what_it_meets(template: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    trial = Trial(template, tmp_path / "trial", "loose")
    emptied(trial.file("refs/pacha/models/m/1.0.0"))
    emptied(trial.file("refs/pacha/registry"))
    with pytest.raises(Corrupt, match="refs/pacha/registry"):
        Registry.open(trial.path)
    Registry.open_healed(trial.path).pull()
    assert seen(Registry.open(trial.path), trial.bytes_of) == trial.before


@pytest.mark.soak
def test_pull_of_a_version_brings_back_objects_that_are_gone(
    template: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    trial = Trial(template, tmp_path / "trial", "packed")
    for path in trial.path.glob("objects/pack/*"):
        path.unlink()
    Registry.open_healed(trial.path).pull(specs=["m@1.0.0"])
    assert seen(Registry.open(trial.path), trial.bytes_of) == trial.before


def test_fsck_lists_all_that_is_damaged(template: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    trial = Trial(template, tmp_path / "trial", "loose")
    refs = ["refs/pacha/models/m/1.0.0", "refs/notes/pacha/models/m/_events", "refs/pacha/root"]
    for ref in refs:
        emptied(trial.file(ref))
    problems = "\n".join(Registry.check(trial.path).problems)
    assert all(f"{ref}: its file is empty" in problems for ref in refs)


def test_an_unreadable_pack_is_named(template: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    trial = Trial(template, tmp_path / "trial", "packed")
    pack = trial.file("objects/pack/*.pack")
    halved(pack)
    with pytest.raises(Corrupt, match=pack.name):
        Registry.open(trial.path).models.list("m")


def test_settings_are_never_replaced_in_silence(template: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    trial = Trial(template, tmp_path / "trial", "loose")
    registry_id = Registry.open(trial.path).settings().registry
    trial.file("refs/pacha/registry").unlink()
    with pytest.raises(Corrupt, match="refs/pacha/registry is gone"):
        Registry.init(trial.path)
    trial.healed()
    assert Registry.open(trial.path).settings().registry == registry_id


def test_what_nobody_has_is_told_and_kept(template: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    trial = Trial(template, tmp_path / "trial", "packed")
    Registry.open(trial.path).remove_remote("origin")
    pack = trial.file("objects/pack/*.pack")
    damaged = bytearray(pack.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 1000] = bytes(1000)
    pack.write_bytes(damaged)
    findings = Registry.examine(trial.path, repair=True)
    assert any(finding.state == "problem" and "objects are gone" in finding.message for finding in findings)
    kept = trial.path / "pacha/damaged" / pack.name
    assert kept.read_bytes() == damaged
    assert b"".join(Registry.open(trial.path).models.cat("small@1.0.0")) == b"small"


def test_what_stands_alone_is_a_note(template: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    trial = Trial(template, tmp_path / "trial", "loose")
    git(trial.path, "update-ref", "-d", "refs/pacha/models/m/1.1.0")
    report = Registry.check(trial.path)
    assert report.problems == ()
    notes = "\n".join(report.notes)
    assert "refs/pacha/payload/models/m/1.1.0: bytes without a record" in notes
    assert "refs/remotes/origin/pacha/models/m/1.1.0: seen there and not here" in notes


@pytest.mark.soak
@pytest.mark.parametrize("ref", ["payload/models/m/1.0.0", "notes/models/m/_events"])
def test_what_stands_under_another_name_is_a_problem(
    template: tuple[Path, dict[str, bytes]], tmp_path: Path, ref: str
) -> None:
    trial = Trial(template, tmp_path / "trial", "loose")
    right = f"refs/pacha/{ref}" if ref.startswith("payload") else f"refs/notes/pacha/{ref.removeprefix('notes/')}"
    git(trial.path, "update-ref", right.replace("/m/", "/n/"), right)
    git(trial.path, "update-ref", "-d", right)
    assert any(f"belongs under {right}" in problem for problem in Registry.check(trial.path).problems)
    trial.healed()


def test_a_last_seen_copy_of_something_else_is_a_problem(
    template: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    trial = Trial(template, tmp_path / "trial", "loose")
    git(trial.path, "update-ref", "refs/remotes/origin/pacha/models/m/1.0.1", "refs/pacha/models/m/1.0.0")
    assert any("models/m/1.0.1" in problem for problem in Registry.check(trial.path).problems)
    trial.healed()


def test_journals_of_live_runs_are_checked(template: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    trial = Trial(template, tmp_path / "trial", "loose")
    registry = Registry.open(trial.path)
    run = registry.run(params={"x": 1})
    for step in range(5):
        run.log({"loss": float(step)}, step=step)
    run.artifact(put(tmp_path / "kept", b"bytes"))
    run.close()
    folder = trial.path / "pacha/runs" / run.id
    journal = folder / "000001.journal"
    whole = journal.read_bytes()
    assert Registry.check(trial.path).problems == ()
    journal.write_bytes(whole[:-3])  # torn: the call never returned
    assert Registry.check(trial.path).problems == ()
    journal.write_bytes(whole)
    flip(journal, len(whole) // 2)
    assert any("000001.journal" in problem for problem in Registry.check(trial.path).problems)
    journal.write_bytes(whole)
    (folder / "files/kept").write_bytes(b"other")
    assert any("files/kept" in problem for problem in Registry.check(trial.path).problems)


def test_a_folder_that_never_was_one_is_no_registry(tmp_path: Path) -> None:
    with pytest.raises(PachaError, match="is no registry"):
        Registry.examine(tmp_path)
