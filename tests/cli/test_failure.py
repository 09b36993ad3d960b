"""Every error has its exit code and its words, in one place; a bug leaves its traceback in a file."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacha_git import errors
from pacha_git.cli.invocation import Invocation
from pacha_git.cli.program import failure, root
from pacha_git.cli.showing import output
from pacha_git.cli.verbs import about

from .conftest import Ended, run_inside
from .test_everywhere import leaves

Run = Callable[..., Ended]


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Let the command ``version`` raise."""

    def install(error: BaseException) -> None:
        def fail(ctx: click.Context) -> None:
            raise error

        monkeypatch.setattr(about, "version", fail)
        monkeypatch.setattr(root, "_load", root._load.__wrapped__)

    return install


CODES = [
    (errors.PachaError("no"), 1, "failed"),
    (errors.RemoteError("no"), 1, "failed"),
    (errors.InvalidInput("no"), 2, "usage"),
    (errors.Ambiguous("no", ["a", "b"]), 2, "usage"),
    (errors.NotFound("no"), 3, "not_found"),
    (errors.Conflict("no"), 4, "conflict"),
    (errors.VerificationFailed("no"), 5, "verification"),
    (errors.Corrupt("no"), 5, "verification"),
    (OSError(errno.ENOSPC, "No space left on device", "/x"), 1, "failed"),
    (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "failed"),
    (MemoryError(), 1, "failed"),
    (click.BadParameter("no"), 2, "usage"),
    (KeyError("x"), 70, "bug"),
    (FileNotFoundError(errno.ENOENT, "No such file", "/x"), 70, "bug"),
    (BrokenPipeError(errno.EPIPE, "Broken pipe"), 70, "bug"),
]


@pytest.mark.parametrize(("error", "code", "word"), CODES, ids=[type(error).__name__ for error, _, _ in CODES])
def test_each_error_has_its_exit_code_and_word(
    pacha: Run, raising: Callable[..., None], error: Exception, code: int, word: str
) -> None:
    raising(error)
    ended = pacha("version")
    assert ended.code == code
    assert ended.out == ""
    assert ended.err.startswith("Error: ")
    assert "Traceback" not in ended.err
    told = pacha("version", "--json")
    assert (told.code, told.out, told.error["code"]) == (code, "", word)


def test_a_hint_is_said(pacha: Run, raising: Callable[..., None]) -> None:
    raising(errors.NotFound("no x", hint="make x"))
    assert pacha("version").err == "Error: no x\nHint: make x\n"
    assert pacha("version", "--json").error == {"code": "not_found", "message": "no x", "hint": "make x"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_quiet(pacha: Run, raising: Callable[..., None], error: BaseException) -> None:
    raising(error)
    assert pacha("version") == Ended(130, b"", "")


def test_a_bug_keeps_its_traceback(pacha: Run, raising: Callable[..., None], home: Path) -> None:
    raising(ZeroDivisionError("seven by nought, at https://ada:secret@example.org/x"))
    ended = pacha("version")
    [log] = (home / ".local/state/pacha").iterdir()
    assert str(log) in ended.err
    kept = log.read_text()
    assert "Traceback" in kept
    assert "ZeroDivisionError" in kept
    assert "secret" not in kept
    assert log.stat().st_mode & 0o077 == 0 or log.parent.stat().st_mode & 0o077 == 0


def test_a_bug_without_a_place_for_the_log(
    pacha: Run, raising: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    raising(ZeroDivisionError("seven by nought"))
    assert pacha("version").code == 70
    assert pacha("version", "--json").error["code"] == "bug"


def test_verbose_shows_the_traceback(pacha: Run, raising: Callable[..., None]) -> None:
    raising(errors.NotFound("no x"))
    assert "Traceback" in pacha("version", "--verbose").err


def test_what_a_terminal_would_obey_is_escaped(pacha: Run) -> None:
    ended = pacha("\x1b[31mred\u202e\n")
    assert ended.code == 2
    assert "\x1b" not in ended.err
    assert "\u202e" not in ended.err
    assert len(ended.err.splitlines()) == 2


def test_a_word_that_is_no_text(pacha: Run) -> None:
    for words in (
        ("\udcff",),
        ("model", "get", "\udcff"),
        ("--registry", "\udcff", "stats"),
        ("model", "register", "x", "\udcff"),
    ):
        ended = pacha(*words)
        assert ended.code in (2, 3), ended
        pacha(*words, "--json").error  # noqa: B018 — that it parses is what is asked


def test_a_text_that_is_no_utf8(at: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"hello world")
    words = ("model", "register", "m", tmp_path / "m", "-v", "1.0.0", "-d", "caf\udce9 au lait")
    ended = at(*words, "--json")
    assert (ended.code, ended.error["message"]) == (2, "a text is not UTF-8: 'caf\\udce9 au lait'")
    assert at(*words[:-1], "café").code == 0
    assert "not UTF-8" in at("model", "describe", "m@1.0.0", "\udce9").err


def test_one_place_gives_codes() -> None:
    assert failure.report(KeyboardInterrupt(), Invocation("git pacha")) == 130
    assert failure.report(output.ReaderGone(), Invocation("git pacha")) == 141


class _Full(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_behind_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    err = io.StringIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(_Full())))
    monkeypatch.setattr(sys, "stderr", err)
    invocation = Invocation("git pacha", ("version",))
    root.invoke(invocation)
    with pytest.raises(errors.PachaError) as caught:
        output.flush()
    assert failure.report(caught.value, invocation) == 1
    assert "No space left on device" in err.getvalue()


WORDS = st.sampled_from(
    sorted({word for path in leaves() for word in path} | {
        "--json", "-q", "--verbose", "-h", "--", "-v", "1.0.0", "x", "x@1.0.0", "x@", "@", ":", "", "-", "none",
        "--registry", "-m", "--all", "-t", "prod", "--from", "a=b", "pacha://x", "--range", "0-", "--stage", "--depth",
        "-1", "é", "../x",
    })
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WORDS | st.text(st.characters(exclude_characters="\0"), max_size=8), max_size=6))
def test_junk_is_never_a_bug(tmp_path: Path, words: list[str]) -> None:
    if {"init", "demo", "clone", "generate"} & set(words):
        words = ["--registry", str(tmp_path / "none"), "model", *words]
    ended = run_inside("--registry", tmp_path / "none", *words)
    assert ended.code in (0, 1, 2, 3, 4, 5), (words, ended)
    if ended.code:
        assert ended.err
        assert "Traceback" not in ended.err or "--verbose" in words
