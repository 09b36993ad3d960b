"""The keys of a person and the signers that a registry trusts.

It knows files and settings; the bytes of keys are trust's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pacha_git.errors import Conflict, InvalidInput, NotFound, PachaError
from pacha_git.session.identity import git_identity
from pacha_git.session.results import KeyInfo
from pacha_git.session.signing import DEFAULT_KEY, Keys, PersonalKeys
from pacha_git.store.settings import write_settings
from pacha_git.system.environment import expanded
from pacha_git.trust.publickey import ED25519, PublicKey, parse_public
from pacha_git.vocabulary.names import Name

if TYPE_CHECKING:
    from pacha_git.session.session import Session

_PRIVATE: Final = 0o600


def generate_key(name: str | None = None) -> KeyInfo:
    """Make an Ed25519 key pair in the keys folder, in OpenSSH's files, readable by its owner alone.

    Raises:
        Conflict: a key of this name is there; it is never overwritten.
    """
    from pacha_git.trust import keypair  # 14 ms to load

    word = Name.parse(name) if name else DEFAULT_KEY
    if "/" in word:
        raise InvalidInput(f"bad key name {word!r}: it is one word")
    path = PersonalKeys().folder() / word
    comment = _comment()
    pair = keypair.generate()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(path, keypair.private_openssh(pair, comment), _PRIVATE)
        _write_new(path.with_name(path.name + ".pub"), keypair.public_openssh(pair.public, comment).encode(), 0o644)
    except FileExistsError:
        raise Conflict(
            f"there is a key at {path} already", hint="give another name: git pacha key generate NAME"
        ) from None
    except OSError as error:
        raise PachaError(f"can't write {path}: {error.strerror}") from None
    return KeyInfo(name=word, fingerprint=pair.public.fingerprint, path=str(path), private=True)


def _comment() -> str:
    try:
        return git_identity()
    except PachaError:
        return "pacha"


def _write_new(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def own_keys() -> list[KeyInfo]:
    """Return the keys of this person, wherever they are trusted."""
    return _listed(PersonalKeys(), {})


def list_keys(session: Session) -> list[KeyInfo]:
    """Return the keys of whoever acts, then the signers that the registry trusts and whose key is not among them."""
    trusted = {signer.key.fingerprint: signer.principals for signer in session.settings.signers.entries}
    return _listed(session.caller.keys, trusted)


def _listed(keys: Keys, trusted: Mapping[str, str]) -> list[KeyInfo]:
    own = {key.fingerprint: key for key in _own_keys(keys)}
    found = [
        KeyInfo(
            name=key.name, fingerprint=key.fingerprint, path=key.path, private=key.private,
            principal=trusted.get(key.fingerprint), trusted=key.fingerprint in trusted,
        )
        for key in own.values()
    ]  # fmt: skip
    others = [
        KeyInfo(name=principal, fingerprint=fingerprint, principal=principal, trusted=True)
        for fingerprint, principal in trusted.items()
        if fingerprint not in own
    ]
    return found + others


def _own_keys(keys: Keys) -> list[KeyInfo]:
    """Those in the keys folder, and the one that signs; of each its private half, its public half, or both are here."""
    folder = keys.folder()
    paths = {path.with_suffix("") if path.suffix == ".pub" else path for path in folder.glob("[!.]*")}
    chosen = keys.chosen()
    if chosen is not None and chosen.exists():
        paths.add(chosen)
    found = [(path, _public_half(path)) for path in sorted(paths)]
    return [KeyInfo(path.name, key.fingerprint, str(path), private=path.exists()) for path, key in found if key]


def _public_half(private: Path) -> PublicKey | None:
    """Return the public key beside a private one, or the one within it; None for a file that is no key."""
    beside = private.with_name(private.name + ".pub")
    if beside.exists():
        return read_public(str(beside))
    from pacha_git.trust.keypair import public_of_private

    try:
        return public_of_private(private.read_bytes())
    except (OSError, InvalidInput):
        return None


def read_public(text_or_path: str) -> PublicKey:
    """Read a public key from its line or from a file that has one.

    Raises:
        NotFound: no such file.
        InvalidInput: it is no public key.
    """
    if text_or_path.split(" ")[0].startswith(("ssh-", "ecdsa-", "sk-")) and " " in text_or_path.strip():
        return parse_public(text_or_path)
    path = expanded(text_or_path)
    try:
        return parse_public(path.read_text("utf-8"))
    except FileNotFoundError:
        raise NotFound(f"no such file: {path}", hint="give the .pub file, or its line in quotes") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PachaError(f"can't read {path}: {error}") from None


def trust_key(session: Session, text_or_path: str, principal: str) -> KeyInfo:
    """Let the registry trust a key: whoever signs with it is ``principal``.

    Raises:
        NotFound, InvalidInput: as ``read_public``; or a principal that can't be.
    """
    key = read_public(text_or_path)
    if key.type != ED25519:
        raise InvalidInput(f"{key.fingerprint} is {key.type}, and only Ed25519 counts", hint="git pacha key generate")
    acting = session.acting()
    with session.deciding(f"trust {principal}") as changes:
        stored = session.settings
        signers = stored.signers.add(principal, key)
        if signers.encode() != stored.signers_file:
            write_settings(
                changes,
                stored.toml,
                signers.encode(),
                parents=[stored.commit],
                old=stored.commit,
                identity=acting.identity,
                seconds=acting.seconds,
                others=stored.others,
                message=f"trust {key.fingerprint} as {principal}\n",
            )
    return KeyInfo(name=principal, fingerprint=key.fingerprint, principal=principal, trusted=True)


def untrust_key(session: Session, principal: str) -> list[KeyInfo]:
    """Take back that keys are trusted as somebody's.

    Raises:
        NotFound: nobody is trusted by that name.
    """
    acting = session.acting()
    with session.deciding(f"untrust {principal}") as changes:
        stored = session.settings
        signers = stored.signers.remove(principal)
        left = {entry.key.fingerprint for entry in signers.entries}
        gone = [e for e in stored.signers.entries if principal in e.names and e.key.fingerprint not in left]
        write_settings(
            changes,
            stored.toml,
            signers.encode(),
            parents=[stored.commit],
            old=stored.commit,
            identity=acting.identity,
            seconds=acting.seconds,
            others=stored.others,
            message=f"untrust {principal}\n",
        )
    return [KeyInfo(name=principal, fingerprint=entry.key.fingerprint, principal=principal) for entry in gone]
