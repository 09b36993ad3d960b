from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.errors import Conflict, InvalidInput, NotFound
from pacha_git.trust.keypair import KeyPair, generate
from pacha_git.trust.publickey import PublicKey
from pacha_git.trust.signers import Signers
from pacha_git.trust.sshsig import sign
from pacha_git.trust.wire import string, to_base64
from tests.trust.mutations import damaged
from tests.trust.sshkeygen import SshKeygen

PAIR, OTHER = generate(), generate()
KEY = PAIR.public.text
NOW = "2026-06-01T12:00:00Z"
ADA = "ada@example.org"
SOME_LINES = [
    "# ours",
    "",
    "a,b {key} c",
    '"a b" namespaces="git,file" {key}',
    '  * valid-before="20300101Z" {key}',
    "? x",
]


def filled(line: str) -> bytes:
    return line.replace("{key}", KEY).replace("{other}", OTHER.public.text).encode()


@given(st.binary(max_size=300))
def test_any_bytes_come_back(data: bytes) -> None:
    assert Signers.parse(data).encode() == data


@given(damaged(b"\n".join(filled(line) for line in SOME_LINES)))
def test_damaged_files_come_back_and_are_readable(data: bytes) -> None:
    signers = Signers.parse(data)
    assert signers.encode() == data
    assert signers.principal_of(OTHER.public, namespace="git", at=NOW) is None
    assert Signers.parse(signers.add(ADA, OTHER.public).encode()).allows(ADA, OTHER.public, namespace="git", at=NOW)


def test_bytes_that_are_no_plain_text_are_kept_and_not_used() -> None:
    data = b"".join(name + b" " + KEY.encode() + b"\n" for name in (b"\xff", b"a\0", b"a\x1b[2J", b"a\xc2\x9b"))
    assert Signers.parse(data).entries == ()
    assert Signers.parse(data).add(ADA, PAIR.public).encode().startswith(data)


def test_keys_of_other_types_are_kept_and_not_used() -> None:
    blob = string(b"sk-ssh-ed25519@openssh.com") + string(bytes(32)) + string(b"ssh:")
    data = f"a sk-ssh-ed25519@openssh.com {to_base64(blob)}\n".encode()
    assert Signers.parse(data).entries == ()
    assert Signers.parse(data).add(ADA, PAIR.public).encode().startswith(data)


def test_certificate_authorities_are_kept_and_not_listed() -> None:
    signers = Signers.parse(filled("a cert-authority {key}\n"))
    assert signers.entries == ()
    with pytest.raises(NotFound):
        signers.remove("a")
    assert signers.add("b", PAIR.public).encode() == filled("a cert-authority {key}\nb {key}\n")


# --- adding


def test_who_is_added_may_sign(ssh_keygen: SshKeygen) -> None:
    key = PublicKey(PAIR.public.blob, "Ada's laptop")
    signers = Signers().add(ADA, key)
    assert signers.encode() == f"{ADA} {KEY} Ada's laptop\n".encode()
    assert [entry.names for entry in signers.entries] == [(ADA,)]
    assert signers.entries[0].key.comment == "Ada's laptop"
    assert signers.principal_of(PAIR.public, namespace="git", at=NOW) == ADA
    assert signers.principal_of(OTHER.public, namespace="git", at=NOW) is None
    assert ssh_keygen.accepts(signers.encode(), sign(PAIR, b"m", "git"), b"m", principal=ADA, namespace="git")


NAMESPACES = st.lists(st.sampled_from(["git", "pacha-event", "file", "x@example.org"]), max_size=3)
MOMENTS = st.integers(1, 4102444800).map(lambda second: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second)))
NAMES = st.from_regex(r"[A-Za-z0-9_.+=:/@é-]{1,30}", fullmatch=True)


@given(NAMES, NAMESPACES, st.none() | MOMENTS, st.none() | MOMENTS, MOMENTS)
def test_what_is_added_means_what_was_said(
    name: str, namespaces: list[str], after: str | None, before: str | None, at: str
) -> None:
    if after and before and before <= after:
        with pytest.raises(InvalidInput, match="valid until"):
            Signers().add(name, PAIR.public, namespaces=namespaces, valid_after=after, valid_before=before)
        return
    signers = Signers().add(name, PAIR.public, namespaces=namespaces, valid_after=after, valid_before=before)
    assert Signers.parse(signers.encode()) == signers
    due = (after or at) <= at <= (before or at)
    for namespace in ("git", "pacha-event"):
        expected = due and (not namespaces or namespace in namespaces)
        assert signers.allows(name, PAIR.public, namespace=namespace, at=at) is expected
    again = signers.add(name, PAIR.public, namespaces=namespaces, valid_after=after, valid_before=before)
    assert again is signers


def test_options_are_written_as_openssh_has_them() -> None:
    line = Signers().add(
        "ada", PAIR.public, namespaces=["git", "pacha-event"], valid_after="2026-01-01T00:00:00Z",
        valid_before="2026-12-31T23:59:59Z",
    )  # fmt: skip
    options = 'namespaces="git,pacha-event",valid-after="20260101000000Z",valid-before="20261231235959Z"'
    assert line.encode() == f"ada {options} {KEY}\n".encode()


def test_what_stood_there_stays() -> None:
    data = filled('# ours\n\n?\t{other}  two  spaces\r\nx cert-authority {key}\nunended "quote')
    assert Signers.parse(data).add(ADA, PAIR.public).encode() == data + b"\n" + filled(f"{ADA} {{key}}\n")


def test_a_second_key_and_a_second_period_of_one_person() -> None:
    signers = Signers().add(ADA, PAIR.public).add(ADA, OTHER.public)
    assert signers.principal_of(OTHER.public, namespace="git", at=NOW) == ADA
    renewed = Signers().add(ADA, PAIR.public, valid_before="2026-01-01T00:00:00Z")
    assert renewed.principal_of(PAIR.public, namespace="git", at=NOW) is None
    assert renewed.add(ADA, PAIR.public).principal_of(PAIR.public, namespace="git", at=NOW) == ADA


def test_one_key_is_not_two_people() -> None:
    with pytest.raises(Conflict, match=f"already trusted as {ADA}") as caught:
        Signers().add(ADA, PAIR.public).add("eve", PAIR.public)
    assert caught.value.hint


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "a\tb", "a,b", 'a"b', "a*", "a?", "!a", "#a", "a\n", "a\0", "\ud800", "a\u2028b", "x" * 300],
)
def test_names_that_would_mean_something_else(name: str) -> None:
    with pytest.raises(InvalidInput, match="bad name"):
        Signers().add(name, PAIR.public)


ADDS: list[Callable[[], Signers]] = [
    lambda: Signers().add(ADA, PAIR.public, namespaces=["git,file"]),
    lambda: Signers().add(ADA, PAIR.public, namespaces=['"']),
    lambda: Signers().add(ADA, PAIR.public, namespaces=[""]),
    lambda: Signers().add(ADA, PAIR.public, valid_after="tomorrow"),
    lambda: Signers().add(ADA, PAIR.public, valid_before="1970-01-01T00:00:00Z"),
    lambda: Signers().add(ADA, PublicKey(PAIR.public.blob, "two\nlines")),
]


@pytest.mark.parametrize("add", ADDS)
def test_options_that_can_not_be(add: Callable[[], Signers]) -> None:
    with pytest.raises(InvalidInput):
        add()


# --- removing


def test_who_is_removed_may_not_sign() -> None:
    before = Signers.parse(filled("# keep\nada {key}\n\nbob {other}\n"))
    after = before.remove("ada")
    assert after.encode() == filled("# keep\n\nbob {other}\n")
    assert after.principal_of(PAIR.public, namespace="git", at=NOW) is None
    assert before.principal_of(PAIR.public, namespace="git", at=NOW) == "ada"


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("ada {key}\n", ""),
        ("ada {key}", ""),
        ("ada,bob {key} c\r\n", "bob {key} c\r\n"),
        ("  bob,ada,ada  {key}  c  d\n", "  bob {key}  c  d\n"),
        ('"ada,b c" {key}\n', '"b c" {key}\n'),
        ('ada,bob namespaces="git"  {key}\n', 'bob namespaces="git"  {key}\n'),
        ("ada,!eve {key}\n", ""),
        ("ada,* {key}\n", "* {key}\n"),
    ],
)
def test_a_name_is_taken_off_its_line(line: str, left: str) -> None:
    assert Signers.parse(filled(line)).remove("ada").encode() == filled(left)


def test_one_key_of_somebody_is_removed() -> None:
    signers = Signers().add(ADA, PAIR.public).add(ADA, OTHER.public).remove(ADA, OTHER.public)
    assert signers == Signers().add(ADA, PAIR.public)


@pytest.mark.parametrize(("name", "key"), [("ada", None), ("bob", OTHER.public), ("x", None)])
def test_nobody_to_remove(name: str, key: PublicKey | None) -> None:
    with pytest.raises(NotFound) as caught:
        Signers.parse(filled("*,bob {key}\n#ada {key}\n")).remove(name, key)
    assert caught.value.hint


def test_every_type_of_key_can_stand_there(foreign_pair: KeyPair) -> None:
    signers = Signers().add(ADA, foreign_pair.public)
    assert Signers.parse(signers.encode()).principal_of(foreign_pair.public, namespace="git", at=NOW) == ADA
