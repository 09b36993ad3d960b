from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.errors import InvalidInput
from pacha_git.trust.keypair import generate, public_openssh
from pacha_git.trust.publickey import PublicKey, parse_public
from pacha_git.trust.wire import Malformed, mpint, string, to_base64
from tests.trust.mutations import damaged
from tests.trust.sshkeygen import SshKeygen

PAIR = generate()
# The first key of RFC 8032, section 7.1; the fingerprint is what `ssh-keygen -l` says of it.
POINT = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
TEXT = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"


def test_a_known_key(ssh_keygen: SshKeygen) -> None:
    key = parse_public(TEXT + " ada@example.org\n")
    assert (key.type, key.fields, key.comment) == ("ssh-ed25519", (POINT,), "ada@example.org")
    assert key.text == TEXT + " ada@example.org"
    said = ssh_keygen.run("-l", "-f", ssh_keygen.write("key.pub", key.text)).stdout.decode()
    assert said.split()[1] == key.fingerprint


def test_foreign_keys_come_back_letter_for_letter(foreign_key: Path, ssh_keygen: SshKeygen) -> None:
    text = foreign_key.with_suffix(".pub").read_text()
    key = parse_public(text)
    assert public_openssh(key) == text
    assert ssh_keygen.run("-l", "-f", foreign_key).stdout.decode().split()[1] == key.fingerprint


def test_a_comment_makes_no_other_key() -> None:
    assert parse_public(TEXT + " a") == parse_public(TEXT) == parse_public(f"{TEXT} a b  c ")
    assert parse_public(f"{TEXT} a b  c ").comment == "a b  c"


RSA_TOO_SHORT = string(b"ssh-rsa") + mpint(65537) + mpint(2**1000 + 1)
RSA_PADDED = string(b"ssh-rsa") + mpint(65537) + string(b"\0" + (2**2047 + 1).to_bytes(257, "big"))
RSA_WITHOUT_SECRET = string(b"ssh-rsa") + mpint(1) + mpint(2**2047 + 1)
COMPRESSED_POINT = string(b"ecdsa-sha2-nistp256") + string(b"nistp256") + string(b"\x02" + bytes(32))
HYBRID_POINT = string(b"ecdsa-sha2-nistp256") + string(b"nistp256") + string(b"\x06" + bytes(64))
OTHER_CURVE = string(b"ecdsa-sha2-nistp256") + string(b"nistp384") + string(b"\x04" + bytes(64))
SECURITY_KEY = string(b"sk-ssh-ed25519@openssh.com") + string(POINT) + string(b"ssh:")


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        string(b"ssh-ed25519"),
        string(b"ssh-ed25519") + string(POINT[:31]),
        string(b"ssh-ed25519") + string(POINT) + string(b""),
        string(b"ssh-ed25519") + string(POINT) + b"\0",
        string(b"ssh-dss") + mpint(5) * 4,
        RSA_TOO_SHORT,
        RSA_PADDED,
        RSA_WITHOUT_SECRET,
        COMPRESSED_POINT,
        HYBRID_POINT,
        OTHER_CURVE,
        string(b"ecdsa-sha2-nistp256") + string(b"nistp256") + string(b""),
        SECURITY_KEY,
        string(b"\xff\xfe") + string(POINT),
    ],
)
def test_blobs_that_are_no_key(blob: bytes) -> None:
    with pytest.raises(Malformed):
        PublicKey.of_blob(blob)
    word = blob[4 : 4 + blob[3]].decode("latin-1") if blob else "ssh-ed25519"
    with pytest.raises(InvalidInput, match="not an SSH public key"):
        parse_public(f"{word} {to_base64(blob)}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "\n\n",
        TEXT.replace("ssh-ed25519 ", "ssh-rsa "),
        f"{TEXT} a\n{TEXT} b\n",
        TEXT + " \x1b[31mred",
        TEXT + " \ud800",
        'command="x" ' + TEXT,
        TEXT + " " + "x" * 20000,
    ],
)
def test_texts_that_are_no_key(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_public(text)


def test_a_private_key_is_recognised(foreign_key: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_public(foreign_key.read_text())
    assert "ends in .pub" in caught.value.hint


@given(damaged(PAIR.public.text.encode()))
def test_damage_never_gives_a_traceback_nor_the_same_key(data: bytes) -> None:
    words = PAIR.public.text.split()
    try:
        key = parse_public(data.decode("utf-8", "surrogateescape"))
    except InvalidInput:
        return
    assert key != PAIR.public or key.text.split()[:2] == words


@given(st.text(max_size=200))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_public(text)


def test_parsing_loads_no_cryptography() -> None:
    code = "import sys, pacha_git.trust.signers; print('cryptography' in sys.modules)"
    root = Path(__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert said.stdout == "False\n"
