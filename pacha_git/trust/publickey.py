"""Public keys as OpenSSH writes them: text, wire bytes, fingerprint; it checks their shape and does no cryptography."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from pacha_git.errors import InvalidInput
from pacha_git.trust.wire import Malformed, Reader, from_base64, positive_mpint, to_base64

ED25519: Final = "ssh-ed25519"
RSA: Final = "ssh-rsa"
UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
SUPPORTED_TYPES: Final = "Ed25519, ECDSA (nistp256, nistp384, nistp521) and RSA keys can be used"

_ED25519_BYTES: Final = 32
_UNCOMPRESSED: Final = 4
_RSA_BITS: Final = range(1024, 16384 + 1)
_MAX_TEXT: Final = 16384


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key; two are equal if their wire bytes are, whatever the comment says.

    Args:
        blob: The key in SSH wire encoding (RFC 4253 section 6.6, RFC 5656, RFC 8709).
        comment: What follows the key in its text form; usually whose it is.
    """

    blob: bytes
    comment: str = field(default="", compare=False)

    @classmethod
    def of_blob(cls, blob: bytes, comment: str = "") -> PublicKey:
        """Check and wrap wire bytes.

        Raises:
            Malformed: not a key, a key of a type that can't be used here, or one not in its only spelling.
        """
        key = cls(blob, comment)
        if key.type not in _CHECKS:
            raise Malformed(f"keys of type {key.type[:60]!r} can't be used here")
        if not _CHECKS[key.type](key.fields):
            raise Malformed(f"it has not the shape of an {key.type} key")
        return key

    @property
    def type(self) -> str:
        """The key type, as ``ssh-ed25519``."""
        return Reader(self.blob).string().decode("ascii", "replace")

    @property
    def fields(self) -> tuple[bytes, ...]:
        """What follows the type: (point,) for Ed25519, (curve, point) for ECDSA, (exponent, modulus) for RSA."""
        return Reader(self.blob).strings()[1:]

    @property
    def fingerprint(self) -> str:
        """``SHA256:`` and 43 letters, as ``ssh-keygen -l`` prints."""
        return "SHA256:" + to_base64(hashlib.sha256(self.blob).digest()).rstrip("=")

    @property
    def text(self) -> str:
        """Type, base64 and, if there is one, comment, on one line without LF."""
        return " ".join(part for part in (self.type, to_base64(self.blob), self.comment) if part)


def parse_public(text: str) -> PublicKey:
    """Read a public key as it stands in a ``.pub`` file: ``TYPE BASE64 [COMMENT]``.

    Raises:
        InvalidInput: it is none, or one of a type that can't be used here.
    """
    if "PRIVATE KEY-----" in text:
        raise InvalidInput("this is a private key", hint="give the file that ends in .pub; keep this one to yourself")
    words = text.strip().split(None, 2)
    if len(text) > _MAX_TEXT or len(words) < 2:
        raise InvalidInput("not an SSH public key", hint="it reads TYPE BASE64 COMMENT, as in a .pub file")
    comment = check_comment(words[2]) if len(words) == 3 else ""
    try:
        return parse_type_and_base64(words[0], words[1], comment)
    except Malformed as problem:
        raise InvalidInput(f"not an SSH public key: {problem}", hint=SUPPORTED_TYPES) from None


def parse_type_and_base64(key_type: str, text: str, comment: str = "") -> PublicKey:
    """Read the two words that make a key.

    Raises:
        Malformed: as ``PublicKey.of_blob``, or the word before is not the type within.
    """
    key = PublicKey.of_blob(from_base64(text), comment)
    if key.type != key_type:
        raise Malformed(f"it says {key_type[:60]!r} and holds {key.type!r}")
    return key


def check_comment(comment: str) -> str:
    """Return the comment if it can stand on a line.

    Raises:
        InvalidInput: it has a line break or another control character.
    """
    if UNPRINTABLE.search(comment):
        raise InvalidInput("the key's comment has a line break or a control character", hint="use plain text")
    return comment


def _is_ed25519(fields: tuple[bytes, ...]) -> bool:
    return [len(field) for field in fields] == [_ED25519_BYTES]


def _is_rsa(fields: tuple[bytes, ...]) -> bool:
    if len(fields) != 2:
        return False
    exponent, modulus = map(positive_mpint, fields)
    return exponent > 1 and modulus.bit_length() in _RSA_BITS


def _is_ecdsa(fields: tuple[bytes, ...], curve: bytes, point_bytes: int) -> bool:
    return len(fields) == 2 and fields[0] == curve and len(fields[1]) == point_bytes and fields[1][0] == _UNCOMPRESSED


_CHECKS: Final[Mapping[str, Callable[[tuple[bytes, ...]], bool]]] = {
    ED25519: _is_ed25519,
    RSA: _is_rsa,
    "ecdsa-sha2-nistp256": partial(_is_ecdsa, curve=b"nistp256", point_bytes=65),
    "ecdsa-sha2-nistp384": partial(_is_ecdsa, curve=b"nistp384", point_bytes=97),
    "ecdsa-sha2-nistp521": partial(_is_ecdsa, curve=b"nistp521", point_bytes=133),
}
