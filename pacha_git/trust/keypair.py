"""Key pairs: made, written and read as OpenSSH does; where the files lie and who may read them is the caller's.

Source of the private format: OpenSSH PROTOCOL.key.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cryptography.exceptions import InternalError, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from pacha_git.errors import InvalidInput
from pacha_git.trust.publickey import ED25519, SUPPORTED_TYPES, PublicKey, check_comment
from pacha_git.trust.wire import Malformed, Reader, armor, dearmor, from_base64, string

PrivateKey: TypeAlias = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey

_LABEL: Final = "OPENSSH PRIVATE KEY"
_MAGIC: Final = b"openssh-key-v1\0"
_NONE: Final = b"none"
_BLOCK: Final = 8
_MAX_BYTES: Final = 65536
_MAX_KDF_ROUNDS: Final = 10_000
_REWRITE_HINT: Final = "`ssh-keygen -p -f FILE` rewrites an older private key in OpenSSH's format"
# What cryptography was seen to raise for bytes that are no key; NotImplementedError for a compressed point of ECDSA.
_LOAD_ERRORS: Final = (ValueError, TypeError, ArithmeticError, NotImplementedError, InvalidTag, InternalError)


class PassphraseWanted(InvalidInput):
    """The key is encrypted, and nobody gave its passphrase."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its public half."""

    private: PrivateKey = field(repr=False, compare=False)
    public: PublicKey


def generate() -> KeyPair:
    """Make a new Ed25519 key pair."""
    private = Ed25519PrivateKey.generate()
    return KeyPair(private, _public_of(private))


def private_openssh(pair: KeyPair, comment: str = "") -> bytes:
    """Write the private key file of an Ed25519 pair, unencrypted, as ``ssh-keygen`` does. The file wants mode 0600.

    Raises:
        InvalidInput: another type of key, or a comment that can't stand on a line.
    """
    if not isinstance(pair.private, Ed25519PrivateKey):
        raise InvalidInput(f"only Ed25519 private keys are written, not {pair.public.type}")
    (point,) = pair.public.fields
    check = secrets.token_bytes(4)
    secret = b"".join([
        check, check, string(ED25519.encode()), string(point), string(pair.private.private_bytes_raw() + point),
        string(check_comment(comment).encode()),
    ])  # fmt: skip
    padding = bytes(range(1, 1 + -len(secret) % _BLOCK))
    head = _MAGIC + string(_NONE) + string(_NONE) + string(b"") + (1).to_bytes(4, "big")
    return armor(_LABEL, head + string(pair.public.blob) + string(secret + padding)).encode()


def public_openssh(public: PublicKey, comment: str = "") -> str:
    """Write the ``.pub`` file: one line, ending in LF; without ``comment``, the one the key has.

    Raises:
        InvalidInput: a comment that can't stand on a line.
    """
    return PublicKey(public.blob, check_comment(comment or public.comment)).text + "\n"


def load_private(data: bytes, passphrase: str | None = None) -> KeyPair:
    """Read an OpenSSH private key file: Ed25519, ECDSA or RSA.

    Args:
        data: The file.
        passphrase: Wanted if the key is encrypted; ignored if it is not.

    Raises:
        PassphraseWanted: it is encrypted, and ``passphrase`` is empty.
        InvalidInput: not such a file, damaged, another passphrase, or its public half is not that of the private one.
    """
    envelope = _open_envelope(data)
    if envelope.encrypted and not passphrase:
        raise PassphraseWanted(
            f"the private key {envelope.public.fingerprint} is encrypted and no passphrase was given",
            hint="run it on a terminal to be asked for it, or take it off with `ssh-keygen -p -f FILE`",
        )
    private = _load(envelope, passphrase.encode() if envelope.encrypted and passphrase else None)
    if _public_of(private) != envelope.public:
        raise InvalidInput("the private key is damaged: its two halves don't belong together")
    return KeyPair(private, envelope.public)


def public_of_private(data: bytes) -> PublicKey:
    """Return the public half of an OpenSSH private key file, which stands before the secret and needs no passphrase.

    Raises:
        InvalidInput: not such a file.
    """
    return _open_envelope(data).public


@dataclass(frozen=True, slots=True)
class _Envelope:
    """What a private key file says before the secret: ``data`` is the file once more, in its one spelling."""

    data: bytes
    public: PublicKey
    encrypted: bool


def _open_envelope(data: bytes) -> _Envelope:
    if len(data) > _MAX_BYTES:
        raise InvalidInput("not an OpenSSH private key: the file is too big")
    if data.startswith((b"ssh-", b"ecdsa-")):
        raise InvalidInput("this is a public key", hint="give the file without .pub")
    try:
        text = data.decode("ascii")
        body = dearmor(_LABEL, text)
        return _read_envelope(armor(_LABEL, body).encode(), Reader(body))
    except UnicodeDecodeError:
        raise InvalidInput("not an OpenSSH private key: the file is no text", hint=_REWRITE_HINT) from None
    except Malformed as problem:
        raise InvalidInput(
            f"not an OpenSSH private key: {problem}", hint=f"{_REWRITE_HINT}; {SUPPORTED_TYPES}"
        ) from None


def _read_envelope(data: bytes, reader: Reader) -> _Envelope:
    if reader.raw(len(_MAGIC)) != _MAGIC:
        raise Malformed("its first bytes are not openssh-key-v1")
    cipher, kdf, options = reader.string(), reader.string(), reader.string()
    if reader.uint32() != 1:
        raise Malformed("it holds more or less than one key")
    encrypted = (cipher, kdf) != (_NONE, _NONE)
    if encrypted:
        _check_rounds(options)
    elif options:
        raise Malformed("it has key derivation options and no encryption")
    return _Envelope(data, PublicKey.of_blob(reader.string()), encrypted)


def _check_rounds(options: bytes) -> None:
    """Refuse what would keep bcrypt busy for hours."""
    reader = Reader(options)
    reader.string()
    if reader.uint32() > _MAX_KDF_ROUNDS:
        raise Malformed(f"its passphrase takes more than {_MAX_KDF_ROUNDS} rounds to try")


def _load(envelope: _Envelope, passphrase: bytes | None) -> PrivateKey:
    try:
        private = load_ssh_private_key(envelope.data, passphrase)
    except UnsupportedAlgorithm as problem:
        raise InvalidInput(
            f"the private key can't be decrypted here: {problem}",
            hint="take the passphrase off with `ssh-keygen -p -f FILE`",
        ) from None
    except _LOAD_ERRORS:
        reason = "the passphrase is wrong, or the file is damaged" if envelope.encrypted else "the file is damaged"
        raise InvalidInput(f"the private key {envelope.public.fingerprint} can't be read: {reason}") from None
    if not isinstance(private, Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey):
        raise InvalidInput(f"private keys of type {envelope.public.type} can't be used here", hint=SUPPORTED_TYPES)
    return private


def _public_of(private: PrivateKey) -> PublicKey:
    text = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return PublicKey(from_base64(text.split()[1].decode("ascii")))
