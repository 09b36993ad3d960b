"""Puts signatures on commits and events, and says whose signature one is.

It knows where a person's keys lie and what ``sign.default`` says; the bytes of keys and signatures are trust's.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pacha_git.errors import InvalidInput, NotFound, PachaError, VerificationFailed
from pacha_git.session import gitconfig
from pacha_git.system.environment import expanded, home_folder
from pacha_git.system.private import check_private

if TYPE_CHECKING:
    from pacha_git.trust.keypair import KeyPair
    from pacha_git.trust.signers import Signers
    from pacha_git.trust.verdict import SignedBy

COMMIT_NAMESPACE: Final = "git"
EVENT_NAMESPACE: Final = "pacha-event"
DEFAULT_KEY: Final = "id_ed25519"
_SIGN_DEFAULT: Final = "pacha.sign.default"
_SIGN_KEY: Final = "pacha.sign.key"
_ask_passphrase: Callable[[Path], str] | None = None


def keys_folder() -> Path:
    """Where ``key generate`` puts keys."""
    return home_folder() / ".pacha" / "keys"


def default_key_path() -> Path | None:
    """The key that signs: ``pacha.sign.key`` of the Git configuration, else the default one if it is there."""
    said = gitconfig.value(_SIGN_KEY)
    if said:
        path = expanded(said)
        return path if path.is_absolute() or path.exists() else keys_folder() / said
    path = keys_folder() / DEFAULT_KEY
    return path if path.exists() else None


def load_key(path: Path) -> KeyPair:
    """Read a private key; whoever may ask for a passphrase is asked for that of an encrypted one.

    Raises:
        NotFound: no such file.
        PachaError: it can't be read, others can read it too, or it is another's.
        InvalidInput: it is no key, or its passphrase is wrong or missing.
    """
    from pacha_git.trust.keypair import PassphraseWanted, load_private

    data = _read_private(path)
    try:
        return load_private(data)
    except PassphraseWanted:
        if _ask_passphrase is None:
            raise
        return load_private(data, _ask_passphrase(path))


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            check_private(path, os.fstat(file.fileno()), secret=True, ours=False)
            return file.read()
    except FileNotFoundError:
        raise NotFound(f"no key at {path}", hint="make one with: git pacha key generate") from None
    except OSError as error:
        raise PachaError(f"can't read the key {path}: {error.strerror}") from None


def ask_passphrases_with(ask: Callable[[Path], str] | None) -> None:
    """Let ``ask`` be called for the passphrase of an encrypted key; None: such a key is refused."""
    global _ask_passphrase  # one person, one terminal: a registry has no say in it
    _ask_passphrase = ask


class Signing:
    """Signs, and verifies by those who are trusted."""

    def __init__(self, signers: Callable[[], Signers]) -> None:
        self._signers = signers

    def signer(self, sign: bool | None, namespace: str) -> Callable[[bytes], str] | None:
        """What makes signatures, or None if nothing is to be signed.

        Args:
            sign: Yes, no, or None: as ``pacha.sign.default`` says.
            namespace: What the signatures are for.

        Raises:
            PachaError: it is to be signed, and there is no key.
        """
        if sign is None:
            sign = gitconfig.truth(_SIGN_DEFAULT)
        if not sign:
            return None
        path = default_key_path()
        if path is None:
            raise PachaError("there is no key to sign with", hint="make one with: git pacha key generate")
        pair = load_key(path)

        def sign_bytes(message: bytes) -> str:
            from pacha_git.trust import sshsig

            return sshsig.sign(pair, message, namespace)

        return sign_bytes

    def signed_by(self, signature: str, message: bytes, namespace: str, at: str) -> SignedBy:
        """Whose signature it is.

        Raises:
            VerificationFailed: it is not a signature over these bytes.
        """
        from pacha_git.trust import verdict

        return verdict.signed_by(self._signers(), signature, message, namespace, at)

    def who(self, signature: str | None, message: bytes, namespace: str, at: str) -> SignedBy | None:
        """Whose good signature it is; None for no signature or a bad one (``verify`` tells which)."""
        if signature is None:
            return None
        try:
            return self.signed_by(signature, message, namespace, at)
        except (VerificationFailed, InvalidInput):
            return None

    def shown(self, signature: str | None, message: bytes, namespace: str, at: str) -> str | None:
        """The principal whose good signature it is, else the fingerprint; None as in ``who``."""
        by = self.who(signature, message, namespace, at)
        return by.shown if by is not None else None
