"""Object ids of Git, and how one follows from the bytes."""

from __future__ import annotations

import hashlib
import re

from pacha_git.errors import InvalidInput


class Oid(str):
    """A Git object id: 40 lowercase hex digits (SHA-1)."""

    __slots__ = ()
    _GRAMMAR = re.compile(r"[0-9a-f]{40}\Z")

    @classmethod
    def parse(cls, text: str) -> Oid:
        """Check and wrap 40 hex digits."""
        if not cls._GRAMMAR.match(text):
            raise InvalidInput(f"not a Git object id: {text[:60]!r}")
        return cls(text)

    @property
    def raw(self) -> bytes:
        """The 20 bytes."""
        return bytes.fromhex(self)

    @classmethod
    def of_raw(cls, raw: bytes) -> Oid:
        """Wrap 20 bytes."""
        return cls(raw.hex())


def git_oid(kind: str, body: bytes | bytearray | memoryview) -> Oid:
    """The id Git gives an object: SHA-1 of ``<kind> <size> NUL <body>``.

    Args:
        kind: ``blob``, ``tree`` or ``commit``.
        body: Its bytes.
    """
    digest = hashlib.sha1(f"{kind} {len(memoryview(body).cast('B'))}\0".encode("ascii"), usedforsecurity=False)
    digest.update(body)
    return Oid(digest.hexdigest())
