"""Refs as people say them."""

from __future__ import annotations

import pytest

from pacha_git.cli.showing.refs import ref_in_words, refs_in_words

MODEL = "refs/pacha/models/team/fraud/1.0.0"
PAYLOAD = "refs/pacha/payload/datasets/d/1.0.0"
EVENTS = "refs/notes/pacha/models/team/fraud/_events"
RUN = "refs/pacha/runs/01a1f786-db5a-7000-8c0c-8d5fb56bab6d"
POINTS = "refs/pacha/payload/runs/01a1f786-db5a-7000-8c0c-8d5fb56bab6d"
ATTESTATIONS = "refs/notes/pacha/models/team/fraud/_attestations"


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        (MODEL, "model team/fraud 1.0.0"),
        (PAYLOAD, "bytes of data d 1.0.0"),
        (EVENTS, "stages and aliases of model team/fraud"),
        (ATTESTATIONS, "tags, texts and signatures of model team/fraud"),
        (RUN, f"run {RUN[-36:]}"),
        (POINTS, f"points and artifacts of run {RUN[-36:]}"),
        ("refs/pacha/runs/other", "refs/pacha/runs/other"),
        ("refs/pacha/registry", "settings"),
        ("refs/heads/main", "refs/heads/main"),
        ("refs/pacha/models/x/not-semver", "refs/pacha/models/x/not-semver"),
    ],
)
def test_a_ref_is_told_in_words(ref: str, words: str) -> None:
    assert ref_in_words(ref) == words


def test_many_refs_are_told_by_kind() -> None:
    assert refs_in_words([RUN, POINTS, MODEL]) == "1 version, 1 run, 1 payload"
    everything = [MODEL, PAYLOAD, EVENTS, ATTESTATIONS, "refs/pacha/registry", "refs/pacha/root"]
    assert refs_in_words(everything) == "1 version, 1 payload, the events of 1 name, settings"
    assert refs_in_words(["refs/pacha/root", "refs/heads/main"]) == ""
