"""What bad input gets: the right error with a next step, nothing half-written, no ref moved."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacha_git import Conflict, InvalidInput, NotFound, PachaError, Registry
from tests.e2e.refusals import hinted, refused
from tests.making import folder, fsck, noise, put, recipe, refs, temporaries


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    made = Registry.init(registry_path)
    made.models.register("m", put(tmp_path / "first.bin", b"first"), version="1.0.0")
    return made


@pytest.fixture(autouse=True)
def nothing_half_written(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test tries on ``registry``: no ref moves, no temporary stays, git fsck is clean."""
    registry: Registry | None = request.getfixturevalue("registry") if "registry" in request.fixturenames else None
    before = refs(registry.path) if registry is not None else {}
    yield
    if registry is not None:
        assert refs(registry.path) == before
        assert temporaries(registry.path) == []
        fsck(registry.path)
        assert Registry.open(registry.path).fsck().problems == ()


def test_an_unknown_name(registry: Registry) -> None:
    hinted(NotFound, "no model named fraud", lambda: registry.models.get("fraud"))
    hinted(NotFound, "no model named fraud", lambda: registry.models.stage("fraud@1.0.0", "staging"))
    hinted(NotFound, "no model named fraud", lambda: registry.models.history("fraud"))
    hinted(NotFound, "no data named m", lambda: registry.datasets.get("m"))


def test_a_misspelt_name_is_answered_with_the_nearest(registry: Registry, tmp_path: Path) -> None:
    error = refused(NotFound, "no model named mm", lambda: registry.models.get("mm"))
    assert "did you mean m?" in error.hint


def test_an_unknown_version(registry: Registry) -> None:
    error = refused(NotFound, "no version 9.9.9", lambda: registry.models.get("m@9.9.9"))
    assert "there is 1.0.0" in error.hint


def test_an_unknown_stage(registry: Registry) -> None:
    hinted(InvalidInput, "unknown stage 'live'", lambda: registry.models.stage("m@1.0.0", "live"))
    hinted(InvalidInput, "unknown stage 'live'", lambda: registry.models.list(stage="live"))


def test_an_unknown_relation(registry: Registry, tmp_path: Path) -> None:
    file = put(tmp_path / "n")
    for wish in ("stolen-from=m@1.0.0", "=m@1.0.0", "derived-from", "derived-from="):
        hinted(
            InvalidInput,
            "relation|lineage",
            lambda w=wish: registry.models.register("n", file, version="1.0.0", lineage=[w]),
        )


def test_an_unknown_target_of_lineage(registry: Registry, tmp_path: Path) -> None:
    file = put(tmp_path / "n")
    for wish in ("derived-from=m@2.0.0", "derived-from=x", "trained-on=m@1.0.0", "generated-by=r"):
        hinted(NotFound, "no ", lambda w=wish: registry.models.register("n", file, version="1.0.0", lineage=[w]))


def test_an_unknown_registry(tmp_path: Path) -> None:
    error = refused(NotFound, "no registry at", lambda: Registry.open(tmp_path / "nowhere.git"))
    assert "git pacha init" in error.hint


def test_an_unknown_file_or_folder(registry: Registry, tmp_path: Path) -> None:
    refused(NotFound, "no such file", lambda: registry.models.register("n", tmp_path / "nothing", version="1.0.0"))
    refused(NotFound, "no such file", lambda: registry.recipes.register(tmp_path / "nothing.toml"))
    hinted(NotFound, "no file 'x'", lambda: registry.models.open("m@1.0.0", "x"))
    hinted(NotFound, "no file 'x'", lambda: b"".join(registry.models.cat("m@1.0.0:x")))
    card = tmp_path / "no-card.md"
    refused(
        NotFound, "no such file", lambda: registry.models.register("n", put(tmp_path / "n"), version="1.0.0", card=card)
    )


def test_a_version_registered_twice(registry: Registry, tmp_path: Path) -> None:
    file = put(tmp_path / "again")
    hinted(Conflict, "exists already", lambda: registry.models.register("m", file, version="1.0.0"))
    hinted(Conflict, "orders the same", lambda: registry.models.register("m", file, version="1.0.0+build"))
    hinted(Conflict, "only in case", lambda: registry.models.register("M", file, version="2.0.0"))


def test_a_recipe_registered_twice(registry_path: Path, tmp_path: Path) -> None:
    made = Registry.init(registry_path)
    made.recipes.register(recipe(tmp_path / "r.toml"))
    hinted(Conflict, "exists already", lambda: made.recipes.register(tmp_path / "r.toml"))


BAD_VERSIONS = ["1.2", "latest", "", "1.0.0 ", "../1.0.0", "1.0.0.lock", "1.0.0-" + "a" * 200]
BAD_NAMES = [
    "a/../b", "..", "-n", "a\x07b", "a b", "", "a//b", "a/b/c/d/e", "/a", "a/", "1.0.0", "con", "x.lock", "models/x",
    "ä", "a\nb", "n" * 129,
]  # fmt: skip


def test_a_bad_semver(registry: Registry, tmp_path: Path) -> None:
    file = put(tmp_path / "n")
    for version in BAD_VERSIONS:
        refused(InvalidInput, "bad version", lambda v=version: registry.models.register("n", file, version=v))


def test_a_bad_name(registry: Registry, tmp_path: Path) -> None:
    file = put(tmp_path / "n")
    for name in BAD_NAMES:
        hinted(InvalidInput, "bad name", lambda n=name: registry.models.register(n, file, version="1.0.0"))


def test_a_name_below_a_version_of_another(registry: Registry, tmp_path: Path) -> None:
    hinted(
        InvalidInput,
        "reads as a version",
        lambda: registry.models.register("m/1.0.0/x", put(tmp_path / "n"), version="1.0.0"),
    )


def test_an_empty_folder(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    hinted(PachaError, "nothing to store", lambda: registry.models.register("n", tmp_path / "empty", version="1.0.0"))
    hinted(InvalidInput, "no file or folder", lambda: registry.models.register("n", [], version="1.0.0"))
    put(tmp_path / "only-git" / ".git" / "HEAD")
    hinted(
        PachaError, "nothing to store", lambda: registry.models.register("n", tmp_path / "only-git", version="1.0.0")
    )


def test_a_symlink_in_a_folder(registry: Registry, tmp_path: Path) -> None:
    files = folder(tmp_path / "f", {"a": b"a"})
    (files / "link").symlink_to(put(tmp_path / "outside"))
    error = refused(
        PachaError, "link is a symbolic link", lambda: registry.models.register("n", files, version="1.0.0")
    )
    assert "--follow-symlinks" in error.hint


def test_links_that_lead_nowhere_or_in_a_circle(registry: Registry, tmp_path: Path) -> None:
    files = folder(tmp_path / "f", {"a": b"a"})
    (files / "loop").symlink_to(files)
    refused(
        PachaError, "leads back", lambda: registry.models.register("n", files, version="1.0.0", follow_symlinks=True)
    )
    (files / "loop").unlink()
    (files / "dangling").symlink_to(tmp_path / "nowhere")
    refused(
        PachaError,
        "vanished|nowhere",
        lambda: registry.models.register("n", files, version="1.0.0", follow_symlinks=True),
    )
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    refused(PachaError, "itself", lambda: registry.models.register("n", tmp_path / "itself", version="1.0.0"))


def test_a_device_a_fifo_or_a_socket(registry: Registry, tmp_path: Path) -> None:
    files = folder(tmp_path / "f", {"a": b"a"})
    os.mkfifo(files / "pipe")
    hinted(PachaError, "pipe is no regular file", lambda: registry.models.register("n", files, version="1.0.0"))
    hinted(
        PachaError,
        "neither a file nor a folder",
        lambda: registry.models.register("n", files / "pipe", version="1.0.0"),
    )
    hinted(
        PachaError,
        "neither a file nor a folder",
        lambda: registry.models.register("n", Path("/dev/null"), version="1.0.0"),
    )


def test_a_file_that_cant_be_read(registry: Registry, tmp_path: Path) -> None:
    """Reading /proc/self/mem at 0 fails for everybody, root included."""
    refused(
        PachaError, "can't read|changed", lambda: registry.models.register("n", Path("/proc/self/mem"), version="1.0.0")
    )


def test_a_file_that_says_it_is_empty_and_is_not(registry: Registry) -> None:
    refused(
        PachaError,
        "changed while it was read",
        lambda: registry.models.register("n", Path("/proc/self/status"), version="1.0.0"),
    )


@pytest.mark.parametrize("size", [1000, 3_000_000])
def test_a_file_that_vanishes_between_finding_and_reading(registry: Registry, tmp_path: Path, size: int) -> None:
    files = folder(tmp_path / "f", {f"{n}": noise(size, n) for n in range(3)})

    def remove(what: str, done: int, total: int | None, unit: str = "bytes") -> None:
        (files / "2").unlink(missing_ok=True)

    if size == 1000:
        # Small files are read before progress is told of: a large one comes first.
        put(files / "large", noise(2_000_000))
    hinted(NotFound, "2 vanished", lambda: registry.models.register("n", files, version="1.0.0", progress=remove))


@pytest.mark.parametrize("change", ["grows", "shrinks", "is rewritten"])
def test_a_file_that_changes_while_it_is_read(registry: Registry, tmp_path: Path, change: str) -> None:
    path = put(tmp_path / "f.bin", noise(12_000_000))

    def write(what: str, done: int, total: int | None, unit: str = "bytes") -> None:
        with path.open("r+b") as file:
            if change == "shrinks":
                file.truncate(6_000_000)
            elif change == "grows":
                file.seek(0, 2)
            file.write(b"x")

    refused(
        PachaError,
        "changed|shorter|ended",
        lambda: registry.models.register("n", path, version="1.0.0", progress=write),
    )


def test_file_and_folder_names_that_no_reader_could_tell_apart(registry: Registry, tmp_path: Path) -> None:
    for names in (["a", "A"], ["\u00e9", "e\u0301"], ["x\x01"], ["con\nfig"]):
        shutil.rmtree(tmp_path / "f", ignore_errors=True)
        files = folder(tmp_path / "f", dict.fromkeys(names, b"x"))
        refused(InvalidInput, ".", lambda f=files: registry.models.register("n", f, version="1.0.0"))


def test_a_name_that_is_no_utf8(registry: Registry, tmp_path: Path) -> None:
    files = folder(tmp_path / "f", {"a": b"x"})
    (files / os.fsdecode(b"\xff\xfe")).write_bytes(b"x")
    hinted(PachaError, "UTF-8", lambda: registry.models.register("n", files, version="1.0.0"))


def test_two_paths_of_one_name(registry: Registry, tmp_path: Path) -> None:
    one, two = put(tmp_path / "a" / "w.bin"), put(tmp_path / "b" / "w.bin")
    refused(InvalidInput, "w.bin", lambda: registry.models.register("n", [one, two], version="1.0.0"))


def test_metrics_and_tags_that_cant_be(registry: Registry, tmp_path: Path) -> None:
    file = put(tmp_path / "n")
    for metrics in ({"a": "high"}, {"a": True}, {"a": None}):
        hinted(
            InvalidInput, "no number", lambda m=metrics: registry.models.register("n", file, version="1.0.0", metrics=m)
        )
    for tags in ({"": "x"}, {"a": "\x00"}, {"k": "\ud800"}):
        refused(InvalidInput, ".", lambda t=tags: registry.models.register("n", file, version="1.0.0", tags=t))
    for change in ("novalue", "=x", "-", ""):
        refused(InvalidInput, "bad tag", lambda c=change: registry.models.tag("m@1.0.0", [c]))
    for text in ("\x00", "\ud800"):
        refused(InvalidInput, ".", lambda t=text: registry.models.register("n", file, version="1.0.0", description=t))
        refused(InvalidInput, ".", lambda t=text: registry.models.describe("m@1.0.0", t))
        refused(InvalidInput, ".", lambda t=text: registry.models.stage("m@1.0.0", "staging", reason=t))


def test_a_record_that_would_be_too_large(registry: Registry, tmp_path: Path) -> None:
    refused(
        InvalidInput,
        "the limit is",
        lambda: registry.models.register("n", put(tmp_path / "n"), version="1.0.0", description="x" * (1 << 21)),
    )


def test_aliases_that_cant_be(registry: Registry) -> None:
    for word in ("Prod", "production", "latest", "1.0.0", "blake3", "", "-x", "a b"):
        refused(InvalidInput, "bad alias", lambda w=word: registry.models.alias("m", w, version="1.0.0"))
    hinted(NotFound, "has no alias", lambda: registry.models.alias("m", "champion", unset=True))
    hinted(InvalidInput, "say a version", lambda: registry.models.alias("m", "champion"))


def test_a_version_must_be_said_for_what_changes_something(registry: Registry) -> None:
    hinted(InvalidInput, "say which version", lambda: registry.models.stage("m", "staging"))
    hinted(InvalidInput, "say which version", lambda: registry.models.remove("m", reason="old"))
    hinted(InvalidInput, "say why", lambda: registry.models.remove("m@1.0.0"))


def test_a_bad_range(registry: Registry) -> None:
    for text in ("x-y", "9-2", "5-5,6-7", "-0", "a", "", "1000-"):
        refused(InvalidInput, "range", lambda t=text: b"".join(registry.models.cat("m@1.0.0", byte_range=t)))


def test_no_git_identity(registry: Registry, no_identity: Path, tmp_path: Path) -> None:
    error = refused(
        PachaError, "who you are", lambda: registry.models.register("n", put(tmp_path / "n"), version="1.0.0")
    )
    assert "git config --global user.name" in error.hint
    assert "git config --global user.email" in error.hint
    hinted(PachaError, "who you are", lambda: registry.models.stage("m@1.0.0", "staging"))
    assert registry.models.get("m").version == "1.0.0"
