"""How a person says which version: every spelling of the contract, read into one value and written back.

It knows the grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from pacha_git.errors import InvalidInput
from pacha_git.vocabulary.kinds import KIND_WORDS, Kind
from pacha_git.vocabulary.names import Alias, Name
from pacha_git.vocabulary.stages import STAGE_WORDS, Stage
from pacha_git.vocabulary.versions import Version

_URI: Final = "pacha://"
_ADDRESS_PREFIX: Final = re.compile(r"blake3:([0-9a-f]{8,64})\Z")


@dataclass(frozen=True, slots=True)
class Latest:
    """The highest version; a prerelease only if there is nothing else."""

    def __str__(self) -> str:
        return "latest"


@dataclass(frozen=True, slots=True)
class ByAddress:
    """The version whose bytes have this address; 8 to 64 hex digits of it."""

    digits: str

    def __str__(self) -> str:
        return f"blake3:{self.digits}"


Selector: TypeAlias = Version | Stage | Alias | Latest | ByAddress


def parse_selector(text: str) -> Selector:
    """Read what may follow ``@`` or ``-v``: a version, stage, alias, ``latest`` or ``blake3:<8+ digits>``.

    Raises:
        InvalidInput: it is none of them.
    """
    lowered = text.lower()
    if lowered == "latest":
        return Latest()
    if lowered in STAGE_WORDS:
        return STAGE_WORDS[lowered]
    if lowered.startswith("blake3:"):
        match = _ADDRESS_PREFIX.match(lowered)
        if match is None:
            raise InvalidInput(f"bad address {text!r}", hint="it reads blake3: and 8 to 64 hex digits")
        return ByAddress(match.group(1))
    if text[:1].isdigit():
        return Version.parse(text)
    try:
        return Alias.parse(text)
    except InvalidInput:
        raise InvalidInput(
            f"{text!r} is no version, stage, alias, 'latest' or blake3:<hex>",
            hint="as in NAME@1.0.0, NAME@production, NAME@champion, NAME@latest",
        ) from None


def selector_text(selector: Selector) -> str:
    """Write a selector as it is typed."""
    return selector.value if isinstance(selector, Stage) else str(selector)


@dataclass(frozen=True, slots=True)
class Spec:
    """Which version is meant; ``selector`` None means that none was said, ``kind`` None that the context decides."""

    name: Name
    selector: Selector | None = None
    kind: Kind | None = None
    file: str | None = None

    def __str__(self) -> str:
        text = f"{self.kind.noun}:{self.name}" if self.kind else str(self.name)
        if self.selector is not None:
            text += f"@{selector_text(self.selector)}"
        return f"{text}:{self.file}" if self.file is not None else text

    def with_version(self, version: str | None) -> Spec:
        """Add what ``-v`` said.

        Raises:
            InvalidInput: the spec already names a different one.
        """
        if version is None:
            return self
        selector = parse_selector(version)
        if self.selector is not None and self.selector != selector:
            raise InvalidInput(
                f"two different versions: {selector_text(self.selector)} in the name, {version} after -v",
                hint="give one of them",
            )
        return replace(self, selector=selector)

    def with_kind(self, kind: Kind | None) -> Spec:
        """Fill in the kind from the context; a kind that was said must be that one.

        Raises:
            InvalidInput: the spec says another kind.
        """
        if kind is None or self.kind is kind:
            return self
        if self.kind is not None:
            raise InvalidInput(
                f"{self} is a {self.kind.value}, a {kind.value} is wanted here",
                hint=f"commands for it begin with git pacha {self.kind.noun}",
            )
        return replace(self, kind=kind)


def parse_spec(text: str) -> Spec:
    """Read ``NAME``, ``NAME@X``, ``NAME:X``, ``KIND:NAME@X`` or ``pacha://[KIND/]NAME@X``.

    Each may have ``:FILE`` after an ``@``.

    Raises:
        InvalidInput: with what is wrong.
    """
    if text.startswith(_URI):
        return _parse_uri(text)
    head, colon, rest = text.partition(":")
    if colon and head.lower() in KIND_WORDS:
        return replace(_parse_plain(rest, text), kind=KIND_WORDS[head.lower()])
    return _parse_plain(text, text)


def _parse_uri(text: str) -> Spec:
    body = text[len(_URI) :]
    head, slash, rest = body.partition("/")
    if slash and head.lower() in KIND_WORDS:
        return replace(_parse_plain(rest, text), kind=KIND_WORDS[head.lower()])
    return replace(_parse_plain(body, text), kind=Kind.MODEL)


def _parse_plain(body: str, whole: str) -> Spec:
    if not body:
        raise InvalidInput(f"no name in {whole!r}", hint="as in NAME@1.0.0")
    at, colon = body.find("@"), body.find(":")
    if at < 0 or 0 <= colon < at:
        name, separator, selector = body.partition(":")
        if not separator:
            return Spec(Name.parse(name))
        return Spec(Name.parse(name), _selector_in(selector, whole))
    name, rest = body[:at], body[at + 1 :]
    if rest.lower().startswith("blake3:"):
        digits, separator, file = rest[len("blake3:") :].partition(":")
        selector = f"blake3:{digits}"
    else:
        selector, separator, file = rest.partition(":")
    return Spec(Name.parse(name), _selector_in(selector, whole), file=_file_in(file, whole) if separator else None)


def _selector_in(text: str, whole: str) -> Selector:
    if not text:
        raise InvalidInput(f"no version after the name in {whole!r}", hint="as in NAME@1.0.0 or NAME@latest")
    return parse_selector(text)


def _file_in(text: str, whole: str) -> str:
    if not text:
        raise InvalidInput(f"no file after the last ':' in {whole!r}", hint="as in NAME@1.0.0:weights/model.bin")
    return text
