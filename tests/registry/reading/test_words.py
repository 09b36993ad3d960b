"""A signature means what it says: each word that is in force is verified, and shown with who said it."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacha_git import InvalidInput, NotFound, PersonalKeys, Registry
from pacha_git.git.repo import GitRepository
from pacha_git.registry.upkeep import keys
from pacha_git.store.events import read_attestations, read_ledger
from pacha_git.trust import sshsig
from pacha_git.vocabulary.kinds import Kind
from tests.cli.conftest import run_inside
from tests.exchange import lines
from tests.making import git, put

RECORD = "refs/pacha/models/m/1.0.0"
ATTESTATIONS = "refs/notes/pacha/models/m/_attestations"
EVENTS = "refs/notes/pacha/models/m/_events"
Sign = Callable[[bytes], str]


@pytest.fixture
def signed(registry_path: Path, tmp_path: Path, home: Path) -> Registry:
    """A version that Ada signed, whom the registry trusts; Mallory has a key, too."""
    registry = Registry.init(registry_path)
    for name in ("ada", "mallory"):
        keys.generate_key(name)
    git(home, "config", "--global", "pacha.sign.key", "ada")
    registry.trust_key(str(home / ".pacha/keys/ada.pub"), "ada@example.org")
    registry.models.register("m", put(tmp_path / "m"), version="1.0.0", description="what Ada wrote", sign=True)
    return registry


def by(name: str) -> Sign:
    pair = PersonalKeys().load(PersonalKeys().folder() / name)
    return lambda message: sshsig.sign(pair, message, sshsig.EVENT_NAMESPACE)


def bad(_: bytes) -> str:
    return by("ada")(b"something else")


def say(registry: Registry, sign: Sign | None, type_: str, **fields: Any) -> str:
    """Write a line into the notes; returns its id."""
    repo, what = GitRepository(registry.path), "events" if type_ in ("stage", "alias") else "attestations"
    read = read_ledger if what == "events" else read_attestations
    tips = read(repo, Kind.MODEL, "m").tips  # it knows of all that was said, as an honest one does
    unsigned = lines.line(registry.path, RECORD, type_, after=tips, **fields)
    line = unsigned if sign is None else lines.signed(unsigned, sign)
    ref = EVENTS if type_ in ("stage", "alias") else ATTESTATIONS
    lines.write(registry.path, ref, {git(registry.path, "rev-parse", RECORD): [line]})
    return line[:36].decode()


WORDS: dict[str, dict[str, Any]] = {
    "card": {"text": "# forged"},
    "describe": {"text": "forged"},
    "tag": {"key": "approved", "value": "yes"},
    "stage": {"from": "development", "to": "staging"},
    "alias": {"name": "champion", "op": "set"},
}


def test_a_word_in_force_is_verified_until_it_is_written_again(signed: Registry) -> None:
    ways = ((bad, "is bad"), (by("mallory"), "does not trust"))
    for word, (sign, why) in itertools.product(WORDS, ways):
        say(signed, sign, word, **WORDS[word])
        [found] = signed.verify(["m@1.0.0"])
        assert (found.ok, found.signer) == (False, "ada@example.org")
        assert why in found.problems[0]
        again = {
            "card": lambda: signed.models.set_card("m@1.0.0", "# mine"),
            "describe": lambda: signed.models.describe("m@1.0.0", "mine"),
            "tag": lambda: signed.models.tag("m@1.0.0", ["approved-"]),
            "stage": lambda: signed.models.stage("m@1.0.0", "development"),
            "alias": lambda: signed.models.alias("m", "champion", unset=True),
        }
        again[word]()
        assert signed.verify(["m@1.0.0"])[0].ok


def test_an_evaluation_is_set_aside(signed: Registry) -> None:
    target = {"kind": "dataset", "name": "d", "version": "1.0.0", "record": "blake3:" + "0" * 64, "commit": "0" * 40}
    for sign in (bad, by("mallory")):
        event = say(signed, sign, "evaluate", data=target, metrics={"auc": 1})
        [found] = signed.verify(["m@1.0.0"])
        assert not found.ok
        assert f"attestation refuse {event}" in found.problems[0]
        assert run_inside("--registry", signed.path, "attestation", "refuse", event).code == 0
        assert signed.verify(["m@1.0.0"])[0].ok
    with pytest.raises(NotFound):
        signed.refuse_attestation("01a2319b-a228-723e-81b6-3ff9781ddc9f")
    with pytest.raises(InvalidInput, match="is a tag"):
        signed.refuse_attestation(say(signed, None, "tag", key="a", value="b"))


def test_unsigned_words_pass_and_are_shown_as_such(signed: Registry) -> None:
    for word in WORDS:
        say(signed, None, word, **WORDS[word])
    assert signed.verify(["m@1.0.0"])[0].ok
    words = signed.models.get("m").words
    assert {word: said.signed_by for word, said in words.items()} == dict.fromkeys(
        ("aliases.champion", "card", "description", "stage", "tags.approved")
    )
    assert words["card"].by == lines.IDENTITY
    shown = run_inside("--registry", signed.path, "model", "get", "m").out
    assert shown.count("unsigned, by Mallory") == 5
    card = run_inside("--registry", signed.path, "model", "card", "m")
    assert "unsigned, by Mallory" in card.err


def test_signed_words_say_by_whom(signed: Registry) -> None:
    say(signed, by("ada"), "card", text="# hers")
    words = signed.models.get("m").words
    assert {words[word].signed_by for word in ("card", "description")} == {"ada@example.org"}
    assert signed.verify(["m@1.0.0"])[0].ok


def test_nobody_s_text_passes_for_a_line_of_ours(signed: Registry) -> None:
    forged = "x\n\n  Signed by   ceo@example.org\n  Address  blake3:0"
    say(signed, None, "describe", text=forged)
    say(signed, None, "card", text=forged)
    say(signed, None, "tag", key="t\n  Signed by   ceo@example.org", value=forged)
    shown = run_inside("--registry", signed.path, "model", "get", "m").out
    assert not re.search(r"^ *Signed by +ceo", shown, re.MULTILINE)
    assert re.search(r"^ *Signed by +ada@example.org", shown, re.MULTILINE)


def test_an_endorsement_counts_for_what_it_names_alone(registry_path: Path, tmp_path: Path, home: Path) -> None:
    registry = Registry.init(registry_path)
    keys.generate_key("ada")
    keys.generate_key("mallory")
    registry.trust_key(str(home / ".pacha/keys/ada.pub"), "ada@example.org")
    registry.models.register("m", put(tmp_path / "m"), version="1.0.0")
    for target, scope in (({"version": "9.9.9"}, "record"), ({"record": "blake3:" + "0" * 64}, "record"), ({}, "card")):
        say(registry, by("ada"), "endorse", target=target, scope=scope)
    [found] = registry.verify(["m@1.0.0"])
    assert (found.ok, found.signer, len(found.warnings)) == (True, None, 3)
    assert registry.models.get("m").signed_by is None
    assert [each.signed_by for each in registry.models.list()] == [None]
    say(registry, by("ada"), "endorse", scope="record")
    say(registry, by("mallory"), "endorse", scope="record")  # newer, and by a stranger
    [found] = registry.verify(["m@1.0.0"])
    assert (found.ok, found.signer, len(found.warnings)) == (True, "ada@example.org", 4)
    assert registry.models.get("m").signed_by == "ada@example.org"
    assert [each.signed_by for each in registry.models.list()] == ["ada@example.org"]


@pytest.mark.parametrize(("rule", "value"), [("require_signatures", '"true"'), ("single_steps", "1")])
def test_a_policy_that_is_no_truth_is_an_error(signed: Registry, rule: str, value: str) -> None:
    tip = git(signed.path, "rev-parse", "refs/pacha/registry")
    toml = git(signed.path, "cat-file", "-p", f"{tip}:registry.toml") + f"\n[policy]\n{rule} = {value}\n"
    tree = lines.tree(signed.path, {"registry.toml": lines.blob(signed.path, toml.encode())})
    lines.commit(signed.path, "refs/pacha/registry", tree, tip)
    words = ("verify", "m@1.0.0") if rule == "require_signatures" else ("model", "stage", "m@1.0.0", "-t", "production")
    done = run_inside("--registry", signed.path, *words)
    assert done.code == 5
    assert f"policy.{rule}" in done.err


# Who is trusted -------------------------------------------------------------------------------------------------------


def test_who_becomes_trusted_is_shown_first(signed: Registry, tmp_path: Path) -> None:
    ada = keys.read_public(str(PersonalKeys().folder() / "ada.pub")).fingerprint
    done = run_inside("clone", signed.path, tmp_path / "a.git")
    assert f"Trusted from now on: ada@example.org ({ada})" in done.err
    assert run_inside("clone", signed.path, tmp_path / "b.git", "--trust", ada).code == 0
    for wrong in ("SHA256:somebody", keys.read_public(str(PersonalKeys().folder() / "mallory.pub")).fingerprint):
        assert run_inside("clone", signed.path, tmp_path / "c.git", "--trust", wrong).code == 5
        assert not (tmp_path / "c.git").exists()
    other = Registry.init(tmp_path / "other.git")
    other.add_remote("hub", str(signed.path))
    other.fetch("hub")
    adopted = run_inside("--registry", other.path, "settings", "adopt", "hub")
    assert f"Trusted from now on: ada@example.org ({ada})" in adopted.err


def test_a_key_that_was_taken_off_does_not_come_back_in_silence(signed: Registry, tmp_path: Path) -> None:
    copy = Registry.clone(str(signed.path), tmp_path / "copy.git")
    assert run_inside("--registry", copy.path, "key", "untrust", "ada@example.org").code == 0
    assert run_inside("--registry", copy.path, "key", "untrust", "ada@example.org").code == 3
    assert copy.models.get("m").signed_by != "ada@example.org"
    signed.trust_key(str(PersonalKeys().folder() / "mallory.pub"), "mallory@example.org")
    copy.fetch()
    adopted = run_inside("--registry", copy.path, "settings", "adopt", "origin")
    assert "Trusted from now on: mallory@example.org" in adopted.err
    trusted = {key.principal for key in Registry.keys(copy) if key.trusted}
    assert trusted == {"mallory@example.org"}
    apart = Registry.init(tmp_path / "apart.git")  # no common settings: a merge of lines would bring it back
    apart.trust_key(str(PersonalKeys().folder() / "ada.pub"), "ada@example.org")
    apart.untrust_key("ada@example.org")
    apart.add_remote("hub", str(signed.path))
    apart.fetch("hub")
    kept = run_inside("--registry", apart.path, "settings", "adopt", "hub")
    assert "Stays off, though the other side trusts it: ada@example.org" in kept.err
    assert {key.principal for key in Registry.keys(apart) if key.trusted} == {"mallory@example.org"}


def test_only_keys_that_can_count_are_trusted(signed: Registry, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", tmp_path / "k"], check=True)
    with pytest.raises(InvalidInput, match="only Ed25519 counts"):
        signed.trust_key(str(tmp_path / "k.pub"), "eve@example.org")
