"""What a run keeps of its code can be applied, whatever settings say, and its packages are the real ones."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.errors import PachaError
from pacha_git.registry.runs.capture import code_diff, environment
from tests.cli.conftest import Ended
from tests.making import put

Pacha = Callable[..., Ended]
SETTINGS = {
    "noprefix": {"diff.noprefix": "true"},
    "mnemonic": {"diff.mnemonicPrefix": "true"},
    "prefixes": {"diff.srcPrefix": "old/", "diff.dstPrefix": "new/"},
    "relative": {"diff.relative": "true"},
    "external": {"diff.external": "false"},
    "copies": {"diff.renames": "copies"},
    "no context": {"diff.context": "0"},
    "colour": {"color.ui": "always", "diff.colorMoved": "zebra", "diff.wsErrorHighlight": "all"},
    "submodules": {"diff.submodule": "log", "diff.ignoreSubmodules": "none"},
    "text of notebooks": {
        "diff.book.textconv": "wc -c",
        "diff.book.command": "false",
        "diff.book.cachetextconv": "true",
    },
    "line ends": {"core.autocrlf": "input", "core.safecrlf": "warn"},
}
COMMITTED = {
    "book.ipynb": b'{"cells": [1]}\n',
    "sub/train.py": b"".join(b"line %d\n" % n for n in range(30)),
    "gone.txt": b"x\n",
    "bytes.bin": bytes(range(256)),
    "to be moved": b"".join(b"same %d\n" % n for n in range(20)),
    "ünïcode": b"1\n",
    "no end": b"no line end",
    ".gitattributes": b"*.ipynb diff=book\n*.log -diff\n",
    "a.log": b"log\n",
}
CHANGED = {
    "book.ipynb": b'{"cells": [1, 2]}\n',
    "sub/train.py": b"".join(b"line %d\n" % (n + n // 9) for n in range(30)),
    "bytes.bin": bytes(range(255, -1, -1)),
    "moved": COMMITTED["to be moved"],
    "ünïcode": b"2\n",
    "no end": b"still none",
    "a.log": b"other\n",
    "new empty": b"",
}


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    git(tmp_path, "init", "--quiet", str(folder))
    for name, data in COMMITTED.items():
        put(folder / name, data)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


def change(code: Path) -> dict[str, bytes]:
    """Change the work tree in every way; returns what it holds then."""
    for name in ("gone.txt", "to be moved"):
        (code / name).unlink()
    for name, data in CHANGED.items():
        put(code / name, data)
    (code / "sub/train.py").chmod(0o755)
    git(code, "add", "--all")
    put(code / "book.ipynb", b'{"cells": [1, 2, 3]}\n')  # beyond what is staged
    return held(code)


def held(code: Path) -> dict[str, bytes]:
    return {
        f"{path.relative_to(code)} {path.stat().st_mode & 0o100}": path.read_bytes()
        for path in code.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(code).parts
    }


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_difference_of_code_applies(code: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in settings.items():
        git(code, "config", key, value)
    monkeypatch.setenv("GIT_DIFF_OPTS", "--unified=0")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    wanted = change(code)
    diff = code_diff(code / "sub")
    git(code, "reset", "--quiet", "--hard")
    subprocess.run(["git", "-c", "core.autocrlf=false", "apply", "-"], cwd=code, input=diff, check=True)
    assert held(code) == wanted


def test_a_submodule_that_moved_or_is_dirty_leaves_the_difference_whole(code: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "inner")
    put(tmp_path / "inner/f", b"1\n")
    git(tmp_path / "inner", "add", ".")
    git(tmp_path / "inner", "commit", "--quiet", "-m", "one")
    git(code, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "inner"), "lib")
    git(code, "commit", "--quiet", "-m", "lib")
    git(code, "config", "diff.submodule", "diff")
    git(code / "lib", "commit", "--quiet", "--allow-empty", "-m", "two")
    put(code / "lib/f", b"dirty\n")
    put(code / "a.log", b"other\n")
    diff = code_diff(code)
    assert b"-dirty" not in diff
    assert git(code / "lib", "rev-parse", "HEAD").encode() in diff
    git(code, "checkout", "--quiet", "--", "a.log")
    subprocess.run(["git", "apply", "-"], cwd=code, input=diff, check=True)
    assert (code / "a.log").read_bytes() == b"other\n"


def test_code_that_belongs_to_somebody_else_is_named(
    code: Path, registry_path: Path, monkeypatch: pytest.MonkeyPatch, pacha: Pacha
) -> None:
    Registry.init(registry_path)
    monkeypatch.chdir(code)
    monkeypatch.setenv("PACHA_REGISTRY", str(registry_path))
    git(code, "config", "--global", "safe.directory", str(registry_path))
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(PachaError, match="another user") as caught:
        code_diff(code)
    assert caught.value.hint == f"git config --global --add safe.directory {code}"
    for words in (("run", "start"), ("run", "exec", "--", "true")):
        done = pacha(*words)
        assert (done.code, "safe.directory" in done.err) == (0, True)
    monkeypatch.delenv("GIT_TEST_ASSUME_DIFFERENT_OWNER")


def package(place: Path, version: str) -> None:
    put(place / "toy_pkg/__init__.py", f"__version__ = {version!r}\n".encode())
    put(place / f"toy_pkg-{version}.dist-info/METADATA", b"Name: toy-pkg\n")


def recorded() -> str | None:
    found: str | None = environment()["packages"].get("toy-pkg")
    return found


def test_of_a_package_that_is_there_twice_the_first_on_the_path_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path / "new", "1.26.0")
    package(tmp_path / "old", "1.9.0")
    for first, second, version in (("new", "old", "1.26.0"), ("old", "new", "1.9.0")):
        monkeypatch.setattr(sys, "path", [str(tmp_path / first), str(tmp_path / second), *sys.path])
        assert recorded() == version


def test_in_one_place_the_one_installed_last_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "3.0.0")
    package(tmp_path, "2.0.0")
    os.utime(tmp_path / "toy_pkg-3.0.0.dist-info", (1, 1))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert recorded() == "2.0.0"


def test_a_module_from_elsewhere_says_its_version_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path / "installed", "1.0.0")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "installed"), *sys.path])
    module = types.ModuleType("toy_pkg")
    module.__file__ = str(tmp_path / "checkout/toy_pkg/__init__.py")
    module.__dict__["__version__"] = "1.1.0.dev3"
    monkeypatch.setitem(sys.modules, "toy_pkg", module)
    assert recorded() == "1.1.0.dev3"
    module.__file__ = str(tmp_path / "installed/toy_pkg/__init__.py")
    assert recorded() == "1.0.0"
