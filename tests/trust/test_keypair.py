from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.errors import InvalidInput
from pacha_git.trust.keypair import KeyPair, generate, load_private, private_openssh, public_of_private, public_openssh
from pacha_git.trust.sshsig import sign
from pacha_git.trust.wire import armor, dearmor, string
from tests.trust.mutations import damaged
from tests.trust.sshkeygen import KEY_OPTIONS, SshKeygen

LABEL = "OPENSSH PRIVATE KEY"
PAIR = generate()
FILE = private_openssh(PAIR)


def test_each_key_is_new() -> None:
    assert generate() != generate()


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=60))
def test_a_private_key_comes_back(comment: str) -> None:
    again = load_private(private_openssh(PAIR, comment))
    assert again == PAIR
    assert sign(again, b"x", "file") == sign(PAIR, b"x", "file")


@pytest.mark.parametrize("comment", ["", "a", "ada@example.org", "Ada Łovelace, laptop", "seven77"])
def test_ssh_keygen_reads_what_we_write(comment: str, ssh_keygen: SshKeygen) -> None:
    path = ssh_keygen.write("ours", private_openssh(PAIR, comment))
    assert ssh_keygen.run("-y", "-f", path).stdout.decode() == public_openssh(PAIR.public, comment)
    public = ssh_keygen.write("ours.pub", public_openssh(PAIR.public, comment))
    assert ssh_keygen.run("-l", "-f", public).stdout.decode().split()[1] == PAIR.public.fingerprint


def test_our_file_looks_like_theirs(ssh_keygen: SshKeygen) -> None:
    theirs = ssh_keygen.make("same", *KEY_OPTIONS["ed25519"]).read_bytes()
    pair = load_private(theirs)
    ours = private_openssh(pair, "same")
    shape = [len(line) for line in theirs.splitlines()]
    assert [len(line) for line in ours.splitlines()] == shape
    theirs_body, ours_body = dearmor(LABEL, theirs.decode()), dearmor(LABEL, ours.decode())
    check = theirs_body.index(pair.public.blob) + len(pair.public.blob) + 4
    assert theirs_body[:check] == ours_body[:check]
    assert theirs_body[check + 8 :] == ours_body[check + 8 :]


def test_foreign_keys_are_read(foreign_key: Path, foreign_pair: KeyPair) -> None:
    assert foreign_pair.public.text == " ".join(foreign_key.with_suffix(".pub").read_text().split()[:2])
    assert load_private(foreign_key.read_bytes(), "not needed") == foreign_pair


def test_only_ed25519_is_written(foreign_pair: KeyPair) -> None:
    if foreign_pair.public.type == "ssh-ed25519":
        assert load_private(private_openssh(foreign_pair, "x")) == foreign_pair
    else:
        with pytest.raises(InvalidInput, match="only Ed25519"):
            private_openssh(foreign_pair, "x")


@pytest.mark.parametrize("comment", ["two\nlines", "nul\0", "\x1b[2J"])
def test_comments_stay_on_their_line(comment: str) -> None:
    with pytest.raises(InvalidInput, match="comment"):
        private_openssh(PAIR, comment)
    with pytest.raises(InvalidInput, match="comment"):
        public_openssh(PAIR.public, comment)


def test_a_key_pair_shows_no_secret() -> None:
    assert "private" not in repr(PAIR)


# --- encrypted keys


def test_an_encrypted_key_wants_its_passphrase(ssh_keygen: SshKeygen) -> None:
    path = ssh_keygen.make("locked", *KEY_OPTIONS["ed25519"], passphrase="open sesame")
    for nothing in (None, ""):
        with pytest.raises(InvalidInput, match="encrypted and no passphrase was given") as caught:
            load_private(path.read_bytes(), nothing)
        assert "ssh-keygen -p" in caught.value.hint


@pytest.mark.parametrize("cipher", ["aes256-ctr", "aes256-gcm@openssh.com"])
def test_an_encrypted_key_opens_with_its_passphrase_alone(cipher: str, ssh_keygen: SshKeygen) -> None:
    path = ssh_keygen.make("locked", *KEY_OPTIONS["ed25519"], "-Z", cipher, passphrase="open sesame")
    public = path.with_suffix(".pub").read_text()
    assert public_openssh(load_private(path.read_bytes(), "open sesame").public, "locked") == public
    assert public_openssh(public_of_private(path.read_bytes()), "locked") == public
    with pytest.raises(InvalidInput, match="the passphrase is wrong"):
        load_private(path.read_bytes(), "open barley")


def test_endless_key_derivation_is_refused(ssh_keygen: SshKeygen) -> None:
    path = ssh_keygen.make("locked", *KEY_OPTIONS["ed25519"], "-a", "1", passphrase="open sesame")
    body = dearmor(LABEL, path.read_text())
    rounds = body.index(b"bcrypt") + len(b"bcrypt") + 4 + 4 + 16
    assert body[rounds : rounds + 4] == b"\0\0\0\x01"
    slow = armor(LABEL, body[:rounds] + b"\x7f\xff\xff\xff" + body[rounds + 4 :])
    with pytest.raises(InvalidInput, match="rounds"):
        load_private(slow.encode(), "open sesame")


# --- what is no key, or no longer


def test_older_formats_are_told_how_to_come_along(ssh_keygen: SshKeygen) -> None:
    for form in ("PEM", "PKCS8"):
        path = ssh_keygen.make(form, *KEY_OPTIONS["nistp256"], "-m", form)
        with pytest.raises(InvalidInput, match="not an OpenSSH private key") as caught:
            load_private(path.read_bytes())
        assert "ssh-keygen -p -f" in caught.value.hint
        assert ssh_keygen.run("-q", "-p", "-P", "", "-N", "", "-f", path).returncode == 0
        assert load_private(path.read_bytes()).public.type == "ecdsa-sha2-nistp256"


def test_a_public_key_is_recognised(foreign_key: Path) -> None:
    with pytest.raises(InvalidInput, match="public key"):
        load_private(foreign_key.with_suffix(".pub").read_bytes())


def test_swapped_halves_are_refused() -> None:
    other = generate()
    body = dearmor(LABEL, FILE.decode())
    for blob in (
        body.replace(PAIR.public.blob, other.public.blob, 1),
        body.replace(PAIR.public.fields[0], other.public.fields[0]),
    ):
        with pytest.raises(InvalidInput):
            load_private(armor(LABEL, blob).encode())


def test_nothing_can_be_hidden_in_the_options_of_no_encryption() -> None:
    body = dearmor(LABEL, FILE.decode())
    no_options = string(b"none") + string(b"none") + string(b"")
    assert no_options in body
    with pytest.raises(InvalidInput, match="no encryption"):
        load_private(armor(LABEL, body.replace(no_options, no_options[:-4] + string(b"hidden"))).encode())


def test_a_compressed_point_in_the_secret_half_is_refused() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    file = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    body = bytearray(dearmor(LABEL, file.decode()))
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    body[body.rindex(point)] = 2
    with pytest.raises(InvalidInput, match="damaged"):
        load_private(armor(LABEL, bytes(body)).encode())


@given(damaged(FILE))
def test_damage_to_the_file_is_refused(data: bytes) -> None:
    if data != FILE.removesuffix(b"\n"):
        with pytest.raises(InvalidInput):
            load_private(data)


@given(damaged(dearmor(LABEL, FILE.decode())))
def test_damage_below_the_armor_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        load_private(armor(LABEL, body).encode())


@given(data=st.data())
def test_damage_to_foreign_keys_gives_no_other_key(
    foreign_key: Path, foreign_pair: KeyPair, data: st.DataObject
) -> None:
    # Nothing covers the comment of an OpenSSH key: damage there goes unseen and changes nothing.
    body = dearmor(LABEL, foreign_key.read_text())
    mutated = data.draw(damaged(body))
    try:
        pair = load_private(armor(LABEL, mutated).encode())
    except InvalidInput:
        return
    assert pair == foreign_pair
    assert mutated.split(foreign_pair.public.blob)[0] == body.split(foreign_pair.public.blob)[0]


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    for file in (data, armor(LABEL, data).encode(), armor(LABEL, b"openssh-key-v1\0" + data).encode()):
        with pytest.raises(InvalidInput):
            load_private(file)
    with pytest.raises(InvalidInput):
        load_private(FILE * 300)
