from __future__ import annotations

from pathlib import Path

import pytest

from pacha_git import InvalidInput, NotFound, Registry
from pacha_git.store.payload.sources import find
from tests.making import contents, folder, put

FILES = {"a.txt": b"a", "keep/b.bin": b"b", "skip/c.bin": b"c", "d.tmp": b"d", "keep/e.tmp": b"e"}


def found(*paths: Path, **options: object) -> list[str]:
    return [file.path for file in find(paths, **options).files]  # type: ignore[arg-type]


def test_one_file_keeps_its_name_whatever_lies_above_it(tmp_path: Path) -> None:
    assert found(put(tmp_path / "deep" / "er" / "w.bin")) == ["w.bin"]


def test_a_folder_gives_the_paths_below_it_sorted_by_their_bytes(tmp_path: Path) -> None:
    files = folder(tmp_path / "f", {"b": b"", "a/z": b"", "a-b": b"", "ä": b"", "Z": b"", ".dot": b""})
    assert found(files) == [".dot", "Z", "a-b", "a/z", "b", "ä"]


def test_of_several_each_lies_under_its_own_last_name(tmp_path: Path) -> None:
    one = folder(tmp_path / "x" / "model", {"w": b"1", "sub/v": b"2"})
    assert found(one, put(tmp_path / "card.md")) == ["card.md", "model/sub/v", "model/w"]


def test_dots_have_the_name_of_what_they_stand_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "here", {"w": b"1"})
    monkeypatch.chdir(tmp_path / "here")
    assert found(Path(), put(tmp_path / "x")) == ["here/w", "x"]
    assert found(Path("..") / "here") == ["w"]


def test_what_git_and_pachaignore_and_exclude_leave_out(tmp_path: Path) -> None:
    files = folder(
        tmp_path / "f", {**FILES, ".git/HEAD": b"", "sub/.git": b"gitdir: x", ".pachaignore": b"*.tmp\n!d.tmp\n"}
    )
    assert found(files, exclude=["skip/"]) == [".pachaignore", "a.txt", "d.tmp", "keep/b.bin"]
    assert found(files, exclude=["*", "!a.txt"]) == ["a.txt"]
    assert [notice for notice in find([files]).notices if "Git's own" in notice]
    assert len(find([files]).notices) == 2


@pytest.mark.parametrize(
    ("pattern", "left"),
    [("/a.txt", ["d.tmp", "keep/b.bin", "keep/e.tmp", "skip/c.bin"]),
     ("keep/*.tmp", ["a.txt", "d.tmp", "keep/b.bin", "skip/c.bin"]),
     ("**/*.bin", ["a.txt", "d.tmp", "keep/e.tmp"]), ("# comment", sorted(FILES)), ("", sorted(FILES))],
)  # fmt: skip
def test_patterns_are_those_of_gitignore(tmp_path: Path, pattern: str, left: list[str]) -> None:
    assert found(folder(tmp_path / "f", FILES), exclude=[pattern]) == left


def test_a_folder_of_that_name_is_no_ignore_file(tmp_path: Path) -> None:
    assert found(folder(tmp_path / "f", {"a": b"", ".pachaignore/a": b"*"})) == [".pachaignore/a", "a"]


def test_a_link_named_as_path_is_followed_and_one_in_a_folder_if_asked(tmp_path: Path) -> None:
    target = put(tmp_path / "target.bin", b"t")
    (tmp_path / "link.bin").symlink_to(target)
    assert found(tmp_path / "link.bin") == ["link.bin"]
    files = folder(tmp_path / "f", {"a": b"a"})
    (files / "l").symlink_to(target)
    (files / "dir").symlink_to(folder(tmp_path / "elsewhere", {"x": b"x"}))
    assert found(files, follow_symlinks=True) == ["a", "dir/x", "l"]
    (tmp_path / "folder-link").symlink_to(files)
    assert found(tmp_path / "folder-link", follow_symlinks=True) == ["a", "dir/x", "l"]
    with pytest.raises(Exception, match="symbolic link"):
        find([files])
    assert found(files, exclude=["l", "dir"]) == ["a"]


def test_modes_are_executable_or_not(tmp_path: Path) -> None:
    files = folder(tmp_path / "f", {"run": b"", "read": b""})
    (files / "run").chmod(0o750)
    (files / "read").chmod(0o666)
    assert [(file.path, file.mode) for file in find([files]).files] == [("read", "644"), ("run", "755")]


@pytest.mark.parametrize("names", [["a", "A"], ["\u00e9", "e\u0301"], ["straße", "STRASSE"], ["x\x7f"], ["d/x", "D/X"]])
def test_paths_that_some_file_system_could_not_tell_apart(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(InvalidInput):
        find([folder(tmp_path / "f", dict.fromkeys(names, b""))])


@pytest.mark.parametrize("path", ["nowhere", "file/below", "\x00", "\ud800"])
def test_what_is_not_there(tmp_path: Path, path: str) -> None:
    put(tmp_path / "file")
    with pytest.raises(NotFound):
        find([tmp_path / path])


def test_follow_symlinks_stores_the_bytes(registry_path: Path, tmp_path: Path) -> None:
    registry = Registry.init(registry_path)
    files = folder(tmp_path / "f", {"a": b"a"})
    (files / "l").symlink_to(put(tmp_path / "t", b"target"))
    registry.datasets.register("d", files, version="1.0.0", follow_symlinks=True)
    assert contents(registry.datasets.download("d", tmp_path / "out")) == {"a": b"a", "l": b"target"}
    assert not (tmp_path / "out" / "l").is_symlink()
