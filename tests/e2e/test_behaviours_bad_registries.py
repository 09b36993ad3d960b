"""Registries that can't be opened, and disks that are full: a plain error, nothing half-written, no ref moved."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pacha_git import NotFound, PachaError, Registry
from tests.conftest import REPOSITORY
from tests.e2e.refusals import hinted, refused
from tests.making import ended, folder, fsck, git, noise, put, python, refs, temporaries


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    made = Registry.init(registry_path)
    made.models.register("m", put(tmp_path / "first.bin", b"first"), version="1.0.0")
    return made


def test_a_folder_that_is_no_registry(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    hinted(NotFound, "is no registry", lambda: Registry.open(tmp_path / "folder"))
    hinted(NotFound, "is no registry", lambda: Registry.open(put(tmp_path / "file")))
    git(tmp_path, "init", "--quiet", "--bare", str(tmp_path / "plain.git"))
    hinted(NotFound, "no registry", lambda: Registry.open(tmp_path / "plain.git"))
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "work")], check=True)
    hinted(NotFound, "no registry", lambda: Registry.open(tmp_path / "work"))
    hinted(PachaError, "other things", lambda: Registry.init(tmp_path / "work"))
    hinted(PachaError, "is a file", lambda: Registry.init(tmp_path / "file"))


@pytest.mark.damaged
def test_a_registry_of_a_newer_format(registry_path: Path, tmp_path: Path) -> None:
    Registry.init(registry_path)
    toml = git(registry_path, "show", "refs/pacha/registry:registry.toml").replace("format = 1", "format = 2")
    blob = git(registry_path, "hash-object", "-w", "--stdin", stdin=toml.encode() + b"\n")
    tree = git(registry_path, "mktree", stdin=f"100644 blob {blob}\tregistry.toml\n".encode())
    commit = git(registry_path, "commit-tree", "-m", "newer", tree)
    git(registry_path, "update-ref", "refs/pacha/registry", commit)
    for act in (lambda: Registry.open(registry_path), lambda: Registry.init(registry_path)):
        error = refused(PachaError, "newer pacha-git", act)
        assert "upgrade" in error.hint or "newer" in error.hint


@pytest.mark.damaged
def test_a_record_of_a_newer_format(registry: Registry) -> None:
    old = git(registry.path, "rev-parse", "refs/pacha/models/m/1.0.0")
    data = git(registry.path, "show", "refs/pacha/models/m/1.0.0:record.json").replace('"format":1', '"format":2')
    blob = git(registry.path, "hash-object", "-w", "--stdin", stdin=data.encode())
    tree = git(registry.path, "mktree", stdin=f"100644 blob {blob}\trecord.json\n".encode())
    commit = git(registry.path, "commit-tree", "-m", "newer", tree)
    git(registry.path, "update-ref", "refs/pacha/models/m/1.0.0", commit)
    refused(PachaError, "newer pacha-git", lambda: registry.models.get("m@1.0.0"))
    git(registry.path, "update-ref", "refs/pacha/models/m/1.0.0", old)


def test_sha256_and_reftable(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", "--object-format=sha256", str(tmp_path / "sha256")], check=True)
    hinted(PachaError, "SHA-256", lambda: Registry.open(tmp_path / "sha256"))
    hinted(PachaError, "SHA-256", lambda: Registry.init(tmp_path / "sha256"))
    git(tmp_path, "init", "--quiet", "--bare", str(tmp_path / "reftable"))
    with (tmp_path / "reftable" / "config").open("a") as config:
        config.write("[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefStorage = reftable\n")
    hinted(PachaError, "reftable", lambda: Registry.open(tmp_path / "reftable"))
    hinted(PachaError, "reftable", lambda: Registry.init(tmp_path / "reftable"))


# A disk that is full --------------------------------------------------------------------------------------------------

FULL = """
import os, sys
from pathlib import Path
from pacha_git import PachaError, Registry
registry, data = Registry.open(sys.argv[1]), Path(sys.argv[2])
{limit}
try:
    {act}
except PachaError as error:
    print(type(error).__name__, error.message, '|', error.hint)
"""
LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))"


@pytest.mark.parametrize(
    "act",
    ["registry.models.register('n', data, version='1.0.0')", "registry.models.download('big', data.parent / 'out')"],
)
def test_a_file_that_may_not_grow(registry_path: Path, tmp_path: Path, act: str) -> None:
    """The operating system refuses to let any file grow past a MiB, as it does when a disk or a quota is full."""
    made = Registry.init(registry_path)
    made.models.register("big", put(tmp_path / "big", noise(3_000_000, 1)), version="1.0.0")
    data = put(tmp_path / "in" / "data", noise(3_000_000))
    before = refs(registry_path)
    [(code, out, err)] = ended([python(FULL.format(limit=LIMIT, act=act), registry_path, data)])
    assert code == 0, err
    assert "too large" in out
    assert refs(registry_path) == before
    assert temporaries(registry_path) == []
    assert [path.name for path in data.parent.iterdir()] == ["data"]
    fsck(registry_path)


SMALL = """
import errno, os, subprocess, sys
from pathlib import Path
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", sys.argv[1]], check=True)
from pacha_git import PachaError, Registry
disk, data = Path(sys.argv[1]), Path(sys.argv[2])
registry = Registry.init(disk / "r.git")
registry.models.register("m", data / "small", version="1.0.0")
refs = sorted(registry._session.repo.refs_below("refs/"))
files = sorted(str(p) for p in (registry.path / "objects").rglob("*"))
def refused(act):
    try:
        act()
    except PachaError as error:
        assert "No space left" in error.message or "No space left" in str(error), error.message
        assert "space" in error.hint, error.hint
        print(type(error).__name__)
    else:
        raise AssertionError("it went through")
refused(lambda: registry.models.register("n", data / "large", version="1.0.0"))
assert sorted(registry._session.repo.refs_below("refs/")) == refs
assert sorted(str(p) for p in (registry.path / "objects").rglob("*")) == files
# Full to the last byte: not even a ref or a line of an event can be written.
with open(disk / "filler", "wb", buffering=0) as filler:
    for size in (65536, 512, 1):
        try:
            while filler.write(bytes(size)) == size: pass
        except OSError: pass
refused(lambda: registry.models.register("n", data / "small", version="1.0.0"))
refused(lambda: registry.models.stage("m@1.0.0", "staging"))
refused(lambda: registry.models.download("m@1.0.0", disk / "out"))
assert not (disk / "out").exists() and not list(disk.glob(".pacha*"))
assert registry.models.get("m@1.0.0").stage == "development"
assert [v.version for v in Registry.open(registry.path).models.list("m")] == ["1.0.0"]
os.unlink(disk / "filler")
registry.models.stage("m@1.0.0", "staging")
registry.models.register("n", data / "small", version="1.0.0")
assert registry.fsck().problems == ()
subprocess.run(["git", "-C", str(registry.path), "fsck", "--full", "--strict"], check=True, capture_output=True)
assert not [*(registry.path / "objects/pack").glob("tmp_*"), *registry.path.glob("refs/**/*.lock")]
"""


def test_a_disk_that_is_full_to_the_last_byte(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    data = folder(tmp_path / "data", {"small": noise(200_000), "large": noise(9_000_000, 1)})
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", SMALL, str(disk), str(data)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["PachaError"] * 4
