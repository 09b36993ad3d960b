from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.errors import Corrupt, InvalidInput
from pacha_git.format.paths import check_path, check_paths, decode_tree_name, encode_tree_name, tree_path

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a/b/c.bin",
        ".gitmodules",
        "...",
        "..a/b..",
        " leading and trailing ",
        "con/aux.txt",
        'weird:~\\%name?*|<>"',
        "naïve/文件/😀",
        "\u200b\u2028\ufeff",
        "x" * 4096,
    ],
    ids=lambda path: ascii(path)[:24],
)
def test_any_plain_path_is_taken(path: str) -> None:
    check_path(path)
    assert "/".join(decode_tree_name(name) for name in tree_path(path)) == path


def test_the_golden_paths_are_held_and_refused() -> None:
    vectors = json.loads((GOLDEN / "paths.json").read_text())
    for path in vectors["held"]:
        check_path(path)
        check_paths([path])
    for path in vectors["refused"]:
        for paths in ([path], ["fine", path], ["fine", "größe", path]):
            with pytest.raises(InvalidInput):
                check_paths(paths)


@given(st.lists(st.sampled_from([".git", "git~1", ".GIT", ".", " ", ":", "::$I", "\\", "/", "a", "\u200d", "x.git"])))
def test_many_paths_are_judged_as_each_alone(parts: list[str]) -> None:
    path = "a" + "/" * bool(parts) + "".join(parts)
    try:
        check_path(path)
    except InvalidInput:
        with pytest.raises(InvalidInput):
            check_paths([path])
    else:
        check_paths([path])


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("a//b", "segment ''"),
        ("a/", "segment ''"),
        (".", "segment '.'"),
        ("./a", "segment '.'"),
        ("..", "segment '..'"),
        ("a/../b", "segment '..'"),
        ("a/..", "segment '..'"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("a\x1bb", "control"),
        ("a\x7f", "control"),
        ("a\x85b", "control"),
        ("\udcff", "not UTF-8"),
        ("x" * 4097, "longer"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_a_bad_path_is_refused_with_its_reason(path: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        check_path(path)
    with pytest.raises(InvalidInput, match=why):
        check_paths(["fine", path])


@pytest.mark.parametrize(
    "paths",
    [
        ["a", "a"],
        ["README", "readme"],
        ["a/b", "A/B"],
        ["caf\u00e9", "cafe\u0301"],
        ["CAF\u00c9", "cafe\u0301"],
        ["stra\u00dfe", "STRASSE"],
        ["\u212a", "k"],
        ["\u0130x", "i\u0307x"],
        ["a", "a/b"],
        ["a/b", "a"],
        ["A", "a/b/c"],
        ["x/Y", "x/y/z"],
        ["\u1e9b\u0323", "\u1e69"],
    ],
    ids=ascii,
)
def test_paths_that_some_system_takes_for_one_are_refused(paths: list[str]) -> None:
    if paths == ["\u1e9b\u0323", "\u1e69"]:
        # These differ until folding is normalised once more.
        assert paths[0].casefold() != paths[1]
    with pytest.raises(InvalidInput, match=r"can't both be|two files would have the path"):
        check_paths(paths)


@pytest.mark.parametrize(
    "paths",
    [[], ["a", "b"], ["a/x", "A/y"], ["a.b", "a/b"], ["ab", "a/b"], ["a/b", "a/c", "a-b"], ["\u2126/a", "\u03c9/b"]],
)
def test_paths_that_are_distinct_everywhere_may_lie_together(paths: list[str]) -> None:
    check_paths(paths)


def test_deep_hostile_paths_take_no_time() -> None:
    check_paths("/".join([str(n), *"a" * 2000]) for n in range(50))
    with pytest.raises(InvalidInput, match="longer"):
        check_paths(["a/" * 500_000 + "a"])


@pytest.mark.parametrize(
    ("segment", "name"),
    [
        (".gitmodules", b"%2Egitmodules"),
        (".GIT", b"%2EGIT"),
        ("git~1", b"git%7E1"),
        ("a.b", b"a.b"),
        ("..", b"%2E."),
        ("c:\\x", b"c%3A%5Cx"),
        ("100%", b"100%25"),
        ("%2E", b"%252E"),
        (".g\u200cit", b"%2Eg%E2%80%8Cit"),
        ("\ufeff", b"%EF%BB%BF"),
        ("\u202a\u202e\u206a\u206f\u200f", b"%E2%80%AA%E2%80%AE%E2%81%AA%E2%81%AF%E2%80%8F"),
        ("\u200b\u2010", "\u200b\u2010".encode()),
        ("é ?*", "é ?*".encode()),
    ],
    ids=ascii,
)
def test_tree_names_escape_what_servers_refuse(segment: str, name: bytes) -> None:
    assert encode_tree_name(segment) == name
    assert decode_tree_name(name) == segment


@pytest.mark.parametrize(
    "name",
    [
        b".git",
        b"a~",
        b"a:b",
        b"a\\b",
        b"%",
        b"%2",
        b"%2e",
        b"%41",
        b"%zz",
        b"a%2E",
        b"\xff",
        b"%FF",
        b"%E2%80",
        b"a%\n41",
    ],
)
def test_a_tree_name_has_one_spelling(name: bytes) -> None:
    with pytest.raises(Corrupt):
        decode_tree_name(name)
