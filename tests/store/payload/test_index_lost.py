"""The side index is a cache: deleted, truncated, corrupted, locked or unwritable, it changes no answer."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacha_git import Registry
from tests.conftest import REPOSITORY
from tests.making import all_verify, folder, noise, put, recipe


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    registry = Registry.init(registry_path)
    data = folder(tmp_path / "d", {"a": noise(400_000), "b": b"b"})
    registry.datasets.register("d", data, version="1.0.0")
    registry.recipes.register(recipe(tmp_path / "r.toml"))
    for version in ("1.2.0", "1.10.0", "2.0.0-rc.1"):
        registry.models.register("m", put(tmp_path / "m", version.encode()), version=version, data="d")
    registry.models.register("n", tmp_path / "m", version="1.0.0", lineage=["derived-from=m@1.2.0"])
    registry.models.stage("m@1.2.0", "production")
    registry.models.alias("m", "best", version="1.10.0")
    registry.models.tag("m@1.10.0", ["a=b"])
    registry.models.describe("m@1.10.0", "newer")
    registry.models.remove("m@2.0.0-rc.1", reason="bad")
    return registry


def answers(registry: Registry) -> Any:
    """Everything that a registry says, but for how many chunks the index happens to know."""
    said = [
        [each.to_json() for each in registry.models.list()],
        [each.to_json() for each in registry.models.list("m", removed=True)],
        [each.to_json() for each in registry.models.list(all=True, stage="production")],
        [each.to_json() for each in registry.models.list(tags={"a": "b"})],
        [each.to_json() for each in registry.datasets.list(all=True)],
        registry.models.get("m@best").to_json(),
        registry.models.lineage("n").to_json(),
        registry.datasets.lineage("d", direction="down").to_json(),
        [each.to_json() for each in registry.models.history("m")],
        {key: value for key, value in registry.stats().to_json().items() if key not in ("chunks", "stored_bytes")},
        [each.to_json() for each in registry.verify(all=True)],
        registry.fsck().to_json(),
    ]
    return json.loads(json.dumps(said))


def index_files(registry: Registry) -> list[Path]:
    return sorted((registry.path / "pacha").glob("index.sqlite*"))


def delete(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 3)


def overwrite(path: Path) -> None:
    path.write_bytes(noise(max(path.stat().st_size, 40_000)))


def overwrite_the_middle(path: Path) -> None:
    with path.open("r+b") as file:
        for offset in range(4096, path.stat().st_size, 4096):
            file.seek(offset)
            file.write(noise(3000, offset))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def another_database(path: Path) -> None:
    for each in path.parent.glob("index.sqlite*"):
        each.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (soup TEXT)")
        connection.execute("PRAGMA user_version = 1")
    connection.close()


def older_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def a_folder(path: Path) -> None:
    for each in path.parent.glob("index.sqlite*"):
        each.unlink()
    path.mkdir()


HARM = [delete, truncate, overwrite, overwrite_the_middle, empty, another_database, older_version, a_folder]


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
def test_no_harm_to_the_index_changes_an_answer(
    registry: Registry, tmp_path: Path, harm: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = answers(registry)
    monkeypatch.setattr(
        "pacha_git.store.catalogue.database._BUSY_SECONDS", 0.2
    )  # an emptied file is locked by who has it open
    registry._session.database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    harm(registry.path / "pacha" / "index.sqlite")
    assert answers(Registry.open(registry.path)) == before
    fresh = Registry.open(registry.path)
    assert fresh.models.register("m", put(tmp_path / "m", b"new"), version="3.0.0").version == "3.0.0"
    assert fresh.models.get("m").version == "3.0.0"
    all_verify(fresh)


@pytest.mark.parametrize("harm", [delete, truncate, overwrite, another_database], ids=lambda harm: harm.__name__)
def test_harm_while_the_registry_is_open_changes_no_answer(
    registry: Registry, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    before = answers(registry)
    harm(registry.path / "pacha" / "index.sqlite")
    assert answers(registry) == before
    registry.models.register("m", put(tmp_path / "m", b"new"), version="3.0.0")
    assert [each.version for each in registry.models.list("m")] == ["1.2.0", "1.10.0", "3.0.0"]


def test_reindex_brings_back_what_is_shared(registry: Registry, tmp_path: Path) -> None:
    chunks = registry.stats().chunks
    for file in index_files(registry):
        file.unlink()
    again = Registry.open(registry.path)
    assert again.reindex() == chunks
    registered = again.datasets.register("d", tmp_path / "d", version="2.0.0")
    assert (registered.new_bytes, registered.shared_bytes) == (0, 400_001)


@pytest.mark.parametrize("size", [5_000, 2_000_000])
def test_what_is_stored_is_shared_without_an_index_too(registry: Registry, tmp_path: Path, size: int) -> None:
    registry.models.register("big", put(tmp_path / "big", noise(size, 9)), version="1.0.0")
    (registry.path / "pacha" / "index.sqlite").unlink()
    again = Registry.open(registry.path)
    data = put(tmp_path / "big", noise(size, 9) if size < 10_000 else noise(size, 9) + b"more")
    registered = again.models.register("big", data, version="1.1.0")
    assert registered.new_bytes < 300_000
    assert registered.shared_bytes + registered.new_bytes == data.stat().st_size
    assert registered.stored_bytes < 300_000
    assert size < 10_000 or registered.shared_bytes > 1_500_000
    all_verify(again)


def test_damage_is_healed_without_an_index_too(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "big", noise(2_000_000, 9))
    registry.models.register("big", data, version="1.0.0")
    [pack] = [path for path in (registry.path / "objects/pack").glob("*.pack") if path.stat().st_size > 1_000_000]
    pack.chmod(0o644)
    with pack.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"damaged")
    (registry.path / "pacha" / "index.sqlite").unlink()
    again = Registry.open(registry.path)
    assert not again.verify(["big@1.0.0"])[0].ok
    assert 0 < again.models.register("big", data, version="1.0.1").new_bytes < 600_000
    all_verify(Registry.open(registry.path))


def test_a_doctor_finds_a_damaged_index_and_mends_it(registry: Registry) -> None:
    registry._session.database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    overwrite_the_middle(registry.path / "pacha" / "index.sqlite")
    again = Registry.open(registry.path)
    assert {f.state for f in again.doctor() if f.check == "index"} <= {"fixed", "ok"}
    assert {f.state for f in again.doctor() if f.check == "index"} == {"ok"}


def test_an_index_that_names_what_is_not_here_is_not_believed(registry: Registry, tmp_path: Path) -> None:
    """Every chunk and file that it knows is said to lie in objects that are nowhere, or in another one's."""
    connection = registry._session.database.connection
    some = connection.execute("SELECT oid FROM chunk LIMIT 1").fetchone()[0]
    for oid in (b"\x11" * 20, some):
        connection.execute("UPDATE chunk SET oid = ?", (oid,))
        connection.execute("DELETE FROM file")
        connection.execute("DELETE FROM pack")
        fresh = Registry.open(registry.path)
        fresh.datasets.register("e", tmp_path / "d", version=f"1.0.{oid[0]}")
        assert b"".join(fresh.datasets.cat(f"e@1.0.{oid[0]}:a")) == noise(400_000)
    all_verify(Registry.open(registry.path))


READ_ONLY = """
import json, subprocess, sys
from pathlib import Path
here = Path(sys.argv[1])
subprocess.run(["mount", "--bind", here, here], check=True)
subprocess.run(["mount", "-o", "remount,ro,bind", here], check=True)
from pacha_git import PachaError, Registry
from tests.store.payload.test_index_lost import answers
registry = Registry.open(here)
print(json.dumps(answers(registry)))
for act in (
    lambda: registry.models.stage("m@1.10.0", "staging"),
    lambda: registry.models.register("x", sys.executable, version="1.0.0"),
    lambda: registry.gc(),
    lambda: registry.models.remove("m@1.2.0", reason="x"),
):
    try:
        act()
        raise AssertionError("it went through")
    except PachaError as error:
        assert error.hint and "Read-only" in error.message, (error.message, error.hint)
"""


@pytest.mark.parametrize("harm", [None, delete, older_version])
def test_a_registry_on_a_read_only_file_system_still_reads(
    registry: Registry, harm: Callable[[Path], None] | None
) -> None:
    before = answers(registry)
    registry._session.database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if harm is not None:
        harm(registry.path / "pacha" / "index.sqlite")
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", READ_ONLY, str(registry.path)],
        capture_output=True, text=True, check=False, timeout=60, cwd=REPOSITORY,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == before


def test_an_index_that_somebody_holds_locked_is_done_without(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = answers(registry)
    monkeypatch.setattr("pacha_git.store.catalogue.database._BUSY_SECONDS", 0.05)
    blocker = sqlite3.connect(registry.path / "pacha" / "index.sqlite", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    assert answers(Registry.open(registry.path)) == before
    blocker.execute("ROLLBACK")
    blocker.close()
