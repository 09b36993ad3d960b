from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.errors import InvalidInput, VerificationFailed
from pacha_git.trust.keypair import KeyPair, generate, load_private, private_openssh
from pacha_git.trust.sshsig import EVENT_NAMESPACE, GIT_NAMESPACE, sign, verify
from pacha_git.trust.wire import Reader, armor, dearmor, string
from tests.trust.mutations import damaged
from tests.trust.sshkeygen import SshKeygen

LABEL = "SSH SIGNATURE"
PAIR = generate()
MESSAGE = b"model x 1.0.0\n"
SIGNATURE = sign(PAIR, MESSAGE, GIT_NAMESPACE)
# The first key of RFC 8032, section 7.1; what OpenSSH 9.2 signed with it has to hold for ever.
RFC_8032_KEY = """\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACDXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGgAAAIhZd+YzWXfm
MwAAAAtzc2gtZWQyNTUxOQAAACDXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg
AAAECdYbGd7/1aYLqESvSS7CzEREnFaXsyaRlwO6wDHK5/YNdamAGCsQq31Uv+08lkBzoO
4XLz2qYjJa8CGmj3B1EaAAAAAAECAwQF
-----END OPENSSH PRIVATE KEY-----
"""
GOLDEN = """\
-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg11qYAYKxCrfVS/7TyWQHOg7hcv
PapiMlrwIaaPcHURoAAAADZ2l0AAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1lZDI1NTE5
AAAAQEh4ZZhKBCUBMeMBcTWIxpFmL3cx1tK4YSPg0xwcaMEnqDiT27Hd0DACYUrLU+jlMv
SIY1m0WyvF1o7gcDLmQQ8=
-----END SSH SIGNATURE-----
"""


def signers_of(pair: KeyPair) -> bytes:
    return f"ada {pair.public.text}\n".encode()


# --- we sign, ssh-keygen verifies; ssh-keygen signs, we verify


@pytest.mark.parametrize("message", [b"", b"hello world", b"\0\xff\r\n" * 1000])
@pytest.mark.parametrize("namespace", [GIT_NAMESPACE, EVENT_NAMESPACE, "file"])
def test_ssh_keygen_accepts_ours(message: bytes, namespace: str, ssh_keygen: SshKeygen) -> None:
    signature = sign(PAIR, message, namespace)
    assert ssh_keygen.accepts(signers_of(PAIR), signature, message, principal="ada", namespace=namespace)
    assert not ssh_keygen.accepts(signers_of(PAIR), signature, message + b"x", principal="ada", namespace=namespace)


def test_ours_is_theirs_letter_for_letter(ssh_keygen: SshKeygen) -> None:
    # Ed25519 signatures are deterministic (RFC 8032), so the two can be compared whole.
    theirs = ssh_keygen.sign(ssh_keygen.write("key", private_openssh(PAIR)), MESSAGE, GIT_NAMESPACE)
    assert theirs == SIGNATURE


def test_only_the_algorithms_of_the_format_count(
    foreign_key: Path, foreign_pair: KeyPair, ssh_keygen: SshKeygen
) -> None:
    ours = foreign_pair.public.type == "ssh-ed25519"
    for options in ((), ("-O", "hashalg=sha512"), ("-O", "hashalg=sha256")):
        signature = ssh_keygen.sign(foreign_key, MESSAGE, "git", *options)
        if ours and options[1:] != ("hashalg=sha256",):
            assert verify(signature, MESSAGE, "git") == foreign_pair.public
            with pytest.raises(VerificationFailed, match="does not hold"):
                verify(signature, MESSAGE + b"x", "git")
            continue
        with pytest.raises(VerificationFailed, match=r"only (Ed25519|sha512) counts"):
            verify(signature, MESSAGE, "git")
    if not ours:
        with pytest.raises(InvalidInput, match="takes an Ed25519 key"):
            sign(foreign_pair, MESSAGE, EVENT_NAMESPACE)


def test_ssh_keygen_finds_the_principal_of_ours(ssh_keygen: SshKeygen) -> None:
    assert ssh_keygen.find_principals(signers_of(generate()) + signers_of(PAIR), SIGNATURE) == ["ada"]


# --- the laws


@given(st.binary(max_size=2000), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_what_was_signed_verifies(message: bytes, namespace: str) -> None:
    signature = sign(PAIR, message, namespace)
    assert verify(signature, message, namespace) == PAIR.public
    assert verify(signature.removesuffix("\n"), message, namespace) == PAIR.public


@given(damaged(MESSAGE))
def test_another_message_is_refused(message: bytes) -> None:
    with pytest.raises(VerificationFailed, match="does not hold"):
        verify(SIGNATURE, message, GIT_NAMESPACE)


@pytest.mark.parametrize("namespace", ["", "file", "Git", "git ", "git\0", EVENT_NAMESPACE])
def test_another_namespace_is_refused(namespace: str) -> None:
    with pytest.raises(VerificationFailed, match="the signature is for 'git', not for"):
        verify(SIGNATURE, MESSAGE, namespace)


def test_another_key_is_refused() -> None:
    other = generate()
    assert verify(sign(other, MESSAGE, GIT_NAMESPACE), MESSAGE, GIT_NAMESPACE) != PAIR.public
    claimed = dearmor(LABEL, SIGNATURE).replace(PAIR.public.blob, other.public.blob)
    with pytest.raises(VerificationFailed, match=f"by {other.public.fingerprint.replace('+', '.')} does not hold"):
        verify(armor(LABEL, claimed), MESSAGE, GIT_NAMESPACE)


def test_an_empty_namespace_can_not_be_signed() -> None:
    with pytest.raises(InvalidInput, match="namespace"):
        sign(PAIR, MESSAGE, "")


# --- damage


@given(damaged(SIGNATURE.encode()))
def test_damage_to_the_text_is_refused(data: bytes) -> None:
    if data != SIGNATURE.removesuffix("\n").encode():
        with pytest.raises(VerificationFailed):
            verify(data.decode("utf-8", "surrogateescape"), MESSAGE, GIT_NAMESPACE)


@given(damaged(dearmor(LABEL, SIGNATURE)))
def test_damage_below_the_armor_is_refused(blob: bytes) -> None:
    with pytest.raises(VerificationFailed):
        verify(armor(LABEL, blob), MESSAGE, GIT_NAMESPACE)


def test_every_byte_counts() -> None:
    blob = dearmor(LABEL, SIGNATURE)
    for at, byte in enumerate(blob):
        flipped = blob[:at] + bytes([byte ^ 1 << at % 8]) + blob[at + 1 :]
        with pytest.raises(VerificationFailed):
            verify(armor(LABEL, flipped), MESSAGE, GIT_NAMESPACE)


@given(st.text(max_size=300), st.binary(max_size=300))
def test_any_text_is_refused(text: str, blob: bytes) -> None:
    for signature in (text, armor(LABEL, blob), armor(LABEL, b"SSHSIG\0\0\0\x01" + blob)):
        with pytest.raises(VerificationFailed):
            verify(signature, MESSAGE, GIT_NAMESPACE)


def test_a_known_key_makes_a_known_signature() -> None:
    pair = load_private(RFC_8032_KEY.encode())
    assert sign(pair, b"hello world", GIT_NAMESPACE) == GOLDEN
    assert verify(GOLDEN, b"hello world", GIT_NAMESPACE) == pair.public


# --- signatures put together by hand


def assemble(
    pair: KeyPair,
    *,
    version: int = 1,
    reserved: bytes = b"",
    hash_name: bytes = b"sha512",
    algorithm: str = "",
    raw: bytes = b"",
    more_raw: bytes = b"",
    more: bytes = b"",
) -> str:
    """An SSHSIG over MESSAGE for ``git`` whose parts can be other than they should be."""
    inner = Reader(dearmor(LABEL, sign(pair, MESSAGE, GIT_NAMESPACE))[10:]).strings()[4]
    right_algorithm, right_raw = Reader(inner).strings()
    signature = string(algorithm.encode() or right_algorithm) + string((raw or right_raw) + more_raw) + more
    parts = [pair.public.blob, GIT_NAMESPACE.encode(), reserved, hash_name, signature]
    return armor(LABEL, b"SSHSIG" + version.to_bytes(4, "big") + b"".join(map(string, parts)))


def test_the_parts_put_together_right_hold() -> None:
    assert verify(assemble(PAIR), MESSAGE, GIT_NAMESPACE) == PAIR.public


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda pair: assemble(pair, version=2), "version 1"),
        (lambda pair: assemble(pair, version=0), "version 1"),
        (lambda pair: assemble(pair, reserved=b"anything"), "reserved"),
        (lambda pair: assemble(pair, hash_name=b"md5"), "md5"),
        (lambda pair: assemble(pair, hash_name=b"sha256"), "only sha512 counts"),
        (lambda pair: assemble(pair, algorithm="ssh-rsa"), "ssh-rsa"),
        (lambda pair: assemble(pair, algorithm="ssh-dss"), "ssh-dss"),
        (lambda pair: assemble(pair, more=b"x"), "follows its end"),
        (lambda pair: assemble(pair, more_raw=b"x"), "does not hold|follows its end"),
        (lambda pair: assemble(pair, raw=b"short"), "does not hold|too early"),
        (lambda pair: assemble(pair, raw=bytes(2000)), "does not hold|shortest|follows its end"),
    ],
)
def test_parts_that_do_not_belong(make: Callable[[KeyPair], str], said: str) -> None:
    with pytest.raises(VerificationFailed, match=said):
        verify(make(PAIR), MESSAGE, GIT_NAMESPACE)


def test_a_signature_of_any_length_is_not_read() -> None:
    with pytest.raises(VerificationFailed, match="too long"):
        verify(SIGNATURE * 1000, MESSAGE, GIT_NAMESPACE)


def test_certificates_and_security_keys_are_named(ssh_keygen: SshKeygen) -> None:
    authority, key = ssh_keygen.make("authority", "-t", "ed25519"), ssh_keygen.make("key", "-t", "ed25519")
    made = ssh_keygen.run("-q", "-s", authority, "-I", "ada", "-n", "ada", key.with_suffix(".pub"))
    assert made.returncode == 0, made.stderr
    signature = ssh_keygen.sign(key.with_name("key-cert.pub"), MESSAGE, "git")
    with pytest.raises(VerificationFailed, match=r"ssh-ed25519-cert-v01@openssh\.com"):
        verify(signature, MESSAGE, "git")
