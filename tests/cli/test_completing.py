"""Completion: of commands, flags and their values, in a real bash with and without git's own completion."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from pacha_git.cli.program import completion, root
from tests import needed

from .conftest import Ended

Shell = Callable[..., Ended]


def offered(*words: str) -> list[str]:
    return completion.candidates(root.command(), words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("mo",), ["model"]),
        (("model", "re"), ["register"]),
        (("--json", "model", "hi"), ["history"]),
        (("--registry", "model", "da"), ["data"]),
        (("model", "stage", "x", "--tar"), ["--target"]),
        (("model", "stage", "x", "-t", "p"), ["production"]),
        (("model", "lineage", "x", "--format", ""), ["dot", "json", "mermaid", "prov", "tree"]),
        (("completion", ""), ["bash", "fish", "zsh"]),
        (("push", "--payload", ""), ["all", "none"]),
        (("model", "register", "--", "--js"), []),
        (("model", "register", "x", ""), []),
        (("version", ""), []),
        (("nonsense", "mo"), ["model"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_may_follow(words: tuple[str, ...], expected: list[str]) -> None:
    assert offered(*words) == expected


def test_every_command_offers_its_flags() -> None:
    assert {"--json", "--registry", "--quiet", "-q", "--help", "-h"} <= set(offered("model", "get", "-"))


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(pacha: Callable[..., Ended], name: str) -> None:
    script = pacha("completion", name).out
    assert completion.WORD in script
    assert "git-pacha" in script
    assert pacha("completion", name, "--json").json == {"shell": name, "script": script}


def test_the_shell_of_the_person_is_the_default(pacha: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert pacha("completion", "--json").json["shell"] == "fish"


def test_the_shells_that_are_here_take_their_scripts(shell: Shell) -> None:
    here = [name for name in ("bash", "zsh", "fish") if shutil.which(name)]
    assert "bash" in here
    for name in here:
        assert shell("bash", "-c", f"git-pacha completion {name} | {name} -n").err == ""


def complete_in_bash(shell: Shell, line: str, function: str, before: str = "") -> list[str]:
    """What bash would offer for a line whose cursor stands at its end."""
    program = f"""
        {before}
        eval "$(git-pacha completion bash)"
        COMP_LINE={line!r} COMP_POINT={len(line)}
        COMP_WORDS=({line.rstrip()}) COMP_CWORD={len(line.split()) - (not line.endswith(" "))}
        {function}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    ended = shell("bash", "-c", program)
    assert ended.code == 0, ended.err
    return ended.out.splitlines()


@pytest.mark.parametrize("program", ["pacha", "git-pacha"])
def test_bash_completes_commands_flags_and_words(shell: Shell, program: str) -> None:
    assert complete_in_bash(shell, f"{program} mod", "_pacha") == ["model"]
    assert complete_in_bash(shell, f"{program} model stage 'a b' -t arch", "_pacha") == ["archived"]
    assert "--registry" in complete_in_bash(shell, f"{program} model list --", "_pacha")


def test_bash_after_git(shell: Shell) -> None:
    git = f"source {needed.git_completion()}"
    assert complete_in_bash(shell, "git pacha mod", "__git_wrap__git_main", git) == ["model "]
    assert complete_in_bash(shell, "git -C . pacha model hist", "__git_wrap__git_main", git) == ["history "]


def test_bash_completes_what_it_has_parted_itself() -> None:
    assert completion._already_parted("a@1.0", " \t\n\"'@><=;|&(:") == 1
    assert completion._already_parted("from=a:1.0", " \t\n\"'@><=;|&(:") == 7
    assert completion._already_parted("abc", " \t\n@") == 0
