"""Decides which tombstones of a name count, which are only claimed, and which were taken back; pure.

The lines alone do not say it: where a line came from, whom a registry trusts and what a person decided are handed in
as a ``Standing``. The rule is docs/format.md 11; before changing it, see docs/security.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pacha_git.format.event import Event
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.attestations import Attestations

# Words of the list that a registry keeps outside of Git, one for a line of attestations.
MADE: Final = "made"
KEPT: Final = "kept"
ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"
FROM_ORIGIN: Final = "origin"
PUSHED: Final = "pushed"
LEFT: Final = "left"
WORDS: Final = (MADE, KEPT, ACCEPTED, REFUSED, FROM_ORIGIN, PUSHED, LEFT)

# What pacha.removals may say of removals that were not made or accepted here.
SIGNED_ONLY: Final = "signed"
ORIGIN_TOO: Final = "origin"
ASK: Final = "ask"
CHOICES: Final = (SIGNED_ONLY, ORIGIN_TOO, ASK)

_OURS: Final = frozenset({MADE, KEPT, ACCEPTED})
_NEAR: Final = frozenset({FROM_ORIGIN, PUSHED})


class Signature(NamedTuple):
    """What the signature on a line comes to: no fingerprint without a good one, no principal without a trusted key."""

    fingerprint: str | None = None
    principal: str | None = None

    @property
    def shown(self) -> str | None:
        """The principal, else the fingerprint of a key that is not trusted."""
        return self.principal or self.fingerprint


@dataclass(frozen=True, slots=True)
class Standing:
    """What a registry knows beside the lines.

    Attributes:
        words: Of each hash of a line what the registry noted, in the order in which it did.
        trusts_keys: Whether it trusts any key.
        wanted: What counts of others' removals: one of ``CHOICES``.
        signature: Tells what the signature on a line comes to.
    """

    words: Mapping[str, tuple[str, ...]]
    trusts_keys: bool
    wanted: str
    signature: Callable[[Event], Signature]

    def is_refused(self, event: Event) -> bool:
        """Tell whether a person refused it here, and did not accept it after that."""
        decided = [word for word in self.words.get(event.hash, ()) if word in (ACCEPTED, REFUSED)]
        return bool(decided) and decided[-1] == REFUSED

    def counts(self, tombstone: Event) -> bool:
        """Tell whether a tombstone counts here, as long as nobody takes it back."""
        if self.is_refused(tombstone):
            return False
        if self.is_ours(tombstone) or self.is_near(tombstone):
            return True
        return self.wanted != ASK and self.signature(tombstone).principal is not None

    def takes_back(self, revoke: Event, tombstone: Event) -> bool:
        """Tell whether a revoke that names a tombstone counts here."""
        signer = self.signature(tombstone).fingerprint
        if signer is not None:
            return self.signature(revoke).fingerprint == signer
        return self.is_ours(revoke) or self.is_near(revoke)

    def is_ours(self, event: Event) -> bool:
        """Tell whether it was made or accepted here, or was here before a list was kept."""
        return not _OURS.isdisjoint(self.words.get(event.hash, ()))

    def is_near(self, event: Event) -> bool:
        """Tell whether it came from where a registry without keys believes what it is told."""
        believes = not self.trusts_keys and self.wanted == ORIGIN_TOO
        return believes and not _NEAR.isdisjoint(self.words.get(event.hash, ()))


@dataclass(slots=True)
class Removals:
    """What the tombstones of one name come to.

    Attributes:
        counting: Per record commit that is removed, the tombstones that make it so, in the order of the graph.
        claims: Per record commit, the tombstones that do not count and that nobody decided on here.
        signatures: What the signature on each tombstone comes to, by its hash.
    """

    counting: dict[Oid, list[Event]] = field(default_factory=dict)
    claims: dict[Oid, list[Event]] = field(default_factory=dict)
    signatures: dict[str, Signature] = field(default_factory=dict)

    @property
    def removed(self) -> frozenset[Oid]:
        """The record commits whose payload is removed here."""
        return frozenset(self.counting)


def judge(attestations: Attestations, standing: Standing) -> Removals:
    """Say what the tombstones of a name come to."""
    found = Removals()
    for commit, about in attestations.of.items():
        for tombstone in about.tombstones:
            found.signatures[tombstone.hash] = standing.signature(tombstone)
            if standing.is_refused(tombstone) or _is_taken_back(tombstone, about.revokes, standing):
                continue
            place = found.counting if standing.counts(tombstone) else found.claims
            place.setdefault(commit, []).append(tombstone)
    return found


def _is_taken_back(tombstone: Event, revokes: Iterable[Event], standing: Standing) -> bool:
    return any(revoke.text("of") == tombstone.hash and standing.takes_back(revoke, tombstone) for revoke in revokes)
