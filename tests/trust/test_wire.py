from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.trust.wire import (
    Malformed,
    Reader,
    armor,
    dearmor,
    from_base64,
    mpint,
    positive_mpint,
    string,
    to_base64,
)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(1, "0000000101"), (0x80, "000000020080"), (0x9A378F9B2E332A7, "0000000809a378f9b2e332a7")],
)
def test_mpint_as_rfc_4251_has_it(value: int, encoded: str) -> None:
    assert mpint(value).hex() == encoded


@given(st.integers(min_value=1, max_value=2**600))
def test_mpint_comes_back(value: int) -> None:
    assert positive_mpint(Reader(mpint(value)).string()) == value


@pytest.mark.parametrize("raw", [b"", b"\0", b"\0\x01", b"\x80", b"\0\0\x80"])
def test_mpint_has_one_spelling(raw: bytes) -> None:
    with pytest.raises(Malformed):
        positive_mpint(raw)


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_strings_come_back(values: list[bytes]) -> None:
    assert Reader(b"".join(map(string, values))).strings() == tuple(values)


@pytest.mark.parametrize("data", [b"\0\0\0", b"\0\0\0\x02a", b"\xff\xff\xff\xffa"])
def test_string_that_is_cut_off(data: bytes) -> None:
    with pytest.raises(Malformed, match="too early"):
        Reader(data).string()


def test_something_after_the_end() -> None:
    with pytest.raises(Malformed, match="follows its end"):
        Reader(b"x").end()


@given(st.binary(min_size=1, max_size=300))
def test_armor_comes_back(data: bytes) -> None:
    text = armor("THING", data)
    assert dearmor("THING", text) == data == dearmor("THING", text.removesuffix("\n"))


@given(st.binary(max_size=100))
def test_base64_comes_back(data: bytes) -> None:
    assert from_base64(to_base64(data)) == data


@pytest.mark.parametrize("text", ["QQ", "QR==", "Q Q==", "QQ==\n", "QQ==QQ==", "Q\u0660==", "Q-==", "====", "\udcff"])
def test_base64_has_one_spelling(text: str) -> None:
    with pytest.raises(Malformed):
        from_base64(text)


FRAMED = armor("THING", bytes(range(200)))


def test_another_even_width_is_read() -> None:
    first, *body, last = FRAMED.splitlines()
    joined = "".join(body)
    folded = "\n".join([first, *(joined[at : at + 64] for at in range(0, len(joined), 64)), last])
    assert dearmor("THING", folded) == bytes(range(200))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "THING\n",
        FRAMED + "\n",
        "\n" + FRAMED,
        " " + FRAMED,
        FRAMED + "x",
        FRAMED.replace("\n", "\r\n"),
        FRAMED.replace("THING", "OTHER"),
        FRAMED.replace("\n-----END", "\n\n-----END"),
        FRAMED.replace("-----BEGIN THING-----\n", "-----BEGIN THING-----\n\n"),
        FRAMED.replace("\n", " \n", 2),
        FRAMED[:100] + "\n" + FRAMED[100:],
        FRAMED.splitlines()[0] + "\n" + FRAMED.splitlines()[-1],
        "-----BEGIN THING-----\n-----END THING-----\n",
        FRAMED + FRAMED,
    ],
)
def test_frame_is_strict(text: str) -> None:
    with pytest.raises(Malformed):
        dearmor("THING", text)
