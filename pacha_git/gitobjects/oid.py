"""Object ids of Git, and how one follows from the bytes."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import Final

from pacha_git.errors import InvalidInput

OID_BYTES: Final = 20
OID_DIGITS: Final = 2 * OID_BYTES
object_hash: Final = partial(hashlib.sha1, usedforsecurity=False)
"""The hash that names objects and ends packs, begun."""
OID_PATTERN: Final = rf"[0-9a-f]{{{OID_DIGITS}}}"
"""A regular expression of an object id in hex."""


class Oid(str):
    """A Git object id: 40 lowercase hex digits (SHA-1)."""

    __slots__ = ()
    _GRAMMAR = re.compile(OID_PATTERN + r"\Z")

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
    """Return the id Git gives an object: SHA-1 of ``<kind> <size> NUL <body>``.

    Args:
        kind: ``blob``, ``tree`` or ``commit``.
        body: Its bytes.
    """
    digest = object_hash(f"{kind} {len(memoryview(body).cast('B'))}\0".encode("ascii"))
    digest.update(body)
    return Oid(digest.hexdigest())


NO_OID: Final = Oid("0" * OID_DIGITS)
"""What Git writes where there is no object."""
