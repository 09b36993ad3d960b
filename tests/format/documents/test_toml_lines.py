from __future__ import annotations

import tomllib

import pytest

from pacha_git.format.documents.toml_lines import key_lines, line_of

TEXT = '''\
# a comment = 1

name = "x" # [not.a.table]
"quoted.key" = 1
'literal "key"'.below = 2
"\\u0061b" = """
[x]
y = 1 ""\\"
"""""
raw = \'\'\'
[z] \'\'
\'\'\'
list = [ # ]
  "]",
  { a = 1 }, # }
]
inline = { b = "}", c = [1] }

[table]
key = 1

  [ table . sub ] # x
  key = 2

[[many]]
k = 1
[[many.more]]
k = 2
[[many]]
[many.one]
k = 3
'''


def test_every_key_has_its_line() -> None:
    assert tomllib.loads(TEXT)
    assert key_lines(TEXT) == {
        ("name",): 3,
        ("quoted.key",): 4,
        ('literal "key"',): 5,
        ('literal "key"', "below"): 5,
        ("ab",): 6,
        ("raw",): 10,
        ("list",): 13,
        ("inline",): 17,
        ("table",): 19,
        ("table", "key"): 20,
        ("table", "sub"): 22,
        ("table", "sub", "key"): 23,
        ("many",): 25,
        ("many", 0): 25,
        ("many", 0, "k"): 26,
        ("many", 0, "more"): 27,
        ("many", 0, "more", 0): 27,
        ("many", 0, "more", 0, "k"): 28,
        ("many", 1): 29,
        ("many", 1, "one"): 30,
        ("many", 1, "one", "k"): 31,
    }


def test_a_key_that_is_not_listed_stands_where_the_one_above_it_does() -> None:
    lines = key_lines(TEXT)
    assert line_of(lines, ("inline", "b", "deep")) == 17
    assert line_of(lines, ("table", "missing")) == 19
    assert line_of(lines, ("missing",)) is None


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_both_line_ends_count(end: str) -> None:
    text = end.join(["a = 1", "[b]", "c = '''", "x", "'''", "d = 2", ""])
    assert key_lines(text) == {("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "d"): 6}


@pytest.mark.parametrize("text", ["", "\n\n", "# only", "a = 1"])
def test_small_documents(text: str) -> None:
    assert key_lines(text) == ({("a",): 1} if text == "a = 1" else {})
