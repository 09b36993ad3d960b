"""Says what a signature over a line comes to for those who trust certain signers; pure.

One rule for records, events and attestations: a good signature has a key, a trusted key has a principal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pacha_git.trust.signers import Signers


@dataclass(frozen=True, slots=True)
class SignedBy:
    """Who made a signature that is right for its bytes: the fingerprint, and the principal if the key is trusted."""

    fingerprint: str
    principal: str | None

    @property
    def shown(self) -> str:
        """The principal, or the bare fingerprint of a key that nobody here vouches for."""
        return self.principal or self.fingerprint


def signed_by(signers: Signers, signature: str, message: bytes, namespace: str, at: str) -> SignedBy:
    """Tell whose signature it is.

    Raises:
        VerificationFailed: it is not a signature over these bytes.
        InvalidInput: ``at`` is no time.
    """
    from pacha_git.trust import sshsig  # 14 ms to load

    key = sshsig.verify(signature, message, namespace)
    return SignedBy(key.fingerprint, signers.principal_of(key, namespace=namespace, at=at))
