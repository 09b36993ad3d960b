"""Golden vectors: note bytes of every released format, and what they come to for ever."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pacha_git.format.event import parse_line, signed_part
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger import Attested, fold, fold_attestations, parse_note
from pacha_git.vocabulary.ids import parse_notes_ref
from tests.ledger.reference import Fold
from tests.ledger.samples import move

GOLDEN = Path(__file__).parent.parent / "golden" / "events"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/expected.json"))
ATTESTATIONS = ["attestations", "revoke"]
EVENTS = [case for case in CASES if case not in ATTESTATIONS]


def load(case: str) -> tuple[dict[Oid, list[bytes]], dict[str, Any]]:
    notes = {Oid.parse(path.name): parse_note(path.read_bytes()) for path in (GOLDEN / case / "notes").iterdir()}
    return notes, json.loads((GOLDEN / case / "expected.json").read_text())


def test_the_cases_are_there() -> None:
    assert len(CASES) == 12


@pytest.mark.parametrize("case", EVENTS)
def test_events(case: str) -> None:
    notes, expected = load(case)
    parsed = parse_notes_ref(expected.pop("ref"))
    assert parsed is not None
    found = fold(notes, kind=parsed[0], name=parsed[1])
    assert expected == {
        "stages": {of: stage.value for of, stage in found.stages.items()},
        "aliases": found.aliases,
        "tips": list(found.tips),
        "history": [
            {"line": e.event.hash, "commit": e.commit, "status": e.status.value, "crossing": e.crossing}
            for e in found.history
        ],
    }


@pytest.mark.parametrize("case", EVENTS)
def test_the_reference_says_the_same(case: str) -> None:
    notes, expected = load(case)
    reference = Fold({str(of): lines for of, lines in notes.items()}, "model", "team/fraud")
    assert expected["stages"] == reference.stages()
    assert expected["aliases"] == reference.aliases()
    assert expected["tips"] == reference.tips
    assert {entry["line"]: entry["status"] for entry in expected["history"]} == reference.statuses()
    assert {entry["line"] for entry in expected["history"] if entry["crossing"]} == reference.crossing()


@pytest.mark.parametrize("case", ATTESTATIONS)
def test_attestations(case: str) -> None:
    notes, expected = load(case)
    parsed = parse_notes_ref(expected["ref"])
    assert parsed is not None
    found = fold_attestations(notes, kind=parsed[0], name=parsed[1])
    assert expected["tips"] == list(found.tips)
    assert expected["void"] == [{"commit": of, "line": event.hash} for of, event in found.void]
    assert {of: {"revokes": [], **about} for of, about in expected["of"].items()} == {
        of: _as_json(attested) for of, attested in found.of.items()
    }


def _as_json(attested: Attested) -> dict[str, Any]:
    additions = ("endorsements", "evaluations", "tombstones", "revokes")
    texts = {key: getattr(attested, key) for key in ("tags", "description", "card", "datasheet")}
    return {**texts, **{key: [event.hash for event in getattr(attested, key)] for key in additions}}


def test_a_writer_makes_the_golden_lines() -> None:
    notes, _ = load("promotion")
    first = move("dev", "staging", 1, number=1)
    second = move("staging", "prod", 1, first, number=2, reason="all checks passed ✓")
    assert [first.line, second.line] == notes[Oid("0" * 39 + "1")]


@pytest.mark.parametrize("number", [0, 1])
def test_ssh_keygen_verifies_the_signatures(number: int, tmp_path: Path) -> None:
    assert shutil.which("ssh-keygen"), "needs ssh-keygen (Debian: openssh-client)"
    notes, _ = load("signed")
    line = notes[Oid("0" * 39 + "1")][number]
    event = parse_line(line)
    assert event is not None
    assert event.sig is not None
    signature = tmp_path / "event.sig"
    signature.write_text(event.sig)
    command = ["ssh-keygen", "-Y", "verify", "-f", str(GOLDEN / "signed" / "allowed_signers"), "-I", "ada@example.org"]
    command += ["-n", "pacha-event", "-s", str(signature)]
    good = subprocess.run(command, input=signed_part(line), capture_output=True)
    assert good.returncode == 0, good.stdout + good.stderr
    bad = subprocess.run(command, input=signed_part(line) + b" ", capture_output=True)
    assert bad.returncode != 0
