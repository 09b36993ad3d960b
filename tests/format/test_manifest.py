from __future__ import annotations

from typing import Any

import blake3
import pytest

from pacha_git.errors import Corrupt, InvalidInput
from pacha_git.format import canonical
from pacha_git.format.manifest import (
    FILE_LIST_CONTEXT,
    FileLine,
    content_address,
    decode_manifest,
    encode_manifest,
    file_line_of_json,
    list_address,
)
from pacha_git.gitobjects.oid import Oid
from tests.format.samples import line

CHUNKED = FileLine("big.bin", 5, "644", "c" * 64, "chunked", ((Oid("d" * 40), 2), (Oid("e" * 40), 3)))


def as_json(**changed: Any) -> dict[str, Any]:
    return {**CHUNKED.as_json(), **changed}


def test_a_manifest_has_one_canonical_line_per_file_sorted_by_bytes() -> None:
    lines = [line("b"), line("a/é"), line("a/z"), CHUNKED, line("a-b"), line("Z")]
    data = encode_manifest(lines)
    paths = [canonical.decode(row, limit=1000)["path"] for row in data.splitlines()]
    assert paths == ["Z", "a-b", "a/z", "a/é", "b", "big.bin"]
    assert data.endswith(b"}\n")
    assert sorted(decode_manifest(data), key=lambda one: one.path) == sorted(lines, key=lambda one: one.path)


def test_the_order_of_bytes_is_not_that_of_utf_16() -> None:
    paths = ["\uffee", "\U0001f600"]
    assert [one.path for one in decode_manifest(encode_manifest(map(line, reversed(paths))))] == paths


def test_unknown_keys_of_a_line_are_kept() -> None:
    data = canonical.encode(as_json(future={"x": 1.5})) + b"\n"
    (read,) = decode_manifest(data)
    assert read.extra == {"future": {"x": 1.5}}
    assert encode_manifest([read]) == data


@pytest.mark.parametrize(
    "changed",
    [
        {"path": 1},
        {"path": None},
        {"size": "5"},
        {"size": -1},
        {"size": 5.5},
        {"size": True, "parts": [["d" * 40, 1]]},
        {"size": 2**48, "parts": [["d" * 40, 2**48]]},
        {"mode": "600"},
        {"mode": 644},
        {"mode": ["644"]},
        {"blake3": "c" * 63},
        {"blake3": "C" * 64},
        {"blake3": "blake3:" + "c" * 64},
        {"blake3": "c" * 64 + "\n"},
        {"stored": "loose"},
        {"stored": {}},
        {"stored": "blob"},
        {"parts": None},
        {"parts": []},
        {"parts": "x"},
        {"parts": [["d" * 40, 5, 0]]},
        {"parts": [["d" * 40]]},
        {"parts": [["d" * 39, 5]]},
        {"parts": [["d" * 40, 4]]},
        {"parts": [["d" * 40, 5], ["e" * 40, 0]]},
        {"parts": [["d" * 40, 6], ["e" * 40, -1]]},
        {"parts": [["d" * 40, "5"]]},
        {"parts": {"d": 5}},
    ],
    ids=repr,
)
def test_a_bad_line_is_refused(changed: dict[str, Any]) -> None:
    value = as_json(**changed)
    with pytest.raises(Corrupt):
        decode_manifest(canonical.encode(value) + b"\n")


@pytest.mark.parametrize("key", ["path", "size", "mode", "blake3", "stored", "parts"])
def test_every_key_of_a_manifest_line_must_be_there(key: str) -> None:
    value = as_json()
    del value[key]
    with pytest.raises(Corrupt):
        decode_manifest(canonical.encode(value) + b"\n")


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_a_line_that_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(Corrupt):
        file_line_of_json(value)


def test_a_whole_file_has_exactly_one_part() -> None:
    value = line("a").as_json()
    value["parts"] = [["b" * 40, 3], ["b" * 40, 3]]
    with pytest.raises(Corrupt, match="one part"):
        file_line_of_json(value)


PLAIN = encode_manifest([line("a/b.bin")])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'",6]]', b'",7]]'),
        (b'"size":6', b'"size":06'),
        (b'",6]]', b'",06]]'),
        (b'"size":6', b'"size":6.0'),
        (b"a/b.bin", b"a/\xff.bin"),
        (b"a/b.bin", b"a/\xed\xa0\x80.bin"),
        (b"a/b.bin", b"a/\x01.bin"),
        (b"a/b.bin", b"a/\\u0062.bin"),
        (b"a/b.bin", b"a/../b.bin"),
        (b"a/b.bin", b'a/"b.bin'),
        (b"\n", b" \n"),
        (b'"blob"', b'"chunked "'),
        (b"644", b"600"),
        (b"6", b"281474976710656"),
    ],
)
def test_a_bad_line_of_a_whole_file_is_refused(old: bytes, new: bytes) -> None:
    assert decode_manifest(PLAIN) == [line("a/b.bin")]
    with pytest.raises(Corrupt):
        decode_manifest(PLAIN.replace(old, new))


@pytest.mark.parametrize("path", ['say "hi"', "back\\slash", "Grüße/\u2028", "del\U0001f600", "a" * 4000])
def test_a_line_is_what_any_writer_of_canonical_json_makes_of_it(path: str) -> None:
    for each in (line(path), line(path, b"", mode="755"), CHUNKED._replace(path=path)):
        assert encode_manifest([each]) == canonical.encode(each.as_json()) + b"\n"
        assert decode_manifest(encode_manifest([each])) == [each]


def test_the_address_of_many_files_is_that_of_their_list_as_canonical_json() -> None:
    lines = [line(f"{number:05}") for number in range(10_000)] + [line('"')]
    rows = [[each.path, each.mode, each.size, each.blake3] for each in sorted(lines, key=lambda each: each.path)]
    digest = blake3.blake3(canonical.encode(rows), derive_key_context=FILE_LIST_CONTEXT)
    assert list_address(lines) == "blake3:" + digest.hexdigest()


def test_an_empty_file_is_stored_whole() -> None:
    empty = line("empty", b"")
    assert decode_manifest(encode_manifest([empty])) == [empty]


def test_a_manifest_with_bad_order_paths_or_ends_is_refused() -> None:
    one, two = (canonical.encode(line(path).as_json()) + b"\n" for path in ("a", "b"))
    clash = canonical.encode(line("A").as_json()) + b"\n"
    evil = canonical.encode(line("../a").as_json()) + b"\n"
    for data in (
        b"",
        b"\n",
        one[:-1],
        two + one,
        one + one,
        one + b"\n" + two,
        one + b"\n",
        clash + one,
        evil,
        b" " + one,
    ):
        with pytest.raises(Corrupt):
            decode_manifest(data)
    assert [read.path for read in decode_manifest(one + two)] == ["a", "b"]


def test_nothing_bad_is_written() -> None:
    for lines in ([], [line("a").without_parts()], [line("a"), line("A")], [line("..")], [line("\udcff")]):
        with pytest.raises(InvalidInput):
            encode_manifest(lines)


def test_the_address_of_one_plain_file_is_its_own() -> None:
    only = line("name/plays/no/part.bin", b"hello world")
    assert content_address([only]) == (
        "blake3:d74981efa70a0c880b8d8c1985d075dbcbf679b99a5f9914e5aaf96b831a9e24",
        "file",
    )


def test_the_address_of_anything_else_is_that_of_the_list() -> None:
    files = [line("b"), line("a", mode="755")]
    material = canonical.encode([["a", "755", 6, files[1].blake3], ["b", "644", 6, files[0].blake3]])
    digest = blake3.blake3(material, derive_key_context="pacha 1 file list").hexdigest()
    assert content_address(files) == content_address(reversed(files)) == (f"blake3:{digest}", "list")
    one_executable = [line("run.sh", mode="755")]
    assert content_address(one_executable) == (list_address(one_executable), "list")


def test_a_file_cannot_have_the_address_of_a_list() -> None:
    files = [line("a"), line("b")]
    material = canonical.encode([[one.path, one.mode, one.size, one.blake3] for one in files])
    assert content_address([line("list", material)])[0] != content_address(files)[0]


def test_the_address_does_not_depend_on_how_files_are_stored() -> None:
    chunked = CHUNKED._replace(stored="blob", parts=((Oid("f" * 40), 5),))
    assert list_address([CHUNKED, line("a")]) == list_address([line("a"), chunked])


def test_no_files_have_no_address() -> None:
    with pytest.raises(InvalidInput):
        content_address([])
