"""What is left out is what Git leaves out: compared with ``git check-ignore`` and ``git ls-files``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.errors import PachaError
from pacha_git.store.payload.gitignore import Patterns, lines_of
from pacha_git.store.payload.sources import IGNORE_FILE, find

_NO_UTF8 = os.fsdecode(b"\xff")
_NAMES = ("a", "b", "ab", "abc", "D", "a.b", "-", "]", "a b", "ba ", "#a", "!a", "a\\b", "*", "^", _NO_UTF8)
_FOLDERS = (".", "a", "b", "ab", "a/b", "a/a", "b/D", "b/D/ab", "a/b/c")

_pieces = st.sampled_from(
    [b"a", b"b", b"c", b"D", b"ab", b".", b"*", b"**", b"***", b"?", b"/", b"**/", b"/**", b"[", b"]", b"[ab]", b"[!a]",
     b"[^b]", b"[a-c]", b"[]-a]", b"[a", b"[[:alpha:]]", b"[[:digit:]a]", b"[[:nope:]]", b"[a\\]b]", b"[/]", b"!", b"^",
     b"-", b"\\", b"\\*", b" ", b"\\ ", b"\t", b"#", b"\xff", b"\r"]
)  # fmt: skip
_lines = st.builds(
    lambda no, pieces: no + b"".join(pieces), st.sampled_from([b"", b"", b"!"]), st.lists(_pieces, max_size=6)
)
_files = st.builds(
    lambda bom, end, lines, last: bom + end.join(lines) + last,
    st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf"]),
    st.sampled_from([b"\n", b"\r\n", b"\n\n"]),
    st.lists(_lines, min_size=1, max_size=5),
    st.sampled_from([b"", b"\n", b"\r\n", b"  ", b"\x0b", b"\x1c"]),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    for folder in _FOLDERS:
        (root / folder).mkdir(exist_ok=True)
    for folder in _FOLDERS:
        for name in _NAMES:
            if not (root / folder / name).exists():
                (root / folder / name).touch()
    return root


def paths_in(tree: Path) -> dict[bytes, bool]:
    """Every path, and whether it is a folder."""
    found = {os.fsencode(path.relative_to(tree)): path.is_dir() for path in tree.rglob("*")}
    return {path: is_folder for path, is_folder in found.items() if not path.startswith(b".git")}


def by_git(tree: Path, data: bytes) -> dict[bytes, bool]:
    """Of every path whether Git leaves it out."""
    (tree / ".git/info/exclude").write_bytes(data)
    words = ["git", "-C", str(tree), "check-ignore", "-z", "--stdin", "--no-index", "--verbose", "--non-matching"]
    asked = b"".join(path + b"\0" for path in paths_in(tree))
    said = iter(subprocess.run(words, input=asked, capture_output=True, check=False).stdout.split(b"\0"))
    answers = zip(said, said, said, said, strict=False)
    return {path: bool(source) and not pattern.startswith(b"!") for source, _, pattern, path in answers}


def by_us(paths: Mapping[bytes, bool], data: bytes) -> dict[bytes, bool]:
    patterns = Patterns(lines_of(data))
    found: dict[bytes, bool] = {}
    for path in sorted(paths, key=lambda path: path.count(b"/")):
        above = found.get(path.rpartition(b"/")[0], False)
        found[path] = above or bool(patterns.decide(path, is_folder=paths[path]))
    return found


@given(data=_files)
def test_patterns_mean_what_they_mean_to_git(tree: Path, data: bytes) -> None:
    assert by_us(paths_in(tree), data) == by_git(tree, data)


@given(files=st.dictionaries(st.sampled_from(["", "a", "a/b", "b/D"]), _files, min_size=1))
def test_a_walk_takes_what_git_takes(tree: Path, files: dict[str, bytes]) -> None:
    """With ignore files in several folders; both are told to leave out the name that can't be stored."""
    (tree / ".git/info/exclude").write_bytes(b"")
    for folder, data in files.items():
        (tree / folder / IGNORE_FILE).write_bytes(data)
    words = ["git", "-C", str(tree), "ls-files", "-z", "--others", "--exclude", _NO_UTF8]
    try:
        said = subprocess.run(
            [*words, f"--exclude-per-directory={IGNORE_FILE}"], capture_output=True, check=True
        ).stdout
        assert [os.fsencode(path) for path in taken(tree)] == sorted(said.split(b"\0")[:-1])
    finally:
        for folder in files:
            (tree / folder / IGNORE_FILE).unlink()


def taken(tree: Path) -> list[str]:
    try:
        return [file.path for file in find([tree], exclude=[_NO_UTF8]).files]
    except PachaError as error:
        if "nothing to store" in error.message:
            return []
        raise
