"""How SSH puts things into bytes, and bytes into text; it knows framing, not what a key or a signature means.

Reading is strict: each value has one spelling, so nobody can alter a text without altering what it says.
Sources: RFC 4251 section 5 (string, mpint, uint32), OpenSSH PROTOCOL.sshsig section 1 (the armor).
"""

from __future__ import annotations

import base64
from typing import Final

# OpenSSH folds at 70 (sshbuf_dtob64), although PROTOCOL.sshsig speaks of 76.
_ARMOR_COLUMNS: Final = 70


class Malformed(Exception):
    """Bytes or text that don't follow the framing; whoever asked for them says what they should have been."""


def string(data: bytes) -> bytes:
    """Encode an SSH ``string``: its length as four big-endian bytes, then the bytes."""
    return len(data).to_bytes(4, "big") + data


def mpint(value: int) -> bytes:
    """Encode a positive integer as an SSH ``mpint``."""
    return string(value.to_bytes(value.bit_length() // 8 + 1, "big"))


def positive_mpint(raw: bytes) -> int:
    """Read the bytes of an ``mpint`` (without their length) that must be positive and in their shortest form.

    Raises:
        Malformed: empty, negative, zero or with a needless leading zero byte.
    """
    if not raw or raw[0] >= 0x80 or (raw[0] == 0 and (len(raw) == 1 or raw[1] < 0x80)):
        raise Malformed("an integer is not in its shortest positive form")
    return int.from_bytes(raw, "big")


class Reader:
    """Takes SSH values one after the other from bytes; each method raises ``Malformed`` if they run out."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def raw(self, length: int) -> bytes:
        """Take that many bytes as they are."""
        end = self._at + length
        if end > len(self._data):
            raise Malformed("it ends too early")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def uint32(self) -> int:
        """Take four big-endian bytes."""
        return int.from_bytes(self.raw(4), "big")

    def string(self) -> bytes:
        """Take a length and that many bytes."""
        return self.raw(self.uint32())

    def strings(self) -> tuple[bytes, ...]:
        """Take strings up to the end."""
        taken = []
        while not self.at_end:
            taken.append(self.string())
        return tuple(taken)

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self._at == len(self._data)

    def end(self) -> None:
        """Insist that nothing is left."""
        if not self.at_end:
            raise Malformed("something follows its end")


def to_base64(data: bytes) -> str:
    """Encode as base64 on one line, padded."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Decode what ``to_base64`` wrote.

    Raises:
        Malformed: it is not, letter for letter, what ``to_base64`` gives for any bytes.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise Malformed("not base64") from None
    if to_base64(data) != text:
        raise Malformed("not base64 in its one spelling")
    return data


def armor(label: str, data: bytes) -> str:
    """Frame bytes as OpenSSH frames them: BEGIN line, base64 folded at 70 columns, END line, each ending in LF."""
    text = to_base64(data)
    body = [text[at : at + _ARMOR_COLUMNS] for at in range(0, len(text), _ARMOR_COLUMNS)]
    return "\n".join([f"-----BEGIN {label}-----", *body, f"-----END {label}-----", ""])


def dearmor(label: str, text: str) -> bytes:
    """Read what ``armor`` wrote, or another program that folds at another width; the last LF may be missing.

    Raises:
        Malformed: anything before, between or after the frame that doesn't belong there.
    """
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 3 or lines[0] != f"-----BEGIN {label}-----" or lines[-1] != f"-----END {label}-----":
        raise Malformed(f"not framed as {label}")
    body = lines[1:-1]
    width = len(body[0])
    if any(len(line) != width for line in body[:-1]) or not 0 < len(body[-1]) <= width:
        raise Malformed("its lines are not evenly folded")
    return from_base64("".join(body))
