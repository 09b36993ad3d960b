"""Puts signatures on commits and events, and says whose signature one is.

It knows where a person's keys lie and what ``sign.default`` says; the bytes of keys and signatures are trust's.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

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


class Keys(Protocol):
    """The keys that somebody signs with."""

    def folder(self) -> Path:
        """Tell where new ones are put."""

    def chosen(self) -> Path | None:
        """Return the one that signs; None if there is none."""

    def load(self, path: Path) -> KeyPair:
        """Read a private one."""

    def sign_always(self) -> bool:
        """Tell whether to sign where nothing else was said."""


class PersonalKeys:
    """The keys of the person at the keyboard, in their home; ``pacha.sign.…`` of the Git configuration chooses.

    Args:
        ask: Is called for the passphrase of an encrypted key; None: such a key is refused.
    """

    def __init__(self, ask: Callable[[Path], str] | None = None) -> None:
        self._ask = ask

    def folder(self) -> Path:
        """Tell where ``key generate`` puts keys."""
        return home_folder() / ".pacha" / "keys"

    def chosen(self) -> Path | None:
        """Give the key that signs: ``pacha.sign.key`` of the Git configuration, else the default one if it is there."""
        said = gitconfig.value(_SIGN_KEY)
        if said:
            path = expanded(said)
            return path if path.is_absolute() or path.exists() else self.folder() / said
        path = self.folder() / DEFAULT_KEY
        return path if path.exists() else None

    def sign_always(self) -> bool:
        """Tell whether ``pacha.sign.default`` says so."""
        return gitconfig.truth(_SIGN_DEFAULT)

    def load(self, path: Path) -> KeyPair:
        """Read a private key; whoever may be asked gives the passphrase of an encrypted one.

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
            if self._ask is None:
                raise
            return load_private(data, self._ask(path))


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            check_private(path, os.fstat(file.fileno()), secret=True, ours=False)
            return file.read()
    except FileNotFoundError:
        raise NotFound(f"no key at {path}", hint="make one with: git pacha key generate") from None
    except OSError as error:
        raise PachaError(f"can't read the key {path}: {error.strerror}") from None


class Signing:
    """Signs with somebody's keys, and verifies by those who are trusted."""

    def __init__(self, keys: Keys, signers: Callable[[], Signers]) -> None:
        self._keys = keys
        self._signers = signers

    def signer(self, sign: bool | None, namespace: str) -> Callable[[bytes], str] | None:
        """Tell what makes signatures, or None if nothing is to be signed.

        Args:
            sign: Yes, no, or None: as ``pacha.sign.default`` says.
            namespace: What the signatures are for.

        Raises:
            PachaError: it is to be signed, and there is no key.
        """
        if sign is None:
            sign = self._keys.sign_always()
        if not sign:
            return None
        path = self._keys.chosen()
        if path is None:
            raise PachaError("there is no key to sign with", hint="make one with: git pacha key generate")
        pair = self._keys.load(path)

        def sign_bytes(message: bytes) -> str:
            from pacha_git.trust import sshsig

            return sshsig.sign(pair, message, namespace)

        return sign_bytes

    def signed_by(self, signature: str, message: bytes, namespace: str, at: str) -> SignedBy:
        """Tell whose signature it is.

        Raises:
            VerificationFailed: it is not a signature over these bytes.
        """
        from pacha_git.trust import verdict

        return verdict.signed_by(self._signers(), signature, message, namespace, at)

    def who(self, signature: str | None, message: bytes, namespace: str, at: str) -> SignedBy | None:
        """Tell whose good signature it is; None for no signature or a bad one (``verify`` tells which)."""
        if signature is None:
            return None
        try:
            return self.signed_by(signature, message, namespace, at)
        except (VerificationFailed, InvalidInput):
            return None

    def shown(self, signature: str | None, message: bytes, namespace: str, at: str) -> str | None:
        """Return the principal whose good signature it is, else the fingerprint; None as in ``who``."""
        by = self.who(signature, message, namespace, at)
        return by.shown if by is not None else None
