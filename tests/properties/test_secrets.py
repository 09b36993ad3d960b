"""Laws of what is taken out of a text: once cleaned it stays so, names decide, and time grows with length alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.system import secrets

PIECES = st.sampled_from(
    [
        "token",
        "password",
        "=",
        ":",
        " ",
        '"',
        "'",
        "--",
        "-",
        "://",
        "@",
        "/",
        "a",
        "ab12cd34",
        "api_key",
        "?",
        "&",
        "\n",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "hf_" + "a" * 34,
        "***",
        "{",
        "}",
        "~",
        "/home/ada",
    ]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join) | st.text()


@given(TEXTS)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = secrets.clean_code(text)
    assert secrets.clean_code(once) == once
    assert [secret for secret in secrets.find(once) if secret.what != "a private key"] == []


@given(
    st.sampled_from(["password", "TOKEN", "apiKey", "client_secret", "DB_PASSWD", "hf-token"]),
    st.from_regex(r"[a-z0-9]{8,20}", fullmatch=True),
    TEXTS,
)
def test_no_value_of_a_secret_name_is_left(name: str, value: str, around: str) -> None:
    value += "Q7"
    for text in (f"--{name}={value}", f"{name}={value}", f'"{name}": "{value}"'):
        assert value not in secrets.clean(f"{around}\n{text}\n")
    assert value not in " ".join(secrets.clean_command(["x", f"--{name}", value]))


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("--api-key", True),
        ("OPENAI_API_KEY", True),
        ("awsSecretAccessKey", True),
        ("hf_token", True),
        ("db.pass", True),
        ("pad_token", False),
        ("max-tokens", False),
        ("tokenizer", False),
        ("key", False),
        ("first_pass", False),
        ("cls_token", False),
        ("accessToken", True),
        ("credentials", True),
        ("", False),
    ],
)
def test_which_names_are(name: str, secret: bool) -> None:
    assert secrets.is_secret_name(name) is secret


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a.a-",
        "eyJ-",
        'a="',
        'token="',
        "://:b",
        "a://:",
        "--token ",
        "-a",
        "\n",
        "-----BEGIN A ",
        "token=token=",
        "'",
        "SG.",
        "-----BEGIN PRIVATE KEY-----",
        "? ",
        "authorization: ",
        "/home/a",
    ],
)
def test_time_grows_with_length_alone(piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        begun = time.process_time()
        secrets.clean(text, secrets.ANY_HOME)
        list(secrets.find(text))
        return time.process_time() - begun

    short, long = seconds(20_000), seconds(160_000)
    assert long < 30 * short + 0.5
