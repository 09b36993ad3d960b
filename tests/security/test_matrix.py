"""Every thing by every alteration by every way in: refused, or marked where a person looks; never silently in force.

To add a row: a function that alters ``world.hub``, and its line in ``TABLE`` with what must come of it by each way:
``refused`` (the way says so and nothing changed), ``marked`` (it came, and ``verify``, ``fsck`` or the words of ``get``
say that it is not Ada's), ``kept`` (nothing changed, nothing had to be said); two
of them where the hash of a line decides.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pacha_git import Registry, VerificationFailed
from pacha_git.hooks.install import guard
from pacha_git.registry.upkeep.keys import generate_key
from pacha_git.session.signing import PersonalKeys
from tests.cli.conftest import scripts
from tests.exchange import lines
from tests.making import noise, put
from tests.security import world as w
from tests.security.world import ATTESTATIONS, EVENTS, FRESH, KNOWN, PAYLOAD, SETTINGS, World

__all__ = ["scripts"]
pytestmark = pytest.mark.damaged
Alter = Callable[[World], None]
TABLE: dict[str, tuple[Alter, dict[str, str]]] = {}


def row(thing: str, alteration: str, pull: str, bundle: str, push: str, files: str) -> Callable[[Alter], Alter]:
    def enter(alter: Alter) -> Alter:
        TABLE[f"{thing}-{alteration}"] = alter, {"pull": pull, "bundle": bundle, "push": push, "files": files}
        return alter

    return enter


# Records --------------------------------------------------------------------------------------------------------------


@row("record", "flip", "refused", "refused", "refused", "marked")
def flip_record(world: World) -> None:
    w.rewritten(world.hub, FRESH, "record.json", lambda data: data.replace(b"what Ada wrote", b"what Eve wrote"))


@row("record", "cut", "refused", "refused", "refused", "marked")
def cut_record(world: World) -> None:
    w.rewritten(world.hub, FRESH, "record.json", lambda data: data[:-20])


@row("record", "replay of another version", "refused", "refused", "refused", "marked")
def replay_version(world: World) -> None:
    w.git(world.hub, "update-ref", "refs/pacha/models/m/3.0.0", w.git(world.hub, "rev-parse", KNOWN))


@row("record", "replay from another registry", "refused", "refused", "refused", "marked")
def replay_registry(world: World) -> None:
    w.git(world.hub, "fetch", "-q", str(world.other), "+refs/pacha/models/m/1.0.0:refs/pacha/models/m/1.0.0")


@row("record", "older state", "refused", "kept", "kept", "kept")
def older_record(world: World) -> None:
    w.git(world.hub, "update-ref", "-d", FRESH)
    w.git(world.hub, "update-ref", "-d", PAYLOAD)
    w.git(world.hub, "update-ref", "-d", KNOWN)


@row("record", "other key", "marked", "marked", "marked", "marked")
def other_key_record(world: World) -> None:
    w.resigned(world.hub, FRESH, "mallory")


@row("record", "unsigned", "marked", "marked", "marked", "marked")
def unsigned_record(world: World) -> None:
    w.resigned(world.hub, FRESH, None)


@row("record", "unsigned, known", "refused", "refused", "refused", "marked")
def unsigned_known_record(world: World) -> None:
    w.resigned(world.hub, KNOWN, None)


def _signers(path: Path, change: Callable[[str], str]) -> None:
    """Change whom a registry trusts, as its owner may."""
    tip = w.git(path, "rev-parse", SETTINGS)
    changed = change(w.git(path, "cat-file", "-p", f"{tip}:allowed_signers") + "\n")
    entries = {"registry.toml": w.git(path, "rev-parse", f"{tip}:registry.toml")}
    entries["allowed_signers"] = lines.blob(path, changed.encode())
    lines.commit(path, SETTINGS, lines.tree(path, entries), tip)


@row("record", "expired", "marked", "marked", "marked", "marked")
def expired_key(world: World) -> None:
    for path in (world.hub, world.ours, world.guarded):
        _signers(path, lambda text: text.replace(" ssh-ed25519", ' valid-before="20200101Z" ssh-ed25519'))


@row("record", "key removed", "marked", "marked", "marked", "marked")
def key_removed(world: World) -> None:
    for path in (world.hub, world.ours, world.guarded):
        _signers(path, lambda _: "")


# Events and attestations ----------------------------------------------------------------------------------------------


def _after_signature(line: bytes) -> bytes:
    return line.replace(b'"reason":""', b'"reason":"because"') if b'"sig"' in line else line


@row("event", "flip", "marked or kept", "marked or kept", "refused", "marked")
def flip_event(world: World) -> None:
    w.relined(world.hub, EVENTS, _after_signature)


@row("event", "cut", "marked", "kept", "refused", "marked")
def cut_event(world: World) -> None:
    w.relined(world.hub, EVENTS, lambda line: line[:-30])


@row("event", "removed", "marked", "kept", "refused", "marked")
def remove_event(world: World) -> None:
    tip = w.git(world.hub, "rev-parse", EVENTS)
    lines.commit(world.hub, EVENTS, w.git(world.hub, "mktree", stdin=b""), tip)


@row("event", "other key", "marked", "marked", "marked", "marked")
def other_key_event(world: World) -> None:
    line = lines.line(world.hub, KNOWN, "alias", name="champion", op="set")
    signed = lines.signed(line, w.sign("mallory"))
    lines.write(world.hub, EVENTS, {w.git(world.hub, "rev-parse", KNOWN): [signed]})


@row("event", "replay of another version", "marked", "marked", "refused", "marked")
def replay_event(world: World) -> None:
    line = lines.line(world.hub, KNOWN, "alias", target={"version": "2.0.0"}, name="champion", op="set")
    lines.write(world.hub, EVENTS, {w.git(world.hub, "rev-parse", KNOWN): [line]})


@row("attestation", "unsigned", "marked", "marked", "marked", "marked")
def unsigned_card(world: World) -> None:
    line = lines.line(world.hub, KNOWN, "card", text="# what Mallory wrote")
    lines.write(world.hub, ATTESTATIONS, {w.git(world.hub, "rev-parse", KNOWN): [line]})


@row("attestation", "flip", "marked or kept", "marked or kept", "refused", "marked")
def flip_card(world: World) -> None:
    w.relined(world.hub, ATTESTATIONS, lambda line: line.replace(b"Ada's card", b"Eve's card"))


@row("attestation", "other key", "marked", "marked", "marked", "marked")
def other_key_card(world: World) -> None:
    line = lines.signed(lines.line(world.hub, KNOWN, "card", text="# Mallory's"), w.sign("mallory"))
    lines.write(world.hub, ATTESTATIONS, {w.git(world.hub, "rev-parse", KNOWN): [line]})


@row("attestation", "removed bytes", "marked", "marked", "marked", "marked")
def tombstone(world: World) -> None:
    line = lines.line(world.hub, KNOWN, "tombstone")
    lines.write(world.hub, ATTESTATIONS, {w.git(world.hub, "rev-parse", KNOWN): [line]})


# Settings -------------------------------------------------------------------------------------------------------------


def _settings(world: World, change: Callable[[str], str], signers: bytes | None) -> None:
    toml = change(w.git(world.hub, "cat-file", "-p", f"{SETTINGS}:registry.toml") + "\n")
    entries = {"registry.toml": lines.blob(world.hub, toml.encode())}
    entries |= {"allowed_signers": lines.blob(world.hub, signers)} if signers is not None else {}
    lines.commit(world.hub, SETTINGS, lines.tree(world.hub, entries), w.git(world.hub, "rev-parse", SETTINGS))


@row("settings", "cut", "refused", "refused", "refused", "refused")
def cut_settings(world: World) -> None:
    _settings(world, lambda toml: toml[:8], None)


@row("settings", "flip", "refused", "refused", "refused", "refused")
def flip_settings(world: World) -> None:
    _settings(world, lambda toml: toml + '[policy]\nrequire_signatures = "true"\n', None)


@row("settings", "other key", "kept", "kept", "marked", "marked")
def other_key_settings(world: World) -> None:
    """Who may push settings may say whom a hub trusts; nobody else follows without adopting them."""
    mallory = (PersonalKeys().folder() / "mallory.pub").read_text().split()[:2]
    _settings(world, lambda toml: toml, ("mallory@example.org " + " ".join(mallory) + "\n").encode())


@row("settings", "older state", "kept", "kept", "refused", "marked")
def older_settings(world: World) -> None:
    w.git(world.hub, "update-ref", SETTINGS, w.git(world.hub, "rev-parse", f"{SETTINGS}^"))


# Payloads and runs ----------------------------------------------------------------------------------------------------


@row("payload", "flip", "kept", "refused", "refused", "marked")
def flip_payload(world: World) -> None:
    w.rewritten(world.hub, PAYLOAD, "blobs/m.bin", lambda data: bytes([data[0] ^ 1]) + data[1:])


@row("payload", "cut", "kept", "refused", "refused", "marked")
def cut_payload(world: World) -> None:
    w.rewritten(world.hub, PAYLOAD, "manifest", lambda data: data[:-10])


@row("payload", "replay of another version", "kept", "refused", "refused", "marked")
def replay_payload(world: World) -> None:
    w.git(world.hub, "update-ref", PAYLOAD, w.git(world.hub, "rev-parse", PAYLOAD.replace("2.0.0", "1.0.0")))


@row("run", "flip", "refused", "refused", "refused", "marked")
def flip_run(world: World) -> None:
    w.rewritten(world.hub, world.run, "run.json", lambda data: data.replace(b'"completed"', b'"cancelled"'))


@row("run", "cut", "refused", "refused", "refused", "marked")
def cut_run(world: World) -> None:
    w.rewritten(world.hub, world.run, "params.toml", lambda data: data[:3])


@row("run", "replay under another id", "refused", "refused", "refused", "marked")
def replay_run(world: World) -> None:
    other = world.run[:-1] + ("0" if world.run[-1] != "0" else "1")
    w.git(world.hub, "update-ref", other, w.git(world.hub, "rev-parse", world.run))


# Bundles: the file itself; what may stand in one is above ------------------------------------------------------------


@row("bundle", "flip", "kept", "refused", "kept", "kept")
def flip_bundle(world: World) -> None:
    world.spoil.append(lambda data: data[:-200] + bytes([data[-200] ^ 1]) + data[-199:])


@row("bundle", "cut", "kept", "refused", "kept", "kept")
def cut_bundle(world: World) -> None:
    world.spoil.append(lambda data: data[: len(data) // 2])


@row("bundle", "replay of other refs", "kept", "refused", "kept", "kept")
def replay_bundle(world: World) -> None:
    world.spoil.append(lambda data: data.replace(b" refs/pacha/models/m/2.0.0\n", b" refs/pacha/models/m/3.0.0\n", 1))


# The world ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Made once: signed by Ada, whom all registries trust."""
    monkeypatch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("stage")
    (folder / "home").mkdir()
    monkeypatch.setenv("HOME", str(folder / "home"))
    for name in ("ada", "mallory"):
        generate_key(name)
    (folder / "home/.gitconfig").write_text(
        "[user]\n\tname = Ada\n\temail = ada@example.org\n[pacha]\n\tremovals = signed\n"
        '[pacha "sign"]\n\tkey = ada\n\tdefault = true\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(folder / "home/.gitconfig"))
    _fill(folder)
    yield folder
    monkeypatch.undo()


def _fill(folder: Path) -> None:
    hub = Registry.init(folder / "hub.git")
    hub.trust_key(str(PersonalKeys().folder() / "ada.pub"), "ada@example.org")
    hub.models.register("m", put(folder / "m.bin", noise(2_000)), version="1.0.0", description="what Ada wrote")
    hub.models.stage("m@1.0.0", "staging")
    hub.models.set_card("m@1.0.0", "# Ada's card")
    Registry.clone(str(hub.path), folder / "ours.git", payload="all")
    shutil.copytree(hub.path, folder / "guarded.git")
    hub.models.register(
        "m", put(folder / "m.bin", noise(3_000, 1)), version="2.0.0", description="what Ada wrote",
        lineage=["derived-from=m@1.0.0"],
    )  # fmt: skip
    with hub.run(params={"lr": 0.5}) as run:
        run.log(loss=1.0)
    other = Registry.init(folder / "other.git")
    other.models.register("m", put(folder / "m.bin", b"another m"), version="1.0.0")


@pytest.fixture
def world(stage: Path, tmp_path: Path, scripts: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("HOME", str(stage / "home"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(stage / "home/.gitconfig"))
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    return _copy(stage, tmp_path)


def _copy(stage: Path, folder: Path) -> World:
    made = World(*(folder / f"{name}.git" for name in ("hub", "ours", "guarded", "other")))
    for path in (made.hub, made.ours, made.guarded, made.other):
        shutil.copytree(stage / path.name, path, symlinks=True)
    w.git(made.ours, "config", "remote.origin.url", str(made.hub))
    guard(made.guarded)
    return made


HONEST: dict[str, tuple[dict[str, Any], set[str]]] = {}


def honest(stage: Path, folder: Path, way: str) -> tuple[dict[str, Any], set[str]]:
    """What is seen once all that the hub honestly has came by this way."""
    if way not in HONEST:
        unaltered = _copy(stage, folder / "honest")
        assert not w.WAYS[way](unaltered)
        place = w.entered(unaltered, way)
        HONEST[way] = w.shown(place), w.marks(place)
    return HONEST[way]


QUICK = (
    "record-flip", "record-other key", "event-other key", "attestation-removed bytes", "settings-flip", "payload-flip",
    "run-flip",
)  # fmt: skip


def cells() -> Iterator[object]:
    for name, (_, expected) in TABLE.items():
        for way, outcome in expected.items():
            marks = () if way == "pull" and name in QUICK else (pytest.mark.soak,)
            yield pytest.param(name, way, outcome, id=f"{name}-{way}", marks=marks)


@pytest.mark.parametrize(("name", "way", "expected"), cells())
def test_never_silently_in_force(world: World, stage: Path, tmp_path: Path, name: str, way: str, expected: str) -> None:
    place = w.entered(world, way)
    before = w.shown(place)
    rightly, known_marks = honest(stage, tmp_path, way)
    known_marks = known_marks | w.marks(place)
    TABLE[name][0](world)
    refused = w.WAYS[way](world)
    try:
        after, marked = w.shown(place), w.marks(place)
    except VerificationFailed:  # settings that nobody can read: it is said, and nothing is in force
        assert expected == "refused"
        return
    wrong = {key: value for key, value in after.items() if value not in (before.get(key), rightly.get(key))}
    if refused and not wrong:
        outcome = "refused"
    elif marked - known_marks or after["trusted"] not in (before["trusted"], rightly["trusted"]):
        outcome = "marked"
    else:
        outcome = "kept" if not wrong else f"silently in force: {wrong}"
    assert outcome in expected.split(" or "), marked - known_marks


def test_every_thing_meets_every_way() -> None:
    things = {name.split("-")[0] for name in TABLE}
    assert things == {"record", "event", "attestation", "settings", "payload", "bundle", "run"}
    assert all(set(expected) == set(w.WAYS) for _, expected in TABLE.values())
