"""Says whose signatures would begin or cease to count if settings were taken over, before they do.

A key that was taken off here is told from one that is new: nothing brings it back in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from pacha_git.errors import VerificationFailed
from pacha_git.trust.signers import Signers

Tell = Callable[["TrustChange"], None]
"""Shows a change to a person before it counts; raising leaves all as it was."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key as settings trust it: whose it is, and its fingerprint."""

    principal: str
    fingerprint: str

    def __str__(self) -> str:
        """Name both."""
        return f"{self.principal} ({self.fingerprint})"


@dataclass(frozen=True, slots=True)
class TrustChange:
    """What taking settings over means for who is trusted.

    Attributes:
        added: Keys that are trusted from then on, and never were here.
        back: Keys that are trusted from then on although they were taken off here.
        kept_off: Keys that stay off although the other side trusts them.
        dropped: Keys that are trusted no longer.
    """

    added: tuple[TrustedKey, ...] = ()
    back: tuple[TrustedKey, ...] = ()
    kept_off: tuple[TrustedKey, ...] = ()
    dropped: tuple[TrustedKey, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there is anything to say."""
        return bool(self.added or self.back or self.kept_off or self.dropped)


def keys_of(signers: Signers) -> dict[TrustedKey, None]:
    """Return every key that signers trust, each with whose it is, in the order of the file."""
    return {TrustedKey(entry.principals, entry.key.fingerprint): None for entry in signers.entries}


def change_of(before: Signers, after: Signers, theirs: Signers, earlier: Iterable[Signers]) -> TrustChange:
    """Compare who is trusted before and after.

    Args:
        before: Who is trusted here now.
        after: Who would be.
        theirs: Whom the other side trusts.
        earlier: Whom the settings that led to ours trusted.
    """
    now, then = keys_of(before), keys_of(after)
    once = {key.fingerprint for signers in earlier for key in keys_of(signers)} - {key.fingerprint for key in now}
    fresh = [key for key in then if key not in now]
    return TrustChange(
        added=tuple(key for key in fresh if key.fingerprint not in once),
        back=tuple(key for key in fresh if key.fingerprint in once),
        kept_off=tuple(key for key in keys_of(theirs) if key not in then and key.fingerprint in once),
        dropped=tuple(key for key in now if key not in then),
    )


def without_keys(signers: Signers, gone: Iterable[str]) -> Signers:
    """Return the signers less the lines of keys with these fingerprints; other lines stay byte for byte."""
    off = set(gone)
    kept = (line for line, entry in signers.lines if entry is None or entry.key.fingerprint not in off)
    return Signers.parse(b"".join(kept))


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Whom a person expects a registry to trust that is about to be cloned, and how that person is told.

    Attributes:
        expected: Fingerprints; none for whoever it is.
        tell: Is told who it is before anybody counts.
    """

    expected: tuple[str, ...] = ()
    tell: Tell | None = None

    def meet(self, signers: Signers) -> None:
        """Look at whom the registry trusts.

        Raises:
            VerificationFailed: somebody else than was expected, or not somebody who was.
        """
        keys = keys_of(signers)
        if self.expected:
            found = {key.fingerprint for key in keys}
            strange = [str(key) for key in keys if key.fingerprint not in self.expected]
            if strange:
                raise VerificationFailed(
                    f"it trusts {strange[0]}, whom you did not name", hint="ask its owner; nothing was made"
                )
            if missing := [each for each in self.expected if each not in found]:
                raise VerificationFailed(f"it does not trust {missing[0]}", hint="ask its owner; nothing was made")
        if keys and self.tell is not None:
            self.tell(TrustChange(added=tuple(keys)))


ANYBODY: Final = Newcomer()
