"""Completion from the registry: what is offered where, and real shells on a terminal that fill it in."""

from __future__ import annotations

import os
import pty
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pacha_git import Registry
from pacha_git.cli.program import completion, root
from tests import needed

from .conftest import REPOSITORY

START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(git-pacha completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -U compinit; compinit -D -u; eval "$(git-pacha completion zsh)"'),
    "fish": (["fish", "--no-config", "-i"], "git-pacha completion fish | source"),
}


@pytest.fixture
def filled(home: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    (home / "m").write_bytes(b"hello world")
    registry = Registry.init("registry.git")
    monkeypatch.setenv("PACHA_REGISTRY", str(registry.path))
    with registry.batch():
        registry.datasets.register("transactions", "m", version="1.0.0")
        registry.models.register("fraud-detector", "m", version="1.0.0")
        registry.models.register("fraud-detector", "m", version="1.1.0")
        registry.models.register("transactions", "m", version="3.0.0")
    registry.models.alias("fraud-detector", "champion", version="1.1.0")
    registry.add_remote("front", "hub.git")
    return registry


def offered(line: str) -> list[str]:
    return completion.candidates(root.command(), line.split(" "))


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("model get f", "fraud-detector"),
        ("data get ", "transactions"),
        ("verify t", "transactions"),
        ("verify data:", "data:transactions"),
        ("verify model:fraud-detector@1", "model:fraud-detector@1.0.0 model:fraud-detector@1.1.0"),
        ("model get fraud-detector:", "fraud-detector:1.0.0 fraud-detector:1.1.0"),
        ("model get fraud-detector@c", "fraud-detector@champion"),
        ("data get transactions@", "transactions@1.0.0 transactions@development transactions@latest"),
        ("model get fraud-detector -v 1", "1.0.0 1.1.0"),
        ("model get fraud-detector --version=c", "--version=champion"),
        ("model register fraud-detector -v ", ""),
        ("model get -v ", ""),
        ("model get nobody@", ""),
        ("model stage fraud-detector@1.0.0 --target=arch", "--target=archived"),
        ("model alias fraud-detector ", "champion"),
        ("model register x m --data ", "transactions"),
        ("model register x m --from eval", "evaluated-on="),
        ("model register x m --from evaluated-on=t", "evaluated-on=transactions"),
        ("model register x m --from fine-tuned-from=fraud-detector@champ", "fine-tuned-from=fraud-detector@champion"),
        ("push f", "fraud-detector front"),
        ("pull front t", "transactions"),
        ("remote remove ", "front"),
        ("--registry nowhere.git model get ", ""),
        ("run finish x --status c", "cancelled completed"),
    ],
    ids=lambda value: value.replace(" ", "_"),
)
def test_from_the_registry(line: str, expected: str) -> None:
    assert offered(line) == expected.split()


def test_the_id_of_a_run_is_completed(filled: Registry) -> None:
    with filled.run() as run:
        assert offered(f"run get {run.id[:10]}") == [run.id]


def type_on_a_terminal(words: list[str], lines: list[str], until: Callable[[], bool]) -> str:
    """Start a shell on a terminal of its own, type lines, and return all that it showed when ``until`` holds."""
    child, control = pty.fork()
    if child == 0:
        os.environ |= {"TERM": "xterm", "PS1": "> "}
        os.execvp(words[0], words)
    os.set_blocking(control, False)
    shown, end = b"", time.monotonic() + 60
    lines = list(lines)
    quiet = 0
    while not until() and time.monotonic() < end:
        try:
            shown += os.read(control, 65536)
            quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.02)
            # A shell that says nothing for a while waits for more; what is typed ahead, its line editor may drop.
            if quiet >= 15 and lines:
                os.write(control, lines.pop(0).encode())
                quiet = 0
        except OSError:
            break  # that is how Linux says that the shell is gone
    os.close(control)
    os.waitpid(child, 0)
    return shown.decode("utf-8", "replace")


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("name", START)
def test_a_person_presses_tab(name: str, scripts: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed.program(name, name)
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    words, setup = START[name]
    lines = [
        *([f"source {needed.git_completion()}\n"] if name == "bash" else []),
        f"{setup}\n",
        "pacha mod\tge\tfraud-detector@cham\t--json > one\n",
        "git pacha model get fr\t-v cham\t--json > two\n",
        "pacha verify model:fr\t--json > three\n",
        "pacha model register new m -v 1.0.0 --from fin\tfraud-detector@cham\t--json > four\n",
    ]
    names = ("one", "two", "three", "four")
    shown = type_on_a_terminal(words, lines, lambda: all(_has(home / each) for each in names))
    found = {each: (home / each).read_text() for each in names if _has(home / each)}
    assert list(found) == list(names), shown
    assert '"version": "1.1.0"' in found["one"]
    assert '"version": "1.1.0"' in found["two"]
    assert '"name": "fraud-detector"' in found["three"]
    assert '"fine-tuned-from"' in found["four"]


def _has(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def test_the_shells_of_this_test_are_those_that_have_a_script() -> None:
    from pacha_git.cli.program.shells import SCRIPTS

    assert set(START) == set(SCRIPTS)
    assert all(name in (REPOSITORY / ".ci/run").read_text() for name in START)
