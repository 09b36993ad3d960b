"""Finds credentials in text and takes their values out: passwords of URLs, options and settings, tokens by their shape.

What counts is a small stated list (docs/security.md). It catches what leaks by accident, not what somebody hid. Every
pattern is linear in its text, whoever wrote that: a word is tried at its beginning alone, and repetitions are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

MASK: Final = "***"
ANY_HOME: Final = "~"
"""Stands for the home of whoever wrote a text, elsewhere and earlier: the result is the same on every machine."""

_TOKENS: Final = ("http", "https")
_SCHEME: Final = r"\b([a-z][a-z0-9+.-]{0,30})://"
# Greedy: a password may have an @ of its own, and what follows the last one is the host.
_USERINFO: Final = re.compile(r"(?:\b([a-z][a-z0-9+.-]{0,30}):)?//([^/\s'\"<>]*)@", re.IGNORECASE)
# The same where the password has a slash; what looks like a port is none.
_SLASHED: Final = re.compile(rf"{_SCHEME}([^/\s:@'\"<>]*):(?!\d{{1,5}}(?:[/?#]|$))[^\s@'\"<>]{{1,256}}@", re.IGNORECASE)

# Shapes that their makers state.
_SHAPES: Final = {
    "a private key": r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY-----",
    "an AWS key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
    "a GitLab token": r"\bgl(?:pat|rt|dt|cbt|ptt)-[A-Za-z0-9_-]{20,}",
    "a Hugging Face token": r"\b(?:hf|api_org)_[A-Za-z0-9]{30,}",
    "an OpenAI or Anthropic key": r"\bsk-(?:proj-|ant-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}",
    "a Slack token": r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",
    "a Google key": r"\b(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})",
    "a PyPI token": r"\bpypi-[A-Za-z0-9_-]{50,}",
    "an npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "a Stripe key": r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
    "a Databricks token": r"\bdapi[0-9a-f]{32}\b",
    "a Docker token": r"\bdckr_pat_[A-Za-z0-9_-]{20,}",
    "a DigitalOcean token": r"\bdo[opr]_v1_[0-9a-f]{64}\b",
    "a SendGrid key": r"\bSG\.[A-Za-z0-9_-]{16,100}\.[A-Za-z0-9_-]{16,}",
    "an age key": r"\bAGE-SECRET-KEY-1[A-Z0-9]{50,}",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,}",
}
_SHAPED: Final = re.compile("|".join(f"(?P<s{at}>{shape})" for at, shape in enumerate(_SHAPES.values())))
_SHAPE_NAMES: Final = tuple(_SHAPES)
_KEY_BODY: Final = re.compile(r"(?<=PRIVATE KEY-----).*?(?=-----END |\Z)", re.DOTALL)

# A name says that its value is secret by its last words; `pad_token` and `max_tokens` say nothing of the kind.
_SECRET_WORDS: Final = (
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "apikey", "accesskey", "secretkey",
    "privatekey", "credential", "credentials",
)  # fmt: skip
_SECRET_KEYS: Final = ("api", "access", "secret", "private", "account", "auth", "signing", "encryption", "license")
_OF_PASS: Final = ("", "db", "user", "smtp", "mysql", "pg", "postgres", "redis", "ftp", "http", "admin", "root")
_HARMLESS: Final = (
    "pad", "eos", "bos", "unk", "sep", "cls", "mask", "special", "stop", "end", "start", "image", "next", "num", "max",
    "min", "per", "use", "no", "with", "without", "skip", "add", "split", "word", "first", "last", "padding", "begin",
)  # fmt: skip
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_.-]{0,80}"
_OPTION: Final = re.compile(rf"(?<![\w.-])--?({_NAME})(?:=|\s+(?!-)|:)")
_SETTING: Final = re.compile(rf"(?<![\w$.-])({_NAME})=")
_PARAMETER: Final = re.compile(rf"[?&]({_NAME})=")
_HEADER: Final = re.compile(
    r"\b((?:proxy-)?(?:authorization|x-api-key|private-token|x-auth-token)\s{0,9}[:=]\s{0,9})[^\s\"'][^\n\"']*",
    re.IGNORECASE,
)
_LITERAL: Final = re.compile(
    rf"""(?<![\w.-])(["']?)({_NAME})\1[ \t]{{0,40}}(?::=|=>|[:=])[ \t]{{0,40}}[rbufRBUF]?(?=["'])"""
)
_ASSIGNED: Final = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Z][A-Z0-9_]{0,80})=([^\s$\"'({<]{4,})[ \t]*$", re.MULTILINE)

_WORD_VALUE: Final = re.compile(r"\"[^\"]*\"|'[^']*'|[^\s&;|\"']+")
_OPEN_VALUE: Final = re.compile(r"(?<=\")[^\"\n]+|(?<=')[^'\n]+")
_QUOTED_VALUE: Final = re.compile(r"(?<=\")[^\"\n]{6,}(?=\")|(?<=')[^'\n]{6,}(?=')")
# What stands in for a value: asterisks, <…>, $VARIABLE, {…}, %s and such.
_STAND_IN: Final = re.compile(r"\s*(?:\*+|<[^>]*>|\$.*|%.*|\{.*\}|x+|\.{3}|…|none|null|true|false)\s*\Z", re.I | re.S)

_PATH_ENDS: Final = r"(?=/|$|[\s:;,'\"=)\]])"
_USER_OPTIONS: Final = ("-u", "--user", "--proxy-user", "-U")
_USER_PROGRAMS: Final = ("curl", "wget", "http", "https")
_ATTACHING: Final = ("mysql", "mysqldump", "mysqladmin", "mariadb", "sshpass")


class Secret(NamedTuple):
    """Something that looks like a credential: what it is, and in which line of the text (from 1)."""

    what: str
    line: int


class _Span(NamedTuple):
    """Where a value stands that is to go."""

    start: int
    end: int
    what: str


def is_secret_name(name: str) -> bool:
    """Whether a name (of an option, a setting, a variable, in any spelling) says that its value is a credential."""
    words = [word.lower() for word in _WORDS.findall(name)] or [""]
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last == "key":
        return before in _SECRET_KEYS
    if last == "pass":
        return before in _OF_PASS
    for secret in _SECRET_WORDS:
        if last.endswith(secret):
            return (last.removesuffix(secret) or before) not in _HARMLESS
    return False


def mask_urls(text: str) -> str:
    """Return a text without the passwords of its URLs; over HTTP a user alone may be a token, and goes too."""
    return _USERINFO.sub(_without_password, text) if "//" in text else text


def _without_password(match: re.Match[str]) -> str:
    scheme, userinfo = match.groups()
    user, colon, _ = userinfo.partition(":")
    start = f"{scheme}://" if scheme else "//"
    if colon:
        return f"{start}{user}:{MASK}@"
    return f"{start}{MASK}@" if (scheme or "").lower() in _TOKENS else match.group()


# A command line, an error, a setting ----------------------------------------------------------------------------------


def clean(text: str, home: str = "") -> str:
    """Return a text less the credentials in it, and with paths below ``home`` as ``~``."""
    if "//" in text:
        text = mask_urls(_SLASHED.sub(rf"\1://\2:{MASK}@", text))
    text = _masked(text, _shaped(text))
    for keys, value in ((_OPTION, _WORD_VALUE), (_SETTING, _WORD_VALUE), (_PARAMETER, _WORD_VALUE)):
        text = _masked(text, _keyed(text, keys, value))
    text = _masked(text, _keyed(text, _LITERAL, _OPEN_VALUE, skip=1))
    text = _HEADER.sub(rf"\1{MASK}", text)
    return _below_home(text, home)


def clean_values(value: Any, home: str = "") -> Any:
    """Return the same in all texts of a JSON value; what stands under a secret name goes whole."""
    if isinstance(value, str):
        return clean(value, home)
    if isinstance(value, list | tuple):
        return [clean_values(item, home) for item in value]
    if isinstance(value, dict):
        return {key: _under(str(key), item, home) for key, item in value.items()}
    return value


def _under(key: str, value: Any, home: str) -> Any:
    hidden = isinstance(value, str) and value and is_secret_name(key) and not _STAND_IN.match(value)
    return MASK if hidden else clean_values(value, home)


def clean_command(words: Sequence[str], home: str = "") -> list[str]:
    """A command line less its credentials; also where name and value are two words, or a program has its own way."""
    program = words[0].rpartition("/")[2] if words else ""
    return [_clean_word(word, words[at - 1] if at else "", program, home) for at, word in enumerate(words)]


def _clean_word(word: str, before: str, program: str, home: str) -> str:
    if before.startswith("-") and "=" not in before and is_secret_name(before) and not word.startswith("-"):
        return MASK
    if before in _USER_OPTIONS and program in _USER_PROGRAMS and ":" in word:
        return f"{word.partition(':')[0]}:{MASK}"
    if program == "sshpass" and before == "-p":
        return MASK
    if program in _ATTACHING and word.startswith("-p") and len(word) > 2:
        return f"-p{MASK}"
    return clean(word, home)


def _below_home(text: str, home: str) -> str:
    if home == ANY_HOME:
        return re.sub(rf"(?<![\w.-])(?:/(?:home|Users)/[^/\s:;,'\"=)\]]{{1,64}}|/root){_PATH_ENDS}", "~", text)
    if len(home) < 2 or home not in text:
        return text
    return re.sub(rf"(?<![\w.-]){re.escape(home)}{_PATH_ENDS}", "~", text)


# Code and files -------------------------------------------------------------------------------------------------------


def clean_code(text: str) -> str:
    """Return a text less what ``find`` finds: narrower than ``clean``, so that code stays code."""
    return _masked(text, _in_code(text))


def find(text: str) -> Iterator[Secret]:
    """Say what in the text of a file looks like a credential."""
    line, at = 1, 0
    for start, _, what in sorted(_in_code(text)):
        line += text.count("\n", at, start)
        at = start
        yield Secret(what, line)


def _in_code(text: str) -> Iterator[_Span]:
    yield from _shaped(text)
    if "://" in text:
        for match in _USERINFO.finditer(text):
            user, colon, password = match[2].partition(":")
            if match[1] and colon and password and not _STAND_IN.match(password):
                start = match.start(2) + len(user) + 1
                yield _Span(start, start + len(password), "a password in a URL")
    yield from _keyed(text, _LITERAL, _QUOTED_VALUE, skip=1)
    for match in _ASSIGNED.finditer(text):
        if is_secret_name(match[1]) and not _STAND_IN.match(match[2]):
            yield _Span(match.start(2), match.end(2), f"a value for {match[1]}")


# Spans ----------------------------------------------------------------------------------------------------------------


def _shaped(text: str) -> Iterator[_Span]:
    at = 0
    for match in _SHAPED.finditer(text):
        if match.start() < at:
            continue
        what = _SHAPE_NAMES[int((match.lastgroup or "s0")[1:])]
        body = _KEY_BODY.match(text, match.end()) if match[0].startswith("-----") else match
        if body is not None:
            at = body.end()
            yield _Span(body.start(), body.end(), what)


def _keyed(text: str, keys: re.Pattern[str], value: re.Pattern[str], *, skip: int = 0) -> Iterator[_Span]:
    """Tell where the values of secret names stand; ``skip`` letters (a quote) lie between a name and its value."""
    at = 0
    for match in keys.finditer(text):
        name = match[match.lastindex or 1]
        if match.start() < at:
            continue
        if is_secret_name(name) or (keys is _PARAMETER and name.lower() in ("sig", "signature", "x-amz-signature")):
            found = value.match(text, match.end() + skip)
            at = match.end() if found is None else found.end()
            if found is not None and not _STAND_IN.match(found[0].strip("\"'")):
                yield _Span(found.start(), found.end(), f"a value for {name}")


def _masked(text: str, spans: Iterator[_Span]) -> str:
    parts: list[str] = []
    at = 0
    for start, end, _ in sorted(spans):
        if start >= at:
            parts += [text[at:start], MASK]
            at = end
    return "".join([*parts, text[at:]]) if parts else text
