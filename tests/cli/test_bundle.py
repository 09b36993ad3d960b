"""``bundle create`` and ``bundle import`` as a person says them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Ended, run_inside

Run = Callable[..., Ended]


@pytest.fixture
def there(tmp_path: Path) -> Run:
    def run(*words: str | Path) -> Ended:
        return run_inside("--registry", tmp_path / "there.git", *words)

    assert run("init").code == 0
    return run


@pytest.fixture
def here(at: Run, tmp_path: Path) -> Run:
    (tmp_path / "m").write_bytes(b"hello world")
    assert at("model", "register", "m", tmp_path / "m", "-v", "1.0.0").code == 0
    return at


def test_a_bundle_takes_a_version_to_another_registry(here: Run, there: Run, tmp_path: Path) -> None:
    file = tmp_path / "one.bundle"
    made = here("bundle", "create", file, "m@1.0.0")
    assert made.code == 0
    assert made.out.startswith("Wrote 1 version, 1 payload to ")
    taken = there("bundle", "import", file, "--json")
    assert taken.code == 0
    assert set(taken.json) == {"refs", "bytes", "objects", "payloads"}
    assert {ref["ref"] for ref in taken.json["refs"]} == {
        "refs/pacha/models/m/1.0.0",
        "refs/pacha/payload/models/m/1.0.0",
    }
    assert there("model", "cat", "m@1.0.0").raw == b"hello world"
    assert there("bundle", "import", file).out.startswith("Imported from one.bundle: nothing new")
    later = here("bundle", "create", tmp_path / "two.bundle", "--since", file, "--json")
    assert later.json["since"] == str(file)
    assert later.json["bytes"] < 2000


def test_bundles_that_can_not_be_made_or_read_have_their_exit_codes(here: Run, there: Run, tmp_path: Path) -> None:
    file = tmp_path / "one.bundle"
    assert here("bundle", "create", file, "m@1.0.0").code == 0
    assert here("bundle", "create", file, "m@1.0.0").code == 4
    assert here("bundle", "create", file, "m@1.0.0", "--force").code == 0
    assert here("bundle", "create", tmp_path / "x", "m@1.0.0", "--payload", "some").code == 2
    assert here("bundle", "create", tmp_path / "x", "n@1.0.0").code == 3
    assert there("bundle", "import", tmp_path / "nothing").code == 3
    file.write_bytes(file.read_bytes()[:-30])
    damaged = there("bundle", "import", file, "--json")
    assert damaged.code == 5
    assert "damaged" in damaged.error["message"]


def test_importing_another_version_of_one_name_is_a_conflict(here: Run, there: Run, tmp_path: Path) -> None:
    assert here("bundle", "create", tmp_path / "one.bundle").code == 0
    (tmp_path / "m").write_bytes(b"another")
    assert there("model", "register", "m", tmp_path / "m", "-v", "1.0.0").code == 0
    refused = there("bundle", "import", tmp_path / "one.bundle", "--json")
    assert refused.code == 4
    assert refused.error["code"] == "conflict"
    assert there("model", "cat", "m@1.0.0").raw == b"another"
