"""Which tombstones count, from where they came and who signed them: the rule of docs/format.md 11 as tables."""

from __future__ import annotations

import pytest

from pacha_git.format.event import Event
from pacha_git.ledger import fold_attestations
from pacha_git.ledger.removals import (
    ACCEPTED,
    ASK,
    FROM_ORIGIN,
    KEPT,
    LEFT,
    MADE,
    ORIGIN_TOO,
    PUSHED,
    REFUSED,
    SIGNED_ONLY,
    Removals,
    Signature,
    Standing,
    judge,
)
from pacha_git.ledger.statements import revoke, tombstone
from pacha_git.vocabulary.kinds import Kind
from tests.ledger.samples import NAME, commit, event, notes

ADA, STRANGER, NOBODY = Signature("SHA256:ada", "ada@example.org"), Signature("SHA256:mallory"), Signature()


def judged(
    *events: Event, words: dict[Event, tuple[str, ...]], signed: dict[Event, Signature] | None = None,
    keys: bool = False, wanted: str = ORIGIN_TOO,
) -> Removals:  # fmt: skip
    found = fold_attestations(notes(*events), kind=Kind.MODEL, name=NAME)
    signatures = {each.hash: signature for each, signature in (signed or {}).items()}
    standing = Standing(
        {each.hash: said for each, said in words.items()}, keys, wanted, lambda e: signatures.get(e.hash, NOBODY)
    )
    return judge(found, standing)


@pytest.mark.parametrize(
    ("words", "signature", "keys", "wanted", "counts"),
    [
        ((MADE,), NOBODY, False, ORIGIN_TOO, True),
        ((MADE,), NOBODY, True, ASK, True),
        ((MADE, LEFT), NOBODY, True, SIGNED_ONLY, True),
        ((KEPT,), NOBODY, True, SIGNED_ONLY, True),
        ((ACCEPTED,), STRANGER, True, ASK, True),
        ((FROM_ORIGIN,), NOBODY, False, ORIGIN_TOO, True),
        ((PUSHED,), NOBODY, False, ORIGIN_TOO, True),
        ((FROM_ORIGIN,), NOBODY, True, ORIGIN_TOO, False),
        ((PUSHED,), NOBODY, True, ORIGIN_TOO, False),
        ((FROM_ORIGIN,), NOBODY, False, SIGNED_ONLY, False),
        ((FROM_ORIGIN,), NOBODY, False, ASK, False),
        ((), NOBODY, False, ORIGIN_TOO, False),
        ((), STRANGER, True, ORIGIN_TOO, False),
        ((), ADA, True, ORIGIN_TOO, True),
        ((), ADA, True, SIGNED_ONLY, True),
        ((), ADA, True, ASK, False),
        ((REFUSED,), ADA, True, ORIGIN_TOO, False),
        ((MADE, REFUSED), NOBODY, False, ORIGIN_TOO, False),
        ((REFUSED, ACCEPTED), NOBODY, True, ASK, True),
    ],
)
def test_a_tombstone_counts(
    words: tuple[str, ...], signature: Signature, keys: bool, wanted: str, counts: bool
) -> None:
    said = event(tombstone(), 1)
    found = judged(said, words={said: words}, signed={said: signature}, keys=keys, wanted=wanted)
    assert (found.removed == {commit(1)}) is counts
    refused = bool(words) and words[-1] == REFUSED
    assert (commit(1) in found.claims) is (not counts and not refused)


@pytest.mark.parametrize(
    ("removal", "revoke_words", "revoke_signature", "keys", "back"),
    [
        (NOBODY, (MADE,), NOBODY, False, True),
        (NOBODY, (ACCEPTED,), NOBODY, True, True),
        (NOBODY, (FROM_ORIGIN,), NOBODY, False, True),
        (NOBODY, (PUSHED,), NOBODY, False, True),
        (NOBODY, (FROM_ORIGIN,), NOBODY, True, False),
        (NOBODY, (), NOBODY, False, False),
        (NOBODY, (), STRANGER, False, False),
        (ADA, (), ADA, True, True),
        (ADA, (MADE,), NOBODY, True, False),
        (ADA, (MADE,), STRANGER, True, False),
        (STRANGER, (), STRANGER, True, True),
    ],
)
def test_a_revoke_takes_it_back(
    removal: Signature, revoke_words: tuple[str, ...], revoke_signature: Signature, keys: bool, back: bool
) -> None:
    said = event(tombstone(), 1, number=1)
    undone = event(revoke(said.hash), 1, said, number=2)
    words = {said: (ACCEPTED,), undone: revoke_words}
    found = judged(said, undone, words=words, signed={said: removal, undone: revoke_signature}, keys=keys)
    assert (found.removed == frozenset()) is back


def test_a_revoke_names_one_line_and_a_later_tombstone_removes_again() -> None:
    said = event(tombstone(), 1, number=1)
    undone = event(revoke(said.hash), 1, said, number=2)
    again = event(tombstone(), 1, undone, number=3)
    other = event(revoke("0" * 64), 1, again, number=4)
    found = judged(said, undone, again, other, words=dict.fromkeys((said, undone, again, other), (MADE,)))
    assert found.counting == {commit(1): [again]}


def test_a_revoke_on_another_version_takes_nothing_back() -> None:
    said = event(tombstone(), 1, number=1)
    astray = event(revoke(said.hash), 2, said, number=2)
    assert judged(said, astray, words=dict.fromkeys((said, astray), (MADE,))).removed == {commit(1)}


@pytest.mark.parametrize("of", [None, 5, "", "g" * 64, "A" * 64])
def test_a_revoke_without_a_hash_is_void(of: object) -> None:
    from pacha_git.format.event import Statement

    bad = event(Statement("revoke", {"of": of}), 1)
    assert [each for _, each in fold_attestations(notes(bad), kind=Kind.MODEL, name=NAME).void] == [bad]
