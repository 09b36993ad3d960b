"""Who may sign: an allowed_signers file as a value; where it lies, and what a signature says, are for others to know.

Lines that can't be used are kept byte for byte: ``Signers.parse(data).encode() == data`` for any bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pacha_git.errors import Conflict, InvalidInput, NotFound
from pacha_git.trust.publickey import PublicKey, check_comment
from pacha_git.trust.signerline import (
    Signer,
    matches,
    parse_line,
    seconds_of,
    split_principals,
    write_line,
    write_principals,
)

# No pattern letters, no quotes, no separators, nothing that would make the line a comment or a negation.
_PRINCIPAL: Final = re.compile(r'(?![#!])[^\s,"*?\\\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,256}\Z')
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9@._-]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class Signers:
    """The lines of an allowed_signers file; every change gives a new value.

    Args:
        lines: Each with its line end, and what it says; None for comments and lines that can't be used.
    """

    lines: tuple[tuple[bytes, Signer | None], ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Signers:
        """Read a file; no bytes are refused."""
        return cls(tuple((line, _read(line)) for line in re.findall(rb"[^\n]*\n|[^\n]+", data)))

    def encode(self) -> bytes:
        """Write the file."""
        return b"".join(line for line, _ in self.lines)

    @property
    def entries(self) -> tuple[Signer, ...]:
        """Who may sign, in the order of the file; certificate authorities, which are not used, are left out."""
        return tuple(signer for _, signer in self.lines if signer is not None and not signer.cert_authority)

    def principal_of(self, key: PublicKey, *, namespace: str, at: str) -> str | None:
        """Say whose key it is.

        Args:
            key: The key that made a signature.
            namespace: What the signature is for.
            at: When it was made, ``YYYY-MM-DDTHH:MM:SSZ``.

        Returns:
            The first name on the first line that permits it; None if there is no such line.

        Raises:
            InvalidInput: ``at`` is no time.
        """
        seconds = seconds_of(at)
        found = (entry.names[0] for entry in self.entries if entry.key == key and entry.permits(namespace, seconds))
        return next(found, None)

    def allows(self, principal: str, key: PublicKey, *, namespace: str, at: str) -> bool:
        """Tell whether this key may sign in this name: what ``ssh-keygen -Y verify -I PRINCIPAL`` asks.

        Raises:
            InvalidInput: ``at`` is no time.
        """
        seconds = seconds_of(at)
        return any(
            entry.key == key and entry.permits(namespace, seconds) and matches(principal, entry.principals)
            for entry in self.entries
        )

    def add(
        self,
        principal: str,
        key: PublicKey,
        *,
        namespaces: Sequence[str] = (),
        valid_after: str | None = None,
        valid_before: str | None = None,
    ) -> Signers:
        """Let somebody sign with a key; if that is so already, nothing changes.

        Args:
            principal: A name, as ``alice@example.org``: no white space, comma, quote or pattern.
            key: The public key, whose comment goes into the line.
            namespaces: What it may sign; empty: anything.
            valid_after: From when, ``YYYY-MM-DDTHH:MM:SSZ``.
            valid_before: Until when, included.

        Raises:
            InvalidInput: a name, namespace or time that can't be.
            Conflict: the key is somebody else's here.
        """
        signer = _new_signer(principal, key, namespaces, valid_after, valid_before)
        for entry in self.entries:
            if entry.key == key and principal not in entry.names:
                raise Conflict(
                    f"the key {key.fingerprint} is already trusted as {entry.principals}",
                    hint="one key stands for one person: use that name, or take it off first",
                )
            if entry.key == key and replace(entry, principals=principal) == signer:
                return self
        line = (write_line(signer) + "\n").encode()
        return Signers.parse(_ended(self.encode()) + line)

    def remove(self, principal: str, key: PublicKey | None = None) -> Signers:
        """Take somebody off: off every line that has the name, or only off those with this key.

        A line goes when nobody is left on it. Patterns such as ``*`` are names of their own: they stay.

        Raises:
            NotFound: no line has that name (with that key).
        """
        kept = [self._without(line, signer, principal, key) for line, signer in self.lines]
        if kept == [line for line, _ in self.lines]:
            raise NotFound(f"no signer {principal!r} here", hint="`git pacha key list` shows who is trusted")
        return Signers.parse(b"".join(kept))

    @staticmethod
    def _without(line: bytes, signer: Signer | None, principal: str, key: PublicKey | None) -> bytes:
        if signer is None or signer.cert_authority or principal not in signer.names or key not in (None, signer.key):
            return line
        left = replace(signer, principals=",".join(n for n in signer.principals.split(",") if n != principal))
        split = split_principals(line.decode())
        if not left.names or split is None:
            return b""
        margin, _, rest = split
        return f"{margin}{write_principals(left.principals)} {rest}".encode()


def _read(line: bytes) -> Signer | None:
    try:
        return parse_line(line.decode())
    except UnicodeDecodeError:
        return None


def _new_signer(
    principal: str, key: PublicKey, namespaces: Sequence[str], valid_after: str | None, valid_before: str | None
) -> Signer:
    if not _PRINCIPAL.match(principal):
        raise InvalidInput(
            f"bad name for a signer: {principal[:80]!r}",
            hint="an e-mail address or a word, without spaces, commas, quotes, '*' and '?'",
        )
    for namespace in namespaces:
        if not _NAMESPACE.match(namespace):
            raise InvalidInput(f"bad namespace {namespace[:80]!r}", hint="as git or pacha-event")
    check_comment(key.comment)
    after, before = _bound(valid_after), _bound(valid_before)
    if after and before and before <= after:
        raise InvalidInput(f"the key would be valid until {valid_before}, but not before {valid_after}")
    return Signer(principal, key, ",".join(namespaces) or None, after, before)


def _bound(moment: str | None) -> int | None:
    if moment is None:
        return None
    seconds = seconds_of(moment)
    if seconds <= 0:
        raise InvalidInput(f"{moment} is before 1970, which allowed_signers can't say")
    return seconds


def _ended(data: bytes) -> bytes:
    """Give the last line its LF."""
    return data if not data or data.endswith(b"\n") else data + b"\n"
