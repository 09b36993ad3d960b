"""No bytes of somebody else's end a command with a traceback, or keep it for long.

``make test`` tries 300 inputs of each reader by hypothesis and as many mutations; ``make soak`` 100,000 each.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutation import mutated
from tests.fuzz.readers import readers, refuses_in_our_words

READERS = readers()
SOAK = os.environ.get("PACHA_TEST_PROFILE") == "soak"
INPUTS = 100_000 if SOAK else 300
_SECONDS = 5.0

# Split from one text: to draw each part by itself takes hypothesis ten times as long.
WORDS = (
    b'---\n|{|}|[|]|"|:|,|\n|\0|=|1e999|-0|99999999999999999999|name|version|1.0.0|NaN|null|true|\xff\xfe|\xe2\x80\xae|'
    b"tree |parent | |\t|0x" + b"F" * 4500
).split(b"|")


def _spelled(start: bytes, rest: bytes) -> bytes:
    """Bytes in which every fourth stands for a word."""
    parts = [WORDS[byte % len(WORDS)] if at % 4 == 0 else rest[at : at + 1] for at, byte in enumerate(rest)]
    return start + b"".join(parts)


@pytest.mark.timeout(7200 if SOAK else 120)
@pytest.mark.parametrize("name", READERS)
def test_mutations_of_honest_bytes(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    assert reader.seeds, "nothing to begin from"
    for seed in reader.seeds:
        refuses_in_our_words(reader, seed, tmp_path)
    chance = random.Random(name)
    for number in range(INPUTS):
        data = mutated(chance, reader.seeds)
        begun = time.process_time()
        try:
            refuses_in_our_words(reader, data, tmp_path)
        except Exception as error:
            raise AssertionError(f"{name}, mutation {number}: {data!r:.2000}") from error
        assert time.process_time() - begun < _SECONDS, f"{name}, mutation {number}: {data!r:.500}"


@pytest.mark.timeout(7200 if SOAK else 120)
@pytest.mark.parametrize("name", READERS)
def test_any_bytes(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    starts = st.sampled_from([b"", *(seed[:40] for seed in reader.seeds)])

    @settings(max_examples=INPUTS, deadline=None, suppress_health_check=list(HealthCheck))
    @given(starts, st.binary(max_size=120), st.booleans())
    def read(start: bytes, rest: bytes, spelled: bool) -> None:
        refuses_in_our_words(reader, _spelled(start, rest) if spelled else start + rest, tmp_path)

    read()
