from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.errors import InvalidInput
from pacha_git.trust.keypair import generate
from pacha_git.trust.signerline import matches, parse_line, seconds_of
from pacha_git.trust.signers import Signers
from pacha_git.trust.sshsig import sign
from tests.trust.sshkeygen import SshKeygen

PAIR, OTHER = generate(), generate()
KEY = PAIR.public.text
NOW = "2026-06-01T12:00:00Z"
ADA = "ada@example.org"

# Each line, and what to ask of it: (principal, moment). OpenSSH is asked the same.
LINES = [
    ("{key}", "a", NOW),
    ("a {key}", "a", NOW),
    ("a {key}", "b", NOW),
    ("a {key} a comment, with = and \"\r", "a", NOW),
    ("  a \t{key}", "a", NOW),
    ("a\tnamespaces=\"git\"\t{key}", "a", NOW),
    ("#a {key}", "#a", NOW),
    ("  # a {key}", "a", NOW),
    ("a,b,c {key}", "b", NOW),
    ("a, {key}", "a", NOW),
    ("a,,b {key}", "b", NOW),
    (",a {key}", "a", NOW),
    ('"a b" {key}', "a b", NOW),
    ('"a,b" {key}', "b", NOW),
    ('x" y" {key}', "x y", NOW),
    ('"a",b {key}', "b", NOW),
    ('"a {key}', "a", NOW),
    ('"" {key}', "a", NOW),
    ("* {key}", "anybody", NOW),
    ("*@example.org {key}", "ada@example.org", NOW),
    ("*@example.org {key}", "ada@example.com", NOW),
    ("a?c {key}", "abc", NOW),
    ("a?c {key}", "ac", NOW),
    ("a**?b*c {key}", "axbbbc", NOW),
    ("[ab] {key}", "a", NOW),
    ("!bob,* {key}", "bob", NOW),
    ("!bob,* {key}", "ada", NOW),
    ("*,!bob {key}", "bob", NOW),
    ("!bob {key}", "ada", NOW),
    ("ada,!ada {key}", "ada", NOW),
    ("Ada {key}", "ada", NOW),
    ("zoë {key}", "zoë", NOW),
    ("zo? {key}", "zoë", NOW),
    ("x" * 1022 + " {key}", "x" * 1022, NOW),
    ("x" * 1023 + " {key}", "x" * 1023, NOW),
    ("x" * 1023 + ",a {key}", "a", NOW),
    ('a namespaces="git" {key}', "a", NOW),
    ("a namespaces=git {key}", "a", NOW),
    ('a NameSpaces="file,git" {key}', "a", NOW),
    ('a namespaces="g*" {key}', "a", NOW),
    ('a namespaces="!git,*" {key}', "a", NOW),
    ('a namespaces="file" {key}', "a", NOW),
    ('a namespaces="" {key}', "a", NOW),
    ('a namespaces="x y,git" {key}', "a", NOW),
    ('a namespaces="q\\"r,git" {key}', "a", NOW),
    ('a namespaces="q\\r,git" {key}', "a", NOW),
    ('a namespaces="git", {key}', "a", NOW),
    ('a ,namespaces="git" {key}', "a", NOW),
    ('a namespaces="git",,,valid-before="20270101Z" {key}', "a", NOW),
    ("a , {key}", "a", NOW),
    ('a namespaces="git",namespaces="git" {key}', "a", NOW),
    ('a namespaces="git {key}', "a", NOW),
    ('a namespaces="git"x {key}', "a", NOW),
    ("a namespaces {key}", "a", NOW),
    ("a bogus {key}", "a", NOW),
    ('a bogus="x" {key}', "a", NOW),
    ("a cert-authority {key}", "a", NOW),
    ('a cert-authority,namespaces="git" {key}', "a", NOW),
    ('a valid-after="20260601120000Z" {key}', "a", NOW),
    ('a valid-after="20260601120001Z" {key}', "a", NOW),
    ('a valid-before="20260601120000Z" {key}', "a", NOW),
    ('a valid-before="20260601115959Z" {key}', "a", NOW),
    ('a valid-before="202606011159Z" {key}', "a", NOW),
    ('a valid-before="202606011200z" {key}', "a", NOW),
    ('a valid-before="20260601UTC" {key}', "a", NOW),
    ('a valid-before="20260602" {key}', "a", NOW),
    ('a valid-after="20260601",valid-before="20260602",namespaces="git" {key}', "a", NOW),
    ('a valid-after="20260601Z",valid-before="20260601Z" {key}', "a", NOW),
    ('a valid-after="20260602Z",valid-before="20260601Z" {key}', "a", NOW),
    ('a valid-after="20260601120000Z",valid-before="20260601120000Z" {key}', "a", NOW),
    ('a valid-after="20260601120000Z",valid-before="20260601120001Z" {key}', "a", NOW),
    ('a valid-after="2026060112Z" {key}', "a", NOW),
    ('a valid-after="2026-06-01Z" {key}', "a", NOW),
    ('a valid-after="20261301Z" {key}', "a", NOW),
    ('a valid-after="19700101Z" {key}', "a", NOW),
    ('a valid-after="" {key}', "a", NOW),
    ('a VALID-AFTER="20260101Z" {key}', "a", NOW),
    ("a ssh-rsa {blob}", "a", NOW),
    ("a ssh-ed25519", "a", NOW),
    ("a ssh-ed25519 AAAA\nb {key}", "b", NOW),
    ("a ssh-ed25519 AAAA\na {key}", "a", NOW),
    ("garbage\n\n\t\n# comment\na {key}", "a", NOW),
    ("a {other}\na {key}", "a", NOW),
    ('a namespaces="file" {key}\na {key}', "a", NOW),
]  # fmt: skip


def filled(line: str) -> bytes:
    return line.replace("{key}", KEY).replace("{other}", OTHER.public.text).replace("{blob}", KEY.split()[1]).encode()


@pytest.mark.parametrize(("line", "principal", "moment"), LINES)
@pytest.mark.parametrize("ending", ["", "\n"])
def test_we_and_openssh_read_lines_alike(
    line: str, principal: str, moment: str, ending: str, ssh_keygen: SshKeygen
) -> None:
    data = filled(line + ending)
    theirs = ssh_keygen.accepts(
        data, sign(PAIR, b"m", "git"), b"m", principal=principal, namespace="git", at="20260601120000Z"
    )
    assert Signers.parse(data).allows(principal, PAIR.public, namespace="git", at=moment) is theirs


@pytest.mark.parametrize(("line", "principal", "moment"), LINES)
def test_the_name_we_give_is_one_that_openssh_accepts(
    line: str, principal: str, moment: str, ssh_keygen: SshKeygen
) -> None:
    signers = Signers.parse(filled(line))
    name = signers.principal_of(PAIR.public, namespace="git", at=moment)
    assert (name is not None) or not signers.allows(principal, PAIR.public, namespace="git", at=moment)
    if name is not None:
        signature = sign(PAIR, b"m", "git")
        assert ssh_keygen.accepts(
            signers.encode(), signature, b"m", principal=name, namespace="git", at="20260601120000Z"
        )
        found = ssh_keygen.find_principals(signers.encode(), signature, at="20260601120000Z")
        # It prints no name after an empty one.
        assert name in found or line.startswith(",")


def test_times_without_z_are_utc_wherever_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    signers = Signers.parse(filled('a valid-before="20260601" {key}'))
    for zone in ("UTC", "Asia/Tokyo", "America/Los_Angeles"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert signers.allows("a", PAIR.public, namespace="git", at="2026-06-01T00:00:00Z")
        assert not signers.allows("a", PAIR.public, namespace="git", at="2026-06-01T00:00:01Z")
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "text", ["", "2026-06-01", "2026-06-01T12:00:00", "2026-06-01T12:00:00+00:00", "now", "2026-13-01T00:00:00Z"]
)
def test_moments_that_are_none(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a time"):
        seconds_of(text)
    with pytest.raises(InvalidInput, match="not a time"):
        Signers().principal_of(PAIR.public, namespace="git", at=text)


def test_a_name_that_is_no_text_matches_nobody_but_everybody() -> None:
    assert matches("\ud800", "*")
    assert not matches("\ud800", "a,!\ud800")


def test_patterns_take_no_exponential_time() -> None:
    started = time.monotonic()
    assert not matches("a" * 1000, "*a" * 500 + "b")
    assert time.monotonic() - started < 5


@given(st.text("ab", max_size=8), st.text("ab*?", max_size=6))
def test_patterns_match_as_defined(text: str, pattern: str) -> None:
    def defined(text: str, pattern: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return defined(text, pattern[1:]) or (text != "" and defined(text[1:], pattern))
        return text != "" and pattern[0] in ("?", text[0]) and defined(text[1:], pattern[1:])

    assert matches(text, pattern) is defined(text, pattern)


@given(st.text(max_size=120))
def test_any_line_is_read_or_none(text: str) -> None:
    assert parse_line(text) is None
