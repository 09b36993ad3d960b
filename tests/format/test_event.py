from __future__ import annotations

import os
import re
import time
from typing import Any

import blake3
import pytest

from pacha_git.errors import Corrupt, InvalidInput
from pacha_git.format import event as events
from pacha_git.format.event import (
    LINE_LIMIT,
    Envelope,
    Event,
    Statement,
    compose,
    encode_event,
    line_hash,
    new_event_id,
    parse_line,
    signed_part,
    with_signature,
)
from pacha_git.format.record import Target

EVENT_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
TARGET = Target(kind="model", name="x", version="1.0.0", record="blake3:" + "0" * 64, commit="1" * 40)
ENVELOPE = Envelope("6a1f1d5e-8a43-4c1b-9c55-0d6d1b1f7a01", TARGET, (), "2025-01-02T03:04:05Z", "Ada L <ada@x.org>")
MOVE = Statement("stage", {"from": "development", "to": "staging"})
LINE = (
    b'01890a5d-ac96-774b-bcce-b302099a8057\t{"after":[],"at":"2025-01-02T03:04:05Z","by":"Ada L <ada@x.org>",'
    b'"from":"development","id":"01890a5d-ac96-774b-bcce-b302099a8057","reason":"",'
    b'"registry":"6a1f1d5e-8a43-4c1b-9c55-0d6d1b1f7a01","target":{"commit":"1111111111111111111111111111111111111111",'
    b'"kind":"model","name":"x","record":"blake3:0000000000000000000000000000000000000000000000000000000000000000",'
    b'"version":"1.0.0"},"to":"staging","type":"stage"}'
)
ARMORED = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"


def made(**changes: Any) -> Event:
    return compose(MOVE, Envelope(**{**_values(ENVELOPE), **changes}), event_id=EVENT_ID)


def _values(envelope: Envelope) -> dict[str, Any]:
    return {key: getattr(envelope, key) for key in Envelope.__slots__}


def test_the_line_of_an_event() -> None:
    assert made().line == LINE


def test_a_line_reads_back() -> None:
    parsed = parse_line(LINE)
    assert parsed == made()
    assert (parsed.id, parsed.hash) == (EVENT_ID, blake3.blake3(LINE).hexdigest())
    assert (parsed.kind, parsed.name, parsed.version) == ("model", "x", "1.0.0")
    assert (parsed.record, parsed.commit) == (TARGET.record, TARGET.commit)
    assert (parsed.type, parsed.at, parsed.by, parsed.reason) == ("stage", ENVELOPE.at, ENVELOPE.by, "")
    assert (parsed.registry, parsed.after, parsed.sig, parsed.own_id) == (ENVELOPE.registry, (), None, True)
    assert parsed.fields == {"from": "development", "to": "staging"}


def test_after_is_sorted_and_each_once() -> None:
    assert made(after=["f" * 64, "0" * 64, "f" * 64]).after == ("0" * 64, "f" * 64)


def test_the_next_event_follows_the_one_before() -> None:
    assert ENVELOPE.following(made()).after == (line_hash(LINE),)


@pytest.mark.parametrize(
    "changes",
    [{"at": "2025-01-02 03:04:05"}, {"at": "2025-02-30T00:00:00Z"}, {"by": "Ada"}, {"after": ["x"]}, {"reason": "\0"}],
)
def test_what_no_event_may_say(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        made(**changes)


def test_an_event_over_a_mebibyte_is_refused() -> None:
    room = LINE_LIMIT - len(LINE)
    assert len(made(reason="x" * room).line) == LINE_LIMIT
    with pytest.raises(InvalidInput, match="the most is 1048576"):
        made(reason="x" * (room + 1))


@pytest.mark.parametrize("event_id", ["", "01890a5d-ac96-474b-bcce-b302099a8057", EVENT_ID.upper(), EVENT_ID + "\n"])
def test_an_id_is_a_uuidv7_in_lowercase(event_id: str) -> None:
    with pytest.raises(InvalidInput, match="UUIDv7"):
        encode_event({**made().body, "id": event_id})


def _with(before: bytes, after: bytes) -> bytes:
    assert before in LINE
    return LINE.replace(before, after)


UNREADABLE = {
    "empty": b"",
    "no TAB": LINE.replace(b"\t", b" "),
    "no id": LINE[36:],
    "UUIDv4": _with(b"-774b-bcce-b302099a8057\t", b"-474b-bcce-b302099a8057\t"),
    "another variant": _with(b"-bcce-b302099a8057\t", b"-ccce-b302099a8057\t"),
    "uppercase id": LINE[:36].upper() + LINE[36:],
    "LF within": LINE.replace(b"\t", b"\t\n"),
    "LF after": LINE + b"\n",
    "CR after": LINE + b"\r",
    "no JSON": LINE[:-1],
    "no UTF-8": _with(b"Ada", b"\xff"),
    "a space": _with(b'"after":[]', b'"after": []'),
    "keys out of order": _with(b'"to":"staging","type":"stage"', b'"type":"stage","to":"staging"'),
    "a key twice": _with(b'"to":"staging"', b'"to":"staging","to":"staging"'),
    "an array": LINE[:37] + b"[]",
    "no after": _with(b'"after":[],', b""),
    "after no array": _with(b'"after":[]', b'"after":{}'),
    "after of numbers": _with(b'"after":[]', b'"after":[1]'),
    "after of short hashes": _with(b'"after":[]', b'"after":["' + b"0" * 63 + b'"]'),
    "after in uppercase": _with(b'"after":[]', b'"after":["' + b"A" * 64 + b'"]'),
    "over a mebibyte": _with(b'"reason":""', b'"reason":"' + b"x" * LINE_LIMIT + b'"'),
    "too deep": _with(b'"reason":""', b'"reason":' + b"[" * 100_000 + b"]" * 100_000),
}


@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE)
def test_what_does_not_parse(line: bytes) -> None:
    assert parse_line(line) is None


def test_what_parses_though_it_says_nothing() -> None:
    parsed = parse_line(EVENT_ID.encode() + b'\t{"after":[],"at":7,"target":[]}')
    assert parsed is not None
    assert (parsed.type, parsed.at, parsed.commit, parsed.own_id, parsed.sig) == ("", "", "", False, None)


def test_a_signature_is_over_the_line_without_it() -> None:
    signed = with_signature(made(), ARMORED)
    assert signed.sig == ARMORED
    assert signed.hash != made().hash
    assert signed_part(signed.line) == signed_part(LINE) == LINE
    assert parse_line(signed.line) == signed


def test_signing_again_replaces_the_signature() -> None:
    once = with_signature(made(), ARMORED)
    assert with_signature(with_signature(made(), "other"), ARMORED) == once


def test_unknown_keys_survive_a_signature() -> None:
    extended = compose(Statement("stage", {"colour": "green"}), ENVELOPE)
    assert with_signature(extended, ARMORED).fields == {"colour": "green"}


def test_what_is_no_event_has_no_signed_part() -> None:
    with pytest.raises(Corrupt):
        signed_part(b"rubbish")


def test_ids_are_uuidv7_of_now_and_ascend() -> None:
    before = time.time_ns() // 1_000_000
    ids = [new_event_id() for _ in range(20_000)]
    assert ids == sorted(set(ids))
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", one) for one in ids)
    assert before <= int(ids[0][:13].replace("-", ""), 16) <= before + 60_000


def test_ids_ascend_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_event_id()
    monkeypatch.setattr(events.time, "time_ns", lambda: 0)
    assert new_event_id() > first


def test_a_forked_process_makes_other_ids() -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, new_event_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 36).decode() != new_event_id()
    os.close(read)
    os.close(write)
