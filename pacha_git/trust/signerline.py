"""One line of an allowed_signers file: who may sign with which key, for what, and when; it knows no other line.

Source: ssh-keygen(1) "ALLOWED SIGNERS", ssh_config(5) "PATTERNS". What OpenSSH would not read is None here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from pacha_git.errors import InvalidInput
from pacha_git.trust.publickey import UNPRINTABLE, PublicKey, parse_type_and_base64
from pacha_git.trust.wire import Malformed

_SPACE: Final = " \t\r\n"
# No group is possessive: before 3.11.5 Python matches those wrongly (its issue 106052). The branches are disjoint.
_QUOTED: Final = r'[^"\\]*(?:\\(?:"|(?!"))[^"\\]*)*'
_OPTIONS: Final = re.compile(rf'(?:[^" \t\\]+|\\(?:"|(?!"))|"{_QUOTED}")+')
_OPTION: Final = re.compile(rf'(?:([A-Za-z-]+)(?:="({_QUOTED})")?)?(?:,(?=.)|\Z)')
_TIMESTAMP: Final = re.compile(r"(\d{8})(?:(\d{4})(\d{2})?)?(?:Z|UTC)?\Z", re.ASCII | re.IGNORECASE)
_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"
_MAX_PATTERN_BYTES: Final = 1022


@dataclass(frozen=True, slots=True)
class Signer:
    """Who may sign with a key.

    Args:
        principals: The names, a list of patterns joined by commas, as the line has it.
        key: The public key.
        namespaces: A list of patterns of what it may sign; None: anything.
        valid_after: The first second (since 1970, UTC) at which its signatures count; None: always.
        valid_before: The last such second; None: for ever.
        cert_authority: The key vouches for certificates and for no signature of its own.
    """

    principals: str
    key: PublicKey
    namespaces: str | None = None
    valid_after: int | None = None
    valid_before: int | None = None
    cert_authority: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The patterns that let somebody in, in order; what a ``!`` shuts out is left out."""
        return tuple(name for name in self.principals.split(",") if name and matches(name, self.principals))

    def permits(self, namespace: str, at: int) -> bool:
        """Tell whether a signature by the key counts for this purpose at this second."""
        if self.cert_authority or not self.names:
            return False
        if self.namespaces is not None and not matches(namespace, self.namespaces):
            return False
        return (self.valid_after is None or self.valid_after <= at) and (
            self.valid_before is None or at <= self.valid_before
        )


def parse_line(text: str) -> Signer | None:
    """Read a line; None for a comment, an empty line and what OpenSSH (or we) can't use.

    Times without ``Z`` are taken as UTC, so that the answer is the same on every machine (OpenSSH takes them as local).
    A line with control characters is not used: a name must not rewrite the terminal that shows it.
    """
    split = split_principals(text)
    if split is None or UNPRINTABLE.search(text.rstrip("\r\n").replace("\t", " ")):
        return None
    _, principals, rest = split
    key = _key(rest)
    if key is not None:
        return Signer(principals, key)
    written = _OPTIONS.match(rest)
    key = _key(rest[written.end() :].lstrip(" \t")) if written else None
    options = _parse_options(written.group()) if written else None
    if key is None or options is None:
        return None
    return _with_options(Signer(principals, key), options)


def split_principals(text: str) -> tuple[str, str, str] | None:
    """Split a line into margin, principals (without quotes) and rest; None for a comment or a quote without end."""
    body = text.lstrip(_SPACE)
    margin = text[: len(text) - len(body)]
    end = next((at for at, letter in enumerate(body) if letter in _SPACE + '"'), None)
    if end is None or body.startswith("#"):
        return None
    principals, rest = body[:end], body[end + 1 :]
    if body[end] == '"':
        quoted, closing, rest = rest.partition('"')
        principals += quoted
        if not closing:
            return None
    return margin, principals, rest.lstrip(_SPACE)


def write_line(signer: Signer) -> str:
    """Write a line, without LF, that ``parse_line`` and OpenSSH read as this signer."""
    options = list(_written_options(signer))
    return " ".join([write_principals(signer.principals), *([",".join(options)] if options else []), signer.key.text])


def write_principals(principals: str) -> str:
    """Write the first word of a line, in quotes if it has white space."""
    return f'"{principals}"' if any(letter in principals for letter in _SPACE) else principals


def matches(text: str, patterns: str) -> bool:
    """Tell whether a pattern of the list matches (``*``, ``?``) and none after a ``!`` does; case counts."""
    found = False
    wanted = _bytes(text)
    for pattern in map(_bytes, patterns.split(",")):
        if len(pattern) > _MAX_PATTERN_BYTES:
            return False
        if _matches_one(wanted, pattern.removeprefix(b"!")):
            if pattern.startswith(b"!"):
                return False
            found = True
    return found


def seconds_of(moment: str) -> int:
    """Read ``YYYY-MM-DDTHH:MM:SSZ`` as seconds since 1970.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return int(datetime.strptime(moment, _MOMENT).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise InvalidInput(f"not a time: {moment[:60]!r}", hint="it reads YYYY-MM-DDTHH:MM:SSZ") from None


def _key(text: str) -> PublicKey | None:
    """Read ``TYPE BASE64 [COMMENT]`` at the start of what is left of a line."""
    words = re.split(r"[ \t]+", text.rstrip("\r\n"), maxsplit=2)
    if len(words) < 2:
        return None
    try:
        return parse_type_and_base64(words[0], words[1], words[2].strip() if len(words) == 3 else "")
    except Malformed:
        return None


def _parse_options(text: str) -> dict[str, str | None] | None:
    """Read ``name="value",name``; names in lower case, no value None; None if one is repeated or malformed."""
    options: dict[str, str | None] = {}
    at = 0
    while at < len(text):
        option = _OPTION.match(text, at)
        if option is None:
            return None
        at = option.end()
        name, value = option.groups()
        if name is None:
            continue
        if name.lower() in options:
            return None
        options[name.lower()] = None if value is None else value.replace('\\"', '"')
    return options


def _with_options(signer: Signer, options: dict[str, str | None]) -> Signer | None:
    for name, value in options.items():
        if name == "cert-authority" and value is None:
            signer = replace(signer, cert_authority=True)
        elif name == "namespaces" and value is not None:
            signer = replace(signer, namespaces=value)
        elif name in ("valid-after", "valid-before") and value is not None:
            seconds = _timestamp(value)
            if seconds is None:
                return None
            signer = _with_bound(signer, name, seconds)
        else:
            return None
    if signer.valid_after and signer.valid_before and signer.valid_before <= signer.valid_after:
        return None
    return signer


def _with_bound(signer: Signer, name: str, seconds: int) -> Signer:
    if name == "valid-after":
        return replace(signer, valid_after=seconds)
    return replace(signer, valid_before=seconds)


def _timestamp(text: str) -> int | None:
    """Read ``YYYYMMDD[HHMM[SS]][Z]``; None if it is none, or not after 1970 began (OpenSSH refuses that too)."""
    digits = _TIMESTAMP.match(text)
    if digits is None:
        return None
    day, minute, second = digits.groups(default="")
    try:
        moment = datetime.strptime(day + (minute or "0000") + (second or "00"), "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return max(0, int(moment.replace(tzinfo=UTC).timestamp())) or None


def _written_options(signer: Signer) -> Iterator[str]:
    if signer.cert_authority:
        yield "cert-authority"
    if signer.namespaces is not None:
        yield _quoted("namespaces", signer.namespaces)
    for name, seconds in (("valid-after", signer.valid_after), ("valid-before", signer.valid_before)):
        if seconds is not None:
            yield _quoted(name, datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%SZ"))


def _quoted(name: str, value: str) -> str:
    escaped = value.replace('"', '\\"')
    return f'{name}="{escaped}"'


def _bytes(text: str) -> bytes:
    # A word of the command line may have lone surrogates in it: it matches nobody, and is no accident.
    return text.encode("utf-8", "surrogatepass")


def _matches_one(text: bytes, pattern: bytes) -> bool:
    """Match ``*`` and ``?`` by remembering the last star only: time is bounded by the product of the lengths."""
    t = p = 0
    after_star: tuple[int, int] | None = None
    while t < len(text):
        wanted = pattern[p : p + 1]
        if wanted == b"*":
            p += 1
            after_star = (t, p)
        elif wanted in (b"?", text[t : t + 1]):
            t, p = t + 1, p + 1
        elif after_star is not None:
            t, p = after_star[0] + 1, after_star[1]
            after_star = (t, p)
        else:
            return False
    return not pattern[p:].strip(b"*")
