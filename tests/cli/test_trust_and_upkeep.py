"""Keys, signatures, verification, and the care of a registry."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Ended

Run = Callable[..., Ended]


@pytest.fixture
def filled(at: Run, tmp_path: Path) -> Run:
    (tmp_path / "m").write_bytes(b"hello world")
    assert at("model", "register", "m", tmp_path / "m", "-v", "1.0.0").code == 0
    return at


def test_keys_need_no_registry(pacha: Run, home: Path) -> None:
    assert pacha("key", "list", "--json").json == []
    made = pacha("key", "generate", "--json").json
    assert made["fingerprint"].startswith("SHA256:")
    assert Path(made["path"]).stat().st_mode & 0o777 == 0o600
    assert made["fingerprint"] in pacha("key", "list").out
    again = pacha("key", "generate")
    assert again.code == 4
    assert pacha("key", "generate", "second").code == 0


def test_sign_and_verify(filled: Run, tmp_path: Path) -> None:
    made = filled("key", "generate", "--json").json
    trusted = filled("key", "trust", f"{made['path']}.pub", "--as", "ada@example.org", "--json")
    assert trusted.json["principal"] == "ada@example.org"
    signed = filled("sign", "m@1.0.0", "--json")
    assert signed.json["signed_by"] == "ada@example.org"
    signed = filled("model", "register", "m", tmp_path / "m", "-v", "1.1.0", "--sign", "--json")
    assert signed.json["signed_by"] == "ada@example.org"
    verified = filled("verify", "--all", "--json")
    assert verified.code == 0
    results = verified.json["results"]
    assert [set(result) for result in results] == [
        {"kind", "name", "version", "ok", "signer", "payload_ok", "problems", "warnings"}
    ] * 2
    assert {result["signer"] for result in results} == {"ada@example.org"}
    text = filled("verify", "m@1.1.0").out
    assert "signed by ada@example.org" in text
    assert "every byte checked" in text


def test_unsigned_is_fine(filled: Run) -> None:
    ended = filled("verify", "m", "-v", "1.0.0", "--json")
    assert ended.code == 0
    [result] = ended.json["results"]
    assert (result["ok"], result["signer"], result["payload_ok"]) == (True, None, True)


def test_signing_without_a_key(filled: Run) -> None:
    ended = filled("sign", "m@1.0.0")
    assert ended.code == 1
    assert "git pacha key generate" in ended.err


@pytest.mark.damaged
def test_altered_bytes_fail_verification(filled: Run, shell: Run, registry_path: Path) -> None:
    words = ["git", "-C", registry_path, "show", "refs/pacha/payload/models/m/1.0.0:blobs/m"]
    assert shell(*words).raw == b"hello world"
    oid = shell("git", "-C", registry_path, "rev-parse", "refs/pacha/payload/models/m/1.0.0:blobs/m").out.strip()
    shell(
        "sh",
        "-c",
        f"cd {registry_path} && mv objects/pack/*.pack . && for p in *.pack; do git unpack-objects -q <$p; done",
    )
    loose = registry_path / "objects" / oid[:2] / oid[2:]
    for leftover in (registry_path / "objects" / "pack").iterdir():
        leftover.unlink()
    loose.chmod(0o644)
    loose.write_bytes(zlib.compress(b"blob 11\0hello World"))
    ended = filled("verify", "--all", "--json")
    assert ended.code == 5
    assert ended.error["code"] == "verification"
    assert filled("fsck", "--json").code == 5


def test_stats_counts_kinds_versions_and_bytes(filled: Run, tmp_path: Path) -> None:
    assert filled("model", "register", "m", tmp_path / "m", "-v", "1.1.0").code == 0
    stats = filled("stats", "--json").json
    keys = {"models", "datasets", "recipes", "runs", "versions", "payload_bytes", "stored_bytes", "chunks"}
    assert set(stats) == keys
    assert (stats["models"], stats["versions"], stats["payload_bytes"]) == (1, 2, 22)
    assert "Registered" in filled("stats").out


def test_upkeep_mends_the_index_and_frees_what_was_removed(filled: Run, registry_path: Path) -> None:
    report = filled("fsck", "--json").json
    assert report["problems"] == []
    assert report["checked"] > 0
    (registry_path / "pacha" / "index.sqlite").write_bytes(b"rubbish")
    assert filled("model", "get", "m", "--json").json["version"] == "1.0.0"
    assert filled("reindex").code == 0
    assert filled("doctor").code == 0
    assert set(filled("gc", "--dry-run", "--json").json) == {"freed_bytes", "kept", "removed"}
    assert filled("model", "rm", "m@1.0.0", "-m", "why").code == 0
    assert filled("gc", "--grace", "0").code == 0
    assert filled("fsck").code == 0


def test_without_an_identity_the_hint_is_how_to_set_one(
    no_identity: Path, pacha: Run, registry_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "m").write_bytes(b"x")
    assert pacha("init", registry_path).code == 0
    ended = pacha("--registry", registry_path, "model", "register", "m", tmp_path / "m", "-v", "1.0.0")
    assert ended.code == 1
    assert "git config --global user.name" in ended.err
    assert "git config --global user.email" in ended.err


@pytest.mark.parametrize("make", ["mkdir {0}", "touch {0}", "git init -q {0}", "git init -q --bare {0}"])
def test_what_is_no_registry(shell: Run, tmp_path: Path, make: str) -> None:
    place = tmp_path / "x"
    assert shell("sh", "-c", make.format(place)).code == 0
    ended = shell("git-pacha", "--registry", place, "stats")
    assert ended.code in (1, 3)
    assert ended.err.startswith("Error: ")
