"""SSH signatures over messages: made and checked as ``ssh-keygen -Y`` does; whom to trust is for ``signers`` to say.

Source: OpenSSH PROTOCOL.sshsig.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from pacha_git.errors import InvalidInput, VerificationFailed
from pacha_git.trust.publickey import ED25519, RSA, PublicKey
from pacha_git.trust.wire import Malformed, Reader, armor, dearmor, mpint, positive_mpint, string

if TYPE_CHECKING:
    from pacha_git.trust.keypair import KeyPair

GIT_NAMESPACE: Final = "git"
EVENT_NAMESPACE: Final = "pacha-event"

_LABEL: Final = "SSH SIGNATURE"
_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
_HASHES: Final = {b"sha512": hashlib.sha512, b"sha256": hashlib.sha256}
_SIGNING_HASH: Final = b"sha512"
_MAX_TEXT: Final = 65536
_RSA_SIGNING: Final = "rsa-sha2-512"
_RSA_HASHES: Final = {_RSA_SIGNING: hashes.SHA512, "rsa-sha2-256": hashes.SHA256}
_CURVES: Final = {
    "ecdsa-sha2-nistp256": (ec.SECP256R1, hashes.SHA256),
    "ecdsa-sha2-nistp384": (ec.SECP384R1, hashes.SHA384),
    "ecdsa-sha2-nistp521": (ec.SECP521R1, hashes.SHA512),
}


def sign(pair: KeyPair, message: bytes, namespace: str) -> str:
    """Sign a message, hashed with SHA-512, for one purpose.

    Args:
        pair: Whose signature it will be.
        message: Any bytes.
        namespace: What the signature is for, and all it counts for: ``GIT_NAMESPACE`` or ``EVENT_NAMESPACE``.

    Returns:
        The armored SSHSIG, as ``ssh-keygen -Y sign`` writes it, with its final LF.

    Raises:
        InvalidInput: the namespace is empty.
    """
    if not namespace:
        raise InvalidInput("a signature needs a namespace")
    purpose = string(namespace.encode()) + string(b"") + string(_SIGNING_HASH)
    algorithm, raw = _sign_raw(pair, _MAGIC + purpose + string(hashlib.sha512(message).digest()))
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
    """What an SSHSIG says: ``algorithm`` is that of the key's own signature, ``raw`` its bytes."""

    key: PublicKey
    namespace: bytes
    hash_name: bytes
    algorithm: str
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
    if hash_name not in _HASHES:
        raise Malformed(f"it uses the hash {hash_name[:30]!r}")
    return _Signature(key, namespace, hash_name, algorithm, raw)


def _check(signature: _Signature, message: bytes, namespace: str) -> None:
    if signature.namespace != namespace.encode():
        raise VerificationFailed(
            f"the signature is for {signature.namespace[:60].decode('utf-8', 'replace')!r}, not for {namespace!r}",
            hint="a signature counts only for the purpose it was made for",
        )
    digest = _HASHES[signature.hash_name](message).digest()
    purpose = string(signature.namespace) + string(b"") + string(signature.hash_name)
    try:
        _verify_raw(signature, _MAGIC + purpose + string(digest))
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        raise VerificationFailed(
            f"the signature by {signature.key.fingerprint} does not hold for these bytes",
            hint="what was signed, or the signature, was altered",
        ) from None


def _sign_raw(pair: KeyPair, data: bytes) -> tuple[str, bytes]:
    """Sign with whatever key it is: SSH's name of the algorithm, and the signature in SSH's encoding."""
    private = pair.private
    if isinstance(private, Ed25519PrivateKey):
        return pair.public.type, private.sign(data)
    if isinstance(private, RSAPrivateKey):
        return _RSA_SIGNING, private.sign(data, PKCS1v15(), _RSA_HASHES[_RSA_SIGNING]())
    _, curve_hash = _CURVES[pair.public.type]
    r, s = decode_dss_signature(private.sign(data, ec.ECDSA(curve_hash())))
    return pair.public.type, mpint(r) + mpint(s)


def _verify_raw(signature: _Signature, data: bytes) -> None:
    """Check the key's own signature; raises what ``cryptography`` raises."""
    key, algorithm, raw = signature.key, signature.algorithm, signature.raw
    if key.type == RSA:
        if algorithm not in _RSA_HASHES:
            raise Malformed(f"RSA signatures of type {algorithm[:60]!r} are too weak to count")
        exponent, modulus = (positive_mpint(part) for part in key.fields)
        RSAPublicNumbers(exponent, modulus).public_key().verify(raw, data, PKCS1v15(), _RSA_HASHES[algorithm]())
    elif algorithm != key.type:
        raise Malformed(f"a signature of type {algorithm[:60]!r} can't come from an {key.type} key")
    elif key.type == ED25519:
        Ed25519PublicKey.from_public_bytes(key.fields[0]).verify(raw, data)
    else:
        curve, curve_hash = _CURVES[key.type]
        reader = Reader(raw)
        r, s = positive_mpint(reader.string()), positive_mpint(reader.string())
        reader.end()
        public = ec.EllipticCurvePublicKey.from_encoded_point(curve(), key.fields[1])
        public.verify(encode_dss_signature(r, s), data, ec.ECDSA(curve_hash()))
