"""SSH signatures over messages: made and checked as ``ssh-keygen -Y`` does; whom to trust is for ``signers`` to say.

Source: OpenSSH PROTOCOL.sshsig.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pacha_git.errors import InvalidInput, VerificationFailed
from pacha_git.trust.publickey import ED25519, PublicKey
from pacha_git.trust.wire import Malformed, Reader, armor, dearmor, string

if TYPE_CHECKING:
    from pacha_git.trust.keypair import KeyPair

GIT_NAMESPACE: Final = "git"
EVENT_NAMESPACE: Final = "pacha-event"

_LABEL: Final = "SSH SIGNATURE"
_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
_HASH: Final = b"sha512"
_MAX_TEXT: Final = 65536


def sign(pair: KeyPair, message: bytes, namespace: str) -> str:
    """Sign a message, hashed with SHA-512, for one purpose.

    Args:
        pair: Whose signature it will be.
        message: Any bytes.
        namespace: What the signature is for, and all it counts for: ``GIT_NAMESPACE`` or ``EVENT_NAMESPACE``.

    Returns:
        The armored SSHSIG, as ``ssh-keygen -Y sign`` writes it, with its final LF.

    Raises:
        InvalidInput: the namespace is empty, or the key is no Ed25519 key.
    """
    if not namespace:
        raise InvalidInput("a signature needs a namespace")
    if not isinstance(pair.private, Ed25519PrivateKey):
        raise InvalidInput(
            f"a signature takes an Ed25519 key, and this one is {pair.public.type}",
            hint="make one with: git pacha key generate",
        )
    purpose = string(namespace.encode()) + string(b"") + string(_HASH)
    algorithm, raw = pair.public.type, pair.private.sign(_MAGIC + purpose + string(hashlib.sha512(message).digest()))
    head = _MAGIC + _VERSION.to_bytes(4, "big") + string(pair.public.blob)
    return armor(_LABEL, head + purpose + string(string(algorithm.encode()) + string(raw)))


def verify(armored: str, message: bytes, namespace: str) -> PublicKey:
    """Check that a signature was made over this message for this purpose.

    Args:
        armored: The SSHSIG as text; its last LF may be missing.
        message: The bytes that were signed.
        namespace: What the signature must be for.

    Returns:
        The key that made it. Whether that key is anybody's is for ``Signers.principal_of`` to say.

    Raises:
        VerificationFailed: malformed, altered, over another message, by another key, or for another purpose.
    """
    try:
        signature = _parse(armored)
        _check(signature, message, namespace)
    except Malformed as problem:
        raise VerificationFailed(
            f"the signature can't be read: {problem}", hint="it was altered, or made by a program we don't know"
        ) from None
    return signature.key


@dataclass(frozen=True, slots=True)
class _Signature:
    """What an SSHSIG says; ``raw`` are the bytes of the key's own signature."""

    key: PublicKey
    namespace: bytes
    raw: bytes


def _parse(armored: str) -> _Signature:
    if len(armored) > _MAX_TEXT:
        raise Malformed("it is too long")
    reader = Reader(dearmor(_LABEL, armored))
    if reader.raw(len(_MAGIC)) != _MAGIC or reader.uint32() != _VERSION:
        raise Malformed("it is no SSHSIG of version 1")
    key = PublicKey.of_blob(reader.string())
    namespace, reserved, hash_name = reader.string(), reader.string(), reader.string()
    inner = Reader(reader.string())
    reader.end()
    algorithm, raw = inner.string().decode("ascii", "replace"), inner.string()
    inner.end()
    if reserved:
        # OpenSSH skips it and leaves it out of what is signed: anybody could put anything there.
        raise Malformed("its reserved field is not empty")
    # Format 1 has one algorithm: a reader that is written from its text has no other.
    if hash_name != _HASH:
        raise Malformed(f"it uses the hash {hash_name[:30]!r}, and only sha512 counts")
    if key.type != ED25519 or algorithm != ED25519:
        raise Malformed(f"it is made with {key.type} ({algorithm[:60]!r}), and only Ed25519 counts")
    return _Signature(key, namespace, raw)


def _check(signature: _Signature, message: bytes, namespace: str) -> None:
    if signature.namespace != namespace.encode():
        raise VerificationFailed(
            f"the signature is for {signature.namespace[:60].decode('utf-8', 'replace')!r}, not for {namespace!r}",
            hint="a signature counts only for the purpose it was made for",
        )
    purpose = string(signature.namespace) + string(b"") + string(_HASH)
    signed = _MAGIC + purpose + string(hashlib.sha512(message).digest())
    try:
        Ed25519PublicKey.from_public_bytes(signature.key.fields[0]).verify(signature.raw, signed)
    except (InvalidSignature, ValueError):
        raise VerificationFailed(
            f"the signature by {signature.key.fingerprint} does not hold for these bytes",
            hint="what was signed, or the signature, was altered",
        ) from None
