"""What bytes are, wherever they lie."""

from __future__ import annotations

import re

from pacha_git.errors import InvalidInput


class Address(str):
    """What bytes are, wherever they lie: ``blake3:`` and 64 lowercase hex digits."""

    __slots__ = ()
    PREFIX = "blake3:"
    _GRAMMAR = re.compile(r"blake3:[0-9a-f]{64}\Z")

    @classmethod
    def parse(cls, text: str) -> Address:
        """Check and wrap a whole address."""
        if not cls._GRAMMAR.match(text):
            raise InvalidInput(f"not a BLAKE3 address: {text[:80]!r}", hint="it reads blake3:<64 hex digits>")
        return cls(text)

    @classmethod
    def of_digest(cls, digest: bytes) -> Address:
        """Wrap a 32-byte BLAKE3 digest."""
        return cls(cls.PREFIX + digest.hex())

    @property
    def hex(self) -> str:
        """The 64 digits alone, as manifests write them."""
        return self[len(self.PREFIX) :]
